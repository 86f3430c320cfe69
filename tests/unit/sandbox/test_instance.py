"""A sandbox seen from outside: what happens when it does not start, cannot be found, or has ended already."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import control, paths
from sandbox.errors import SandboxError
from sandbox.instance import Instance, inside_environment, names, start
from sandbox.messages import Plan, Status

TIMEOUT = 20.0


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
        listener.bind(f"\0istio-sandbox/{os.geteuid()}/{name}")
        yield listener


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX", raising=False)


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Make `unshare` run Python code with `be` to serve a status; return the file with its pid."""
    program, pid = folder / "unshare", folder / "pid"
    head = f"""\
    #!{sys.executable}
    import os, signal, socket, sys
    sys.path.insert(0, os.getcwd())
    from sandbox import control
    listener = socket.socket(fileno=int(sys.argv[-1]))
    open({str(pid)!r}, "w").write(str(os.getpid()))
    status = dict(name="x", state="starting", seconds=2.0, memory_bytes=0, stages=[], parts=[], standins=[])
    def be(**fields):
        control.serve(listener, lambda _: status | fields)
        signal.pause()
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


def test_a_sandbox_is_found_once_it_listens_and_its_name_is_taken_before(
    name: str, plan: Plan, holder: socket.socket
) -> None:
    assert name in names()
    with pytest.raises(SandboxError, match=f"Start one: python -m sandbox --name {name} up"):
        Instance.require(name)
    with pytest.raises(SandboxError, match=f"named '{name}' is starting or running already"):
        list(start(name, plan, TIMEOUT))
    control.serve(holder.dup(), lambda _: {})
    assert Instance.find(name) == Instance(name, os.getpid()), "the kernel says which process it is"


@pytest.mark.parametrize("fields", [{}, {"name": "x", "state": "up", "steps": []}])
def test_the_status_of_another_version_is_an_error(fields: dict[str, object]) -> None:
    with pytest.raises(SandboxError, match="another version"):
        Status.load(fields)


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


def test_the_environment_inside_keeps_the_callers_path_and_no_proxy() -> None:
    inner = inside_environment({"PATH": "/opt/bin", "HOME": "/home/me", "https_proxy": "http://proxy"}, "x")
    first, *others, last = inner["PATH"].split(os.pathsep)
    assert (first, last) == (str(paths.BIN), "/sbin"), "its programs come first, ip and nft are found for everybody"
    assert "/opt/bin" in others
    assert "https_proxy" not in inner, "no proxy is reachable from there"


DOING = "be(stages=[dict(title='etcd', number=1, of=9)])\n"
FAILED = "be(state='failed', reason='no luck')\n"


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.parametrize(
    ("script", "keep", "timeout", "message"),
    [
        (FAILED, False, TIMEOUT, "^no luck$"),
        (FAILED, True, TIMEOUT, "^no luck$"),
        ("sys.exit('unshare: refused')\n", False, TIMEOUT, "ended before it was up.\nunshare: refused$"),
        (DOING, False, 3.0, "made no progress for 3 s"),
    ],
    ids=["failed", "kept", "ended early", "silent"],
)
def test_a_failed_start_says_why_and_leaves_nothing_unless_it_is_to_be_kept(
    name: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    script: str, keep: bool, timeout: float, message: str,
) -> None:  # fmt: skip
    file = pretend(tmp_path, monkeypatch, script)
    with pytest.raises(SandboxError, match=message):
        list(start(name, replace(plan, keep=keep), timeout))
    if not file.exists():
        return  # it was given up before it began
    pid = int(file.read_text())
    assert runs(pid) is keep, "a kept one can be inspected"
    if keep:
        os.kill(pid, signal.SIGKILL)


def test_a_start_that_is_interrupted_is_ended(
    name: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = pretend(tmp_path, monkeypatch, DOING)
    events = start(name, plan, TIMEOUT)
    next(events)
    events.close()  # type: ignore[attr-defined]  # it is a generator
    assert not runs(int(pid.read_text()))


def test_a_sandbox_is_ended_from_outside_and_only_once() -> None:
    with pytest.raises(SandboxError, match="only be ended from outside"):
        Instance("x", 0).end()
    with subprocess.Popen(["true"]) as first:
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
        Instance("x", first.pid).end()  # of an ended process
    Instance("x", first.pid).end()  # there is no such process, as after another `down`


def test_a_sandbox_has_ended_when_its_name_is_free(name: str, holder: socket.socket) -> None:
    def hold_a_moment_longer() -> None:
        first.wait()
        threading.Event().wait(0.3)  # as unshare does, which waits for the first process
        holder.close()

    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as first:
        waiting = threading.Thread(target=hold_a_moment_longer)
        waiting.start()
        Instance(name, first.pid).end()
        free = name not in names()
        waiting.join()
    assert free, "another one of that name can start at once"
