"""The summary of a page, against a server of the test with its own chain."""

import io
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox import summary
from sandbox.pki import Authority


class Page(BaseHTTPRequestHandler):
    status, location = 200, ""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Location", self.location + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Plain(Page):
    status, location = 301, "https://localhost"


def _serve(server: ThreadingHTTPServer) -> ThreadingHTTPServer:
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a page that a CA `good` has signed for."""
    folder = tmp_path_factory.mktemp("site")
    authority = Authority.create(folder, "good")
    authority.issue("server", "localhost", sans=["localhost"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    secure = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    plain = ThreadingHTTPServer(("127.0.0.1", 0), Plain)
    with secure, plain:
        _serve(secure)
        _serve(plain)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(summary, "PLAIN_PORT", plain.server_address[1])
            patch.setattr(summary, "_LISTENING", 0.0)
            yield f"https://localhost:{secure.server_address[1]}/shop"
        secure.shutdown()
        plain.shutdown()


@pytest.fixture(scope="module")
def roots(site: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The root of the site, and another one."""
    assert site, "it is up"
    good = next(tmp_path_factory.getbasetemp().glob("site*/ca.crt"))
    Authority.create(other := tmp_path_factory.mktemp("other"), "other")
    return good, other / "ca.crt"


def test_pages_are_shown_with_their_chain_and_the_root_that_verified_it(
    site: str, roots: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, other = roots
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps([site, site])))
    assert summary.main(["-", "--ca", str(other), str(good)]) == 0, "one of the roots verifies it"
    seen = capsys.readouterr().out
    assert seen.count(f"{site}  200 from 127.0.0.1") == 2, "every URL of the list"
    assert f"good, verified against {good}" in seen, "by which root"
    assert "certificate  localhost, for localhost" in seen, "for which names"
    assert "plain HTTP   301 https://localhost/shop" in seen, "and what plain HTTP answers"


def test_a_chain_that_verifies_against_none_of_the_roots_is_an_error(
    site: str, roots: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert summary.main([site, "--ca", str(roots[1])]) == 1, "it is not served over verified HTTPS"
    assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().out, "and why is said"


@pytest.mark.parametrize("text", ["", "[]", "no JSON", '["http://localhost/"]'])
def test_stdin_without_a_list_of_https_urls_is_an_error(
    text: str, roots: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert summary.main(["-", "--ca", str(roots[0])]) == 1, "the command before the pipe may have failed"
    assert capsys.readouterr().out.startswith("error:")
