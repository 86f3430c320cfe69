"""What the engine plans and does for a stack: the first time, after an edit, after drift, and at the end.

The tests share one stack, which each finds with its first config, standing.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.testing import ZONES, a_records, cloud_dns, get, items, kubectl, live, names, resolve
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
GATEWAYS = "gateways.networking.istio.io"
ROUTES = "virtualservices.networking.istio.io"
SHOP = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
API = {"host": "api.sandbox.test", "service": "api", "namespace": "api", "port": 8080}
DOCS = {"host": "docs.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}

FIRST = {
    "istio-gateway-tls-new", "cluster",
    "cert-manager", "cert-manager-namespace", "cert-manager-release",
    "issuers", "issuers-staging", "issuers-prod",
    "ingress", "dns", "dns-shop.sandbox.test", "dns-api.sandbox.test",
    "http", "http-gateway", "http-redirect",
    "certificate", "certificate-istio-ingressgateway-certs",
    "tls", "tls-gateway", "tls-shop.sandbox.test", "tls-api.sandbox.test",
}  # fmt: skip
"""What a first plan makes: the graph of the design, by name."""

LISTED_HOSTS = {
    "issuers-staging": "update",
    "issuers-prod": "update",
    "http-gateway": "update",
    "http-redirect": "update",
    "certificate-istio-ingressgateway-certs": "update",
    "tls-gateway": "update",
}
"""The resources that list every host, and so change with the list."""

CRDS = ("CustomResourceDefinition ", "APIService ")
TRANSIENT = {"events", "events.events.k8s.io", "pods", "leases.coordination.k8s.io", "componentstatuses"}


@pytest.fixture(scope="module")
def before() -> dict[str, set[str]]:
    """What the cluster and the zone hold before the stack."""
    return {"cluster": everything(), "zone": set(a_records())}


@pytest.fixture(scope="module")
def shared(before: dict[str, set[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, destroyed at the end whatever a test did to it."""
    assert before["cluster"], "the cluster is looked at first"
    with Stack("plan", tmp_path_factory.mktemp("stacks")) as stack:
        yield stack


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """The stack, standing."""
    shared.stand()
    return shared


def everything() -> set[str]:
    """Every object that lasts, as ``kind namespace/name``."""
    kinds = set(kubectl("api-resources", "--verbs=list", "--output=name").split()) - TRANSIENT
    columns = "--output=custom-columns=A:.kind,B:.metadata.namespace,C:.metadata.name"
    lines = kubectl("get", ",".join(sorted(kinds)), "--all-namespaces", "--no-headers", columns).splitlines()
    return {"{} {}/{}".format(*line.split()) for line in lines}


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


def test_a_preview_after_an_up_is_empty(stack: Stack) -> None:
    assert stack.plan() == {}, "nothing is planned"
    stack.preview("--expect-no-changes")


def test_the_state_holds_an_object_as_the_real_provider_records_it(stack: Stack) -> None:
    gateway = stack.resource("tls-gateway")
    found = live(GATEWAYS, "tls-plan", ISTIO)
    assert gateway["id"] == f"{ISTIO}/tls-plan", "the id is namespace/name, as `pulumi import` takes it"
    assert gateway["type"] == "kubernetes:networking.istio.io/v1:Gateway", "the type is the object's own"
    assert "uid" not in gateway["inputs"]["metadata"], "inputs are what the program gave"
    assert gateway["outputs"]["metadata"]["uid"] == found["metadata"]["uid"], "outputs are what the server made of it"
    assert gateway["outputs"]["spec"] == found["spec"], "the spec with it"


def test_the_state_holds_a_record_as_the_real_provider_records_it(stack: Stack) -> None:
    record = stack.resource("dns-shop.sandbox.test")
    path = "projects/sandbox/managedZones/sandbox/rrsets/shop.sandbox.test./A"
    assert record["id"] == path, "the id is the record set's path, as `pulumi import` takes it"
    assert record["type"] == "gcp:dns/recordSet:RecordSet", "the type is pulumi-gcp's"
    assert record["outputs"]["rrdatas"] == [stack.outputs()["ingressIp"]], "the address was known when it was made"


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
        pytest.param({"hosts": [SHOP, API | {"path": "/v1"}]}, {"tls-api.sandbox.test": "update"}, id="another path"),
        pytest.param({"hosts": [SHOP, API | {"port": 80}]}, {"tls-api.sandbox.test": "update"}, id="another port"),
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
    zone = {"name": "other", "dnsName": "sandbox.test.", "description": "the same domain in another zone"}
    cloud_dns("POST", "", zone, below=ZONES)
    try:
        with stack.changed(dns={"zone": "other"}):
            printed = stack.preview()
            plan = stack.plan()
    finally:
        cloud_dns("DELETE", "/other", below=ZONES)
    assert set(plan) == {"dns-shop.sandbox.test", "dns-api.sandbox.test"}, "a record cannot move between zones"
    assert set(plan.values()) <= {"replace", "create-replacement", "delete-replaced"}, "so it is made anew"
    assert "2 to replace" in printed, "and the preview says so"


