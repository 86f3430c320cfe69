"""What Istio's objects say: each is judged as it was read, against what the program would make."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.specs import client_ca, headers, istio, mutual_tls, names
from tlsctl.verify.environment import Environment, Object, Objects
from tlsctl.verify.results import INGRESS, Result

_PARTS = ("match", "route", "redirect", "directResponse", "timeout", "retries")
"""What of a route of a VirtualService decides about an answer, beside its headers."""


@dataclass(frozen=True)
class Server:
    """The server of a Gateway that is there for a host."""

    settings: str
    """Its TLS settings, all but the Secret, as JSON."""
    fingerprint: str | None
    """Of the certificate in its Secret; None where that cannot be read."""


def judge_gateway(environment: Environment, host: str, gateways: Objects, services: Objects) -> Result:
    """Judge what makes the gateway serve a host: two Gateways, the redirect and the host's own routes.

    Args:
        environment: of the host.
        host: as in the config.
        gateways: the Gateways of the gateway's namespace.
        services: its VirtualServices.
    """
    wrong = _wrong_in_servers(environment, host, gateways) or _wrong_in_routes(environment, host, services)
    if wrong:
        return Result("gateway", host, "failed", wrong, environment.fix("gateway", host=host))
    return Result("gateway", host, "ok", f"ports 80 and 443, Secret {environment.certificate_of[host]}")


def _wrong_in_servers(environment: Environment, host: str, gateways: Objects) -> str | None:
    for name, number in (
        (istio.http_gateway_name(environment.stack, environment.gateway), 80),
        (istio.tls_gateway_name(environment.stack, environment.gateway), 443),
    ):
        found = gateways.get(name)
        if found is None:
            return f"Gateway {name} does not exist"
        if found["spec"].get("selector") != environment.settings.ingress.selector:
            return f"Gateway {name} selects {_labels(found['spec'].get('selector'))}, not the gateway's Pods"
        server = _server_of(found, host, number)
        if server is None:
            have = sorted({each for server in _servers(found, number) for each in server.get("hosts", [])})
            return f"Gateway {name} has no server for it on port {number}; its hosts are {', '.join(have) or 'none'}"
        secret = server.get("tls", {}).get("credentialName")
        if number == 443 and secret != environment.certificate_of[host]:
            return f"Gateway {name} presents Secret {secret}, not {environment.certificate_of[host]}"
        if number == 443 and (wrong := _wrong_in_clients(environment, server.get("tls", {}))):
            return f"Gateway {name} {wrong}"
    return None


def _wrong_in_clients(environment: Environment, given: Mapping[str, Any]) -> str | None:
    secret = environment.settings.client_ca_secret
    mode, authority = ("MUTUAL", client_ca.reference(secret)) if secret else ("SIMPLE", None)
    if given.get("mode") != mode:
        return f"has the TLS mode {given.get('mode')}, the config says {mode}"
    found = given.get("caCertCredentialName")
    return f"takes client certificates of {found or 'no Secret'}, not of {authority}" if found != authority else None


def judge_neighbours(environment: Environment, host: str, gateways: Objects) -> Result | None:
    """Judge the other Gateways at the same Pods: a wildcard of one draws a browser's requests away from this host.

    Returns:
        None where there is no such wildcard.
    """
    own = istio.tls_gateway_name(environment.stack)
    for name, gateway in gateways.items():
        if name == own or gateway["spec"].get("selector") != environment.settings.ingress.selector:
            continue
        for server in _servers(gateway, 443):
            for each in _plain(server.get("hosts", [])):
                if names.is_wildcard(each) and names.covers(each, host):
                    detail = (
                        f"Gateway {name} has {each}, whose certificate is good for this host: over a connection to it,"
                        " a browser asks that Gateway's routes; have one stack serve both"
                    )
                    return Result("coalescing", host, "failed", detail, environment.fix("coalescing", host=host))
    return None


def tls_server(environment: Environment, host: str, gateways: Objects) -> Object | None:
    """Return the server that the stack's Gateway of port 443 has for a host."""
    gateway = gateways.get(istio.tls_gateway_name(environment.stack, environment.gateway))
    return _server_of(gateway, host, 443) if gateway else None


def _server_of(gateway: Object, host: str, number: int) -> Object | None:
    """Return the server of a Gateway that has the host on this port."""
    return next((each for each in _servers(gateway, number) if host in _plain(each.get("hosts", []))), None)


