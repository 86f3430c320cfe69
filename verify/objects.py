"""What the cluster's objects say: each is judged as it was read, against what the program would make."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from components.rules import acme, client_ca, headers, mutual_tls, names, renewal, routes
from components.rules.issuance import account_is_lost
from components.rules.problem import Problem
from components.rules.shell import word
from verify.checks import UP
from verify.environment import Environment
from verify.results import INGRESS, Result

Object = Mapping[str, Any]
Objects = Mapping[str, Object]
"""By name, of one kind and one namespace."""

_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_UP = (UP,)
_PARTS = ("match", "route", "redirect", "directResponse", "timeout", "retries")
"""What of a route of a VirtualService decides about an answer, beside its headers."""


@dataclass(frozen=True)
class Server:
    """The server of a Gateway that is there for a host."""

    settings: str
    """Its TLS settings, all but the Secret, as JSON."""
    fingerprint: str | None
    """Of the certificate in its Secret; None where that cannot be read."""


def judge_issuer(environment: Environment, found: Object | None, words: Sequence[str] = ()) -> Result:
    """Judge the issuer: Ready, at the ACME server of the config, and with an account that the server knows.

    Args:
        environment: of the issuer.
        found: the object, or None where there is none.
        words: of the Certificates' Orders: an issuer stays Ready when its account is gone.
    """
    name, kind = environment.issuer, environment.settings.acme.issuer_kind
    if found is None:
        return Result("issuer", INGRESS, "failed", f"{kind} {name} does not exist", _UP)
    wanted = getattr(environment.settings.acme.servers, environment.settings.acme.issuer)
    server = found.get("spec", {}).get("acme", {}).get("server")
    ready = condition(found, "Ready")
    because = "" if is_true(ready) else f"; not Ready: {ready.get('message') or 'it was not looked at yet'}"
    if server != wanted:
        detail = f"{kind} {name} is at {server}, the config says {wanted}{because}"
        return Result("issuer", INGRESS, "failed", detail, _UP)
    lost = next(filter(account_is_lost, [because, *words]), None)
    if lost:
        detail = f"{kind} {name} has an account that {server} does not take: {lost.removeprefix('; ')}"
        return Result("issuer", INGRESS, "failed", detail, _register_anew(environment))
    if because:
        detail = f"{kind} {name} is {because.removeprefix('; ')}"
        return Result("issuer", INGRESS, "failed", detail, environment.fix("issuer"))
    return Result("issuer", INGRESS, "ok", f"{name} is Ready, with an account at {server}")


def _register_anew(environment: Environment) -> tuple[str, ...]:
    """Return the commands that give an issuer another account, and have the certificates ordered with it."""
    issuer, namespaced = environment.issuer, environment.settings.acme.issuer_kind == acme.ISSUER
    namespace = environment.namespace if namespaced else environment.settings.cert_manager.namespace
    renew = [each for name in environment.certificates for each in environment.fix("certificate", certificate=name)[1:]]
    return (f"kubectl --namespace {word(namespace)} delete secret {acme.account_key_secret(issuer)}", *renew)


def judge_certificate(
    environment: Environment, name: str, found: Object | None, problems: Sequence[Problem], now: datetime.datetime
) -> Result:
    """Judge a Certificate: it asks for what the program asks for, is Ready, and is renewed in time.

    Args:
        environment: of the Certificate.
        name: its name.
        found: the object, or None where there is none.
        problems: of it, its request, Order and Challenges; the last is the deepest.
        now: the time.
    """
    if found is None:
        return Result("certificate", name, "failed", "the Certificate does not exist", _UP)
    spec, status = found.get("spec", {}), found.get("status", {})
    reference = spec.get("issuerRef", {})
    issuer, kind = reference.get("name"), reference.get("kind", acme.ISSUER)
    wanted = environment.settings.acme.issuer_kind
    if (issuer, kind) != (environment.issuer, wanted):
        detail = f"asks {kind} {issuer}, the stack's issuer is {wanted} {environment.issuer}"
        return Result("certificate", name, "failed", detail, _UP)
    if missing := set(environment.certificates[name]) - set(spec.get("dnsNames", [])):
        return Result("certificate", name, "failed", f"does not ask for {', '.join(sorted(missing))}", _UP)
    words = "; ".join(f"{problem.where}: {problem.what}" for problem in problems)
    fix = environment.fix("certificate", certificate=name)
    if own := [each for problem in problems for each in problem.fix]:
        fix = (*own, fix[-1])
    if not is_true(condition(found, "Ready")):
        detail = words or "not Ready: cert-manager has not looked at it yet"
        return Result("certificate", name, "failed", detail, fix)
    if attempts := status.get("failedIssuanceAttempts"):
        why = words or condition(found, "Issuing").get("message") or "cert-manager does not say why"
        return Result("certificate", name, "failed", f"the renewal has failed {attempts} times: {why}", fix)
    begin, end, due = (time_of(status.get(each)) for each in ("notBefore", "notAfter", "renewalTime"))
    if begin is None or end is None or due is None:
        return Result("certificate", name, "ok", f"Ready, of {issuer}")
    if renewal.is_late(begin, end, due, now):
        detail = f"Ready, but its renewal was due on {due:%Y-%m-%d %H:%M} UTC"
        return Result("certificate", name, "failed", detail, environment.fix("expiry", certificate=name))
    return Result("certificate", name, "ok", f"Ready, of {issuer}, renewed from {due:%Y-%m-%d %H:%M} UTC on")


def judge_secret(environment: Environment, name: str, found: Object | None) -> Result:
    """Judge a TLS Secret: a certificate and the key that belongs to it."""
    wrong = "the Secret does not exist" if found is None else _wrong_in_secret(found.get("data") or {})
    if wrong is None:
        return Result("secret", name, "ok", "a certificate and its key")
    return Result("secret", name, "failed", wrong, environment.fix("secret", certificate=name))


def _wrong_in_secret(data: Mapping[str, str]) -> str | None:
    for entry in ("tls.crt", "tls.key"):
        if not data.get(entry):
            return f"the Secret has no {entry}"
    certificate, key = certificate_in(data), _key_in(data)
    if certificate is None or key is None:
        return "the Secret holds no PEM certificate and key"
    if certificate.public_key().public_bytes(*_PUBLIC) != key.public_key().public_bytes(*_PUBLIC):
        return "the Secret's key is not its certificate's"
    return None


def certificate_in(data: Mapping[str, str]) -> x509.Certificate | None:
    """Return the certificate in a Secret's data, or None where there is no such thing."""
    try:
        return x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
    except (KeyError, ValueError, binascii.Error):
        return None


