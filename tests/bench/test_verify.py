"""`tlsctl verify` by the number of hosts; and what 1,000 hosts cost istiod and Envoy."""

import socket
import ssl
import time
from collections.abc import Mapping

import pytest

from sandbox.testing import eventually, kubectl
from tests.bench.conftest import GATEWAY_API, Bench, log, suffix
from tests.bench.figures import SERVING, VERIFY, Figure
from tests.bench.served_hosts import Authority, ServedStack, served
from tests.bench.test_machine import MIB, memory
from tlsctl.verify.environment import Environment
from tlsctl.verify.records import make_resolver
from tlsctl.verify.run import look

pytestmark = pytest.mark.bench

_WITHOUT_CERTIFICATES = {"certificate", "issuer"}
"""Checks that fail here, where Secrets come from no Certificate."""
_PROGRAMS = {"istiod": "pilot-discovery", "Envoy": "envoy"}
_SERVED = 1200
"""Seconds for a change to be in force."""
_POLL = 0.01


@pytest.mark.parametrize("grouping", ["shared", "perHost", pytest.param(GATEWAY_API, id="gateway")])
@pytest.mark.parametrize(
    ("number", "runs", "goal"),
    [(2, 5, None), (30, 5, None), (100, 3, 15), (1000, 1, 60)],
    ids=["2", "30", "100", "1000"],
)
def test_verify(bench: Bench, number: int, runs: int, goal: float | None, grouping: str) -> None:
    scale, number = number == 1000, bench.hosts(number)
    authority, stack = Authority(), ServedStack.planned(bench.stack(f"verify-{number}", number, grouping))
    environment = stack.environment
    file = bench.folder / "root.pem"
    file.write_bytes(authority.root)
    failed: set[str] = set()

    def verify() -> None:
        report = look([environment], make_resolver(None), lambda _: None, file)
        failed.update(result.check for result in report.results if result.state == "failed")

    def serves_all() -> bool:
        failed.clear()
        verify()
        return failed <= _WITHOUT_CERTIFICATES

    name = f"{number:,} hosts, {grouping}"
    log.info("verify: %s: making them", name)
    before = _memory()
    with served(stack, authority):
        # Besides, the first one loads what it needs.
        eventually("verify finds nothing to report but the Certificates that are not there", serves_all, _SERVED)
        works = {"ours": verify, "handshakes": lambda: handshakes(environment, authority)}
        taken = bench.alternate(f"verify: {name}", works, runs)
        if scale:
            measure_serving(bench, environment, authority, before, suffix(grouping))
    assert failed <= _WITHOUT_CERTIFICATES, "verify finds nothing else to report"
    bench.record(Figure(VERIFY, name, taken["ours"], taken["handshakes"], most=goal))


def handshakes(environment: Environment, authority: Authority) -> None:
    """Shake hands with each host."""
    context = ssl.create_default_context(cadata=authority.root.decode())
    for host in environment.hosts:
        with (
            socket.create_connection((environment.ip, 443), 10) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            pass


def measure_serving(
    bench: Bench, environment: Environment, authority: Authority, before: Mapping[str, float], api: str
) -> None:
    """Measure the memory with hosts that are served, and the time from a Secret's change to a handshake with it."""
    suffix = f"with {len(environment.certificates):,} certificates{api}"
    for program, size in _memory().items():
        name = f"{program}'s memory, {suffix}"
        bench.record(Figure(SERVING, name, [size], [before[program]], unit="MiB"))
    taken = [_change_secret(environment, authority) for _ in range(bench.runs(5))]
    bench.record(Figure(SERVING, f"from a Secret's change until it is served, {suffix}", taken))


def _memory() -> dict[str, float]:
    return {name: memory(program) / MIB for name, program in _PROGRAMS.items()}


def _change_secret(environment: Environment, authority: Authority) -> float:
    """Return the seconds from a Secret's change to the first handshake with its certificate."""
    *_, (name, hosts) = environment.certificates.items()
    old = presented(environment.ip, hosts[-1])
    kubectl("apply", "--server-side", "--force-conflicts", manifest=authority.secret(name, hosts))
    began = time.perf_counter()
    while presented(environment.ip, hosts[-1]) == old:
        if time.perf_counter() - began > _SERVED:
            raise TimeoutError(f"the new certificate of {name} was not served within {_SERVED} s")
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
