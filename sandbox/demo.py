"""A small HTTP service behind the gateway, whose answers say which application answered and what it received.

Set APP_NAME (default `demo`) and PORT (default 8080) in the environment. `delay=SECONDS` in a query delays the answer.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_LONGEST_DELAY = 30.0


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with a JSON object."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the application's name, the path, and the headers that a gateway sets."""
        for delay in parse_qs(urlsplit(self.path).query).get("delay", []):
            time.sleep(min(float(delay), _LONGEST_DELAY))
        answer = {
            "app": os.environ.get("APP_NAME", "demo"),
            "path": self.path,
            "host": self.headers.get("Host"),
            "x-forwarded-proto": self.headers.get("X-Forwarded-Proto"),
            "x-forwarded-client-cert": self.headers.get("X-Forwarded-Client-Cert"),
        }
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the process is ended."""
    address = ("0.0.0.0", int(os.environ.get("PORT", "8080")))  # noqa: S104 - a Pod has one address
    ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
