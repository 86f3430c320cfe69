"""Objects of the Gateway API are judged against those that the program makes, and by what Istio says of them."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from components.kube.conditions import CONTROLLER
from components.specs import gateway_api, names
from tests.unit.tlsctl.verify.support import PROD, SHOP, deployed, hosts
from tlsctl.verify.environment import Environment
from tlsctl.verify.gateway_api import Served
from tlsctl.verify.results import Result

API = "api.acme.dev"
PARENT = {"name": "tls-dev", "namespace": "istio-system"}
UP = "pulumi up --refresh"
ELSEWHERE = {"type": "Hostname", "value": "other.istio-system.svc.cluster.local"}
HTTP, TLS, GRANT = "Gateway/http-dev", "Gateway/tls-dev", "ReferenceGrant/tls-dev"
SET = "ListenerSet/tls-dev-listeners"
ROUTE, REDIRECT = f"HTTPRoute/{SHOP}", "HTTPRoute/http-dev"
Objects = dict[str, Any]


def condition(kind: str, status: str = "True", reason: str = "Fine", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


IN_FORCE = [
    condition("Accepted"), condition("Programmed"), condition("ResolvedRefs"), condition("Conflicted", "False")
]  # fmt: skip


def of_owner(spec: dict[str, Any]) -> dict[str, Any]:
    sections = [{"name": one["name"], "attachedRoutes": 1, "conditions": IN_FORCE} for one in spec["listeners"]]
    return {"spec": spec, "status": {"conditions": IN_FORCE, "listeners": sections}}


def of_route(spec: dict[str, Any]) -> dict[str, Any]:
    parents = [
        {"controllerName": "another.io/controller", "conditions": [condition("Accepted", "False")]},
        {"controllerName": CONTROLLER, "conditions": IN_FORCE},
    ]
    return {"spec": spec, "status": {"parents": parents}}


def made(environment: Environment) -> Objects:
    """The objects that the program makes, in force, by kind and name."""
    settings, service = environment.settings, ("istio-ingressgateway", "istio-system")
    accepted, owners = ("istio-system", settings.ingress.routes_from), settings.owners
    presented = [(name, host) for name, hosts in environment.certificates.items() for host in hosts]
    plain = gateway_api.http_listeners(list(environment.hosts), *accepted, list(owners))
    secure = gateway_api.tls_listeners(presented, settings.tls.cipher_suites, *accepted, list(owners.items()))
    objects: Objects = {}
    for number, (part_plain, part_secure) in enumerate(
        zip(gateway_api.blocks(plain), gateway_api.blocks(secure), strict=True)
    ):
        http = gateway_api.gateway_spec(*service, part_plain)
        tls = gateway_api.gateway_spec(*service, part_secure, settings.client_ca_secret)
        objects |= {
            gateway_api.numbered(HTTP, number): of_owner(http),
            gateway_api.numbered(TLS, number): of_owner(tls),
        }
    redirected, parents = (
        [gateway_api.Holder(*name.split("/")) for name in objects if name.startswith(gateway)]
        for gateway in (HTTP, TLS)
    )
    for position, (_, host) in enumerate(presented):
        near = gateway_api.near(parents, position)
        spec = gateway_api.route_spec(near, environment.hosts[host].served, settings.tls.hsts)
        objects[f"HTTPRoute/{names.object_name(host)}"] = route = of_route(spec)
        # The Gateways beside its own have no listener of its name.
        without = {"controllerName": CONTROLLER, "conditions": [condition("Accepted", "False", "NoMatchingParent")]}
        route["status"]["parents"] += [without] * (len(near) - 1)
    objects[REDIRECT] = of_route(gateway_api.redirect_spec(redirected))
    objects[GRANT] = {"spec": gateway_api.grant_spec("istio-system", ["shop"])}
    return copy.deepcopy(objects)


def served(environment: Environment, objects: Objects, of_owners: Mapping[str, Objects] | None = None) -> Served:
    by_kind: dict[str, dict[str, Any]] = {"HTTPRoute": {}, "ReferenceGrant": {}}
    for name, obj in objects.items():
        by_kind.setdefault(name.partition("/")[0], {})[name.partition("/")[2]] = obj
    return Served(environment, by_kind, {"shop": by_kind["ReferenceGrant"]}, of_owners or {})


def stack(**config: Any) -> Environment:
    return deployed(**{"api": "gateway", "certificate": {"grouping": "perHost"}, **config})


def judged(change: Callable[[Objects], object] = lambda _: None, **config: Any) -> Result:
    """The result of the check `gateway` for a host of a stack, after a change of what the program makes."""
    environment = stack(**config)
    objects = made(environment)
    change(objects)
    return served(environment, objects).judge(SHOP)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="one host"),
        pytest.param({"hosts": hosts(SHOP, API, "*.b.acme.dev"), "challenge": "dns01"}, id="with a wildcard"),
        pytest.param({"acme": PROD, "tls": {"hsts": 300}}, id="with HSTS"),
        pytest.param(
            {"acme": PROD, "tls": {"hsts": 300}, "hosts": [{**hosts(SHOP)[0], "responseHeaders": {"x-a": "b"}}]},
            id="with HSTS and another header",
        ),
        pytest.param({"hosts": [{"host": SHOP, "redirectTo": API}]}, id="redirected"),
        pytest.param({"tls": {"clientCa": "clients"}}, id="with client certificates"),
        pytest.param({"ingress": {"routesFrom": ["team"]}}, id="with routes of another namespace"),
        pytest.param(
            {"hosts": hosts(*(f"h{number}.acme.dev" for number in range(70)), SHOP)}, id="beyond the limit of listeners"
        ),
    ],
)
def test_what_the_program_makes_is_ok(config: dict[str, Any]) -> None:
    result = judged(**config)
    assert result.state == "ok", result.detail
    assert "routes attached: 1" in result.detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "routes attached: 1"),
        ({"hostnames": ["b.acme.dev"]}, "team, the namespace of its owner, has no route for it on Gateway tls-dev"),
        ({"parentRefs": [{"name": "tls-dev"}]}, "has no route for it"),
        ({"parentRefs": [PARENT | {"sectionName": "b.acme.dev"}]}, "has no route for it"),
    ],
    ids=str,
)
def test_a_host_with_an_owner_has_a_route_in_the_owners_namespace(change: dict[str, Any], words: str) -> None:
    environment = stack(hosts=[{"host": SHOP, "owner": "team"}])
    objects = made(environment)
    del objects[f"HTTPRoute/{SHOP}"]
    route = of_route({"parentRefs": [PARENT], "hostnames": [SHOP], **change})
    route["metadata"] = {"namespace": "team", "name": "web"}
    result = served(environment, objects, {"team": {"web": route}}).judge(SHOP)
    assert (result.state == "ok") == (not change)
    assert words in result.detail


def test_a_route_of_an_owner_that_istio_refuses_is_named() -> None:
    environment = stack(hosts=[{"host": SHOP, "owner": "team"}])
    objects = made(environment)
    refused = {"controllerName": CONTROLLER, "conditions": [condition("Accepted", "False", "NotAllowedByListeners")]}
    route = {"metadata": {"namespace": "team", "name": "web"}, "status": {"parents": [refused]}}
    route["spec"] = {"parentRefs": [PARENT], "hostnames": [SHOP]}
    result = served(environment, objects, {"team": {"web": route}}).judge(SHOP)
    assert (result.state, "HTTPRoute team/web" in result.detail) == ("failed", True), result.detail
    assert result.fix == ("kubectl --namespace team describe httproutes.gateway.networking.k8s.io web",)


MANAGED = {"ingress": {"deployment": "managed", "service": "edge", "infrastructure": {"labels": {"a": "b"}}}}


def run_by_istio() -> Objects:
    """The objects of a gateway that Istio runs: ListenerSets have TLS."""
    objects, infrastructure = made(stack()), {"annotations": {}, "labels": {"a": "b", "istio": "edge"}}
    for name in (HTTP, TLS):
        del objects[name]["spec"]["addresses"]
    objects[HTTP]["spec"] |= {
        "infrastructure": infrastructure,
        "allowedListeners": {"namespaces": {"from": "Same"}},
    }
    listeners = objects.pop(TLS)
    parent = {"group": gateway_api.GROUP, "kind": "Gateway", "name": "http-dev"}
    listeners["spec"] = {"parentRef": parent, "listeners": listeners["spec"]["listeners"]}
    objects[ROUTE]["spec"]["parentRefs"][0] |= {"kind": "ListenerSet", "name": "tls-dev-listeners"}
    return {**objects, SET: listeners}


def test_a_gateway_that_istio_runs_has_a_listener_set_for_tls() -> None:
    environment, objects = stack(**MANAGED), run_by_istio()
    result = served(environment, objects).judge(SHOP)
    assert result.state == "ok", result.detail
    objects[SET]["status"]["conditions"] = [condition("Accepted", "False", "NotAllowed", "no")]
    result = served(environment, objects).judge(SHOP)
    assert result.detail == "ListenerSet tls-dev-listeners is not accepted: no (NotAllowed)"
    assert "describe listenersets.gateway.networking.k8s.io tls-dev-listeners" in result.fix[0]
    del objects[SET]
    assert served(environment, objects).judge(SHOP).detail == "ListenerSet tls-dev-listeners does not exist"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (HTTP, "Gateway http-dev does not exist"),
        (TLS, "Gateway tls-dev does not exist"),
        (ROUTE, f"HTTPRoute {SHOP} does not exist"),
        (REDIRECT, "HTTPRoute http-dev does not exist"),
        (GRANT, "ReferenceGrant shop/tls-dev does not exist"),
    ],
)
def test_a_deleted_object_is_named(name: str, words: str) -> None:
    result = judged(lambda objects: objects.pop(name))
    assert (result.state, result.fix) == ("failed", (UP,))
    assert words in result.detail


def listener(**change: Any) -> Callable[[dict[str, Any]], None]:
    return lambda spec: spec["listeners"][0].update(change)


def tls(**change: Any) -> Callable[[dict[str, Any]], None]:
    return lambda spec: spec["listeners"][0]["tls"].update(change)


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        (HTTP, {"gatewayClassName": "other"}, "has the gatewayClassName other in place of istio"),
        (TLS, {"addresses": [ELSEWHERE]}, "other.istio-system.svc.cluster.local"),
        (TLS, {"addresses": None}, "has the addresses null"),
        (TLS, listener(hostname="b.acme.dev"), f"has no listener for it on port 443; its hosts are {API}, b.acme.dev"),
        (TLS, listener(name="other"), "has no listener for it on port 443"),
        (HTTP, listener(port=8080), "has no listener for it on port 80"),
        (HTTP, listener(allowedRoutes={"namespaces": {"from": "All"}}), "has the allowedRoutes"),
        (TLS, listener(protocol="TLS"), "has the protocol TLS in place of HTTPS for it"),
        (TLS, tls(certificateRefs=[{"name": "other"}]), "presents Secret other, not istio-ingressgateway-certs-"),
        (TLS, tls(certificateRefs=[{"name": "a", "namespace": "b"}]), "presents Secret b/a, not"),
        (TLS, tls(mode="Passthrough"), "has the TLS mode Passthrough"),
        (TLS, tls(options={"gateway.istio.io/tls-terminate-mode": "ISTIO_SIMPLE"}), "ISTIO_SIMPLE"),
        (
            TLS,
            {"tls": {"frontend": {"default": {"validation": {"caCertificateRefs": [{"name": "other"}]}}}}},
            "accepts client certificates of other, not of None",
        ),
        (ROUTE, {"hostnames": [API]}, f"HTTPRoute {SHOP} is for {API}"),
        (ROUTE, {"hostnames": None}, f"HTTPRoute {SHOP} is for every host"),
        (ROUTE, {"parentRefs": [{"name": "http-dev"}]}, "is bound to"),
        (ROUTE, {"rules": []}, "does not answer as the config says"),
        (REDIRECT, {"rules": []}, "HTTPRoute http-dev does not answer as the config says"),
        (GRANT, {"to": []}, "lets no HTTPRoute lead to Service shop"),
        (GRANT, {"from": []}, "lets no HTTPRoute lead to Service shop"),
    ],
)  # fmt: skip
def test_an_edited_object_is_named(
    name: str, edit: dict[str, Any] | Callable[[dict[str, Any]], None], words: str
) -> None:
    change = edit if callable(edit) else lambda spec: spec.update(edit)
    result = judged(lambda objects: change(objects[name]["spec"]), hosts=hosts(SHOP, API))
    assert (result.state, result.fix) == ("failed", (UP,))
    assert words in result.detail


def says(place: str, *conditions: dict[str, str]) -> Callable[[Objects], None]:
    """Change what Istio says of a Gateway, of its first listener (`NAME#`), or of a route at its parent."""

    def change(objects: Objects) -> None:
        status = objects[place.removesuffix("#")]["status"]
        target = status["listeners"][0] if place.endswith("#") else status.get("parents", [status])[-1]
        kinds = {one["type"] for one in conditions}
        target["conditions"] = [one for one in IN_FORCE if one["type"] not in kinds] + list(conditions)

    return change


@pytest.mark.parametrize(
    ("change", "words", "command"),
    [
        (
            says(HTTP, condition("Programmed", "False", "AddressNotUsable", "no Service")),
            "Gateway http-dev is not in force: no Service (AddressNotUsable)",
            "describe gateways.gateway.networking.k8s.io http-dev",
        ),
        (
            says(TLS, condition("Accepted", "Unknown", "Pending", "Waiting for controller")),
            "Gateway tls-dev is not accepted: Waiting for controller (Pending)",
            "describe gateways.gateway.networking.k8s.io tls-dev",
        ),
        (
            says(f"{TLS}#", condition("Conflicted", "True", "HostnameConflict", "another")),
            "Gateway tls-dev is in conflict: another (HostnameConflict)",
            "describe gateways.gateway.networking.k8s.io tls-dev",
        ),
        (
            says(ROUTE, condition("Accepted", "False", "NotAllowedByListeners", "its namespace")),
            f"HTTPRoute {SHOP} is not accepted: its namespace (NotAllowedByListeners)",
            f"describe httproutes.gateway.networking.k8s.io {SHOP}",
        ),
        (
            lambda objects: objects[ROUTE]["status"]["parents"].pop(),
            f"HTTPRoute {SHOP} is not accepted: Istio does not know Gateway tls-dev",
            f"describe httproutes.gateway.networking.k8s.io {SHOP}",
        ),
        (
            says(ROUTE, condition("ResolvedRefs", "False", "BackendNotFound", "backend(shop) not found")),
            f"HTTPRoute {SHOP} refers to what it cannot use: backend(shop) not found (BackendNotFound)",
            "kubectl --namespace shop get services",
        ),
    ],
)  # fmt: skip
def test_what_istio_does_not_have_in_force_is_named_in_its_words(
    change: Callable[[Objects], object], words: str, command: str
) -> None:
    result = judged(change)
    assert (result.state, result.detail) == ("failed", words)
    assert command in result.fix[0]


def test_a_missing_secret_is_left_to_its_own_check() -> None:
    def change(objects: Objects) -> None:
        listeners = (
            condition("ResolvedRefs", "False", "InvalidCertificateRef", "secret not found"),
            condition("Programmed", "False", "Invalid", "Bad TLS configuration"),
        )
        says(f"{TLS}#", *listeners)(objects)
        says(TLS, condition("Accepted", "False", "ListenersNotValid", "None of the listeners are valid"))(objects)

    assert judged(change).state == "ok"


@pytest.mark.parametrize(("challenge", "name", "state"), [
    ("dns01", HTTP, "ok"), ("http01", HTTP, "failed"), ("dns01", TLS, "failed")
])  # fmt: skip
def test_only_with_dns01_the_service_may_be_without_port_80(challenge: str, name: str, state: str) -> None:
    no_port = says(name, condition("Programmed", "False", "AddressNotUsable", "port 80 not found"))
    assert judged(no_port, challenge=challenge).state == state


def test_hosts_whose_listeners_differ_by_the_secret_alone_have_the_same_server() -> None:
    environment = stack(hosts=hosts(SHOP, API))
    fingerprints = {name: hosts[0] for name, hosts in environment.certificates.items()}
    reading = served(environment, made(environment))
    one, other = (reading.tls_server(host, fingerprints) for host in (SHOP, API))
    assert one is not None
    assert other is not None
    assert (one.fingerprint, other.fingerprint) == (SHOP, API)
    assert one.settings == other.settings
    assert served(environment, {}).tls_server(SHOP, {}) is None
    objects = made(environment)
    objects[TLS]["spec"]["listeners"][0]["tls"]["options"] = {gateway_api.CIPHER_SUITES: "another"}
    edited = served(environment, objects).tls_server(SHOP, fingerprints)
    assert edited is not None
    assert edited.settings != other.settings, "and an edited one is another"
