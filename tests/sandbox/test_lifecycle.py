"""The sandbox itself through its command line, as a sandbox inside this one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console

from sandbox import paths
from sandbox.errors import SandboxError
from sandbox.instance import Instance, names, start
from sandbox.provision import provide
from sandbox.testing import eventually, kubectl

pytestmark = pytest.mark.sandbox

NAME = "inner"
PLUGIN = "pulumi-resource-gcp"
PARTS = {
    "etcd", "cloud-dns", "pebble-staging", "pebble-prod", "kube-apiserver", "kube-controller-manager", "node",
    "kube-proxy",
}  # fmt: skip


@dataclass
class Machine:
    """A machine without a sandbox, as the command line sees it: an empty home of its own."""

    home: Path
    plugin: Path
    """A provider plugin, which is on PATH only while the sandbox starts."""
    environment: Mapping[str, str]
    mounts: str = field(default_factory=lambda: Path("/proc/self/mountinfo").read_text())

    def sandbox(
        self, *arguments: str, cwd: Path = paths.PROJECT, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m sandbox`` to its end."""
        return subprocess.run(
            self.argv(*arguments), cwd=cwd, env={**self.environment, **environment},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def argv(self, *arguments: str) -> list[str]:
        name = [] if "--name" in arguments else ["--name", NAME]
        return [sys.executable, "-m", "sandbox", *name, *arguments]

    def up(self) -> Instance:
        """Start the sandbox."""
        done = self.sandbox("up", PATH=os.pathsep.join([str(self.plugin.parent), self.environment["PATH"]]))
        assert done.returncode == 0, f"a sandbox starts inside a sandbox: {done.stdout}{done.stderr}"
        return Instance.require(NAME)

    def has_nothing_of(self, namespaces: set[str]) -> None:
        """Assert that nothing of a sandbox is left: its namespaces held every process, mount and interface."""
        assert namespaces, "the sandbox had namespaces while it ran"
        eventually("no process is in the sandbox's namespaces", lambda: not (namespaces & namespaces_of_everyone()))
        eventually("nor the one that made them", lambda: not starters())
        eventually("its name is free", lambda: NAME not in names())
        assert Path("/proc/self/mountinfo").read_text() == self.mounts, "the mounts are as before"
        assert list(self.home.rglob("*")) == [], "no file is left in the home or among the temporary files"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    for machine in _machine(tmp_path):
        machine.sandbox("down")  # the sandbox of earlier tests has the same name
        yield machine


@pytest.fixture
def running(shared: Machine) -> Machine:
    """The machine on which the sandbox `inner` runs, whatever an earlier test did to it."""
    if shared.sandbox("status").returncode:
        shared.sandbox("down")
        shared.up()
    return shared


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which the sandbox `inner` runs."""
    for machine in _machine(tmp_path_factory.mktemp("shared")):
        machine.up()
        yield machine


def _machine(folder: Path) -> Iterator[Machine]:
    home, config, plugin = folder / "home", folder / "config", folder / "plugin" / PLUGIN
    home.mkdir()
    plugin.parent.mkdir()
    plugin.write_text("#!/bin/sh\necho the plugin that was on PATH\n")
    plugin.chmod(0o755)
    ours = {key for key in os.environ if key == "SANDBOX" or key == "KUBECONFIG" or key.startswith("PULUMI_")}
    path = [entry for entry in os.environ["PATH"].split(os.pathsep) if entry != str(paths.BIN)]
    environment = {key: value for key, value in os.environ.items() if key not in ours} | {
        "PATH": os.pathsep.join(path),
        "HOME": str(home),
        "TMPDIR": str(home),
        # The cache that sandboxes share stays where it is; Go writes into the folder for configuration.
        "XDG_CACHE_HOME": str(paths.cache().parent),
        "XDG_CONFIG_HOME": str(config),
        "PULUMI_HOME": str(Path.home() / ".pulumi"),
    }
    machine = Machine(home, plugin, environment)
    try:
        yield machine
    finally:
        machine.sandbox("down")


def namespaces_of_everyone() -> set[str]:
    """The PID, mount and network namespaces of every process."""
    return {namespace for pid in Path("/proc").glob("[0-9]*") for namespace in _namespaces(pid)}


def namespaces_of(instance: Instance) -> set[str]:
    """Those of a sandbox's processes, its Pods' too: the ones that share its PID namespace."""
    own = str(Path(f"/proc/{instance.pid}/ns/pid").readlink())
    members = filter(lambda namespaces: own in namespaces, map(_namespaces, Path("/proc").glob("[0-9]*")))
    return {namespace for namespaces in members for namespace in namespaces}


def _namespaces(process: Path) -> set[str]:
    try:
        return {str((process / "ns" / kind).readlink()) for kind in ("pid", "mnt", "net")}
    except OSError:
        return set()  # It has ended meanwhile.


def starters() -> list[list[str]]:
    """The command lines that make the sandbox or are its first process."""
    command_lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command_lines.append((process / "cmdline").read_text().split("\0"))
    return [argv for argv in command_lines if "sandbox.init" in argv and NAME in argv]


def parent(pid: int) -> int:
    """The process that started another."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("PPid:"))


def test_starting_a_sandbox_again_says_that_it_runs_and_changes_nothing(running: Machine) -> None:
    before = Instance.require(NAME).pid
    again = running.sandbox("up")
    assert (again.returncode, again.stdout.strip()) == (0, f"Sandbox '{NAME}' runs already."), "one line says so"
    assert Instance.require(NAME).pid == before, "the sandbox that ran goes on"


def test_two_sandboxes_side_by_side_are_two_clusters_at_the_same_addresses(running: Machine) -> None:
    query = ["get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}"]
    other = running.sandbox("exec", "--", "kubectl", *query)
    assert other.returncode == 0, f"the inner cluster answers: {other.stderr}"
    assert other.stdout != kubectl(*query), "each sandbox has a cluster of its own"
    server = ["config", "view", "--output=jsonpath={.clusters[0].cluster.server}"]
    assert running.sandbox("exec", "--", "kubectl", *server).stdout == kubectl(*server), "nothing is shared but numbers"


@pytest.mark.parametrize("code", [0, 77])
def test_exec_runs_its_command_in_the_callers_folder_and_ends_with_its_exit_code(running: Machine, code: int) -> None:
    folder = paths.PROJECT / "tests" / "sandbox"
    done = running.sandbox("exec", "--", "sh", "-c", f"pwd; exit {code}", cwd=folder, PYTHONPATH=str(paths.PROJECT))
    assert done.returncode == code, f"the command's code is passed on: {done.stderr}"
    assert done.stdout.strip() == str(folder), "relative paths mean the same inside"


def test_a_plugin_that_was_on_path_at_the_start_is_found_by_a_later_command_with_another_path(running: Machine) -> None:
    assert shutil.which(PLUGIN, path=running.environment["PATH"]) is None, "its folder is not on this PATH"
    done = running.sandbox("exec", "--", PLUGIN)
    assert done.stdout == "the plugin that was on PATH\n", f"the sandbox links to it: {done.stderr}"
    standins = json.loads(running.sandbox("status", "--json").stdout)["standins"]
    assert PLUGIN not in standins, "and it does not count as a stand-in"


def test_the_status_for_machines_names_every_part(running: Machine) -> None:
    done = running.sandbox("status", "--json")
    status = json.loads(done.stdout)
    assert done.returncode == 0, "every part runs"
    assert (status["name"], status["state"]) == (NAME, "up"), "it says which sandbox, and that it is up"
    assert {part["name"] for part in status["parts"]} == PARTS, "every part is there"
    for part in status["parts"]:
        assert part["exit_code"] is None, f"{part['name']} runs"
        assert part["ready_after"] > 0, f"{part['name']} was awaited"
    assert all(stage["seconds"] >= 0 for stage in status["stages"]), "each stage says how long it took"
    assert 0 < status["memory_bytes"] < 3 * 2**30, "the whole sandbox fits in 3 GiB"


def test_a_part_that_is_stopped_makes_the_status_fail_until_it_is_started(running: Machine) -> None:
    running.sandbox("stop", "pebble-staging")
    stopped = running.sandbox("status")
    assert stopped.returncode == 1, "a script can tell"
    assert "exited with" in stopped.stdout, "and a person sees which part it is"
    running.sandbox("start", "pebble-staging")
    assert running.sandbox("status").returncode == 0, "it runs again"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["stop", "nosuch"], "There is no part 'nosuch'; there are: etcd"),
        (["logs", "nosuch"], "No log is named 'nosuch'; there are: cloud-dns"),
        (["exec"], ""),
        (
            ["--name", "absent", "exec", "--", "true"],
            "No sandbox named 'absent' runs. Start one: python -m sandbox --name absent up",
        ),
    ],
)
def test_a_command_that_cannot_be_run_ends_with_one_line_that_helps(
    running: Machine, arguments: list[str], error: str
) -> None:
    done = running.sandbox(*arguments)
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"error: {error}"), "it names the problem and what there is"
    if error:
        assert len(done.stderr.strip().splitlines()) == 1, f"in one line: {done.stderr}"
    else:
        assert "python -m sandbox exec -- kubectl get pods -A" in done.stderr, "it shows how to use the command"


