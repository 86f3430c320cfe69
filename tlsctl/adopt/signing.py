"""Who signs, and for which certificate: from ClusterIssuers, Issuers and Certificates to the config."""

import base64
import binascii
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.kube import solver_route
from components.problem import Problem
from components.specs import acme, istio, names, tls
from tlsctl.adopt.objects import Found, Object, at, key, mapping, mappings, oldest_first, qualified, text, texts


@dataclass
class Signing:
    """What the config says about issuers and certificates."""

    namespace: str = istio.NAMESPACE
    """Of the gateway's Pods."""
    acme: dict[str, Any] = field(default_factory=dict)
    challenge: str = "http01"
    class_field: str = "class"
    certificate: dict[str, Any] = field(default_factory=dict)
    chosen: Object | None = None
    """The Certificate that is taken over."""
    secret_name: str = istio.CREDENTIAL
    notes: list[Problem] = field(default_factory=list)


def is_acme(obj: Object) -> bool:
    """Tell whether an issuer is one of ACME."""
    return bool(mapping(obj, "spec", "acme"))


def reference(certificate: Object) -> tuple[str, str, str]:
    """Return the kind, namespace and name of a Certificate's issuer; a ClusterIssuer has no namespace."""
    kind = text(certificate, "spec", "issuerRef", "kind") or acme.ISSUER
    namespace = key(certificate)[0] if kind == acme.ISSUER else ""
    return kind, namespace, text(certificate, "spec", "issuerRef", "name")


def identity(issuer: Object) -> tuple[str, str, str]:
    """Return the same of an issuer itself."""
    return text(issuer, "kind"), key(issuer)[0], key(issuer)[1]


def is_taken_over(issuer: Object, signed: Signing) -> bool:
    """Tell whether the stack takes an issuer over: it has the kind, the name and the namespace of one of its own."""
    kind = signed.acme.get("issuerKind", acme.CLUSTER_ISSUER)
    named = text(issuer, "kind") == kind and key(issuer)[1] in map(acme.issuer_name, acme.ENVIRONMENTS)
    return named and key(issuer)[0] == (signed.namespace if kind == acme.ISSUER else "")


def choose_certificate(found: Found, namespace: str, credentials: Collection[str]) -> Object | None:
    """Return the Certificate that the gateway presents: of several, the one with most names, then the oldest."""
    presented = [
        each
        for each in oldest_first(found.certificates)
        if key(each)[0] == namespace and text(each, "spec", "secretName") in credentials
    ]
    return max(presented, key=lambda each: len(texts(each, "spec", "dnsNames")), default=None)


def signing(found: Found, namespace: str, credentials: Collection[str]) -> Signing:
    """Return what the config says about issuers and certificates.

    Args:
        found: the cluster.
        namespace: of the gateway's Pods.
        credentials: Secrets that a Gateway presents.
    """
    result = Signing(namespace)
    result.chosen = choose_certificate(found, namespace, credentials)
    issuer = _choose_issuer(found, result)
    if issuer is not None:
        _read_issuer(issuer, found, result)
    _read_certificate(found, namespace, result)
    return result


def _choose_issuer(found: Found, result: Signing) -> Object | None:
    given = [each for each in oldest_first(found.issuers) if is_acme(each)]
    if result.chosen is not None:
        named = reference(result.chosen)
        for each in given:
            if identity(each) == named:
                return each
        what = f"is signed by {named[0]} {named[2]}, which is no issuer of an ACME server: it is signed anew"
        result.notes.append(Problem(f"Certificate {qualified(key(result.chosen))}", what))
    return max(given, key=lambda each: environment(each) == acme.PROD, default=None)


def environment(issuer: Object) -> str:
    """Return the environment of an issuer's server; another CA's counts as production."""
    return acme.environment_of(text(issuer, "spec", "acme", "server"), key(issuer)[1]) or acme.PROD


