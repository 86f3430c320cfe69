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
from tests.sandbox.conftest import NewStack, only_istio
from tests.sandbox.stack import API, GATEWAYS, SECRET, SHOP, Stack, certificate_of

pytestmark = pytest.mark.sandbox

ROUTES = {"istio": "virtualservices.networking.istio.io", "gateway": "httproutes.gateway.networking.k8s.io"}
PATH = {"istio": "/spec/http/0/match/0/uri/prefix", "gateway": "/spec/rules/0/matches/0/path/value"}
"""Of the first route of a host, in the object of its kind."""
DOCS = SHOP | {"host": "docs.sandbox.test"}

FIRST = {
    "istio-gateway-tls-new", "cluster",
    "cert-manager", "cert-manager-namespace", "cert-manager-release",
    "issuers", "issuers-staging", "issuers-prod",
    "ingress", "dns", "dns-shop.sandbox.test", "dns-api.sandbox.test",
    "http", "http-gateway", "http-redirect",
    "certificate",
    "tls", "tls-gateway", "tls-shop.sandbox.test", "tls-api.sandbox.test",
}  # fmt: skip
"""The resources of a first plan."""
FIRST_IN = {
    "istio": {f"certificate-{SECRET}"},
    "gateway": {
        f"certificate-{SECRET}-shop.sandbox.test", f"certificate-{SECRET}-api.sandbox.test",
        "tls-grant-shop", "tls-grant-api",
    },
}  # fmt: skip
"""Those that only a stack in one API has."""

LISTED_HOSTS = dict.fromkeys(["issuers-staging", "issuers-prod", "http-gateway", "tls-gateway"], "update")
"""The resources that list every host."""


@pytest.fixture(scope="module")
def made(new_stack: NewStack) -> Stack:
    return new_stack("plan")


@pytest.fixture(scope="module")
def shared(made: Stack, api: str) -> Stack:
    made.write_in(api)
    return made


def test_a_preview_on_an_empty_cluster_passes_and_creates_the_whole_graph(api: str, tmp_path: Path) -> None:
    stack = Stack("new", tmp_path)
    stack.write_in(api)
    plan = stack.plan()
    assert set(plan) == FIRST | FIRST_IN[api], "each part of the graph is planned, and nothing else"
    assert set(plan.values()) == {"create"}, "on an empty cluster everything is new, though no CRD is there yet"


def test_an_up_makes_what_was_planned_and_gives_the_outputs(stack: Stack) -> None:
    outputs = stack.outputs()
    address = outputs["ingressIp"]
    assert outputs["urls"] == ["https://shop.sandbox.test", "https://api.sandbox.test"], "where the hosts are"
    assert outputs["issuer"] == "letsencrypt-staging-istio", "who signed"
    assert outputs["certificateSecret"] == certificate_of("shop.sandbox.test"), "where the first key is"
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
            {
                "istio": {f"certificate-{SECRET}": "update", "http-redirect": "update"},
                "gateway": {f"certificate-{SECRET}-docs.sandbox.test": "create"},
                "both": {"dns-docs.sandbox.test": "create", "tls-docs.sandbox.test": "create", **LISTED_HOSTS},
            },
            id="add a host",
        ),
        pytest.param(
            {"hosts": [SHOP]},
            {
                "istio": {f"certificate-{SECRET}": "update", "http-redirect": "update"},
                "gateway": {f"certificate-{SECRET}-api.sandbox.test": "delete", "tls-grant-api": "delete"},
                "both": {"dns-api.sandbox.test": "delete", "tls-api.sandbox.test": "delete", **LISTED_HOSTS},
            },
            id="remove a host",
        ),
        pytest.param(
            {"hosts": [SHOP | {"service": "shop-v2"}, API]},
            {"istio": {}, "gateway": {"tls-grant-shop": "update"}, "both": {"tls-shop.sandbox.test": "update"}},
            id="another service",
        ),
        pytest.param(
            {"tls": {"cipherSuites": ["ECDHE-ECDSA-AES256-GCM-SHA384"]}},
            {"istio": {}, "gateway": {}, "both": {"tls-gateway": "update"}},
            id="one cipher suite",
        ),
    ],
)
def test_an_edit_changes_what_it_is_about_and_nothing_else(
    stack: Stack, api: str, edit: dict[str, Any], expected: dict[str, dict[str, str]]
) -> None:
    with stack.changed(**edit):
        assert stack.plan() == expected["both"] | expected[api], "the plan is the edit"


@only_istio
@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param(
            {"dns": {"ttl": 60}},
            {"dns-shop.sandbox.test": "update", "dns-api.sandbox.test": "update"},
            id="another TTL",
        ),
        pytest.param({"acme": {"issuer": "prod"}}, {f"certificate-{SECRET}": "update"}, id="staging to prod"),
        pytest.param({"tls": {"minVersion": "1.3"}}, {"tls-gateway": "update"}, id="TLS 1.3 only"),
        pytest.param(
            {"certManager": {"values": {"replicaCount": 2}}}, {"cert-manager-release": "update"}, id="a chart value"
        ),
    ],
)
def test_an_edit_that_the_gateway_api_has_no_part_in_changes_nothing_else(
    stack: Stack, edit: dict[str, Any], expected: dict[str, str]
) -> None:
    with stack.changed(**edit):
        assert stack.plan() == expected, "the plan is the edit"


@only_istio
def test_another_managed_zone_replaces_the_records_and_nothing_else(stack: Stack) -> None:
    with managed_zone("other", "sandbox.test"), stack.changed(dns={"zone": "other"}):
        printed = stack.preview()
        plan = stack.plan()
    assert set(plan) == {"dns-shop.sandbox.test", "dns-api.sandbox.test"}, "a record cannot move between zones"
    assert set(plan.values()) <= {"replace", "create-replacement", "delete-replaced"}, "so another one is made"
    assert "2 to replace" in printed, "and the preview says so"


def test_drift_is_detected_by_refresh_and_repaired_by_up(stack: Stack, api: str) -> None:
    address = stack.outputs()["ingressIp"]
    route = live(ROUTES[api], "shop.sandbox.test", ISTIO)
    elsewhere = [{"op": "replace", "path": PATH[api], "value": "/elsewhere"}]
    patch(ROUTES[api], "shop.sandbox.test", elsewhere, ISTIO)
    kubectl("delete", GATEWAYS[api], "tls-plan", "-n", ISTIO)
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
    assert live(ROUTES[api], "shop.sandbox.test", ISTIO)["spec"] == route["spec"], "the route is as it was"
    assert get(GATEWAYS[api], "tls-plan", ISTIO) is not None, "the Gateway is back"
    assert a_records() == {
        "shop.sandbox.test": ([address], 5), "api.sandbox.test": ([address], 5)
    }, "the records lead to the gateway again"  # fmt: skip
    stack.assert_at_rest()


def test_destroy_leaves_nothing_but_the_crds_and_the_issued_secret(stack: Stack) -> None:
    issued = names("certificates", ISTIO)
    began = time.monotonic()
    stack.destroy()
    assert time.monotonic() - began < 120, "no finalizer held it up"
    assert stack.resources() == [], "the state is empty"
    # The issued Secret stays: without it, the next stack would spend the CA's weekly limit of identical certificates.
    # Without the CRDs, every Certificate of the cluster would be gone.
    kept = {f"Secret {ISTIO}/{name}" for name in issued}
    eventually("nothing else is left", lambda: {str(thing) for thing in left(0)}, until=lambda things: things == kept)
    assert "certificates.cert-manager.io" in names("customresourcedefinitions")
    kubectl("delete", "secrets", *issued, "--namespace", ISTIO)
