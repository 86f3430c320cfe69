"""Configs with `api: gateway`: what is refused, and what the components are given."""

from typing import Any

import pytest
import yaml

from components.problem import ProblemsError
from config.args import Composition
from config.gateway_api import require_gateway_api
from tests.unit.api_server import Api
from tests.unit.config.support import HOST, INTERNAL, ROOT, TO, WIKI, settings

PER_HOST = {"certificate": {"grouping": "perHost"}}
SERVED = {
    "/apis/gateway.networking.k8s.io/v1": ["gatewayclasses", "gateways", "gateways/status", "httproutes"],
    "/apis/gateway.networking.k8s.io/v1beta1": ["referencegrants"],
}


def hosts(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"hosts": [{"host": "a.sandbox.test", **change} for change in changes]}


def served(name: str) -> dict[str, Any]:
    """A kind, as an API server lists it."""
    return {"name": name, "kind": name, "singularName": "", "namespaced": True, "verbs": ["get"]}


REFUSED = [
    pytest.param({**HOST, "maintenance": True}, "hosts[0].maintenance", "a Service that answers 503",
                 "config rm --path 'hosts[0].maintenance', or pulumi config set api istio", id="maintenance"),
    pytest.param({**HOST, "retries": 3}, "hosts[0].retries", "experimental channel",
                 "config rm --path 'hosts[0].retries'", id="retries of the only route"),
    pytest.param({"host": "a.sandbox.test", "routes": [TO, {**TO, "path": "/a", "retries": 0}]},
                 "hosts[0].routes[1].retries", "experimental channel", "rm --path 'hosts[0].routes[1].retries'",
                 id="retries of one of several routes"),
    pytest.param({**HOST, "path": "/a/"}, "hosts[0].path", "accepted: /a, which is the path itself", "'hosts[0].path'",
                 id="a path with a slash at its end"),
    pytest.param({"host": "a.sandbox.test", "routes": [{**TO, "path": f"/{number}"} for number in range(17)]},
                 "hosts[0].routes", "at most 16 rules", "'hosts[0].routes'", id="too many routes"),
    pytest.param({**HOST, "responseHeaders": {f"x-{number}": "1" for number in range(17)}},
                 "hosts[0].responseHeaders", "at most 16 headers", "'hosts[0].responseHeaders'",
                 id="too many headers of answers"),
]  # fmt: skip
"""A host, the key that is refused, and parts of the reason and of the fix."""


@pytest.mark.parametrize(("host", "key", "reason", "fix"), REFUSED)
def test_what_a_route_cannot_say_is_refused_with_the_nearest_that_works(
    host: dict[str, Any], key: str, reason: str, fix: str
) -> None:
    with pytest.raises(ProblemsError) as refused:
        settings(api="gateway", hosts=[host])
    (problem,) = [problem for problem in refused.value.problems if problem.where == key]
    assert reason in problem.what
    assert fix in problem.fix[0]
    settings(hosts=[host])  # Istio's own API can say it


@pytest.mark.parametrize(
    ("changes", "key", "reason", "fix"),
    [
        ({"tls": {"minVersion": "1.3"}}, "tls.minVersion", "meshConfig.tlsDefaults", "tls.minVersion 1.2"),
        ({"hosts": [HOST, WIKI]}, "certificate.grouping", "answers 404", "certificate.grouping perHost"),
        ({"certManager": {"version": "v1.20.3"}}, "certManager.version", "too old", "certManager.version v1.21.2"),
        ({**PER_HOST, "hosts": [{**HOST, "host": f"h{number}.sandbox.test"} for number in range(2049)]}, "hosts",
         "at most 2048", "config set api istio"),
        ({**PER_HOST, "challenge": "dns01", "hosts": [{**HOST, "host": "*.sandbox.test"}, HOST]}, "hosts[1].host",
         "is covered by *.sandbox.test", "config rm --path 'hosts[1]'"),
    ],
)  # fmt: skip
def test_what_a_gateway_cannot_do_is_refused_with_the_nearest_that_works(
    changes: dict[str, Any], key: str, reason: str, fix: str
) -> None:
    with pytest.raises(ProblemsError) as refused:
        settings(api="gateway", **changes)
    (problem,) = [problem for problem in refused.value.problems if problem.where == key]
    assert reason in problem.what
    assert fix in problem.fix[0]
    settings(**changes)


MANAGED: dict[str, Any] = {"deployment": "managed", "service": "edge"}


