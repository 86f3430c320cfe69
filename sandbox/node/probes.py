"""Startup, liveness and readiness probes: one check, and the state that a row of results settles.

Like a kubelet's, probes go from the node to the Pod's address, and HTTPS certificates are not verified.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import urllib3

from sandbox.api import Json

Exec = Callable[[list[str]], Awaitable[tuple[int, str]]]
"""Runs a command in the container: its exit code and output."""


@dataclass
class Threshold:
    """Turns single results into a state by a probe's thresholds."""

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
    except (TimeoutError, urllib3.exceptions.TimeoutError):
        raise ProbeError(f"probe timed out after {probe.get('timeoutSeconds', 1)} s") from None
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise ProbeError(str(error)) from error


async def _check(probe: Json, container: Json, pod_ip: str, run: Exec) -> None:
    if http := probe.get("httpGet"):
        port = port_number(http["port"], container)
        await asyncio.to_thread(_http_get, http, http.get("host") or pod_ip, port, probe.get("timeoutSeconds", 1))
    elif command := probe.get("exec"):
        code, output = await run(command["command"])
        if code:
            raise ProbeError(f"command exited with {code}: {output.strip()}")
    else:
        raise ProbeError("this kind of probe is not supported by the sandbox")


def _http_get(http: Json, host: str, port: int, seconds: float) -> None:
    url = f"{http.get('scheme', 'HTTP').lower()}://{host}:{port}{http.get('path', '/')}"
    headers = {header["name"]: header["value"] for header in http.get("httpHeaders") or []}
    with urllib3.PoolManager(cert_reqs="CERT_NONE") as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        answer = client.request("GET", url, headers=headers, redirect=False, retries=False, timeout=seconds)
    if not 200 <= answer.status < 400:
        raise ProbeError(f"HTTP probe failed with statuscode: {answer.status}")