def test_a_log_is_followed_as_it_grows(running: Machine) -> None:
    with subprocess.Popen(
        running.argv("logs", "cloud-dns", "--follow"), cwd=paths.PROJECT, env=running.environment,
        stdout=subprocess.PIPE, text=True,
    ) as following:  # fmt: skip
        try:
            assert following.stdout is not None, "PIPE was asked for"
            os.set_blocking(following.stdout.fileno(), False)
            running.sandbox("exec", "--", "curl", "-s", "http://127.0.0.1:8053/dns/v1/projects/another")
            seen: list[str] = []

            def grown() -> bool:
                seen.extend(following.stdout or ())
                return any("projects/another" in line for line in seen)

            eventually("the refused request stands in the log", grown, timeout=15)
        finally:
            following.terminate()


def test_down_leaves_no_process_no_mount_and_no_file(running: Machine) -> None:
    namespaces = namespaces_of(Instance.require(NAME))
    done = running.sandbox("down")
    assert done.returncode == 0, f"it ends: {done.stderr}"
    running.has_nothing_of(namespaces)
    assert "No sandbox" in running.sandbox("down").stdout, "ending what has ended is no error"


def test_a_sandbox_whose_first_process_is_killed_leaves_no_process_no_mount_and_no_file(machine: Machine) -> None:
    instance = machine.up()
    namespaces = namespaces_of(instance)
    os.kill(instance.pid, signal.SIGKILL)
    machine.has_nothing_of(namespaces)


