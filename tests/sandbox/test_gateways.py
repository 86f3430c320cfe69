"""One stack, two gateways: a second one, installed as in Istio's documentation, serves hosts of its own.

https://istio.io/latest/docs/setup/additional-setup/gateway/
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from sandbox.acme import STAGING
from sandbox.testing import (
    a_records,
    applied,
    client,
    eventually,
    ingress_address,
    items,
    kubectl,
    managed_zone,
    resource,
)
from tests.sandbox.stack import GATEWAYS, SHOP, Stack, make_way

pytestmark = pytest.mark.sandbox

NAMESPACE = "internal"
LABELS = {"istio": "internal"}
OUTSIDE, INSIDE = "outside.sandbox.test", "inside.sandbox.test"
INTERNAL = {
    "name": "internal",
    "ingress": {"namespace": NAMESPACE, "service": "gateway", "selector": LABELS},
    # Istio serves the solvers of HTTP-01 only at the gateway of its mesh config.
    "challenge": "dns01",
    "hosts": [SHOP | {"host": INSIDE}],
}
ZONE, SECOND = "second", "shop.second.test"
"""Another zone, whose host shares the public gateway."""
SHARING = {"name": ZONE, "dns": {"zone": ZONE}, "hosts": [SHOP | {"host": SECOND}]}
TEMPLATE: dict[str, Any] = {
    "metadata": {
        "annotations": {"inject.istio.io/templates": "gateway"},
        "labels": LABELS | {"sidecar.istio.io/inject": "true"},
    },
    "spec": {
        "securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]},
        "containers": [{"name": "istio-proxy", "image": "auto"}],
    },
}
PORTS = [{"name": "http", "port": 80}, {"name": "https", "port": 443}]
RBAC = "rbac.authorization.k8s.io"
GATEWAY = [
    resource("v1", "Namespace", NAMESPACE),
    resource(
        "v1", "Service", "gateway", NAMESPACE, spec={"type": "LoadBalancer", "selector": LABELS, "ports": PORTS}
    ),
    resource(
        "apps/v1", "Deployment", "gateway", NAMESPACE,
        spec={"selector": {"matchLabels": LABELS}, "template": TEMPLATE},
    ),
    resource(
        f"{RBAC}/v1", "Role", "gateway-sds", NAMESPACE,
        rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}],
    ),
    resource(
        f"{RBAC}/v1", "RoleBinding", "gateway-sds", NAMESPACE,
        roleRef={"apiGroup": RBAC, "kind": "Role", "name": "gateway-sds"},
        subjects=[{"kind": "ServiceAccount", "name": "default"}],
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """The second gateway; returns its address."""
    with applied(*GATEWAY):
        kubectl("wait", "deployment/gateway", f"--namespace={NAMESPACE}", "--for=condition=Available", "--timeout=50s")
        yield eventually("its Service has an address", partial(ingress_address, "gateway", NAMESPACE))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, gateway: str) -> Iterator[Stack]:
    assert gateway, "it outlives the stack"
    with managed_zone(ZONE, "second.test"), Stack("gateways", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(
            acme={"dnsZones": None, "waitInsteadOfSelfCheck": 1},
            dns={"workloadIdentity": True},
            certificate={"secretName": "outside-certs"},
            hosts=[SHOP | {"host": OUTSIDE}],
            gateways=[INTERNAL, SHARING],
        )
        yield stack
    for kind in GATEWAYS.values():
        assert not items(kind, NAMESPACE), "nothing of it is left"


@pytest.fixture(
    scope="module", params=[("istio", "istio"), ("istio", "gateway"), ("gateway", "gateway")], ids=" and ".join
)
def shared(made: Stack, request: pytest.FixtureRequest) -> Stack:
    """The stack with its public gateway and its internal one in these APIs."""
    public, internal = request.param
    make_way(public)
    make_way(internal, NAMESPACE)
    made.configure(api=public, gateways=[INTERNAL | {"api": internal}, SHARING])
    return made


def test_each_host_is_served_by_its_own_gateway(stack: Stack, gateway: str) -> None:
    trust, public = client.trusting(STAGING), ingress_address()
    assert public != gateway
    addresses = {host: records for host, (records, _) in a_records().items()}
    assert addresses == {OUTSIDE: [public], INSIDE: [gateway]}, "the third is in a zone of its own"
    for host in (OUTSIDE, INSIDE, SECOND):
        assert eventually(f"{host} is served", partial(client.served, host, trust)), "with its certificate"
    assert stack.outputs()["ingressIp"] == public
    others = {name: outputs["ingressIp"] for name, outputs in stack.outputs()["gateways"].items()}
    assert others == {"internal": gateway, ZONE: public}
    assert stack.plan() == {}, "and the stack is at rest"


@pytest.mark.usefixtures("stack")
def test_the_public_gateway_does_not_know_the_internal_hosts() -> None:
    trust, public = client.trusting(STAGING), str(ingress_address())
    assert eventually(f"{INSIDE} is served", partial(client.served, INSIDE, trust)), "by its own gateway"
    with pytest.raises(OSError, match=r"EOF|reset"):
        client.https(INSIDE, trust, address=public)
    assert client.plain(public, client.Request(headers={"Host": INSIDE})).status == 404, "nor on port 80"


def test_verify_checks_both(stack: Stack) -> None:
    report = stack.verify()
    assert report.ok, report.problems
    subjects = {result["subject"] for result in report.checks if result["state"] == "ok"}
    assert subjects >= {"ingress", "ingress internal", f"ingress {ZONE}", OUTSIDE, INSIDE, SECOND}