def _read_issuer(issuer: Object, found: Found, result: Signing) -> None:
    spec = mapping(issuer, "spec", "acme")
    signs = environment(issuer)
    result.acme = {"issuer": signs}
    if email := text(spec, "email"):
        result.acme["email"] = email
    if text(issuer, "kind") == acme.ISSUER and key(issuer)[0] == result.namespace:
        result.acme["issuerKind"] = acme.ISSUER
    servers = {}
    for each in (*found.issuers, issuer):
        if is_acme(each) and (each is issuer or key(each)[1] in map(acme.issuer_name, acme.ENVIRONMENTS)):
            servers[environment(each)] = text(each, "spec", "acme", "server")
    if other := {name: url for name, url in servers.items() if url and url != acme.DIRECTORIES[name]}:
        result.acme["servers"] = other
    if bundle := text(spec, "caBundle"):
        try:
            result.acme["caBundle"] = base64.b64decode(bundle, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            result.notes.append(_of(issuer, "has a caBundle that is not PEM in base64"))
    if profile := text(spec, "profile"):
        result.acme["profile"] = profile
    if mapping(spec, "externalAccountBinding"):
        result.notes.append(_of(issuer, "has an externalAccountBinding, which the config does not know"))
    _read_solvers(issuer, result)
    _read_account(found, result)


def _read_solvers(issuer: Object, result: Signing) -> None:
    solvers = mappings(issuer, "spec", "acme", "solvers")
    ingress = [mapping(each, "http01", "ingress") for each in solvers if mapping(each, "http01", "ingress")]
    if any(mapping(each, "dns01", "cloudDNS") for each in solvers) and not ingress:
        result.challenge = "dns01"
    elif not ingress:
        kinds = sorted({kind for each in solvers for kind in mapping(each, "dns01") or mapping(each, "http01")})
        what = f"has a solver of {', '.join(kinds) or 'nothing'}; the stack's are HTTP-01 by the gateway, and Cloud DNS"
        result.notes.append(_of(issuer, what))
    if any(each.get("ingressClassName") == solver_route.CLASS for each in ingress):
        result.class_field = "ingressClassName"


def _read_account(found: Found, result: Signing) -> None:
    """Say of issuers that are taken over that their account changes, unless its key is called as the program does."""
    for each in found.issuers:
        name, secret = key(each)[1], text(each, "spec", "acme", "privateKeySecretRef", "name")
        ours = [acme.issuer_name(environment) for environment in acme.ENVIRONMENTS]
        if name in ours and text(each, "kind") == result.acme.get("issuerKind", acme.CLUSTER_ISSUER) and secret:
            wanted = f"{name}-account-key"
            if secret != wanted:
                uri = text(each, "status", "acme", "uri")
                what = (
                    f"has its account's key in the Secret {secret}, and in the stack in {wanted}: it registers a new"
                    " account. No certificate is signed anew for that"
                )
                if uri:
                    what += f", but a CAA record with accounturi={uri} would refuse the new one"
                result.notes.append(_of(each, what))


def names_of_others(found: Found, hosts: Sequence[str], chosen: Object | None) -> list[str]:
    """Return what else is signed by the ClusterIssuers that are taken over: they solve for listed names alone."""
    ours = [(acme.CLUSTER_ISSUER, "", acme.issuer_name(each)) for each in acme.ENVIRONMENTS]
    others = [
        name.lower()
        for each in oldest_first(found.certificates)
        if each is not chosen and reference(each) in ours
        for name in texts(each, "spec", "dnsNames")
    ]
    return [name for name in dict.fromkeys(others) if name not in hosts]


def _read_certificate(found: Found, namespace: str, result: Signing) -> None:
    chosen = result.chosen
    if chosen is None:
        result.notes.append(
            Problem("certificate", "is none of cert-manager's at the gateway: the first `up` has one signed")
        )
        return
    where, spec = f"Certificate {qualified(key(chosen))}", mapping(chosen, "spec")
    result.secret_name = _secret_name(found, namespace, chosen)
    if result.secret_name != istio.CREDENTIAL:
        result.certificate["secretName"] = result.secret_name
    if result.secret_name != key(chosen)[1]:
        result.notes.append(Problem(where, f"cannot be kept: a stack's is called as its Secret, {result.secret_name}"))
        result.chosen = None
    elif (secret := text(spec, "secretName")) != result.secret_name:
        what = f"is in the Secret {secret}, and in the stack in {result.secret_name}: it is signed anew, once"
        result.notes.append(Problem(where, what))
    algorithm = text(spec, "privateKey", "algorithm") or "RSA"
    if algorithm not in tls.KEY_SIZES:
        result.notes.append(Problem(where, f"has a key of {algorithm}; the stack's is of ECDSA: it is signed anew"))
        algorithm = "ECDSA"
    size = at(spec, "privateKey", "size")
    if algorithm == "RSA":
        result.certificate |= {"algorithm": "RSA", "size": size if size in tls.KEY_SIZES["RSA"] else 2048}
    elif size in tls.KEY_SIZES["ECDSA"] and size != tls.KEY_SIZES["ECDSA"][0]:
        result.certificate["size"] = size
    if text(spec, "privateKey", "rotationPolicy") == "Never":
        result.certificate["rotation"] = "Never"
    percentage = at(spec, "renewBeforePercentage")
    if isinstance(percentage, int) and not isinstance(percentage, bool) and 0 < percentage < 100:
        result.certificate["renewBeforePercentage"] = percentage
    if odd := sorted(set(spec) & {"duration", "renewBefore", "subject", "keystores", "secretTemplate"}):
        result.notes.append(Problem(where, f"has {', '.join(odd)}, which the config does not know: the `up` drops it"))


def _secret_name(found: Found, namespace: str, chosen: Object) -> str:
    name = key(chosen)[1]
    try:
        return names.kubernetes_name(name)
    except ValueError:
        # cert-manager issues nothing into a Secret that two Certificates name.
        taken = [text(each, "spec", "secretName") for each in found.certificates if key(each)[0] == namespace]
        return next(
            each for each in (istio.CREDENTIAL, *(f"{istio.CREDENTIAL}-{n}" for n in range(2, 99))) if each not in taken
        )


def _of(issuer: Object, what: str) -> Problem:
    return Problem(f"{text(issuer, 'kind')} {qualified(key(issuer))}", what)
