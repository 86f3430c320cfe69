"""The engine's plans for a stack and what it does: the first time, after an edit, after drift, and at the end.

The tests share one stack, which begins each of them up with its first config.
"""

import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.testing import (
    ISTIO,
    a_records,
    cloud_dns,
    eventually,
    get,
    kubectl,
    left,
    live,
    managed_zone,
    names,
    patch,
    resolve,
)
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import API, SECRET, SHOP, Stack

pytestmark = pytest.mark.sandbox

GATEWAYS = "gateways.networking.istio.io"
ROUTES = "virtualservices.networking.istio.io"
DOCS = SHOP | {"host": "docs.sandbox.test"}

FIRST = {
    "istio-gateway-tls-new", "cluster",
    "cert-manager", "cert-manager-namespace", "cert-manager-release",
    "issuers", "issuers-staging", "issuers-prod",
    "ingress", "dns", "dns-shop.sandbox.test", "dns-api.sandbox.test",
    "http", "http-gateway", "http-redirect",
    "certificate", "certificate-istio-ingressgateway-certs",
    "tls", "tls-gateway", "tls-shop.sandbox.test", "tls-api.sandbox.test",
}  # fmt: skip
"""The resources of a first plan."""

LISTED_HOSTS = {
    "issuers-staging": "update",
    "issuers-prod": "update",
    "http-gateway": "update",
    "http-redirect": "update",
    "certificate-istio-ingressgateway-certs": "update",
    "tls-gateway": "update",
}
"""The resources that list every host."""


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    return new_stack("plan")


def test_a_preview_on_an_empty_cluster_passes_and_creates_the_whole_graph(tmp_path: Path) -> None:
    plan = Stack("new", tmp_path).plan()
    assert set(plan) == FIRST, "each part of the graph is planned, and nothing else"
    assert set(plan.values()) == {"create"}, "on an empty cluster everything is new, though no CRD is there yet"


def test_an_up_makes_what_was_planned_and_gives_the_outputs(stack: Stack) -> None:
    outputs = stack.outputs()
    address = outputs["ingressIp"]
    assert outputs["urls"] == ["https://shop.sandbox.test", "https://api.sandbox.test"], "where the hosts are"
    assert outputs["issuer"] == "letsencrypt-staging-istio", "who signed"
    assert outputs["certificateSecret"] == "istio-ingressgateway-certs", "where the key is"
    assert outputs["certificateNotAfter"] > outputs["certificateRenewalTime"], "it is renewed before it expires"
    assert outputs["dnsRecords"] == {"shop.sandbox.test": address, "api.sandbox.test": address}, "where names lead"
    assert a_records() == {host: ([address], 5) for host in outputs["dnsRecords"]}, "Cloud DNS has the records"
    assert resolve("shop.sandbox.test") == [address], "and its DNS server answers them"
    stack.preview("--expect-no-changes")


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param(
            {"hosts": [SHOP, API, DOCS]},
            {"dns-docs.sandbox.test": "create", "tls-docs.sandbox.test": "create", **LISTED_HOSTS},
            id="add a host",
        ),
        pytest.param(
            {"hosts": [SHOP]},
            {"dns-api.sandbox.test": "delete", "tls-api.sandbox.test": "delete", **LISTED_HOSTS},
            id="remove a host",
        ),
        pytest.param(
            {"hosts": [SHOP | {"service": "shop-v2"}, API]}, {"tls-shop.sandbox.test": "update"}, id="another service"
        ),
        pytest.param(
            {"dns": {"ttl": 60}},
            {"dns-shop.sandbox.test": "update", "dns-api.sandbox.test": "update"},
            id="another TTL",
        ),
        pytest.param(
            {"acme": {"issuer": "prod"}}, {"certificate-istio-ingressgateway-certs": "update"}, id="staging to prod"
        ),
        pytest.param({"tls": {"minVersion": "1.3"}}, {"tls-gateway": "update"}, id="TLS 1.3 only"),
        pytest.param(
            {"certManager": {"values": {"replicaCount": 2}}}, {"cert-manager-release": "update"}, id="a chart value"
        ),
    ],
)
def test_an_edit_changes_what_it_is_about_and_nothing_else(
    stack: Stack, edit: dict[str, Any], expected: dict[str, str]
) -> None:
    with stack.changed(**edit):
        assert stack.plan() == expected, "the plan is the edit"


def test_another_managed_zone_replaces_the_records_and_nothing_else(stack: Stack) -> None:
    with managed_zone("other", "sandbox.test"), stack.changed(dns={"zone": "other"}):
        printed = stack.preview()
        plan = stack.plan()
    assert set(plan) == {"dns-shop.sandbox.test", "dns-api.sandbox.test"}, "a record cannot move between zones"
    assert set(plan.values()) <= {"replace", "create-replacement", "delete-replaced"}, "so another one is made"
    assert "2 to replace" in printed, "and the preview says so"


def test_drift_is_detected_by_refresh_and_repaired_by_up(stack: Stack) -> None:
    address = stack.outputs()["ingressIp"]
    route = live(ROUTES, "shop.sandbox.test", ISTIO)
    elsewhere = [{"op": "replace", "path": "/spec/http/0/match/0/uri/prefix", "value": "/elsewhere"}]
    patch(ROUTES, "shop.sandbox.test", elsewhere, ISTIO)
    kubectl("delete", GATEWAYS, "tls-plan", "-n", ISTIO)
    cloud_dns("DELETE", "/api.sandbox.test./A")
    cloud_dns("PATCH", "/shop.sandbox.test./A", {"rrdatas": ["203.0.113.99"]})

    stack.run("preview", "--refresh", "--expect-no-changes", fails=True)
    stack.refresh()
    assert stack.plan() == {
        "tls-shop.sandbox.test": "update",
        "tls-gateway": "create",
        "dns-api.sandbox.test": "create",
        "dns-shop.sandbox.test": "update",
    }, "each thing that was edited or deleted is to be repaired, and nothing else"

    stack.up()
    assert live(ROUTES, "shop.sandbox.test", ISTIO)["spec"] == route["spec"], "the route is as it was"
    assert get(GATEWAYS, "tls-plan", ISTIO) is not None, "the Gateway is back"
    assert a_records() == {
        "shop.sandbox.test": ([address], 5), "api.sandbox.test": ([address], 5)
    }, "the records lead to the gateway again"  # fmt: skip
    stack.assert_at_rest()


def test_destroy_leaves_nothing_but_the_crds_and_the_issued_secret(stack: Stack) -> None:
    began = time.monotonic()
    stack.destroy()
    assert time.monotonic() - began < 120, "no finalizer held it up"
    assert stack.resources() == [], "the state is empty"
    # The issued Secret stays: without it, the next stack would spend the CA's weekly limit of identical certificates.
    # Without the CRDs, every Certificate of the cluster would be gone.
    kept = [f"Secret {ISTIO}/{SECRET}"]
    eventually("nothing else is left", lambda: [str(thing) for thing in left(0)], until=lambda things: things == kept)
    assert "certificates.cert-manager.io" in names("customresourcedefinitions")
