"""What the objects of the issuance say: each is judged as it was read, against what the program would make."""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from components.kube.causes import account_is_lost
from components.problem import Problem
from components.shell import word
from components.specs import acme, renewal
from tlsctl.verify.checks import UP
from tlsctl.verify.environment import Environment, Object
from tlsctl.verify.results import INGRESS, Result

_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_UP = (UP,)


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
