"""The control socket: for processes of one user only, and no client blocks another."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import control
from sandbox.errors import SandboxError
from sandbox.instance import Instance, names

TIMEOUT = 10.0
STATUS = {"verb": "status"}


@pytest.fixture
def name() -> str:
    return f"unit-{os.getpid()}-{os.urandom(4).hex()}"


@pytest.fixture
def address(name: str) -> str:
    return f"\0istio-sandbox/{os.geteuid()}/{name}"


@pytest.fixture
def listener(address: str) -> Iterator[socket.socket]:
    """A process that listens at the address and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        yield listener


@pytest.fixture
def requests(listener: socket.socket) -> list[dict[str, Any]]:
    """Make the listener answer all verbs but `refuse`; return the requests that it has read."""
    requests: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        requests.append(request)
        if request["verb"] == "refuse":
            raise SandboxError("there is no such part")
        return {"seen": request["verb"]}

    control.serve(listener.dup(), answer, timeout=1.0)
    return requests


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every peer seems to be another user."""
    peer = control.peer
    monkeypatch.setattr(control, "peer", lambda connection: (peer(connection)[0], os.geteuid() + 1))


def connect(address: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(TIMEOUT)
    client.connect(address)
    return client


def hung_up(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.usefixtures("requests")
def test_a_request_is_answered_or_refused_with_the_sandboxs_message(address: str) -> None:
    assert control.ask(address, STATUS) == {"seen": "status"}
    with pytest.raises(SandboxError, match=r"^there is no such part$"):
        control.ask(address, {"verb": "refuse"})


@pytest.mark.usefixtures("stranger")
def test_another_users_client_is_hung_up_on_before_it_has_sent_anything(
    address: str, requests: list[dict[str, Any]]
) -> None:
    with connect(address) as client:
        assert hung_up(client)
    assert requests == [], "nothing was read"


@pytest.mark.usefixtures("stranger")
def test_another_users_sandbox_receives_nothing_and_is_not_listed(
    name: str, address: str, listener: socket.socket
) -> None:
    listener.settimeout(TIMEOUT)
    assert name not in names()
    listener.accept()[0].close()
    for call in (lambda: control.ask(address, STATUS), lambda: Instance.find(name), lambda: Instance.require(name)):
        with pytest.raises(SandboxError, match="held by another user"):
            call()
        with listener.accept()[0] as connection:
            connection.settimeout(TIMEOUT)
            assert hung_up(connection), "not a byte was sent"


@pytest.mark.usefixtures("requests")
def test_a_silent_client_is_hung_up_on_and_blocks_nobody(address: str) -> None:
    with connect(address) as silent:
        began = time.monotonic()
        assert control.ask(address, STATUS), "others are answered"
        assert time.monotonic() - began < 1.0, "before the silent client's time is up"
        assert hung_up(silent)


def test_a_sandbox_that_hangs_up_has_ended(address: str, listener: socket.socket) -> None:
    thread = threading.Thread(target=lambda: listener.accept()[0].close())
    thread.start()
    with pytest.raises(SandboxError, match=r"^The sandbox ended before it answered\.$"):
        control.ask(address, STATUS)
    thread.join(TIMEOUT)


@pytest.mark.usefixtures("listener")
def test_a_sandbox_that_does_not_answer_is_an_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ANSWER_TIMEOUT", 0.2)
    with pytest.raises(SandboxError, match="did not answer within 0 s"):
        control.ask(address, STATUS)
