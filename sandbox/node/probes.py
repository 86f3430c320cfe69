"""Startup, liveness and readiness probes: one check, and what a row of results means.

Probes run from the node towards the Pod's address, as a kubelet's do; HTTPS certificates are not verified.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandbox.watch import Json

Exec = Callable[[list[str]], Awaitable[tuple[int, str]]]
"""Runs a command in the container: its exit code and output."""


@dataclass
class Threshold:
    """Turns single results into a state, by a probe's success and failure thresholds."""

    success: int = 1
    failure: int = 3
    _last: bool | None = None
    _row: int = 0

    def observe(self, passed: bool) -> bool | None:
        """Return the state that this result settles, or None while its row is too short."""
        self._row = self._row + 1 if passed == self._last else 1
        self._last = passed
        return passed if self._row >= (self.success if passed else self.failure) else None

    @classmethod
    def of(cls, probe: Json) -> Threshold:
        """Return the thresholds of a probe."""
        return cls(probe.get("successThreshold", 1), probe.get("failureThreshold", 3))


class ProbeError(Exception):
    """A check failed; the message says how."""


def port_number(port: int | str, container: Json) -> int:
    """Return a port by number, or by the name that the container gives it.

    Raises:
        ProbeError: the container has no port of that name.
    """
    for named in container.get("ports") or []:
        if named.get("name") == port:
            return int(named["containerPort"])
    try:
        return int(port)
    except ValueError:
        raise ProbeError(f'couldn\'t find port "{port}" of the container') from None


async def check(probe: Json, container: Json, pod_ip: str, run: Exec) -> None:
    """Run one check, within the probe's timeout.

    Raises:
        ProbeError: the check failed or took too long.
    """
    try:
        async with asyncio.timeout(probe.get("timeoutSeconds", 1)):
            await _check(probe, container, pod_ip, run)
    except TimeoutError:
        raise ProbeError(f"probe timed out after {probe.get('timeoutSeconds', 1)} s") from None
    except (OSError, ValueError, EOFError) as error:
        raise ProbeError(str(error)) from error


async def _check(probe: Json, container: Json, pod_ip: str, run: Exec) -> None:
    if http := probe.get("httpGet"):
        await _http_get(http, http.get("host") or pod_ip, port_number(http["port"], container))
    elif tcp := probe.get("tcpSocket"):
        _, writer = await asyncio.open_connection(tcp.get("host") or pod_ip, port_number(tcp["port"], container))
        writer.close()
    elif command := probe.get("exec"):
        code, output = await run(command["command"])
        if code:
            raise ProbeError(f"command exited with {code}: {output.strip()}")
    else:
        raise ProbeError("this kind of probe is not supported by the sandbox")


async def _http_get(http: Json, host: str, port: int) -> None:
    context = None
    if http.get("scheme") == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.37", "Accept": "*/*", "Connection": "close"}
        headers |= {header["name"]: header["value"] for header in http.get("httpHeaders") or []}
        lines = [f"GET {http.get('path', '/')} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status_line = (await reader.readline()).decode(errors="replace").split()
        status = int(status_line[1]) if len(status_line) > 1 else 0
    finally:
        writer.close()
    if not 200 <= status < 400:
        raise ProbeError(f"HTTP probe failed with statuscode: {status}")
