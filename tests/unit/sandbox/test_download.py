"""Downloads from a registry and a file server on this machine, which behave, refuse, lie, or are slow."""

import io
import tarfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from sandbox import download, web
from sandbox.download import fetch
from sandbox.pki import Authority
from sandbox.releases import Release
from sandbox.testing.server import server_tls
from sandbox.web import DownloadError
from tests.upstream import Answer, Upstream, send, tar

PROGRAM = b"#!/bin/sh\necho the real one\n" * 1000


def refuse(status: int) -> Answer:
    return lambda handler: handler.send_error(status)


def wait(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until the client hangs up."""
    handler.rfile.read()


def redirect(url: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        handler.send_header("Location", url)
        handler.end_headers()

    return answer


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    server = Upstream()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("SANDBOX_MIRRORS", server.mirrors)
    monkeypatch.setattr(web, "STALL", 0.3)
    yield server
    server.server.close()


@pytest.fixture
def image(upstream: Upstream) -> Release:
    return upstream.image(tar({"app/cmd/tool": PROGRAM, "app/other": b""}), {"tool": "app/cmd/tool"})


def left(release: Release) -> list[Path]:
    return list(release.folder.parent.iterdir())


def test_a_program_is_taken_out_of_an_image_for_this_machine(image: Release, upstream: Upstream) -> None:
    fetch(image)
    assert [file.name for file in image.folder.iterdir()] == ["tool"], "and nothing else"
    assert (image.folder / "tool").read_bytes() == PROGRAM
    assert (image.folder / "tool").stat().st_mode & 0o111, "it can be started"
    assert left(image) == [image.folder], "nothing partial stays"
    assert sum("blobs" in path for path, _ in upstream.seen) == 1, "the base below it is not downloaded"


def test_programs_are_taken_out_of_an_archive(upstream: Upstream) -> None:
    content = tar({"./linux/a": b"a", "linux/b": b"b", "../outside": b"c"})
    release = upstream.archive(content, {"first": "linux/a", "second": "linux/b"})
    fetch(release)
    assert {file.name: file.read_bytes() for file in release.folder.iterdir()} == {"first": b"a", "second": b"b"}


@pytest.mark.usefixtures("upstream")
def test_the_machine_says_which_authorities_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Authority.create(tmp_path, "proxy-ca").issue("proxy", "localhost", sans=["localhost"])
    other = Upstream(server_tls(f"{tmp_path}/proxy.crt", f"{tmp_path}/proxy.key"))
    monkeypatch.setenv("SANDBOX_MIRRORS", f"files.test={other.url}")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    release = other.archive(PROGRAM, {"kubectl": "."})
    try:
        with pytest.raises(DownloadError, match=r"cannot be reached \(SSLError\)"):
            fetch(release)
        monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/ca.crt")
        fetch(release)
    finally:
        other.server.close()


def test_a_file_may_be_the_program_itself(upstream: Upstream) -> None:
    release = upstream.archive(PROGRAM, {"kubectl": "."})
    fetch(release)
    assert (release.folder / "kubectl").read_bytes() == PROGRAM


def test_a_registry_that_wants_a_token_gets_one_and_the_host_behind_it_does_not(
    image: Release, upstream: Upstream
) -> None:
    other = Upstream()  # on another port, as a registry's storage is on another host

    def guarded(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers["Authorization"] == "Bearer for a/b":
            if "blobs" in handler.path:
                return redirect(f"{other.url}{handler.path}")(handler)
            return send(handler, upstream.content[handler.path])
        handler.send_response(401)
        scope = 'scope="repository:a/b:pull"'
        handler.send_header("WWW-Authenticate", f'Bearer realm="{upstream.url}/token",service="registry",{scope}')
        handler.end_headers()
        return None

    other.content = upstream.content
    upstream.answers = {
        "/v2/": guarded,
        "/token?service=registry&scope=repository%3Aa%2Fb%3Apull": lambda handler: send(
            handler, b'{"token": "for a/b"}'
        ),
    }
    try:
        fetch(image)
    finally:
        other.server.close()
    assert (image.folder / "tool").is_file()
    assert [path for path, _ in upstream.seen].count("/token?service=registry&scope=repository%3Aa%2Fb%3Apull") == 1
    assert [authorization for _, authorization in other.seen] == [None], "the token is the registry's alone"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
@pytest.mark.parametrize("path", ["/v2/a/b/manifests", "/v2/a/b/blobs"])
def test_a_refusal_is_one_line_with_its_status(image: Release, upstream: Upstream, path: str, status: int) -> None:
    upstream.answers = {path: refuse(status)}
    with pytest.raises(DownloadError, match=rf"^localhost:\d+ answers {status} [A-Z][A-Za-z ]+$"):
        fetch(image)
    assert left(image) == [], "nothing looks downloaded"


def test_a_refusal_of_the_token_is_one_line(image: Release, upstream: Upstream) -> None:
    def challenge(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", f'Bearer realm="{upstream.url}/token"')
        handler.end_headers()

    upstream.answers = {"/v2/": challenge}
    with pytest.raises(DownloadError, match="answers 404 Not Found"):
        fetch(image)
    upstream.answers["/token"] = lambda handler: send(handler, b"no JSON")
    with pytest.raises(DownloadError, match="gives no token"):
        fetch(image)


@pytest.mark.parametrize("path", ["/v2/a/b/manifests", "/v2/a/b/blobs"])
def test_other_content_than_the_pinned_one_is_refused(image: Release, upstream: Upstream, path: str) -> None:
    upstream.answers = {path: lambda handler: send(handler, tar({"app/cmd/tool": b"another"}))}
    with pytest.raises(DownloadError, match=r"sends another (file|manifest): sha256:[0-9a-f]{64}, not sha256:"):
        fetch(image)
    assert left(image) == []


def test_a_download_that_is_cut_off_is_refused(image: Release, upstream: Upstream) -> None:
    upstream.answers = {"/v2/a/b/blobs": lambda handler: send(handler, b"x" * 100, length=1000)}
    with pytest.raises(DownloadError, match=r"cut the download off after 100 bytes"):
        fetch(image)
    assert left(image) == []


def test_a_download_that_stalls_is_given_up(image: Release, upstream: Upstream) -> None:
    def stall(handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"x" * 100, length=1000)
        wait(handler)

    upstream.answers = {"/v2/a/b/blobs": stall}
    began = time.monotonic()
    with pytest.raises(DownloadError, match=r"stopped sending for"):
        fetch(image)
    assert time.monotonic() - began < 5


def test_a_download_that_trickles_is_given_up_at_its_limit(
    image: Release, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"", length=10**6)
        try:
            for _ in range(100):
                handler.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass  # the client has hung up

    monkeypatch.setattr(web.Client.__init__, "__defaults__", (lambda _: None, 0.5))
    upstream.answers = {"/v2/a/b/blobs": trickle}
    began = time.monotonic()
    with pytest.raises(DownloadError, match=r"is slow: it sent \d+ bytes in"):
        fetch(image)
    assert time.monotonic() - began < 3, "a byte now and then does not keep it alive"


def test_a_host_that_does_not_answer_or_is_not_there_is_named(image: Release, upstream: Upstream) -> None:
    upstream.answers = {"/v2/": wait}
    with pytest.raises(DownloadError, match=r"does not answer within"):
        fetch(image)
    upstream.server.close()
    with pytest.raises(DownloadError, match=r"^localhost:\d+ cannot be reached \(ConnectionError\)$"):
        fetch(image)


def test_more_than_any_program_has_is_refused(image: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", len(PROGRAM) - 1)
    with pytest.raises(DownloadError, match=r"app/cmd/tool has more than"):
        fetch(image)
    monkeypatch.setattr(web, "MAX_BYTES", 10)
    with pytest.raises(DownloadError, match=r"sends more than 10 bytes"):
        fetch(image)


def test_an_image_without_the_program_and_one_for_other_machines_are_refused(
    upstream: Upstream, image: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError, match=r"quay\.test/a/b:v1 has no app/elsewhere"):
        fetch(Release(image.url, image.digest, {"tool": "app/elsewhere"}, ()))
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(DownloadError, match=r"is not for this machine \(riscv64\)"):
        fetch(image)
    release = upstream.archive(b"no archive", {"tool": "tool"})
    with pytest.raises(DownloadError, match=r"an archive cannot be read"):
        fetch(release)


def test_a_link_in_an_archive_is_not_followed(upstream: Upstream) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as members:
        member = tarfile.TarInfo("tool")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        members.addfile(member)
    release = upstream.archive(archive.getvalue(), {"tool": "tool"})
    with pytest.raises(DownloadError, match="has no tool"):
        fetch(release)
