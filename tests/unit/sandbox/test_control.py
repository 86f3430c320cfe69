"""The control socket: between processes of one user only, and no client keeps another one waiting."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import control
from sandbox.errors import SandboxError
from sandbox.instance import Instance, names

NOBODY = 65534
TIMEOUT = 10.0

HOLD = """
import os, socket, sys
os.setgid({nobody}); os.setuid({nobody})
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1].replace("@", chr(0), 1)); listener.listen()
    print("held", flush=True)
    sys.stdin.read()
"""
SPEAK = """
import os, socket, sys
os.setgid({nobody}); os.setuid({nobody})
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1].replace("@", chr(0), 1))
    try:
        client.sendall(b'{{"verb": "status"}}\\n')
        print(client.makefile().read() or "hung up", flush=True)
    except OSError:
        print("hung up", flush=True)
"""


class Server:
    """A control socket that answers, and what it was asked."""

    def __init__(self, address: str, timeout: float) -> None:
        self.address = address
        self.asked: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        control.serve(self._listener, self._answer, timeout)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if request["verb"] == "refuse":
            raise SandboxError("there is no such part")
        return {"seen": request["verb"]}


@pytest.fixture
def address() -> str:
    return f"\0istio-gateway-tls/test/{os.getpid()}-{os.urandom(4).hex()}"


@pytest.fixture
def server(address: str) -> Server:
    return Server(address, timeout=TIMEOUT)


@pytest.fixture
def impatient(address: str) -> Server:
    return Server(address, timeout=0.3)


@pytest.fixture
def stranger() -> Iterator[Any]:
    """Runs a script as another user, if these tests may; yields its process."""
    if os.geteuid() != 0 or not _mapped(NOBODY):
        pytest.skip("only root may run a process as another user; the next tests pretend")
    processes: list[subprocess.Popen[str]] = []

    def run(script: str, address: str) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-c", script.format(nobody=NOBODY), address.replace("\0", "@", 1)]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.communicate(timeout=TIMEOUT)


@pytest.fixture
def pretending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is at the other end of a socket seems to be another user."""
    real = control.peer
    monkeypatch.setattr(control, "peer", lambda connection: (real(connection)[0], os.geteuid() + 1))


def _mapped(uid: int) -> bool:
    lines = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(int(first) <= uid < int(first) + int(count) for first, _, count in lines)


def holds(process: "subprocess.Popen[str]") -> bool:
    assert process.stdout is not None, "PIPE was asked for"
    return process.stdout.readline().strip() == "held"


def test_a_request_of_this_user_is_answered(server: Server) -> None:
    assert control.ask(server.address, {"verb": "status"}) == {"seen": "status"}, "by the one who listens"


def test_a_refusal_comes_back_in_the_words_of_the_sandbox(server: Server) -> None:
    with pytest.raises(SandboxError, match=r"^there is no such part$"):
        control.ask(server.address, {"verb": "refuse"})


def test_nobody_listening_is_told_apart(address: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        control.ask(address, {"verb": "status"})


def test_a_client_of_another_user_is_hung_up_on(server: Server, stranger: Any) -> None:
    speaker = stranger(SPEAK, server.address)
    assert speaker.stdout.read().strip() == "hung up", "the stranger gets no answer"
    assert server.asked == [], "and was not heard"
    assert control.ask(server.address, {"verb": "status"}) == {"seen": "status"}, "the user still is"


def test_a_sandbox_of_another_user_is_not_asked(address: str, stranger: Any) -> None:
    assert holds(stranger(HOLD, address)), "the stranger holds the name"
    with pytest.raises(SandboxError, match=rf"held by another user \(uid {NOBODY}\)"):
        control.ask(address, {"verb": "status"})


def test_a_sandbox_of_another_user_is_not_found_entered_or_listed(stranger: Any) -> None:
    name = f"theirs-{os.getpid()}"
    address = f"\0istio-gateway-tls/{os.geteuid()}/{name}"
    assert holds(stranger(HOLD, address)), "the stranger has taken the name that would be ours"
    for look in (Instance.find, Instance.require):
        with pytest.raises(SandboxError, match="held by another user"):
            look(name)
    assert name not in names(), "it is none of our sandboxes"
    entered = subprocess.run(
        [sys.executable, "-m", "sandbox", "--name", name, "exec", "--", "echo", "entered"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert entered.returncode == 1, "exec does not enter the stranger's namespaces"
    assert "entered" not in entered.stdout, "nor run the command anywhere"
    assert entered.stderr.startswith("error: The socket"), f"but says whose name it is: {entered.stderr}"


@pytest.mark.usefixtures("pretending")
def test_a_client_that_seems_to_be_another_user_is_hung_up_on(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(server.address)
        assert client.recv(1) == b"", "before it has said anything"
    assert server.asked == [], "and was not heard"


@pytest.mark.usefixtures("pretending")
def test_a_sandbox_that_seems_to_be_another_users_is_told_nothing(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        with pytest.raises(SandboxError, match="held by another user"):
            control.ask(address, {"verb": "status"})
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(TIMEOUT)
            assert connection.recv(1) == b"", "not a byte was sent"


def test_a_silent_client_keeps_nobody_waiting(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(server.address)
        began = time.monotonic()
        assert control.ask(server.address, {"verb": "status"}) == {"seen": "status"}, "others are answered"
        assert time.monotonic() - began < TIMEOUT / 2, "before the silent one is given up"


def test_a_silent_client_is_hung_up_on(impatient: Server) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.settimeout(TIMEOUT)
        silent.connect(impatient.address)
        assert silent.recv(1) == b"", "it is given up"


def pour(client: socket.socket, chunk: bytes, pause: float, limit: int) -> None:
    """Send a chunk again and again."""
    for _ in range(limit):
        client.sendall(chunk)
        threading.Event().wait(pause)


def test_a_client_that_dribbles_is_hung_up_on(impatient: Server) -> None:
    with socket.socket(socket.AF_UNIX) as dribbling:
        dribbling.settimeout(TIMEOUT)
        dribbling.connect(impatient.address)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            pour(dribbling, b"x", pause=0.05, limit=200)
    assert impatient.asked == [], "each byte came in time, and the request did not"


def test_a_client_that_floods_is_hung_up_on(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as flooding:
        flooding.settimeout(TIMEOUT)
        flooding.connect(server.address)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            pour(flooding, b"x" * 65536, pause=0, limit=200)
    assert server.asked == [], "no memory is filled"


def test_what_is_no_request_is_hung_up_on(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(server.address)
        client.sendall(b"GET / HTTP/1.1\n")
        assert client.recv(1) == b"", "without an answer"
    assert control.ask(server.address, {"verb": "status"}), "and the next one is served"


def test_a_sandbox_that_hangs_up_is_said_to_have_ended(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(SandboxError, match=r"^The sandbox ended before it answered\.$"):
            control.ask(address, {"verb": "status"})
        thread.join(TIMEOUT)


def test_a_sandbox_that_does_not_answer_is_given_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ANSWER_TIMEOUT", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        with pytest.raises(SandboxError, match="did not answer within 0 s"):
            control.ask(address, {"verb": "status"})


def test_the_answer_is_json_in_one_piece(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(server.address)
        client.sendall(b'{"verb": "sta')
        client.sendall(b'tus"}\n')
        assert json.loads(client.makefile().read()) == {"seen": "status"}, "a request in pieces is one request"