def _key_in(data: Mapping[str, str]) -> PrivateKeyTypes | None:
    try:
        return serialization.load_pem_private_key(base64.b64decode(data["tls.key"]), None)
    except (ValueError, TypeError, binascii.Error):
        return None


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
        (routes.http_gateway_name(environment.stack, environment.gateway), 80),
        (routes.tls_gateway_name(environment.stack, environment.gateway), 443),
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
    own = routes.tls_gateway_name(environment.stack)
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
    gateway = gateways.get(routes.tls_gateway_name(environment.stack, environment.gateway))
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
        name(environment.stack, environment.gateway) for name in (routes.http_gateway_name, routes.tls_gateway_name)
    )
    served = environment.hosts[host].served
    hosts = list(environment.hosts)
    expected = {
        names.object_name(host): routes.virtual_service_spec(f"{environment.namespace}/{tls}", served, others=hosts),
        http: routes.redirect_spec(f"{environment.namespace}/{http}", hosts),
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


def condition(found: Object, kind: str) -> Mapping[str, Any]:
    """Return a condition of an object; empty where it has none."""
    conditions: list[Mapping[str, Any]] = found.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each.get("type") == kind), {})


def is_true(condition: Mapping[str, Any]) -> bool:
    """Tell whether a condition is True; an absent one is not."""
    return condition.get("status") == "True"


def time_of(text: str | None) -> datetime.datetime | None:
    """Read a time of Kubernetes (RFC 3339)."""
    return datetime.datetime.fromisoformat(text) if text else None
