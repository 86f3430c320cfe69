"""A sandbox seen from outside, without namespaces: find it, enter it, start it and end it."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import control, instance, paths
from sandbox.errors import SandboxError
from sandbox.instance import Instance, inside_environment, names, start
from sandbox.messages import Doing, Done, Event, Plan, Up

FOREVER = "import signal; signal.pause()"
TIMEOUT = 20.0

leaves_it_up = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
"""A sandbox outlives the process that has started it."""


@pytest.fixture
def name() -> str:
    return f"unit-{os.getpid()}-{os.urandom(4).hex()}"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan({"etcd": Path("/opt/etcd")}, {}, tmp_path)


@pytest.fixture
def holder(name: str) -> Iterator[socket.socket]:
    """This process holds the name of the sandbox without listening."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0istio-gateway-tls/{os.geteuid()}/{name}")
        yield listener


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX", raising=False)


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Make `unshare` run Python code with a `plan` and `say` for events; return the file with its pid."""
    program, pid = folder / "unshare", folder / "pid"
    head = f"""\
    #!{sys.executable}
    import json, os, signal, sys
    progress, plan = int(sys.argv[-1]), json.load(sys.stdin)
    open({str(pid)!r}, "w").write(str(os.getpid()))
    def say(**event):
        for byte in json.dumps(event).encode() + bytes([10]):
            os.write(progress, bytes([byte]))
    """
    program.write_text(textwrap.dedent(head) + script)
    program.chmod(0o755)
    # The sandbox's own programs come first on its PATH.
    monkeypatch.setattr(paths, "BIN", folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return pid


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_sandbox_is_found_where_none_runs(name: str) -> None:
    assert Instance.find(name) is None, "nobody listens"
    with pytest.raises(SandboxError, match=f"Start one: python -m sandbox --name {name} up"):
        Instance.require(name)


def test_a_sandbox_is_found_by_its_name_once_it_listens(name: str, holder: socket.socket) -> None:
    assert Instance.find(name) is None, "it cannot answer yet"
    assert name in names(), "but its name is in use"
    control.serve(holder.dup(), lambda _: {})
    assert Instance.find(name) == Instance(name, os.getpid()), "the kernel says which process it is"
    assert name in names(), "and it is listed"


def test_within_a_sandbox_it_is_found_without_its_outer_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "control.sock"
    inside.touch()
    monkeypatch.setattr(instance, "CONTROL", inside)
    monkeypatch.setenv("SANDBOX", name)
    assert Instance.find(name) == Instance(name, 0), "abstract names are another network namespace's"
    assert Instance.find(f"{name}-other") is None, "only the one that this is"


def test_a_command_inside_enters_the_namespaces_of_the_first_process(tmp_path: Path) -> None:
    command = Instance("x", 4321).command(["kubectl", "get pods"], tmp_path)
    assert command[:2] == ["nsenter", "--target=4321"], "those of the sandbox"
    assert {"--user", "--net", "--mount", "--pid"} <= set(command), "all that it has of its own"
    assert command[-3:] == [str(tmp_path), "kubectl", "get pods"], "arguments are not split, and the folder is kept"
    assert Instance("x", 0).command(["kubectl", "get"], tmp_path) == ["kubectl", "get"], (
        "a caller inside need not enter"
    )


IN_THE_BACKGROUND = """
import signal, sys
from sandbox import __main__ as cli
from sandbox.instance import Instance
signal.signal(signal.SIGINT, signal.SIG_IGN)
cli.Instance.require = lambda name: Instance(name, 0)
sys.argv[1:] = ["exec", "--", "grep", "SigIgn", "/proc/self/status"]
cli.main()
"""


def test_a_command_inside_heeds_an_interrupt_in_the_background_of_a_script_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_BACKGROUND], capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    ignored = int(done.stdout.split()[1], 16)
    assert not ignored & 1 << signal.SIGINT - 1, "Pulumi would wait for its plugins, which it interrupts"


def test_the_environment_inside_finds_the_sandboxs_own_before_the_machines() -> None:
    outer = {"PATH": "/opt/bin", "HOME": "/home/me", "KUBECONFIG": "/home/me/prod", "https_proxy": "http://proxy"}
    inner = inside_environment(outer, "x")
    first, *_, last = inner["PATH"].split(os.pathsep)
    assert (first, last) == (str(paths.BIN), "/sbin"), "its programs come first, ip and nft are found for everybody"
    assert "/opt/bin" in inner["PATH"].split(os.pathsep), "the caller's stay"
    assert inner["KUBECONFIG"] == str(paths.KUBECONFIG), "never the user's own cluster"
    assert inner["PULUMI_BACKEND_URL"] == f"file://{paths.PULUMI_STATE}", "nor their state"
    assert inner["HOME"] == "/home/me", "but their home"
    assert "https_proxy" not in inner, "no proxy is reachable from there"


@leaves_it_up
def test_a_start_yields_its_events_and_leaves_the_process_up(
    name: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = pretend(
        tmp_path, monkeypatch,
        "assert plan['programs'] == {'etcd': '/opt/etcd'}, plan\n"
        "say(event='Doing', title='etcd', number=1, of=1)\n"
        "say(event='Done', title='etcd', number=1, of=1, seconds=0.5)\n"
        "say(event='Up', seconds=2.0)\n"
        "signal.pause()\n",
    )  # fmt: skip
    events: list[Event] = list(start(name, plan, TIMEOUT))
    assert events == [Doing("etcd", 1, 1), Done("etcd", 1, 1, 0.5), Up(2.0)], "in order, however the bytes come"
    started = int(pid.read_text())
    assert runs(started), "the sandbox stays"
    os.kill(started, signal.SIGKILL)


@leaves_it_up
@pytest.mark.parametrize("keep", [False, True])
def test_a_start_that_fails_ends_unless_it_is_to_be_kept(
    name: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    script = "say(event='Failed', reason=f'keep: {plan[\"keep\"]}')\nsignal.pause()\n"
    pid = pretend(tmp_path, monkeypatch, script)
    with pytest.raises(SandboxError, match=rf"^keep: {keep}$"):
        list(start(name, replace(plan, keep=keep), TIMEOUT))
    started = int(pid.read_text())
    assert runs(started) is keep, "a kept one can be inspected"
    if keep:
        os.kill(started, signal.SIGKILL)


def test_a_start_that_ends_early_is_an_error_with_its_output(
    name: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch, "sys.exit('unshare: Operation not permitted')\n")
    with pytest.raises(SandboxError) as error:
        list(start(name, plan, TIMEOUT))
    assert str(error.value) == "The sandbox ended before it was up.\nunshare: Operation not permitted"


def test_a_start_without_progress_is_given_up(
    name: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = pretend(tmp_path, monkeypatch, "signal.pause()\n")
    with pytest.raises(SandboxError, match="made no progress for 1 s"):
        list(start(name, plan, 1.0))
    assert not pid.exists() or not runs(int(pid.read_text())), "nothing stays"


def test_a_start_that_is_not_followed_to_its_end_is_ended(
    name: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doing = "say(event='Doing', title='etcd', number=1, of=9)\nsignal.pause()\n"
    pid = pretend(tmp_path, monkeypatch, doing)
    events = start(name, plan, TIMEOUT)
    next(events)
    events.close()  # type: ignore[attr-defined]  # it is a generator
    assert not runs(int(pid.read_text())), "as when the command is interrupted"


def test_a_name_that_is_taken_is_refused(name: str, plan: Plan, holder: socket.socket) -> None:
    assert holder.fileno() >= 0, "the name is held"
    with pytest.raises(SandboxError, match=f"named '{name}' is starting or running already"):
        list(start(name, plan, TIMEOUT))


@contextmanager
def running(script: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A process that has said its first line; it does not outlive the block."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None, "PIPE was asked for"
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_sandbox_ends_by_sigkill() -> None:
    with running(f"print('up', flush=True); {FOREVER}") as first:
        Instance("x", first.pid).end()
    assert first.returncode == -signal.SIGKILL, "a handler of Python's may not be run while its main thread waits"


def test_ending_an_ended_sandbox_is_no_error() -> None:
    with subprocess.Popen(["true"]) as first:
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
        Instance("x", first.pid).end()
    Instance("x", first.pid).end()  # and once it is reaped there is no such process, as after another `down`


def test_a_sandbox_is_not_ended_from_within() -> None:
    with pytest.raises(SandboxError, match="only be ended from outside"):
        Instance("x", 0).end()


def test_a_sandbox_has_ended_when_its_name_is_free(name: str, holder: socket.socket) -> None:
    first = subprocess.Popen([sys.executable, "-c", FOREVER])

    def held_a_moment_longer() -> None:
        first.wait()
        threading.Event().wait(0.3)  # as unshare does, which waits for the first process
        holder.close()

    with first:
        waiting = threading.Thread(target=held_a_moment_longer)
        waiting.start()
        Instance(name, first.pid).end()
        free = name not in names()
        waiting.join()
    assert free, "another one of that name can start at once"
