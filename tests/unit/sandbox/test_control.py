"""The control socket: for processes of one user only, and no client blocks another."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sandbox import control
from sandbox.errors import SandboxError
from sandbox.instance import Instance, names

NOBODY = 65534
TIMEOUT = 10.0

AS_NOBODY = """
import os, socket, sys
os.setgid({nobody}); os.setuid({nobody})
with socket.socket(socket.AF_UNIX) as sock:
    address = sys.argv[1].replace("@", chr(0), 1)
"""
HOLD = """
    sock.bind(address); sock.listen()
    print("held", flush=True)
    sys.stdin.read()
"""
SPEAK = """
    sock.connect(address)
    try:
        sock.sendall(b'{{"verb": "status"}}\\n')
        print(sock.makefile().read() or "hung up", flush=True)
    except OSError:
        print("hung up", flush=True)
"""


class Server:
    """A control socket that answers and records its requests."""

    def __init__(self, address: str, timeout: float) -> None:
        self.address = address
        self.requests: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        control.serve(self._listener, self._answer, timeout)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        if request["verb"] == "refuse":
            raise SandboxError("there is no such part")
        return {"seen": request["verb"]}

    def answers(self) -> bool:
        return control.ask(self.address, {"verb": "status"}) == {"seen": "status"}

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(TIMEOUT)
        client.connect(self.address)
        return client


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
def listener(address: str) -> Iterator[socket.socket]:
    """A process that listens at the address and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        yield listener


@pytest.fixture
def stranger() -> Iterator[Callable[[str, str], str]]:
    """Run a script as another user, if these tests have the right to; return the first line of its output."""
    uids = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    if os.geteuid() != 0 or not any(int(first) <= NOBODY < int(first) + int(count) for first, _, count in uids):
        pytest.skip("only root may run a process as another user; other tests pretend")
    processes: list[subprocess.Popen[str]] = []

    def run(script: str, address: str) -> str:
        code = (AS_NOBODY + script).format(nobody=NOBODY)
        argv = [sys.executable, "-c", code, address.replace("\0", "@", 1)]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None, "PIPE was asked for"
        return process.stdout.readline().strip()

    yield run
    for process in processes:
        process.communicate(timeout=TIMEOUT)


@pytest.fixture
def pretending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every peer seems to be another user."""
    peer = control.peer
    monkeypatch.setattr(control, "peer", lambda connection: (peer(connection)[0], os.geteuid() + 1))


def test_a_request_is_answered_or_refused_with_the_sandboxs_message(server: Server) -> None:
    assert server.answers(), "the process that listens has answered"
    with pytest.raises(SandboxError, match=r"^there is no such part$"):
        control.ask(server.address, {"verb": "refuse"})


def test_nobody_listening_is_a_refused_connection(address: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        control.ask(address, {"verb": "status"})


def test_the_socket_hangs_up_on_a_client_of_another_user(server: Server, stranger: Any) -> None:
    assert stranger(SPEAK, server.address) == "hung up", "the other user gets no answer"
    assert server.requests == [], "the request was not read"
    assert server.answers(), "its own user is still answered"


def test_a_sandbox_of_another_user_is_neither_asked_nor_found_nor_entered_nor_listed(stranger: Any) -> None:
    name = f"theirs-{os.getpid()}"
    address = f"\0istio-gateway-tls/{os.geteuid()}/{name}"
    assert stranger(HOLD, address) == "held", "the other user has the name that would be ours"
    with pytest.raises(SandboxError, match=rf"held by another user \(uid {NOBODY}\)"):
        control.ask(address, {"verb": "status"})
    for look in (Instance.find, Instance.require):
        with pytest.raises(SandboxError, match="held by another user"):
            look(name)
    assert name not in names(), "it is not one of our sandboxes"
    entered = subprocess.run(
        [sys.executable, "-m", "sandbox", "--name", name, "exec", "--", "echo", "entered"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (entered.returncode, entered.stdout) == (1, ""), "exec neither enters the namespaces nor runs the command"
    assert entered.stderr.startswith("error: The socket"), f"the error names the socket: {entered.stderr}"


@pytest.mark.usefixtures("pretending")
def test_a_client_that_seems_to_be_another_user_is_hung_up_on(server: Server) -> None:
    with server.connect() as client:
        assert client.recv(1) == b"", "before it has sent anything"
    assert server.requests == [], "nothing was read"


@pytest.mark.usefixtures("pretending")
def test_a_sandbox_that_seems_to_be_another_users_receives_nothing(address: str, listener: socket.socket) -> None:
    with pytest.raises(SandboxError, match="held by another user"):
        control.ask(address, {"verb": "status"})
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(TIMEOUT)
        assert connection.recv(1) == b"", "not a byte was sent"


def test_a_silent_client_blocks_nobody(server: Server) -> None:
    with server.connect():
        began = time.monotonic()
        assert server.answers(), "others are answered"
        assert time.monotonic() - began < TIMEOUT / 2, "before the silent client's time is up"


@pytest.mark.parametrize("chunk", [b"", b"x"], ids=["silent", "slow"])
def test_a_client_without_a_request_in_time_is_hung_up_on(impatient: Server, chunk: bytes) -> None:
    with impatient.connect() as client:
        with suppress(OSError):
            for _ in range(20):
                client.sendall(chunk)
                threading.Event().wait(0.05)
        with suppress(ConnectionResetError):
            assert client.recv(1) == b"", "the connection is closed"
    assert impatient.requests == [], "nothing counts as a request"


def test_a_client_that_floods_is_hung_up_on(server: Server) -> None:
    def flood(client: socket.socket) -> None:
        for _ in range(200):
            client.sendall(b"x" * 65536)

    with server.connect() as client, pytest.raises(OSError, match=r"Broken pipe|reset"):
        flood(client)
    assert server.requests == [], "and fills no memory"


def test_a_client_that_sends_no_json_is_hung_up_on(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\n")
        assert client.recv(1) == b"", "without an answer"
    assert server.answers(), "the next client is answered"


def test_a_request_may_arrive_in_pieces(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b'{"verb": "sta')
        client.sendall(b'tus"}\n')
        assert client.makefile().read() == '{"seen": "status"}', "it is one request"


def test_a_sandbox_that_hangs_up_has_ended(address: str, listener: socket.socket) -> None:
    thread = threading.Thread(target=lambda: listener.accept()[0].close())
    thread.start()
    with pytest.raises(SandboxError, match=r"^The sandbox ended before it answered\.$"):
        control.ask(address, {"verb": "status"})
    thread.join(TIMEOUT)


@pytest.mark.usefixtures("listener")
def test_a_sandbox_that_does_not_answer_is_an_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ANSWER_TIMEOUT", 0.2)
    with pytest.raises(SandboxError, match="did not answer within 0 s"):
        control.ask(address, {"verb": "status"})
