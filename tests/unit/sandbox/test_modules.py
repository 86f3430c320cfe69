"""Files of Go modules, from a proxy that is a folder."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import modules, tools
from sandbox.errors import SandboxError

MODULE, VERSION = "example.com/Big/tool", "v1.2.3"
FILES = {"charts/a/b.yaml": "b", "charts/c.yaml": "c", "charts-2/d.yaml": "d", "test.pem": "pem"}


def archive(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, text in files.items():
            made.writestr(f"{MODULE}@{VERSION}/{name}", text)
    return content.getvalue()


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Takes what the proxy serves; nothing is cached, and Go is not installed."""
    build, proxy = tmp_path / "builds" / "tool", tmp_path / "proxy"
    build.mkdir(parents=True)
    (build / "go.mod").write_text(f"require {MODULE} {VERSION}\n")
    pinned = modules._hash(archive(FILES))
    (build / "go.sum").write_text(f"{MODULE} {VERSION}/go.mod h1:x=\n{MODULE} {VERSION} {pinned}\n")
    for module in (modules, tools):
        monkeypatch.setattr(module, "BUILDS", tmp_path / "builds")
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "none"))
    monkeypatch.setenv("GOPROXY", f"{proxy.as_uri()},direct")
    file = proxy / "example.com" / "!big" / "tool" / "@v" / f"{VERSION}.zip"
    file.parent.mkdir(parents=True)

    def write(content: bytes) -> None:
        file.write_bytes(content)

    return write


def test_only_what_is_wanted_is_unpacked(serve: Callable[[bytes], None]) -> None:
    serve(archive(FILES))
    folder = modules.folder("tool", MODULE, "charts", "test.pem")
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert names == ["charts/a/b.yaml", "charts/c.yaml", "test.pem"]
    serve(b"")
    assert modules.folder("tool", MODULE, "charts", "test.pem") == folder, "it is downloaded once"


@pytest.mark.parametrize("content", [archive(FILES | {"charts/c.yaml": "evil"}), b"no zip", archive({})])
def test_another_module_than_the_pinned_one_is_refused(serve: Callable[[bytes], None], content: bytes) -> None:
    serve(content)
    with pytest.raises(SandboxError, match=r"v1\.2\.3\.zip is not the module that go\.sum pins.*\n.*export GOPROXY"):
        modules.folder("tool", MODULE, "charts")


@pytest.mark.usefixtures("serve")
def test_the_error_says_where_it_was_looked_for() -> None:
    with pytest.raises(SandboxError, match=r"none/cache/download/example\.com/!big.*proxy/example\.com/!big"):
        modules.folder("tool", MODULE, "charts")
