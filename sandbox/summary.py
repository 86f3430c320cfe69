"""``python -m sandbox.summary URL... --ca FILE``, inside a sandbox: request pages over HTTPS like a client.

Names are resolved by DNS, and chains are verified against the roots on the command line only.
"""

import argparse
import http.client
import json
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

PLAIN_PORT = 80
_TIMEOUT = 10
_LISTENING = 20.0
"""Seconds for a gateway to listen after its configuration is in the cluster."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the answer of every URL; the exit code is 1 if one is not served over verified HTTPS."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.summary", description=__doc__)
    parser.add_argument(
        "urls", nargs="+", metavar="URL", help="https://HOST/PATH, or - for a JSON list of them on stdin"
    )
    parser.add_argument(
        "--ca", type=Path, nargs="+", required=True, metavar="FILE", help="roots to verify against, PEM"
    )
    arguments = parser.parse_args(argv)
    console = Console(highlight=False)
    try:
        urls = json.load(sys.stdin) if arguments.urls == ["-"] else arguments.urls
        if not urls:
            raise ValueError("the list of URLs is empty")
        for url in urls:
            console.print(describe_when_listening(url, arguments.ca), soft_wrap=True)
    except (OSError, ValueError) as error:
        console.print(f"[red]error:[/] not served over verified HTTPS: {error}", soft_wrap=True)
        return 1
    return 0


def describe(url: str, roots: Sequence[Path]) -> str:
    """Request `url` over HTTPS and the same path over plain HTTP, and describe both answers in rich's markup.

    Raises:
        OSError: there is no connection, a root cannot be read, or no root verifies the chain and the name.
        ValueError: `url` is not an https:// URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"{url!r} is not an https:// URL")
    secure, root = _connect(parts.netloc, roots)
    secure.request("GET", parts.path or "/")
    certificate: Any = secure.sock.getpeercert()
    address = secure.sock.getpeername()[0]
    status = secure.getresponse().status
    secure.close()
    plain = http.client.HTTPConnection(parts.hostname, PLAIN_PORT, timeout=_TIMEOUT)
    plain.request("GET", parts.path or "/")
    answer = plain.getresponse()
    redirect = f"{answer.status} {answer.getheader('location', '')}".strip()
    plain.close()
    names = ", ".join(value for _, value in certificate["subjectAltName"])
    return (
        f"  [green]{url}[/]  {status} from {address}\n"
        f"    certificate  {_common_name(certificate['subject'])}, for {names}\n"
        f"    issuer       {_common_name(certificate['issuer'])}, verified against {root}\n"
        f"    not after    {certificate['notAfter']}\n"
        f"    plain HTTP   {redirect}"
    )


def describe_when_listening(url: str, roots: Sequence[Path]) -> str:
    """Call `describe` once the gateway listens: a Certificate is Ready before Envoy has its Secret."""
    deadline = time.monotonic() + _LISTENING
    while True:
        try:
            return describe(url, roots)
        except (ConnectionRefusedError, ConnectionResetError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _connect(netloc: str, roots: Sequence[Path]) -> tuple[http.client.HTTPSConnection, Path]:
    """Return a connection whose chain verifies, and the root that verifies it."""
    for root in roots:
        context = ssl.create_default_context(cafile=root)
        connection = http.client.HTTPSConnection(netloc, timeout=_TIMEOUT, context=context)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError:
            connection.close()
            if root is roots[-1]:
                raise
        else:
            return connection, root
    raise ValueError("no root to verify against")


def _common_name(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    return next((value for relative in name for key, value in relative if key == "commonName"), "(none)")


if __name__ == "__main__":
    sys.exit(main())