@pytest.mark.parametrize(
    ("changes", "key", "reason", "fix"),
    [
        ({"api": "istio"}, "ingress.deployment", "no effect in Istio's own API", "config set api gateway"),
        ({"ingress": {"deployment": "managed"}}, "ingress.service", "not set", "ingress.service NAME"),
        ({"ingress": MANAGED, "gateways": [{"name": "second", "hosts": [WIKI]}]}, "gateways[0].ingress", "not set",
         "'gateways[0].ingress.service' NAME"),
        ({"ingress": {**MANAGED, "address": "promote", "region": "a"}}, "ingress.address", "infrastructure.address",
         "ingress.address ephemeral"),
        ({"tls": {"clientCa": "ca"}}, "tls.clientCa", "cannot be set for a ListenerSet", "ingress.deployment existing"),
        ({"ingress": {"infrastructure": {"labels": {"a": "b"}}}}, "ingress.infrastructure", "has no effect",
         "ingress.deployment managed"),
    ],
)  # fmt: skip
def test_what_a_gateway_that_istio_runs_cannot_have_is_refused(
    changes: dict[str, Any], key: str, reason: str, fix: str
) -> None:
    with pytest.raises(ProblemsError) as refused:
        settings(**{"api": "gateway", "ingress": MANAGED, **changes})
    (problem,) = refused.value.problems
    assert problem.where == key
    assert reason in problem.what
    assert fix in problem.fix[0]


@pytest.mark.parametrize(
    "infrastructure", [{}, {"annotations": {"networking.gke.io/load-balancer-type": "Internal"}}], ids=["none", "some"]
)
def test_a_gateway_that_istio_runs_is_found_by_the_name_that_it_gets(infrastructure: dict[str, Any]) -> None:
    view = settings(api="gateway", ingress={**MANAGED, "infrastructure": infrastructure})
    (gateway,) = Composition(view, "dev", None).gateways
    assert view.ingress.selector == {"istio": "edge"}, "its Pods get this label"
    assert gateway.http["managed"] == infrastructure
    assert (gateway.http["service"], gateway.tls["http_gateway"]) == ("edge", "http-dev")
    assert gateway.ingress("edge")["managed"] is True, (
        "its Service is not there at first, and has no port 443 before the first certificate"
    )


def test_a_gateway_of_its_own_has_an_api_of_its_own() -> None:
    stack = Composition(settings(gateways=[{**INTERNAL, "api": "gateway", "challenge": "http01"}]), "dev", None)
    own, internal = stack.gateways
    assert (own.http["api"], internal.http["api"]) == ("istio", "gateway")
    assert (own.tls["api"], internal.tls["api"]) == ("istio", "gateway")
    assert internal.http["service"] == internal.tls["service"] == "internal-gateway"
    assert stack.cert_manager["gateway_api"] is True, "one gateway is enough"
    certificates = own.certificate("issuer"), internal.certificate("issuer")
    assert [args["http_gateway"] for args in certificates] == [None, "http-dev-internal"]
    solvers = [
        (solver.get("api"), solver.get("class_field"), solver["dns_names"]) for solver in stack.issuers["solvers"]
    ]
    assert solvers == [(None, "class", [HOST["host"]]), ("gateway", None, [WIKI["host"]])], (
        "each host is proven in the API of its gateway"
    )
    assert (own.ingress("a")["api"], internal.ingress("a")["api"]) == ("istio", "gateway"), (
        "an Ingress has to reach the gateway, and an HTTPRoute names it"
    )


def test_names_that_are_proven_by_dns_need_no_gateway() -> None:
    stack = Composition(settings(api="gateway", challenge="dns01"), "dev", None)
    assert stack.gateways[0].certificate("issuer")["http_gateway"] is None


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({}, "kubectl apply --server-side --filename https://github.com/kubernetes-sigs/gateway-api/releases/latest/"),
        ({"kubeconfig": "", "gke": {"cluster": "c", "location": "l"}},
         "gcloud container clusters update c --location l --gateway-api=standard"),
    ],
)  # fmt: skip
def test_a_cluster_without_the_api_is_refused_with_the_command_that_brings_it(
    changes: dict[str, Any], fix: str
) -> None:
    api = Api()
    api.objects = {
        path: {"groupVersion": path, "resources": list(map(served, names))} for path, names in SERVED.items()
    }
    stack = settings(api="gateway", **changes)
    require_gateway_api(stack, "dev", api.kubeconfig)
    del api.objects["/apis/gateway.networking.k8s.io/v1beta1"]
    with pytest.raises(ProblemsError, match="does not have referencegrants") as refused:
        require_gateway_api(stack, "dev", api.kubeconfig)
    (problem,) = refused.value.problems
    assert problem.where == "api"
    assert problem.fix[0].startswith(fix)
    assert problem.fix[1] == "pulumi config set api istio"
    require_gateway_api(settings(**changes), "dev", api.kubeconfig)


def test_a_cluster_that_cannot_be_read_is_left_to_the_engine() -> None:
    api = Api()
    api.refused = 403
    require_gateway_api(settings(api="gateway"), "dev", api.kubeconfig)
    require_gateway_api(settings(api="gateway"), "dev", "/nowhere")


def test_the_sandbox_has_one_config_for_both_apis() -> None:
    ours, istio = (
        yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text()) for name in ("sandbox-gateway", "sandbox")
    )
    added = {"api": "gateway", "certificate": {"grouping": "perHost"}}
    assert ours["config"] == istio["config"] | {f"istio-gateway-tls:{key}": value for key, value in added.items()}
