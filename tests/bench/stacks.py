"""The stacks that are measured."""

from sandbox.testing import kubectl
from tests.bench.runs import Bench
from tests.sandbox.stack import Stack

ISTIO = "istio-system"
_TIMEOUT = 900
"""Seconds for a `destroy`."""


def hosts(number: int, domain: str = "sandbox.test") -> list[dict[str, object]]:
    """Return so many hosts of a config, of the two applications in turn."""
    shop, api = (
        {"service": "shop", "namespace": "shop", "port": 80},
        {"service": "api", "namespace": "api", "port": 8080},
    )
    return [{"host": f"h{each}.{domain}", **(api if each % 2 else shop)} for each in range(number)]


def stack(bench: Bench, name: str, number: int, grouping: str = "shared") -> Stack:
    """Return a stack with so many hosts, which is not applied yet."""
    made = Stack(name, bench.folder)
    made.configure(
        hosts=hosts(number),
        certificate={"grouping": grouping, "secretName": f"{name}-certs"},
        acme={"timeout": 1200},
    )
    return made


def empty(stack: Stack) -> None:
    """Leave the cluster as it was before the stack: `destroy` keeps the Secrets and cert-manager's CRDs."""
    stack.run("destroy", "--yes", "--skip-preview", timeout=_TIMEOUT)
    empty_cluster()


def empty_cluster() -> None:
    """Remove what `destroy` keeps."""
    kubectl("delete", "secrets", "--namespace", ISTIO, "--selector=controller.cert-manager.io/fao=true")
    kubectl("delete", "crds", "--selector=app.kubernetes.io/name=cert-manager", "--ignore-not-found")
