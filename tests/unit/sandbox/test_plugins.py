"""Which provider plugins a sandbox gets: the user's own, downloaded ones, or stand-ins."""

import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from sandbox import paths, plugins
from sandbox.plugins import provide

REFUSES = """
    for attempt in range(1, 6):
        print("warning: Error downloading plugin: no such host\\nWill retry in 80ms", file=sys.stderr, flush=True)
        note(f"attempt {attempt}")
        time.sleep(0.3)
    sys.exit("error: failed all 5 attempts")
"""
INSTALLS = """
    note("installed")
    (home / f"resource-{provider}-v{version}").mkdir(parents=True)
"""
HANGS = """
    tempfile.mkstemp(prefix="pulumi-plugin-tar")
    signal.pause()
"""
SLOW_BUT_MOVING = """
    with open("/dev/zero", "rb", buffering=0) as network:
        for _ in range(12):
            network.read(1000)
            time.sleep(0.1)
    note("installed")
    (home / f"resource-{provider}-v{version}").mkdir(parents=True)
"""


class Machine:
    """A machine with an engine that runs a script in order to install a plugin."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pulumi, self.bin = folder / "pulumi", folder / "bin"
        self.home = folder / "home" / "plugins"
        self._notes = folder / "notes"
        self.bin.mkdir()
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("PULUMI_HOME", str(self.home.parent))
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))

    def engine(self, script: str) -> None:
        head = f"""\
        #!{sys.executable}
        import signal, sys, tempfile, time
        from pathlib import Path
        assert sys.argv[1:4] == ["plugin", "install", "resource"], sys.argv
        provider, version = sys.argv[4:]
        home = Path({str(self.home)!r})
        def note(text):
            with open({str(self._notes)!r}, "a") as notes:
                notes.write(f"{{provider}}: {{text}}\\n")
        """
        self.pulumi.write_text(textwrap.dedent(head) + textwrap.dedent(script))
        self.pulumi.chmod(0o755)
        self._notes.write_text("")

    def notes(self, provider: str) -> list[str]:
        """What the engine did for a provider since `engine` set its script."""
        prefix = f"{provider}: "
        lines = self._notes.read_text().splitlines()
        return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]

    def install_on_path(self, name: str) -> Path:
        file = self.bin / name
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
        return file


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_plugin_on_path_is_linked_and_the_other_one_is_downloaded_once(machine: Machine) -> None:
    machine.engine(INSTALLS)
    file = machine.install_on_path("pulumi-resource-kubernetes")
    for _ in range(2):
        assert provide(machine.pulumi) == {"pulumi-resource-kubernetes": file}, "the engine finds gcp's in its home"
    assert (machine.notes("kubernetes"), machine.notes("gcp")) == ([], ["installed"])
    assert not plugins.is_standin(file), "it is the real one"


def test_a_refused_download_gives_stand_ins_until_the_machine_is_connected_again(machine: Machine) -> None:
    machine.engine(REFUSES)
    programs = provide(machine.pulumi)
    assert sorted(programs) == ["pulumi-resource-gcp", "pulumi-resource-kubernetes"], "for both"
    assert all(plugins.is_standin(program) and os.access(program, os.X_OK) for program in programs.values())
    assert len(machine.notes("gcp")) == 5, "the first time the engine makes all its attempts"

    machine.engine(REFUSES)
    provide(machine.pulumi)
    assert 1 <= len(machine.notes("gcp")) < 5, "the next time one failed attempt is enough"

    machine.engine(INSTALLS)
    assert provide(machine.pulumi) == {}, "no stand-in is left"
    for installed in machine.home.iterdir():
        installed.rmdir()
    machine.engine(REFUSES)
    provide(machine.pulumi)
    assert len(machine.notes("gcp")) == 5, "and the old refusal is forgotten"


@pytest.mark.parametrize(
    ("script", "limit", "seconds", "standins"),
    [
        (HANGS, "STALL_TIMEOUT", 0.5, 2),
        (SLOW_BUT_MOVING, "INSTALL_TIMEOUT", 0.5, 2),
        (SLOW_BUT_MOVING, "STALL_TIMEOUT", 0.6, 0),
    ],
    ids=["without a byte", "for too long", "slow, but never still"],
)
def test_a_download_is_awaited_while_bytes_come_but_not_for_ever(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    script: str, limit: str, seconds: float, standins: int,
) -> None:  # fmt: skip
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(plugins, limit, seconds)
    machine.engine(script)
    began = time.monotonic()
    assert len(provide(machine.pulumi)) == standins
    assert time.monotonic() - began < 10, "long before the usual limits"
    assert list(temporary.iterdir()) == [], "a machine without a network would gather files with each `up`"


def test_a_stand_in_of_an_outer_sandbox_is_not_mistaken_for_the_real_plugin(machine: Machine) -> None:
    machine.engine(REFUSES)
    name = "pulumi-resource-kubernetes"
    (machine.bin / name).symlink_to(plugins.STANDINS / name)
    assert not plugins.present("kubernetes"), "it is ours, by another name"
    assert provide(machine.pulumi)[name] == plugins.STANDINS / name, "and is reported as one again"


def test_a_link_in_the_folder_of_an_outer_sandbox_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "opt" / "tool"
    real.parent.mkdir()
    real.write_text("#!/bin/sh\n")
    real.chmod(0o755)
    monkeypatch.setattr(paths, "RUN", tmp_path / "run")
    linked = tmp_path / "run" / "bin"
    linked.mkdir(parents=True)
    (linked / "tool").symlink_to(real)
    monkeypatch.setenv("PATH", str(linked))
    assert paths.program("tool") == real, "a sandbox within covers the folder with the link"
    assert paths.program("nosuch") is None, "an absent program is not found"
