"""Gateways and VirtualServices are judged against those that the program makes."""

from typing import Any

import pytest

from components.specs import istio, names
from tests.unit.tlsctl.verify.support import PROD, SHOP, deployed, hosts
from tlsctl.verify.environment import Environment
from tlsctl.verify.istio import Served
from tlsctl.verify.results import Result

WILDCARD = "*.acme.dev"
Specs = dict[str, dict[str, Any]]


def made(environment: Environment, suffix: str = "dev") -> tuple[Specs, Specs]:
    """The specs of the Gateways and VirtualServices that the program makes, by name."""
    http, tls, settings = f"http-{suffix}", f"tls-{suffix}", environment.settings
    selector, own = settings.ingress.selector, list(environment.hosts)
    certificates, routes_from = list(environment.certificates.items()), settings.ingress.routes_from
    gateways = {
        http: istio.http_gateway_spec(selector, own, routes_from),
        tls: istio.tls_gateway_spec(
            selector, certificates, settings.tls.min_version, settings.tls.cipher_suites, routes_from=routes_from
        ),
    }
    services = {http: istio.redirect_spec(f"istio-system/{http}", own)} | {
        names.object_name(host.host): istio.virtual_service_spec(
            f"istio-system/{tls}", host.served, settings.tls.hsts, own
        )
        for host in settings.hosts
    }
    return gateways, services


def served(environment: Environment, *kinds: Specs) -> Served:
    gateways, services = ({name: {"spec": spec} for name, spec in specs.items()} for specs in kinds)
    return Served(environment, gateways, services, {})


def judged(environment: Environment, host: str, gateways: Specs, services: Specs) -> Result:
    """The result of the check `gateway`."""
    return served(environment, gateways, services).judge(host)


@pytest.mark.parametrize("own", [[SHOP], [WILDCARD], [WILDCARD, SHOP]])
@pytest.mark.parametrize("grouping", ["shared", "perHost"])
def test_what_the_program_makes_is_ok(own: list[str], grouping: str) -> None:
    environment = deployed(
        hosts=hosts(*own),
        acme=PROD,
        challenge="dns01",
        certificate={"grouping": grouping},
        tls={"hsts": 300, "minVersion": "1.3"},
    )
    for host in own:
        result = judged(environment, host, *made(environment))
        assert result.state == "ok", result.detail


@pytest.mark.parametrize(
    ("kind", "name", "change", "words"),
    [
        (0, "http-dev", None, "Gateway http-dev does not exist"),
        (0, "tls-dev", None, "Gateway tls-dev does not exist"),
        (1, SHOP, None, f"VirtualService {SHOP} does not exist"),
        (1, "http-dev", None, "VirtualService http-dev does not exist"),
        (0, "tls-dev", {"selector": {"istio": "other"}}, "selects istio=other"),
        (0, "tls-dev", {"servers": []}, "no server for it on port 443"),
        (1, SHOP, {"hosts": ["other"]}, "is for other"),
        (1, SHOP, {"gateways": ["istio-system/http-dev"]}, "is bound to istio-system/http-dev"),
        (1, SHOP, {"http": []}, "does not answer as the config says"),
    ],
)
def test_a_deleted_or_edited_object_is_named(kind: int, name: str, change: Any, words: str) -> None:
    environment = deployed()
    objects = made(environment)
    if change is None:
        del objects[kind][name]
    else:
        objects[kind][name].update(change)
    result = judged(environment, SHOP, *objects)
    assert (result.state, words in result.detail) == ("failed", True), result.detail


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ({"credentialName": "other"}, "presents Secret other, not istio-ingressgateway-certs"),
        ({"mode": "PASSTHROUGH"}, "has the TLS mode PASSTHROUGH, the config says SIMPLE"),
        ({"caCertCredentialName": "other"}, "accepts client certificates of other, not of None"),
    ],
)
def test_edited_tls_settings_are_named(tls: dict[str, str], words: str) -> None:
    environment = deployed()
    gateways, services = made(environment)
    gateways["tls-dev"]["servers"][0]["tls"] |= tls
    assert words in judged(environment, SHOP, gateways, services).detail


def test_a_redirect_without_the_wildcard_is_named_for_every_host() -> None:
    environment = deployed(hosts=hosts(WILDCARD, SHOP), challenge="dns01")
    gateways, services = made(environment)
    services["http-dev"]["hosts"] = ["other"]
    for host in (WILDCARD, SHOP):
        result = judged(environment, host, gateways, services)
        assert (result.state, "VirtualService http-dev is for other" in result.detail) == ("failed", True)


@pytest.mark.parametrize(
    ("hosts", "gateways", "state"),
    [
        ([SHOP], ["istio-system/tls-dev"], "ok"),
        ([SHOP], ["tls-dev"], "failed"),
        (["api.acme.dev"], ["istio-system/tls-dev"], "failed"),
    ],
    ids=str,
)
def test_a_host_with_an_owner_has_a_route_in_the_owners_namespace(
    hosts: list[str], gateways: list[str], state: str
) -> None:
    environment = deployed(hosts=[{"host": SHOP, "owner": "team"}])
    spec = {"selector": environment.settings.ingress.selector}
    own = {
        "http-dev": istio.http_gateway_spec(**spec, hosts=[SHOP], owned_hosts=[SHOP]),
        "tls-dev": istio.tls_gateway_spec(
            **spec,
            credentials=[*environment.certificates.items()],
            min_version="1.2",
            cipher_suites=[],
            owners=[(SHOP, "team")],
        ),
    }
    services = {"http-dev": {"spec": istio.redirect_spec("istio-system/http-dev", [SHOP])}}
    of_team = {
        "web": {"metadata": {"namespace": "team", "name": "web"}, "spec": {"hosts": hosts, "gateways": gateways}}
    }
    objects = {name: {"spec": spec} for name, spec in own.items()}
    result = Served(environment, objects, services, {"team": of_team}).judge(SHOP)
    assert result.state == state, result.detail
    assert state == "ok" or "has no route for it on Gateway istio-system/tls-dev" in result.detail


@pytest.mark.parametrize("routes_from", [[], ["shop"], ["*"]], ids=str)
@pytest.mark.parametrize(
    ("listed", "namespaces"),
    [
        ([SHOP], ["*"]),
        ([f"*/{SHOP}"], ["*"]),
        ([f"./{SHOP.upper()}"], []),
        ([f"istio-system/{SHOP}"], []),
        ([f"./{SHOP}", f"shop/{SHOP}", "other/b.acme.dev"], ["shop"]),
    ],
    ids=str,
)
def test_a_gateway_accepts_routes_of_the_namespaces_of_the_config(
    listed: list[str], namespaces: list[str], routes_from: list[str]
) -> None:
    environment = deployed(ingress={"routesFrom": routes_from})
    gateways, services = made(environment)
    gateways["tls-dev"]["servers"][0]["hosts"] = listed
    result = judged(environment, SHOP, gateways, services)
    assert (result.state == "ok") == (namespaces == routes_from), result.detail
    assert result.state == "ok" or "Gateway tls-dev accepts routes of " in result.detail
