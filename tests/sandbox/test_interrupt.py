"""An `up` that is interrupted by Ctrl-C, or killed: the next one continues.

What the cluster holds tells each moment, and an ACME server that is down prolongs one of them.
"""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import paths
from sandbox.testing import ISTIO, AcmeProxy, eventually, get, names
from tests.sandbox.stack import ISSUER, SHOP, Stack
from tests.sandbox.stack import SECRET as CERTIFICATE

pytestmark = pytest.mark.sandbox

ENDED = 60
"""Seconds for an `up` to end after the signal."""


@pytest.fixture
def stack(acme: AcmeProxy, tmp_path: Path) -> Iterator[Stack]:
    """A stack of which there is nothing yet."""
    with Stack("ended", tmp_path) as stack:
        stack.use_acme(acme)
        yield stack


def installing() -> bool:
    """Tell whether Helm has stored the release."""
    return "sh.helm.release.v1.cert-manager.v1" in names("secrets", "cert-manager")


def locked(stack: Stack) -> bool:
    """Tell whether an update of the stack has begun."""
    return any((paths.PULUMI_STATE / ".pulumi" / "locks").rglob(f"{stack.name}/*.json"))


def up_until(stack: Stack, what: str, seen: Callable[[], object], with_: signal.Signals) -> tuple[int, str]:
    """Send a signal to an `up` as soon as something is seen; return its exit code and its output."""
    with stack.start_up() as up:
        eventually(what, seen)
        up.signal(with_)
        return up.wait(ENDED), up.printed


def interrupt(stack: Stack, what: str, seen: Callable[[], object]) -> str:
    code, printed = up_until(stack, what, seen, signal.SIGINT)
    assert code == 1, f"it ended by itself, with an error: {printed}"
    return printed


def kill(stack: Stack, what: str, seen: Callable[[], object]) -> None:
    code, printed = up_until(stack, what, seen, signal.SIGKILL)
    assert code == -signal.SIGKILL, f"it was killed before it could end: {printed}"


def recover(stack: Stack) -> None:
    done = stack.tlsctl("recover")
    assert done.returncode == 0, f"the way back that the README names: {done.stdout}{done.stderr}"


def test_an_up_goes_on_where_the_last_was_interrupted(stack: Stack, acme: AcmeProxy) -> None:
    printed = interrupt(stack, "cert-manager is being installed", installing)
    assert "Helm Release cert-manager/cert-manager: context canceled" in printed, "Helm was interrupted"
    with acme.down():
        printed = interrupt(stack, f"{ISSUER} is awaited", lambda: get("clusterissuer", ISSUER))
    assert f"{ISSUER} is not Ready:" in printed, "the next one installed it, and was interrupted at the issuers"
    printed = interrupt(stack, f"{CERTIFICATE} is awaited", lambda: get("certificate", CERTIFICATE, ISTIO))
    assert f"{CERTIFICATE} is not Ready:" in printed, "the next one came as far as the certificate"
    stack.up()
    assert stack.plan() == {}, "and the last one did the rest"


def test_an_up_goes_on_where_the_last_was_killed(stack: Stack, acme: AcmeProxy) -> None:
    stack.write_in("gateway")
    certificate = f"{CERTIFICATE}-{SHOP['host']}"
    kill(stack, "the stack is locked, and its program begins", lambda: locked(stack))
    recover(stack)
    kill(stack, "cert-manager is being installed", installing)
    recover(stack)
    with acme.down():
        kill(stack, f"{ISSUER} is awaited", lambda: get("clusterissuer", ISSUER))
    recover(stack)
    kill(stack, f"{certificate} is awaited", lambda: get("certificate", certificate, ISTIO))
    recover(stack)
    stack.up()
    assert stack.plan() == {}, "the last one did the rest"
