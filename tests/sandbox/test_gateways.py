"""One stack, two gateways: a second one, installed as Istio's documents have it, serves hosts of its own.

https://istio.io/latest/docs/setup/additional-setup/gateway/
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from sandbox import paths
from sandbox.acme import STAGING
from sandbox.testing import a_records, client, eventually, items, kubectl, live
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

NAMESPACE = "internal"
LABELS = {"istio": "internal"}
SHOP: dict[str, Any] = {"host": "outside.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
WIKI = SHOP | {"host": "inside.sandbox.test"}
INTERNAL = {
    "name": "internal",
    "ingress": {"namespace": NAMESPACE, "service": "gateway", "selector": LABELS},
    # Istio serves the solvers of HTTP-01 by the gateway of its mesh config alone.
    "challenge": "dns01",
    "hosts": [WIKI],
}

GATEWAY: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "gateway", "namespace": NAMESPACE},
        "spec": {
            "type": "LoadBalancer", "selector": LABELS,
            "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
        },
    },
    {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "gateway", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {
                    "annotations": {"inject.istio.io/templates": "gateway"},
                    "labels": LABELS | {"sidecar.istio.io/inject": "true"},
                },
                "spec": {
                    "securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]},
                    "containers": [{"name": "istio-proxy", "image": "auto"}],
                },
            },
        },
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "gateway-sds", "namespace": NAMESPACE},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "gateway-sds", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gateway-sds"},
        "subjects": [{"kind": "ServiceAccount", "name": "default"}],
    },
]  # fmt: skip


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """The second gateway; returns its address."""
    for each in GATEWAY:
        kubectl("apply", manifest=each)
    kubectl("wait", "deployment/gateway", "--namespace", NAMESPACE, "--for=condition=Available", "--timeout=50s")
    yield eventually("its Service has an address", lambda: _address(NAMESPACE, "gateway"))
    kubectl("delete", "namespace", NAMESPACE)


def _address(namespace: str, service: str) -> str | None:
    ingress = live("service", service, namespace)["status"]["loadBalancer"].get("ingress", [])
    return str(ingress[0]["ip"]) if ingress else None


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, gateway: str) -> Iterator[Stack]:
    assert gateway, "it is there for longer than the stack"
    with Stack("gateways", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(
            acme={"dnsZones": None, "waitInsteadOfSelfCheck": 1},
            dns={"workloadIdentity": True},
            certificate={"secretName": "outside-certs"},
            hosts=[SHOP],
            gateways=[INTERNAL],
        )
        stack.up()
        yield stack
    kubectl("delete", "secret", "outside-certs", "--namespace", "istio-system", "--ignore-not-found")
    assert not items("gateways.networking.istio.io", NAMESPACE), "nothing of it is left"


def test_each_host_is_served_by_its_own_gateway(stack: Stack, gateway: str) -> None:
    trust, public = client.trusting(STAGING), _address("istio-system", "istio-ingressgateway")
    assert public != gateway
    addresses = {host: found for host, (found, _) in a_records().items()}
    assert addresses["outside.sandbox.test"] == [public]
    assert addresses["inside.sandbox.test"] == [gateway]
    for host in ("outside.sandbox.test", "inside.sandbox.test"):
        assert eventually(f"{host} is served", partial(client.served, host, trust)), "with its certificate"
    assert stack.outputs()["gateways"]["internal"]["ingressIp"] == gateway
    assert stack.plan() == {}, "and the stack is at rest"


def test_the_public_gateway_does_not_know_the_internal_hosts(stack: Stack, gateway: str) -> None:
    assert stack.outputs()["ingressIp"] != gateway
    routes = {each["metadata"]["name"]: each["spec"]["gateways"] for each in items("virtualservices", NAMESPACE)}
    assert routes["inside.sandbox.test"] == [f"{NAMESPACE}/tls-gateways-internal"], "and is given no route to them"
    public = {
        host
        for each in items("gateways.networking.istio.io", "istio-system")
        for server in each["spec"]["servers"]
        for host in server["hosts"]
    }
    assert "inside.sandbox.test" not in public


def test_verify_checks_both(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tlsctl", "verify", "--stack", stack.name, "--config-file", str(stack.file), "--json",
         "--ca", str(paths.RUN / "acme" / "staging-root.pem")],
        cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    seen = json.loads(done.stdout)
    assert seen["ok"], seen["problems"]
    subjects = {each["subject"] for each in seen["checks"] if each["state"] == "ok"}
    assert subjects >= {"ingress", "ingress internal", "outside.sandbox.test", "inside.sandbox.test"}
