"""The fixture with which every figure is measured and recorded."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from sandbox.testing import ISTIO, get, items, kubectl, patch
from tests.bench.figures import Figure
from tests.recording import machine_facts, pytest_report_teststatus
from tests.sandbox.stack import Stack

__all__ = ["machine_facts", "pytest_report_teststatus"]

GATEWAY_API = "perHost in the Gateway API"
"""A grouping: the Gateway API has no other one."""

_FEW = 4
"""The largest number of hosts of a quick run."""
_CHALLENGES = "challenges.acme.cert-manager.io"
_DESTROY = 900
"""Seconds for a `destroy`."""
log = logging.getLogger("bench")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="measure once, with few hosts, to see that it works")


@dataclass
class Bench:
    """Measures and records.

    Attributes:
        folder: For files of the test.
        quick: Whether to measure once and with few hosts.
    """

    folder: Path
    quick: bool
    _record: Callable[[str, object], None]

    def hosts(self, number: int) -> int:
        """Return how many hosts to measure with."""
        return min(number, _FEW) if self.quick else number

    def runs(self, number: int) -> int:
        """Return how often to measure."""
        return 1 if self.quick else number

    def record(self, figure: Figure) -> None:
        """Record a figure."""
        self._record("figure", asdict(figure))
        log.info("%s: %s", figure.group, " | ".join(figure.row()))

    def alternate(self, what: str, works: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
        """Run several functions in turn, so many times, and return the seconds of each."""
        runs = self.runs(runs)
        taken: dict[str, list[float]] = {name: [] for name in works}
        for number in range(runs):
            for name, work in works.items():
                log.info("%s: %s, %d of %d", what, name, number + 1, runs)
                taken[name].append(timed(work))
        return taken

    def stack(self, name: str, number: int, grouping: str = "shared") -> Stack:
        """Return a stack with so many hosts, which is not applied yet; in the Gateway API for its grouping."""
        stack = Stack(name, self.folder)
        if grouping == GATEWAY_API:
            stack.configure(api="gateway")
            grouping = "perHost"
        stack.configure(
            hosts=hosts(number),
            certificate={"grouping": grouping, "secretName": f"{name}-certs"},
            acme={"timeout": 1200},
        )
        return stack


@pytest.fixture
def bench(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
    machine_facts: dict[str, str],
) -> Bench:
    record_property("machine", machine_facts)
    return Bench(tmp_path, request.config.getoption("quick"), record_property)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def suffix(grouping: str) -> str:
    """Return what a figure's name ends with in the Gateway API."""
    return f", {grouping}" if grouping == GATEWAY_API else ""


def hosts(number: int) -> list[dict[str, object]]:
    """Return so many hosts of a config, of the two applications in turn."""
    applications = (
        {"service": "shop", "namespace": "shop", "port": 80},
        {"service": "api", "namespace": "api", "port": 8080},
    )
    return [{"host": f"h{index}.sandbox.test", **applications[index % 2]} for index in range(number)]


def destroy(stack: Stack) -> None:
    """Leave the cluster as it was before the stack: `destroy` keeps the Secrets and cert-manager's CRDs."""
    stack.run("destroy", "--yes", "--skip-preview", timeout=_DESTROY)
    empty_cluster()


def empty_cluster() -> None:
    """Remove what `destroy` keeps."""
    kubectl("delete", "secrets", "--namespace", ISTIO, "--selector=controller.cert-manager.io/fao=true")
    # With cert-manager gone, nobody else takes its finalizer from a Challenge, and the CRD would wait for it.
    if get("crd", _CHALLENGES):
        for challenge in items(_CHALLENGES):
            metadata = challenge["metadata"]
            patch(_CHALLENGES, metadata["name"], {"metadata": {"finalizers": None}}, metadata["namespace"])
    kubectl("delete", "crds", "--selector=app.kubernetes.io/name=cert-manager", "--ignore-not-found")