def test_an_up_of_other_hosts_makes_and_removes_exactly_theirs(stack: Stack) -> None:
    kept = get(ROUTES, "shop.sandbox.test", ISTIO)
    with stack.changed(hosts=[SHOP, DOCS]):
        stack.up()
        stack.preview("--expect-no-changes")
    assert set(a_records()) == {"shop.sandbox.test", "docs.sandbox.test"}, "one record came, one went"
    assert names(ROUTES, ISTIO) == {"http-plan", "shop.sandbox.test", "docs.sandbox.test"}, "so did the routes"
    assert get(ROUTES, "shop.sandbox.test", ISTIO) == kept, "the other was not touched"
    certificate = live("certificate", "istio-ingressgateway-certs", ISTIO)
    assert certificate["spec"]["dnsNames"] == ["shop.sandbox.test", "docs.sandbox.test"], "signed for the new names"


def test_drift_is_found_by_refresh_and_repaired_by_up(stack: Stack) -> None:
    address = stack.outputs()["ingressIp"]
    route = live(ROUTES, "shop.sandbox.test", ISTIO)
    elsewhere = json.dumps([{"op": "replace", "path": "/spec/http/0/match/0/uri/prefix", "value": "/elsewhere"}])
    kubectl("patch", f"{ROUTES}/shop.sandbox.test", "-n", ISTIO, "--type=json", f"-p={elsewhere}")
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
    stack.preview("--refresh", "--expect-no-changes")


def test_objects_that_exist_already_are_imported_and_then_managed(tmp_path: Path) -> None:
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [
        {"port": {"number": 8080, "name": "http", "protocol": "HTTP"}, "hosts": ["old.sandbox.test"]}
    ]}  # fmt: skip
    metadata = {"name": "by-hand", "namespace": ISTIO}
    kubectl("create", manifest={
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": metadata, "spec": spec
    })  # fmt: skip
    cloud_dns("POST", body={"name": "old.sandbox.test.", "type": "A", "ttl": 60, "rrdatas": ["203.0.113.1"]})
    with Stack("import", tmp_path) as stack:
        options = ["--yes", "--skip-preview", "--generate-code=false", "--protect=false"]
        record = "projects/sandbox/managedZones/sandbox/rrsets/old.sandbox.test./A"
        stack.run("import", "kubernetes:networking.istio.io/v1:Gateway", "gateway", f"{ISTIO}/by-hand", *options)
        stack.run("import", "gcp:dns/recordSet:RecordSet", "record", record, *options)
        # Of a custom resource the provider has no schema: its inputs come with the program that names them.
        assert stack.resource("gateway")["outputs"]["spec"] == spec, "the object is known as it is"
        assert stack.resource("record")["inputs"]["rrdatas"] == ["203.0.113.1"], (
            "the record's own data became its inputs"
        )
        assert "unchanged" in stack.refresh(), "what was imported is what is there"
    assert get(GATEWAYS, "by-hand", ISTIO) is None, "it was managed from then on"
    assert "old.sandbox.test" not in a_records(), "and so was the record"


def test_destroy_leaves_nothing_but_the_crds_and_the_issued_secret(stack: Stack, before: dict[str, set[str]]) -> None:
    began = time.monotonic()
    stack.destroy()
    assert time.monotonic() - began < 120, "no finalizer held it up"
    assert stack.resources() == [], "the state is empty"
    assert set(a_records()) == before["zone"], "the zone is as before"

    # The issued Secret is kept: to lose it would spend the CA's weekly limit of identical certificates. The CRDs have
    # an APIService for each group.
    kept = {f"Secret {ISTIO}/istio-ingressgateway-certs"}
    left = {each for each in everything() - before["cluster"] if not each.startswith(CRDS)}
    assert left <= kept, "the cluster is as before, but for the Secret and the CRDs"
    crds = {each["metadata"]["name"] for each in items("customresourcedefinitions")}
    assert "certificates.cert-manager.io" in crds, "the CRDs stay: with them would go every Certificate of the cluster"
