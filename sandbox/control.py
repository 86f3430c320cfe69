"""The control socket of a sandbox: JSON requests by line, answered one per connection, between processes of one user.

Abstract socket names belong to whoever binds them first, and anybody may connect: so each side asks the kernel who
the other is (SO_PEERCRED, unix(7)), and neither reads a byte of another user's.
"""

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sandbox.errors import SandboxError

Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes a request and returns what is sent back, both as JSON objects; raises SandboxError to refuse."""

REQUEST_TIMEOUT = 5.0
"""Seconds in which a client has to have sent its request."""
ANSWER_TIMEOUT = 120.0
"""Seconds in which a sandbox has to have answered; a part that is started has to be ready by then."""

_LIMIT = 64 * 1024
"""Bytes of a request, at most."""
_REFUSED = "error"
_CREDENTIALS = struct.Struct("3i")


def peer(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end, as this process's namespaces number them."""
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid


def connect(address: str) -> socket.socket:
    """Connect to a sandbox's socket, which has to be this user's.

    Raises:
        ConnectionRefusedError: nobody listens there.
        FileNotFoundError: nor is there such a file, where the address is one.
        SandboxError: another user does.
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
    """Send a request to a sandbox and return its answer.

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
    """Answer this user's requests in threads of their own, so that no client keeps another one waiting."""

    def forever() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=converse, args=(connection, answer, timeout), daemon=True).start()

    listener.listen()
    threading.Thread(target=forever, daemon=True).start()


def converse(connection: socket.socket, answer: Answer, timeout: float) -> None:
    """Answer one client, or hang up: on another user at once, on a silent one after `timeout` seconds."""
    with connection, suppress(OSError, ValueError):
        if peer(connection)[1] != os.geteuid():
            return
        request = json.loads(_line(connection, timeout))
        try:
            result = answer(request)
        except SandboxError as error:
            result = {_REFUSED: str(error)}
        connection.settimeout(timeout)
        connection.sendall(json.dumps(result).encode())


def _line(connection: socket.socket, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    received = b""
    while b"\n" not in received:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        chunk = connection.recv(4096)
        received += chunk
        if not chunk or len(received) > _LIMIT:
            raise ValueError("no request")
    return received
