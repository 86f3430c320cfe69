"""The control socket of a sandbox: one JSON request per connection, between processes of one user.

Abstract socket names belong to the first process that binds them, and every user may connect. So each side asks the
kernel who the other is (SO_PEERCRED, unix(7)), and neither reads a byte of another user's.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sandbox.errors import SandboxError

Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes a request and returns its answer, both as JSON objects; raises SandboxError to refuse."""

REQUEST_TIMEOUT = 5.0
"""Seconds without a byte after which a client is given up."""
ANSWER_TIMEOUT = 120.0
"""Seconds for a sandbox to answer; a started part has to be ready by then."""

_REFUSED = "error"
_CREDENTIALS = struct.Struct("3i")


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return the process and the user at the other end, as this process's namespaces number them."""
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid


def connect(address: str) -> socket.socket:
    """Connect to a sandbox's socket.

    Raises:
        ConnectionRefusedError: no process listens there.
        FileNotFoundError: the address is a file that does not exist.
        SandboxError: a process of another user listens there.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(ANSWER_TIMEOUT)
        connection.connect(address)
        _, uid = peer(connection)
        if uid != os.geteuid():
            name = address.lstrip("\0")
            raise SandboxError(f"The socket {name} is held by another user (uid {uid}); choose another --name.")
    except BaseException:
        connection.close()
        raise
    return connection


def ask(address: str, request: dict[str, Any]) -> dict[str, Any]:
    """Send a request to a sandbox and return the answer.

    Raises:
        OSError: as `connect` does.
        SandboxError: another user listens there, or the sandbox refused, did not answer in time, or ended.
    """
    with connect(address) as connection:
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(stream.read())
        except TimeoutError:
            raise SandboxError(f"The sandbox did not answer within {ANSWER_TIMEOUT:.0f} s.") from None
        except (OSError, ValueError):
            raise SandboxError("The sandbox ended before it answered.") from None
    if _REFUSED in answer:
        raise SandboxError(answer[_REFUSED])
    return answer


def serve(listener: socket.socket, answer: Answer, timeout: float = REQUEST_TIMEOUT) -> None:
    """Answer this user's requests, each in a thread, so that no client blocks another."""

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer_one, args=(connection, answer, timeout), daemon=True).start()

    listener.listen()
    threading.Thread(target=accept, daemon=True).start()


def _answer_one(connection: socket.socket, answer: Answer, timeout: float) -> None:
    """Answer one client, or hang up: on another user at once, on a silent client after `timeout` seconds."""
    with connection, suppress(OSError, ValueError):
        if peer(connection)[1] != os.geteuid():
            return
        connection.settimeout(timeout)
        with connection.makefile("rb") as stream:
            request = json.loads(stream.readline())
        try:
            result = answer(request)
        except SandboxError as error:
            result = {_REFUSED: str(error)}
        connection.sendall(json.dumps(result).encode())
