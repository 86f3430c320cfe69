"""`python -m tests.bench.scale`: a thousand hosts: until they are signed, the memory of istiod and Envoy, changes.

Run inside a sandbox. What is signed is proven by DNS-01. The memory, and the time until a changed Secret is served, are
those of certificates of a CA made here, so that a thousand are there in a minute.
"""

import argparse
import json
import socket
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from components.specs import acme
from sandbox.acme import STAGING
from sandbox.testing import ZONES, client, cloud_dns, eventually, kubectl
from tests.bench.processes import MIB, pss
from tests.bench.results import Figure
from tests.bench.runs import Bench, timed
from tests.bench.served_hosts import NAMESPACE, Authority, served
from tests.bench.served_hosts import stack as environment_of
from tests.bench.stacks import empty, hosts, stack
from tests.bench.ups import ordered
from tests.sandbox.stack import Stack
from tlsctl.verify.environment import Environment

HOSTS = 1000
ISSUED = {"perHost": 200, "shared": 1000}
"""How many hosts are signed for. A certificate each for 1,000 is not tried: it is five times as much of the same."""
_AT_ONCE = 64
"""Resources that Pulumi makes at once: of its own accord 4 a core, and one that waits for its Order holds a place."""
_CHANGES = 5
_PARTS = {"istiod": "pilot-discovery", "Envoy": "envoy"}
_TIMEOUT = 1200
"""Seconds for one `up`, or for a Secret to be served."""
_POLL = 0.01
_BEFORE = "the memory before they were made"
_NOTE = (
    "Memory is the proportional set size; of what was used before, not all may have been given back. "
    "A Secret is changed by `kubectl apply`; the time is from the end of that "
    "command until the first handshake that presents the new certificate, asked for every hundredth of a second."
)


def memory() -> dict[str, float]:
    """Return the MiB that istiod and Envoy have."""
    return {part: pss(program) / MIB for part, program in _PARTS.items()}


def secrets(bench: Bench, environment: Environment, authority: Authority, before: Mapping[str, float]) -> None:
    """Measure, of hosts that are served, the memory and the time from a Secret's change to a handshake with it."""
    number, certificates = len(environment.hosts), len(environment.certificates)
    group = f"Scale: {number:,} hosts, {certificates:,} certificates"
    for part, size in memory().items():
        bench.results.add(Figure(group, f"{part}'s memory", [size], [before[part]], _BEFORE, unit="MiB", note=_NOTE))
    bench.say(f"{group}: changing a Secret")
    taken = [_change(environment, authority) for _ in range(bench.times(_CHANGES))]
    bench.results.add(Figure(group, "from a Secret's change until it is served", taken))


def _change(environment: Environment, authority: Authority) -> float:
    """Return the seconds from a Secret's change to the first handshake with its certificate."""
    *_, (name, covered) = environment.certificates.items()
    old = presented(environment.ip, covered[-1])
    kubectl("apply", "--server-side", "--force-conflicts", manifest=authority.secret(name, covered))
    began = time.perf_counter()
    while presented(environment.ip, covered[-1]) == old:
        if time.perf_counter() - began > _TIMEOUT:
            raise TimeoutError(f"the new certificate of {name} was not served within {_TIMEOUT} s")
        time.sleep(_POLL)
    return time.perf_counter() - began


def presented(address: str, host: str) -> bytes:
    """Return the certificate that a host presents."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address, 443), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def per_host(bench: Bench) -> None:
    """Measure `up` of many hosts with a certificate each, which are proven by DNS-01, beside the Orders' own time."""
    ours = _stack(bench, "perHost")
    try:
        _issue(bench, ours, "perHost")
    finally:
        empty(ours)
        _remove_texts()


def shared(bench: Bench) -> None:
    """Measure the same of hosts that share certificates; the stack stays until the sandbox ends."""
    _issue(bench, _stack(bench, "shared"), "shared")


def _stack(bench: Bench, grouping: str) -> Stack:
    ours = stack(bench, f"scale-{grouping.lower()}", _issued(bench, grouping), grouping)
    ours.environment |= {"PULUMI_PARALLEL": str(_AT_ONCE), "PULUMI_SKIP_CHECKPOINTS": "true"}
    ours.configure(
        challenge="dns01", acme={"dnsZones": None, "waitInsteadOfSelfCheck": 1}, dns={"workloadIdentity": True}
    )
    return ours


def _issue(bench: Bench, ours: Stack, grouping: str) -> None:
    number = _issued(bench, grouping)
    bench.say(f"up, {number:,} hosts, DNS-01, {grouping}")
    trust = client.trusting(STAGING)
    last = str(hosts(number)[-1]["host"])

    def up() -> None:
        ours.up(timeout=_TIMEOUT)
        eventually(f"{last} is served", lambda: client.served(last, trust))

    took = timed(up)
    certificates = len(json.loads(kubectl("get", "certificates", "-n", NAMESPACE, "-o", "json"))["items"])
    bench.results.add(
        Figure(
            "Scale: `up` from an empty cluster, DNS-01",
            f"{number:,} hosts, {grouping} ({certificates:,} certificates)",
            [took],
            [ordered()],
            "the Orders' own time, from the first one's creation until the last CertificateRequest is Ready",
            note=f"With `PULUMI_PARALLEL={_AT_ONCE}` and `PULUMI_SKIP_CHECKPOINTS=true`.",
        )
    )


def _issued(bench: Bench, grouping: str) -> int:
    return 2 if bench.quick else ISSUED[grouping]


def _remove_texts() -> None:
    """Remove TXT records that an interrupted proof has left: the zone's next user would meet them."""
    left = [each for each in cloud_dns("GET")["rrsets"] if each["type"] == "TXT"]
    if left:
        cloud_dns("POST", "/sandbox/changes", {"deletions": left}, below=ZONES)


def _number(bench: Bench) -> int:
    return 2 if bench.quick else HOSTS


def main() -> None:
    """Measure all of it, and print it."""
    from tests.bench.table import show

    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="with two hosts, to see that it works")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder), args.quick, time.monotonic() + 3600)
        for grouping in acme.GROUPINGS:
            authority, environment, before = Authority(), environment_of(_number(bench), grouping), memory()
            with served(environment, authority):
                secrets(bench, environment, authority, before)
        per_host(bench)
        shared(bench)
    show(Console(), bench.results)


if __name__ == "__main__":
    main()
