"""What is read: Helm's Secret, the managed zone and the cluster."""

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.problem import ProblemsError
from tests.unit.api_server import Api
from tlsctl.adopt.cluster import Cluster, decode_release
from tlsctl.adopt.objects import Release, has_other_managers
from tlsctl.adopt.zone import choose

ZONES = [
    {"name": "acme", "dnsName": "acme.dev."},
    {"name": "shops", "dnsName": "shop.acme.dev."},
    {"name": "other", "dnsName": "other.dev."},
]


def secret(release: Any) -> dict[str, Any]:
    """As Helm keeps a release."""
    inner = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    return {"data": {"release": base64.b64encode(inner).decode()}}


def test_a_release_is_read_from_its_secret() -> None:
    release = {"chart": {"metadata": {"version": "v1.21.2"}}, "config": {"replicaCount": 2}}

    assert decode_release(secret(release), "cm") == Release("cm", "v1.21.2", {"replicaCount": 2})


@given(st.text() | st.binary().map(lambda content: base64.b64encode(base64.b64encode(content)).decode()))
def test_a_secret_that_cannot_be_read_is_a_release_without_values(content: str) -> None:
    assert decode_release({"data": {"release": content}}, "cm") == Release("cm")


@pytest.mark.parametrize(
    ("hosts", "name", "chosen"),
    [
        (["a.acme.dev", "b.acme.dev", "c.other.dev"], None, "acme"),
        (["a.shop.acme.dev"], None, "shops"),
        ([], "other", "other"),
    ],
)
def test_the_zone_is_the_named_one_or_that_of_most_hosts(hosts: list[str], name: str | None, chosen: str) -> None:
    assert choose(ZONES, hosts, name)["name"] == chosen


@pytest.mark.parametrize(("hosts", "name"), [(["a.nowhere.dev"], None), (["a.acme.dev"], "acm")])
def test_an_unknown_zone_is_refused(hosts: list[str], name: str | None) -> None:
    with pytest.raises(ProblemsError, match="managed zone"):
        choose(ZONES, hosts, name)


@pytest.fixture
def api(api: Api) -> Api:
    """The API server, which does not know Services either."""
    api.status = 404
    return api


def test_an_empty_cluster_is_read(api: Api) -> None:
    read = Cluster(api.kubeconfig, None).read()

    assert [name for name, value in read.items() if value] == ["istio_api"], "only the default"


def test_the_newest_api_of_istio_is_read_and_every_object_has_its_kind(api: Api) -> None:
    api.objects = {
        "/apis/networking.istio.io/v1beta1": {"resources": []},
        "/apis/networking.istio.io/v1beta1/gateways": {"kind": "GatewayList", "items": [{"metadata": {"name": "a"}}]},
    }
    read = Cluster(api.kubeconfig, None).read()

    assert read["gateways"] == [
        {"apiVersion": "networking.istio.io/v1beta1", "kind": "Gateway", "metadata": {"name": "a"}}
    ]


def test_an_object_of_a_kind_that_the_cluster_does_not_have_does_not_exist(api: Api) -> None:
    cluster = Cluster(api.kubeconfig, None)
    assert cluster.get("monitoring.coreos.com/v1", "PrometheusRule", "istio-system", "a") is None


def test_a_refusal_is_a_problem(api: Api) -> None:
    api.status = 403
    with pytest.raises(ProblemsError, match="the API server answers 403"):
        Cluster(api.kubeconfig, None).read()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"manager": "kubectl-client-side-apply", "fieldsV1": {"f:spec": {}}}, True),
        ({"manager": "pulumi-kubernetes-1a2b3c4d", "fieldsV1": {"f:spec": {}}}, False),
        ({"manager": "cert-manager-clusterissuers", "subresource": "status", "fieldsV1": {"f:status": {}}}, False),
        ({"manager": "kubectl-label", "fieldsV1": {"f:metadata": {}}}, False),
        ({}, False),
    ],
)
def test_an_apply_conflicts_with_other_managers_of_the_spec(entry: dict[str, Any], expected: bool) -> None:
    assert has_other_managers({"metadata": {"managedFields": [entry]}}) is expected
