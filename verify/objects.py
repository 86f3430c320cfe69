"""What the cluster's objects say: each is judged as it was read, against what the program would make."""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from components.rules import acme, names, routes
from verify.checks import INGRESS, Result
from verify.environment import Environment

Object = Mapping[str, Any]

_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def judge_issuer(environment: Environment, found: Object | None) -> Result:
    """Judge the issuer: Ready, and at the ACME server of the config."""
    name, kind = environment.issuer, environment.settings.acme.issuer_kind
    if found is None:
        return Result("issuer", INGRESS, "failed", f"{kind} {name} does not exist", (environment.up,))
    wanted = getattr(environment.settings.acme.servers, environment.settings.acme.issuer)
    server = found.get("spec", {}).get("acme", {}).get("server")
    ready = condition(found, "Ready")
    because = "" if is_true(ready) else f"; not Ready: {ready.get('message') or 'it was not looked at yet'}"
    if server != wanted:
        detail = f"{kind} {name} is at {server}, the config says {wanted}{because}"
        return Result("issuer", INGRESS, "failed", detail, (environment.up,))
    if because:
        where = f"--namespace {environment.namespace} " if kind == acme.ISSUER else ""
        mend = (f"kubectl {where}describe {kind.lower()} {name}", environment.up)
        return Result("issuer", INGRESS, "failed", f"{kind} {name} is {because.removeprefix('; ')}", mend)
    return Result("issuer", INGRESS, "ok", f"{name} is Ready, with an account at {server}")


def judge_certificate(
    environment: Environment, name: str, found: Object | None, words: Sequence[str], now: datetime.datetime
) -> Result:
    """Judge a Certificate: it asks for what the program asks for, is Ready, and is renewed in time.

    Args:
        environment: of the Certificate.
        name: its name.
        found: the object, or None where there is none.
        words: what is wrong with its request, Order and Challenges; the last is the deepest.
        now: the time.
    """
    if found is None:
        return Result("certificate", name, "failed", "the Certificate does not exist", (environment.up,))
    spec, status = found.get("spec", {}), found.get("status", {})
    reference = spec.get("issuerRef", {})
    issuer, kind = reference.get("name"), reference.get("kind", acme.ISSUER)
    wanted = environment.settings.acme.issuer_kind
    if (issuer, kind) != (environment.issuer, wanted):
        detail = f"asks {kind} {issuer}, the stack's issuer is {wanted} {environment.issuer}"
        return Result("certificate", name, "failed", detail, (environment.up,))
    if missing := set(environment.certificates[name]) - set(spec.get("dnsNames", [])):
        detail = f"does not ask for {', '.join(sorted(missing))}"
        return Result("certificate", name, "failed", detail, (environment.up,))
    mend = (
        f"kubectl --namespace {environment.namespace} describe certificaterequests,orders,challenges",
        renew(environment, name),
    )
    if not is_true(condition(found, "Ready")):
        detail = "; ".join(words) or "not Ready: cert-manager has not looked at it yet"
        return Result("certificate", name, "failed", detail, mend)
    if attempts := status.get("failedIssuanceAttempts"):
        detail = (
            f"the renewal has failed {attempts} times: {'; '.join(words) or condition(found, 'Issuing')['message']}"
        )
        return Result("certificate", name, "failed", detail, mend)
    due, end = time_of(status.get("renewalTime")), time_of(status.get("notAfter"))
    if due is None or end is None:
        return Result("certificate", name, "ok", f"Ready, of {issuer}")
    # A renewal takes its time, and cert-manager an hour before it tries again: half of what is left may pass.
    if now > due + (end - due) / 2:
        detail = f"Ready, but its renewal was due on {due:%Y-%m-%d %H:%M} UTC"
        pods = f"kubectl --namespace {environment.settings.cert_manager.namespace} get pods"
        return Result("certificate", name, "failed", detail, (pods, renew(environment, name)))
    return Result("certificate", name, "ok", f"Ready, of {issuer}, renewed from {due:%Y-%m-%d %H:%M} UTC on")


def judge_secret(environment: Environment, name: str, found: Object | None) -> Result:
    """Judge a TLS Secret: a certificate and the key that belongs to it."""
    fault = "the Secret does not exist" if found is None else _secret_fault(found.get("data") or {})
    if fault is None:
        return Result("secret", name, "ok", "a certificate and its key")
    mend = (
        f"kubectl --namespace {environment.settings.cert_manager.namespace} get pods",
        renew(environment, name),
    )
    return Result("secret", name, "failed", fault, mend)