def tls_settings(server: Object) -> str:
    """Return what a server of a Gateway says about TLS, all but the Secret, as JSON."""
    return json.dumps({**server.get("tls", {}), "credentialName": None}, sort_keys=True)


def _servers(gateway: Object, number: int) -> list[Object]:
    return [each for each in gateway["spec"].get("servers", []) if each.get("port", {}).get("number") == number]


def _wrong_in_routes(environment: Environment, host: str, services: Objects) -> str | None:
    http, tls = (
        name(environment.stack, environment.gateway) for name in (istio.http_gateway_name, istio.tls_gateway_name)
    )
    served = environment.hosts[host].served
    hosts = list(environment.hosts)
    expected = {
        names.object_name(host): istio.virtual_service_spec(f"{environment.namespace}/{tls}", served, others=hosts),
        http: istio.redirect_spec(f"{environment.namespace}/{http}", hosts),
    }
    for name, spec in expected.items():
        found = services.get(name)
        if found is None:
            return f"VirtualService {name} does not exist"
        if not {each for each in spec["hosts"] if names.takes(each, host)} <= set(found["spec"].get("hosts", [])):
            return f"VirtualService {name} is for {', '.join(found['spec'].get('hosts', [])) or 'no host'}"
        if found["spec"].get("gateways") != spec["gateways"]:
            return f"VirtualService {name} is bound to {', '.join(found['spec'].get('gateways', ['the mesh']))}"
        if _answers(found["spec"]) != _answers(spec):
            return f"VirtualService {name} does not answer as the config says"
    return None


def _answers(spec: Object) -> list[Any]:
    return [[*(each.get(part) for part in _PARTS), _headers_set(each)] for each in spec.get("http", [])]


def _headers_set(route: Object) -> Mapping[str, str]:
    """Return the headers that a route sets, all but that of HSTS, which clients are asked for."""
    given = route.get("headers", {}).get("response", {}).get("set", {})
    return {name: value for name, value in given.items() if name != headers.HSTS}


def _plain(hosts: Sequence[str]) -> list[str]:
    # Istio lets a namespace, or a dot or a star for one, stand before the host.
    return [each.rpartition("/")[2] for each in hosts]


def _labels(labels: Mapping[str, str] | None) -> str:
    return ", ".join(f"{key}={value}" for key, value in (labels or {}).items()) or "every Pod"


def judge_mtls(environment: Environment, found: Mapping[str, Objects]) -> Result:
    """Judge what the sidecars of the applications take: Istio reads the oldest PeerAuthentication of a namespace.

    Args:
        environment: of the applications.
        found: by namespace, its PeerAuthentications.
    """
    mode = environment.settings.mtls
    wrong = [
        f"{namespace}: {reason}"
        for namespace in environment.settings.mesh_namespaces
        if (reason := _wrong_in_mesh(found.get(namespace, {}), mode.upper()))
    ]
    if wrong:
        return Result("mtls", INGRESS, "failed", "; ".join(wrong), environment.fix("mtls"))
    skipped = set(environment.settings.application_namespaces) - set(environment.settings.mesh_namespaces)
    words = f"{mode} in {', '.join(environment.settings.mesh_namespaces) or 'no namespace'}"
    words += f"; not in {', '.join(sorted(skipped))}, the gateway's own" if skipped else ""
    return Result("mtls", INGRESS, "ok", words)


def _wrong_in_mesh(found: Objects, mode: str) -> str | None:
    whole = [each for each in found.values() if not each.get("spec", {}).get("selector", {}).get("matchLabels")]
    if mutual_tls.PEER_AUTHENTICATION not in found:
        return f"there is no PeerAuthentication {mutual_tls.PEER_AUTHENTICATION}"
    oldest = min(whole, key=lambda each: str(each["metadata"].get("creationTimestamp", "")), default=None)
    name = oldest["metadata"]["name"] if oldest else None
    if oldest is None:
        return f"PeerAuthentication {mutual_tls.PEER_AUTHENTICATION} has a selector"
    if name != mutual_tls.PEER_AUTHENTICATION:
        return f"PeerAuthentication {name} is older, and Istio reads that one alone"
    given = oldest.get("spec", {}).get("mtls", {}).get("mode", "UNSET")
    return f"PeerAuthentication {name} says {given}, the config {mode}" if given != mode else None
