"""A build: its progress, its record and its failures, with a fake `go`."""

import os
import sys
import textwrap
from pathlib import Path

import pytest

from sandbox import gobuild
from sandbox.errors import SandboxError
from sandbox.gobuild import Build, Record

BUILDS = """
    for line in ("go: downloading example.com/a v1.0.0", "example.com/a", "example.com/b", "# example.com/b"):
        print(line, file=sys.stderr, flush=True)
    (out if out.is_dir() else out.parent).joinpath("tool").write_text("program")
"""
FAILS = """
    print("example.com/a", file=sys.stderr)
    sys.exit("a.go:1:1: syntax error")
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    source, folder = tmp_path / "source", tmp_path / "bin"
    source.mkdir()
    folder.mkdir()
    for name in ("go.mod", "go.sum", "wrapper"):
        (source / name).write_text(name)
    monkeypatch.setattr(gobuild, "BUILDS", tmp_path)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin:/bin")
    return Build("source", ("example.com/tool",), usual=Record(1, 1))


def go(build: Build, script: str) -> None:
    program = build.source.parent / "bin" / "go"
    head = f"""\
    #!{sys.executable}
    import sys, time
    from pathlib import Path
    out = Path(sys.argv[sys.argv.index("-o") + 1])
    """
    program.write_text(textwrap.dedent(head) + textwrap.dedent(script))
    program.chmod(0o755)


def test_a_build_reports_progress_and_records_its_cost(build: Build, tmp_path: Path) -> None:
    go(build, BUILDS)
    said: list[tuple[str, int]] = []
    gobuild.run(
        build, tmp_path / "tool-1", lambda *progress: said.append(progress), [(build.source / "go.mod", "executor.py")]
    )
    assert said[1:] == [("downloading example.com/a", 0), ("compiling", 1), ("compiling", 2)], "comments are no package"
    assert sorted(file.name for file in (tmp_path / "tool-1").iterdir()) == [
        "build.json", "executor.py", "tool", "wrapper",
    ], "the program, and what belongs beside it"  # fmt: skip
    record = gobuild.record(tmp_path / "tool-1")
    assert record is not None, "it was recorded"
    assert record.packages == 2, "how much was compiled"
    assert record.seconds > 0, "and how long it took"
    assert record.processor > 0, "and what the compiler and the linker used"


def test_a_finished_build_is_not_repeated(build: Build, tmp_path: Path) -> None:
    go(build, FAILS)
    (tmp_path / "tool-1").mkdir()
    gobuild.run(build, tmp_path / "tool-1", lambda *_: None)
    assert gobuild.record(tmp_path / "tool-1") is None, "a build from before records were kept has none"


def test_a_build_that_fails_leaves_nothing_that_looks_built_and_says_why(build: Build, tmp_path: Path) -> None:
    go(build, FAILS)
    with pytest.raises(SandboxError, match=r"(?s)go build .* failed in .*source.*a\.go:1:1: syntax error"):
        gobuild.run(build, tmp_path / "tool-1", lambda *_: None)
    assert not (tmp_path / "tool-1").exists(), "the next `up` tries again"
    go(build, BUILDS)
    gobuild.run(build, tmp_path / "tool-1", lambda *_: None)
    assert (tmp_path / "tool-1" / "tool").is_file(), "and succeeds, whatever the failed one had written"


def test_a_build_that_takes_too_long_is_stopped(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gobuild, "TIMEOUT", 0.5)
    go(build, "import signal; signal.pause()")
    with pytest.raises(SandboxError, match="stopped at its time limit"):
        gobuild.run(build, tmp_path / "tool-1", lambda *_: None)


def test_the_error_of_a_machine_without_go_names_the_programs(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="Go is needed to build tool"):
        gobuild.run(build, tmp_path / "tool-1", lambda *_: None)