def _secret_fault(data: Mapping[str, str]) -> str | None:
    for entry in ("tls.crt", "tls.key"):
        if not data.get(entry):
            return f"the Secret has no {entry}"
    try:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
        key = serialization.load_pem_private_key(base64.b64decode(data["tls.key"]), None)
    except (ValueError, TypeError, binascii.Error):
        return "the Secret holds no PEM certificate and key"
    if certificate.public_key().public_bytes(*_PUBLIC) != key.public_key().public_bytes(*_PUBLIC):
        return "the Secret's key is not its certificate's"
    return None


def judge_gateway(
    environment: Environment, host: str, gateways: Sequence[Object], services: Sequence[Object]
) -> Result:
    """Judge what makes the gateway serve a host: two Gateways, the redirect and the host's own routes.

    Args:
        environment: of the host.
        host: as in the config.
        gateways: the Gateways of the gateway's namespace.
        services: its VirtualServices.
    """
    fault = _server_fault(environment, host, gateways) or _route_fault(environment, host, services)
    if fault:
        return Result("gateway", host, "failed", fault, (environment.up,))
    return Result("gateway", host, "ok", f"ports 80 and 443, Secret {environment.certificate_of(host)}")


def _server_fault(environment: Environment, host: str, gateways: Sequence[Object]) -> str | None:
    for name, number in (
        (routes.http_gateway_name(environment.stack), 80),
        (routes.tls_gateway_name(environment.stack), 443),
    ):
        found = named(gateways, name)
        if found is None:
            return f"Gateway {name} does not exist"
        if found["spec"].get("selector") != environment.settings.ingress.selector:
            return f"Gateway {name} selects {_labels(found['spec'].get('selector'))}, not the gateway's Pods"
        servers = [each for each in found["spec"].get("servers", []) if each.get("port", {}).get("number") == number]
        server = next((each for each in servers if host in _plain(each.get("hosts", []))), None)
        if server is None:
            have = ", ".join(sorted({each for server in servers for each in server.get("hosts", [])})) or "none"
            return f"Gateway {name} has no server for it on port {number}; its hosts are {have}"
        secret = server.get("tls", {}).get("credentialName")
        if number == 443 and secret != environment.certificate_of(host):
            return f"Gateway {name} presents Secret {secret}, not {environment.certificate_of(host)}"
    return None


def _route_fault(environment: Environment, host: str, services: Sequence[Object]) -> str | None:
    http, tls = (name(environment.stack) for name in (routes.http_gateway_name, routes.tls_gateway_name))
    namespace = environment.namespace
    asked = next(each for each in environment.settings.hosts if each.host == host)
    destinations = [each.model_dump() for each in asked.destinations]
    expected = {
        names.object_name(host): routes.virtual_service_spec(f"{namespace}/{tls}", host, destinations),
        http: routes.redirect_spec(f"{namespace}/{http}", environment.hosts),
    }
    for name, spec in expected.items():
        found = named(services, name)
        if found is None:
            return f"VirtualService {name} does not exist"
        if host not in found["spec"].get("hosts", []):
            return f"VirtualService {name} is for {', '.join(found['spec'].get('hosts', [])) or 'no host'}"
        if found["spec"].get("gateways") != spec["gateways"]:
            return f"VirtualService {name} is bound to {', '.join(found['spec'].get('gateways', ['the mesh']))}"
        if _destinations(found["spec"]) != _destinations(spec):
            return f"VirtualService {name} does not route as the config says"
    return None


def _destinations(spec: Object) -> list[Any]:
    return [[each.get(part) for part in ("match", "route", "redirect")] for each in spec.get("http", [])]


def _plain(hosts: Sequence[str]) -> list[str]:
    # Istio lets a namespace, or a dot or a star for one, stand before the host.
    return [each.rpartition("/")[2] for each in hosts]


def _labels(labels: Mapping[str, str] | None) -> str:
    return ", ".join(f"{key}={value}" for key, value in (labels or {}).items()) or "every Pod"


def named(objects: Sequence[Object], name: str) -> Object | None:
    """Return the object of that name."""
    return next((each for each in objects if each["metadata"]["name"] == name), None)


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


def renew(environment: Environment, certificate: str) -> str:
    """Return the command that has a Certificate issued anew."""
    return f"cmctl renew --namespace {environment.namespace} {certificate}"
