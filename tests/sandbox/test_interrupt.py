"""An `up` that is interrupted by Ctrl-C: the next one goes on from there.

Each moment is known by what the cluster holds, and held there: an ACME server that is down keeps issuers waiting.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import paths
from tests.sandbox.acme_proxy import AcmeProxy
from tests.sandbox.stack import Stack
from tests.sandbox.support import eventually, get, names

pytestmark = pytest.mark.sandbox

ENDED = 60
"""Seconds for an `up` to end after the signal."""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AcmeProxy]:
    proxy = AcmeProxy(tmp_path_factory.mktemp("acme"), (paths.RUN / "acme" / "ca.crt").read_text())
    yield proxy
    proxy.close()


@pytest.fixture
def stack(acme: AcmeProxy, tmp_path: Path) -> Iterator[Stack]:
    stack = Stack("ended", tmp_path)
    bundle = stack.get("acme")["caBundle"] + acme.ca_bundle
    stack.configure(acme={"servers": {"staging": acme.url}, "caBundle": bundle})
    yield stack
    stack.destroy()


def installing() -> bool:
    """Whether Helm has written the release down."""
    return "sh.helm.release.v1.cert-manager.v1" in names("secrets", "cert-manager")


def interrupt(stack: Stack, what: str, seen: Callable[[], object]) -> str:
    """What an `up` prints that gets a Ctrl-C as soon as something is seen."""
    process = stack.start_up()
    try:
        eventually(what, seen)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=ENDED)
    assert process.returncode == 1, f"it ended by itself, with an error: {printed}"
    return printed


def test_an_up_goes_on_where_the_last_was_interrupted(stack: Stack, acme: AcmeProxy) -> None:
    printed = interrupt(stack, "cert-manager is being installed", installing)
    assert "cert-manager-release **creating failed** error: context canceled" in printed, "Helm was interrupted"
    with acme.down():
        issuer = "letsencrypt-staging-istio"
        printed = interrupt(stack, f"{issuer} is awaited", lambda: get("clusterissuer", issuer))
    assert f"{issuer} is not Ready:" in printed, "the next one installed it, and was interrupted at the issuers"
    stack.up()
    assert stack.plan() == {}, "and the last one did the rest"
