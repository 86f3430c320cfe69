"""The objects that issue certificates, judged against what the program would make: issuer, Certificates and Secrets."""

import base64
import datetime
from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from components.kube.conditions import condition_of
from components.kube.issuance import account_is_lost
from components.problem import Problem
from components.shell import word
from components.specs import acme, renewal
from tlsctl.verify.checks import UP
from tlsctl.verify.environment import Environment, Object
from tlsctl.verify.results import INGRESS, Result, failed, ok

_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_UP = (UP,)
_NEW = "cert-manager has not looked at it yet"


def judge_issuer(environment: Environment, issuer: Object | None, problems: Sequence[Problem] = ()) -> Result:
    """Judge the issuer: Ready, at the ACME server of the config, and with an account that the server knows.

    An issuer stays Ready when its account is lost; the errors of the Certificates' Orders show it.
    """
    label = f"{environment.settings.acme.issuer_kind} {environment.issuer}"
    if issuer is None:
        return failed("issuer", INGRESS, f"{label} does not exist", _UP)
    configured = getattr(environment.settings.acme.servers, environment.settings.acme.issuer)
    server = issuer.get("spec", {}).get("acme", {}).get("server")
    ready = condition_of(issuer, "Ready")
    not_ready = "" if ready.get("status") == "True" else f"not Ready: {ready.get('message') or _NEW}"
    if server != configured:
        detail = f"{label} is at {server}, the config says {configured}"
        return failed("issuer", INGRESS, "; ".join(filter(None, (detail, not_ready))), _UP)
    # In a Challenge's words is what answered on port 80, which may speak of an account as well.
    orders = [problem.what for problem in problems if problem.where == "Order"]
    if lost := next(filter(account_is_lost, [not_ready, *orders]), None):
        detail = f"{label} has an account that {server} does not know: {lost}"
        return failed("issuer", INGRESS, detail, _register_again(environment))
    if not_ready:
        return environment.failed("issuer", INGRESS, f"{label} is {not_ready}")
    return ok("issuer", INGRESS, f"{environment.issuer} is Ready, with an account at {server}")


def _register_again(environment: Environment) -> tuple[str, ...]:
    """Return the commands that register a new account and then order the certificates with it."""
    namespaced = environment.settings.acme.issuer_kind == acme.ISSUER
    namespace = environment.namespace if namespaced else environment.settings.cert_manager.namespace
    secret = acme.account_key_secret(environment.issuer)
    renew = [command for name in environment.certificates for command in environment.fix("certificate", name)[1:]]
    return (f"kubectl --namespace {word(namespace)} delete secret {word(secret)}", *renew)


def judge_certificate(
    environment: Environment,
    name: str,
    certificate: Object | None,
    problems: Sequence[Problem],
    now: datetime.datetime,
) -> Result:
    """Judge a Certificate: it requests what the program would request, is Ready, and is renewed in time.

    The problems are those of the Certificate, its request, Order and Challenges; the last is the deepest.
    """
    if certificate is None:
        return failed("certificate", name, "the Certificate does not exist", _UP)
    spec, status = certificate.get("spec", {}), certificate.get("status", {})
    reference = spec.get("issuerRef", {})
    issuer, kind = reference.get("name"), reference.get("kind", acme.ISSUER)
    own_kind = environment.settings.acme.issuer_kind
    if (issuer, kind) != (environment.issuer, own_kind):
        detail = f"names {kind} {issuer}, the stack's issuer is {own_kind} {environment.issuer}"
        return failed("certificate", name, detail, _UP)
    if missing := set(environment.certificates[name]) - set(spec.get("dnsNames", [])):
        return failed("certificate", name, f"does not request {', '.join(sorted(missing))}", _UP)
    causes = "; ".join(f"{problem.where}: {problem.what}" for problem in problems)
    fix = environment.fix("certificate", name)
    if specific := [command for problem in problems for command in problem.fix]:
        fix = (*specific, fix[-1])
    if condition_of(certificate, "Ready").get("status") != "True":
        return failed("certificate", name, causes or f"not Ready: {_NEW}", fix)
    if attempts := status.get("failedIssuanceAttempts"):
        why = causes or condition_of(certificate, "Issuing").get("message") or "cert-manager gives no reason"
        return failed("certificate", name, f"the renewal has failed {attempts} times: {why}", fix)
    begin, end, due = (_time(status.get(field)) for field in ("notBefore", "notAfter", "renewalTime"))
    if begin is None or end is None or due is None:
        return ok("certificate", name, f"Ready, signed by {issuer}")
    if renewal.is_late(begin, end, due, now):
        detail = f"Ready, but its renewal was due on {due:%Y-%m-%d %H:%M} UTC"
        return failed("certificate", name, detail, environment.fix("expiry", name))
    return ok("certificate", name, f"Ready, signed by {issuer}, renewed from {due:%Y-%m-%d %H:%M} UTC on")


def judge_secret(environment: Environment, name: str, secret: Object | None) -> Result:
    """Judge a TLS Secret: it holds a certificate and the key that belongs to it."""
    wrong = "the Secret does not exist" if secret is None else _secret_problem(secret.get("data") or {})
    return environment.failed("secret", name, wrong) if wrong else ok("secret", name, "a certificate and its key")


def _secret_problem(data: Mapping[str, str]) -> str | None:
    for entry in ("tls.crt", "tls.key"):
        if not data.get(entry):
            return f"the Secret has no {entry}"
    try:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
        key = serialization.load_pem_private_key(base64.b64decode(data["tls.key"]), None)
    except (ValueError, TypeError):
        return "the Secret holds no PEM certificate and key"
    if certificate.public_key().public_bytes(*_PUBLIC) != key.public_key().public_bytes(*_PUBLIC):
        return "the Secret's key is not its certificate's"
    return None


def certificate_in(data: Mapping[str, str]) -> x509.Certificate | None:
    """Return the certificate in a Secret's data, or None where there is none."""
    try:
        return x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
    except (KeyError, ValueError):
        return None


def _time(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text) if text else None
