"""Which Ingresses the gateway serves: the program's judgement of a MeshConfig is what Istio does with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.specs.solver_route import ControlPlane, solver_problem
from sandbox.testing import ISTIO, applied, client, eventually, ingress_address, live, patch, resource
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

HOST = "mesh.sandbox.test"
LABELS = {"istio": "ingressgateway"}


@contextmanager
def mesh(**changes: Any) -> Iterator[dict[str, Any]]:
    """Change MeshConfig while the block runs, as an upgrade of Istio's chart does."""
    before = live("configmap", "istio", ISTIO)["data"]["mesh"]
    config = {**yaml.safe_load(before), **changes}
    write(yaml.safe_dump(config))
    try:
        yield config
    finally:
        write(before)


def write(text: str) -> None:
    """Give istiod another MeshConfig, which it reads at once."""
    patch("configmap", "istio", {"data": {"mesh": text}}, ISTIO)


@pytest.fixture(scope="module")
def ingress() -> Iterator[str]:
    """An Ingress like a solver's; returns the gateway's address."""
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    solver = resource("networking.k8s.io/v1", "Ingress", "mesh", "shop")
    solver["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "istio"}
    solver["spec"] = {"rules": [{"host": HOST, "http": {"paths": [path]}}]}
    with applied(solver):
        yield str(ingress_address())


def is_served(address: str) -> bool:
    """Tell whether the gateway leads to what the Ingress names."""
    try:
        return client.plain(address, client.Request(headers={"Host": HOST})).status == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    "changes",
    [
        {"ingressSelector": "edge"},
        {"ingressService": "edge"},
        {"ingressClass": "edge"},
        {"ingressControllerMode": "OFF"},
        {"ingressControllerMode": "DEFAULT"},
        {"ingressService": "edge", "ingressSelector": "ingressgateway"},
    ],
    ids=lambda changes: ",".join(f"{key}={value}" for key, value in changes.items()),
)
def test_istio_serves_a_solvers_ingress_exactly_where_no_problem_is_named(
    ingress: str, changes: dict[str, str]
) -> None:
    eventually("the Ingress is served by the mesh as it was installed", lambda: is_served(ingress))
    with mesh(**changes) as config:
        problem = solver_problem(config, LABELS, "class", None, ControlPlane(), {})
        if problem:
            eventually("it is not served", lambda: not is_served(ingress))
        else:
            # A Gateway of another name takes its place in less time.
            eventually("it is still served", lambda: is_served(ingress))


def test_a_preview_names_the_mesh_config_and_dns01_is_a_way_out(tmp_path: Path) -> None:
    stack = Stack("mesh", tmp_path)
    with mesh(ingressSelector="edge"):
        printed = stack.preview(fails=True)
        with stack.changed(challenge="dns01"):
            stack.preview()
    assert "Traceback" not in printed, f"a user sees no traceback:\n{printed}"
    assert "sends Ingresses to the Pods with the label istio=edge" in printed, "what is wrong"
    assert "--set meshConfig.ingressSelector=ingressgateway" in printed, "what fixes it in Istio"
    assert "pulumi config set challenge dns01" in printed, "and without touching Istio"
    stack.preview()