@pytest.mark.parametrize("victim", ["the command", "the unshare that made its namespaces"])
def test_a_start_that_is_killed_midway_leaves_no_process_no_mount_and_no_file(machine: Machine, victim: str) -> None:
    with subprocess.Popen(
        machine.argv("up"), cwd=paths.PROJECT, env=machine.environment,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as starting:  # fmt: skip
        assert starting.stdout is not None, "PIPE was asked for"
        assert any("Kubernetes API server" in line for line in starting.stdout), "it says what it has started"
        instance = Instance.require(NAME)
        namespaces = namespaces_of(instance)
        os.kill(starting.pid if victim == "the command" else parent(instance.pid), signal.SIGKILL)
        starting.stdout.read()
    assert starting.returncode != 0, "the caller gets an error"
    machine.has_nothing_of(namespaces)


def test_a_part_that_fails_to_start_is_named_with_the_tail_of_its_log_and_nothing_stays(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in os.environ.keys() - machine.environment.keys():
        monkeypatch.delenv(key)
    for key, value in machine.environment.items():
        monkeypatch.setenv(key, value)
    broken = tmp_path / "kube-apiserver"
    broken.write_text("#!/bin/sh\necho 'panic: the disk is full'\nexit 3\n")
    broken.chmod(0o755)
    plan = provide(Console(quiet=True))
    plan = replace(plan, programs={**plan.programs, "kube-apiserver": broken})
    namespaces: set[str] = set()
    with pytest.raises(SandboxError) as failure:  # noqa: PT012 - the namespaces are there only while it starts
        for status in start(NAME, plan, timeout=60):
            # At its first stage, because it may have ended when a later one is seen.
            if status.stages and not namespaces:
                namespaces = namespaces_of(Instance.require(NAME))
    first, *tail = str(failure.value).splitlines()
    assert first == "kube-apiserver exited with code 3 before it was ready.", "the part is named, and how it ended"
    assert [line.strip() for line in tail] == ["panic: the disk is full"], "its own last words follow"
    machine.has_nothing_of(namespaces)
