"""The summary of a page that is not served as it should be; `make up` prints the other kind."""

import io
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sandbox import summary
from sandbox.pki import Authority


def test_a_chain_that_verifies_against_none_of_the_roots_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority, other = Authority.create(tmp_path / "good", "good"), Authority.create(tmp_path / "other", "other")
    authority.issue("server", "localhost", sans=["localhost"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.folder / "server.crt", authority.folder / "server.key")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client hangs up
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"https://localhost:{server.server_address[1]}/"
        assert summary.main([url, "--ca", str(other.folder / "ca.crt")]) == 1
    assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", "no JSON", '["http://localhost/"]'])
def test_stdin_without_a_list_of_https_urls_is_an_error(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert summary.main(["-", "--ca", str(tmp_path)]) == 1, "the command before the pipe may have failed"
    assert capsys.readouterr().out.startswith("error:")
