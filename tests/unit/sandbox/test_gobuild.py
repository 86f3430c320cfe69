"""A build: its progress, its record, its failures; a program of the test plays Go."""

import os
import sys
import textwrap
from pathlib import Path

import pytest

from sandbox import gobuild
from sandbox.errors import SandboxError
from sandbox.gobuild import Job

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
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    source, folder = tmp_path / "source", tmp_path / "bin"
    source.mkdir()
    folder.mkdir()
    for name in ("go.mod", "go.sum", "wrapper"):
        (source / name).write_text(name)
    beside = tmp_path / "executor"
    beside.write_text("executor")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin:/bin")
    return Job(source, ["example.com/tool"], ["tool"], ["-ldflags", "-s -w"], [(beside, "executor.py")])


def go(job: Job, script: str) -> None:
    program = job.source.parent / "bin" / "go"
    head = f"""\
    #!{sys.executable}
    import sys, time
    from pathlib import Path
    out = Path(sys.argv[sys.argv.index("-o") + 1])
    """
    program.write_text(textwrap.dedent(head) + textwrap.dedent(script))
    program.chmod(0o755)


def test_a_build_tells_what_it_does_and_records_what_it_took(job: Job, tmp_path: Path) -> None:
    go(job, BUILDS)
    said: list[tuple[str, int]] = []
    gobuild.run(job, tmp_path / "tool-1", lambda doing, packages=0: said.append((doing, packages)))
    assert said[1:] == [("downloading example.com/a", 0), ("compiling", 1), ("compiling", 2)], "comments are no package"
    assert sorted(file.name for file in (tmp_path / "tool-1").iterdir()) == [
        "build.json", "executor.py", "tool", "wrapper",
    ], "the program, and what belongs beside it"  # fmt: skip
    record = gobuild.record(tmp_path / "tool-1")
    assert record is not None, "it was recorded"
    assert record.packages == 2, "how much was compiled"
    assert record.seconds > 0, "and how long it took"


def test_what_has_been_built_is_not_built_again(job: Job, tmp_path: Path) -> None:
    go(job, FAILS)
    (tmp_path / "tool-1").mkdir()
    gobuild.run(job, tmp_path / "tool-1", lambda *_, **__: None)
    assert gobuild.record(tmp_path / "tool-1") is None, "a build from before records were kept has none"


def test_a_build_that_fails_leaves_nothing_that_looks_built_and_says_why(job: Job, tmp_path: Path) -> None:
    go(job, FAILS)
    with pytest.raises(SandboxError, match=r"(?s)go build .* failed in .*source.*a\.go:1:1: syntax error"):
        gobuild.run(job, tmp_path / "tool-1", lambda *_, **__: None)
    assert not (tmp_path / "tool-1").exists(), "the next `up` tries again"
    go(job, BUILDS)
    gobuild.run(job, tmp_path / "tool-1", lambda *_, **__: None)
    assert (tmp_path / "tool-1" / "tool").is_file(), "and succeeds, whatever the failed one had written"


def test_a_build_that_takes_too_long_is_stopped(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gobuild, "TIMEOUT", 0.5)
    go(job, "import signal; signal.pause()")
    with pytest.raises(SandboxError, match="stopped at its time limit"):
        gobuild.run(job, tmp_path / "tool-1", lambda *_, **__: None)


def test_a_machine_without_go_is_told_what_it_is_needed_for(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="Go is needed to build tool"):
        gobuild.run(job, tmp_path / "tool-1", lambda *_, **__: None)
