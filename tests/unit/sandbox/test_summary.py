"""What a client sees, against a server of the test with a chain of the test's own."""

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
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Plain(Page):
    def do_GET(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"https://localhost{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()


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


def test_a_page_is_shown_with_its_chain_and_the_root_that_verified_it(
    site: str, roots: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    good, other = roots
    assert summary.main([site, "--ca", str(other), str(good)]) == 0, "one of the roots verifies it"
    seen = capsys.readouterr().out
    assert f"{site}  200 from 127.0.0.1" in seen, "which page, and from where"
    assert f"good, verified against {good}" in seen, "by which root"
    assert "certificate  localhost, for localhost" in seen, "for which names"
    assert "plain HTTP   301 https://localhost/shop" in seen, "and what plain HTTP answers"


def test_urls_come_from_stdin_too(
    site: str, roots: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps([site, site])))
    assert summary.main(["-", "--ca", str(roots[0])]) == 0, "as a JSON list, such as a stack's output"
    assert capsys.readouterr().out.count("200 from") == 2, "each is requested"


def test_a_chain_that_verifies_against_none_of_the_roots_is_an_error(
    site: str, roots: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert summary.main([site, "--ca", str(roots[1])]) == 1, "it is not served over verified HTTPS"
    assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().out, "and why is said"


@pytest.mark.parametrize("given", ["", "[]", "no JSON", '["http://localhost/"]'])
def test_what_is_no_list_of_https_urls_is_an_error(
    given: str, roots: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert summary.main(["-", "--ca", str(roots[0])]) == 1, "a command before the pipe that failed is not overlooked"
    assert capsys.readouterr().out.startswith("error:"), "in a line"
