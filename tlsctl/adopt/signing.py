"""Who signs, and for which certificate: from ClusterIssuers, Issuers and Certificates to the config."""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.problem import Problem
from components.specs import acme, names, solver_route, tls
from components.specs.istio import CREDENTIAL, NAMESPACE
from tlsctl.adopt.objects import Inventory, Object, at, key, mapping, mappings, note, oldest_first, text, texts
from tlsctl.own import Key

IssuerId = tuple[str, str, str]
"""Kind, namespace and name of an issuer; a ClusterIssuer has no namespace."""


@dataclass
class Signing:
    """What the config says about issuers and certificates."""

    namespace: str = NAMESPACE
    """The namespace of the gateway's Pods."""
    acme: dict[str, Any] = field(default_factory=dict)
    challenge: str = "http01"
    """Of hosts that no solver is for."""
    solvers: Sequence[Object] = ()
    """The solvers of the issuer."""
    class_field: str = "class"
    certificate: dict[str, Any] = field(default_factory=dict)
    chosen: Object | None = None
    """The Certificate that the stack takes over."""
    secret_name: str = CREDENTIAL
    secrets: Collection[str] = (CREDENTIAL,)
    """The Secrets of the stack's certificates."""
    notes: list[Problem] = field(default_factory=list)

    def challenge_of(self, host: str) -> str:
        """Return the challenge that proves a host: by the most specific solver, the first of several.

        https://cert-manager.io/docs/configuration/acme/#adding-multiple-solver-types
        """
        labels = mapping(self.chosen, "metadata", "labels")
        ranked = [
            (rank, challenge)
            for solver in self.solvers
            if (challenge := solver_challenge(solver)) and (challenge == acme.DNS01 or not names.is_wildcard(host))
            if (rank := _rank(mapping(solver, "selector"), host, labels)) is not None
        ]
        return max(ranked, key=lambda one: one[0], default=((), self.challenge))[1]

    def owns_issuer(self, issuer: IssuerId) -> bool:
        """Tell whether an issuer is one that the stack makes or takes over."""
        kind = self.acme.get("issuerKind", acme.CLUSTER_ISSUER)
        namespace = self.namespace if kind == acme.ISSUER else ""
        return issuer in {(kind, namespace, acme.issuer_name(environment)) for environment in acme.ENVIRONMENTS}

    def owns_certificate(self, certificate: Object) -> bool:
        """Tell whether a Certificate is the one that the stack makes or takes over."""
        namespace, name = key(certificate)
        return certificate is self.chosen or (namespace == self.namespace and name in self.secrets)

    def divide(self, hosts: Sequence[str]) -> None:
        """Give each host a certificate of its own, as listeners of the Gateway API need it."""
        self.certificate["grouping"] = "perHost"
        self.secrets = acme.group_names(hosts, "perHost", self.secret_name, None)
        if self.chosen is not None:
            what = "is replaced by one for each host, which are signed once: a listener of the Gateway API has one host"
            self.notes.append(note(self.chosen, what))
            self.chosen = None

    def other_names(self, inventory: Inventory, hosts: Collection[str]) -> list[str]:
        """Return the names that the stack's issuers also sign for others: their solvers are for listed names only."""
        other = [
            name.lower()
            for certificate in oldest_first(inventory.certificates)
            if not self.owns_certificate(certificate) and self.owns_issuer(reference(certificate))
            for name in texts(certificate, "spec", "dnsNames")
        ]
        return [name for name in dict.fromkeys(other) if name not in hosts]


def is_acme(issuer: Object) -> bool:
    """Tell whether an issuer uses ACME."""
    return bool(mapping(issuer, "spec", "acme"))


def reference(certificate: Object) -> IssuerId:
    """Return the issuer that a Certificate names."""
    kind = text(certificate, "spec", "issuerRef", "kind") or acme.ISSUER
    namespace = key(certificate)[0] if kind == acme.ISSUER else ""
    return kind, namespace, text(certificate, "spec", "issuerRef", "name")


def secret_of(certificate: Object) -> Key:
    """Return namespace and name of the Secret that a Certificate fills."""
    return key(certificate)[0], text(certificate, "spec", "secretName")


def identity(issuer: Object) -> IssuerId:
    """Return what Certificates name an issuer by."""
    return text(issuer, "kind"), *key(issuer)


def signing(inventory: Inventory, namespace: str, credentials: Collection[str]) -> Signing:
    """Return what the config says, if the gateway is in a namespace and presents these Secrets."""
    presented = [
        certificate
        for certificate in oldest_first(inventory.certificates)
        if key(certificate)[0] == namespace and text(certificate, "spec", "secretName") in credentials
    ]
    # Of several, the one with most names, then the oldest.
    chosen = max(presented, key=lambda one: len(texts(one, "spec", "dnsNames")), default=None)
    result = Signing(namespace, chosen=chosen)
    issuer = _choose_issuer(inventory, result)
    if issuer is not None:
        _read_issuer(issuer, inventory, result)
    if chosen is not None:
        _read_certificate(chosen, inventory, result)
    else:
        what = "is none of cert-manager's at the gateway: the first `up` requests one"
        result.notes.append(Problem("certificate", what))
    return result


def _choose_issuer(inventory: Inventory, result: Signing) -> Object | None:
    issuers = [issuer for issuer in oldest_first(inventory.issuers) if is_acme(issuer)]
    if result.chosen is not None:
        named = reference(result.chosen)
        if issuer := next((issuer for issuer in issuers if identity(issuer) == named), None):
            return issuer
        what = f"is signed by {named[0]} {named[2]}, which does not use ACME: it is signed again"
        result.notes.append(note(result.chosen, what))
    return max(issuers, key=lambda issuer: _environment(issuer) == acme.PROD, default=None)


def _environment(issuer: Object) -> str:
    """Return the environment of an issuer's server; another CA's counts as production."""
    return acme.environment_of(text(issuer, "spec", "acme", "server"), key(issuer)[1]) or acme.PROD


def _read_issuer(issuer: Object, inventory: Inventory, result: Signing) -> None:
    spec = mapping(issuer, "spec", "acme")
    result.acme = {"issuer": _environment(issuer)}
    if email := text(spec, "email"):
        result.acme["email"] = email
    if text(issuer, "kind") == acme.ISSUER and key(issuer)[0] == result.namespace:
        result.acme["issuerKind"] = acme.ISSUER
    servers = {}
    for other in (*inventory.issuers, issuer):
        if is_acme(other) and (other is issuer or result.owns_issuer(identity(other))):
            servers[_environment(other)] = text(other, "spec", "acme", "server")
    if changed := {name: url for name, url in servers.items() if url and url != acme.DIRECTORIES[name]}:
        result.acme["servers"] = changed
    if bundle := text(spec, "caBundle"):
        try:
            result.acme["caBundle"] = base64.b64decode(bundle, validate=True).decode()
        except ValueError:
            result.notes.append(note(issuer, "has a caBundle that is not PEM in base64"))
    if profile := text(spec, "profile"):
        result.acme["profile"] = profile
    if mapping(spec, "externalAccountBinding"):
        result.notes.append(note(issuer, "has an externalAccountBinding, which the config cannot express"))
    _read_solvers(issuer, result)
    for other in inventory.issuers:
        if result.owns_issuer(identity(other)):
            _read_account(other, result)


def _read_solvers(issuer: Object, result: Signing) -> None:
    result.solvers = solvers = mappings(issuer, "spec", "acme", "solvers")
    ingress = [mapping(solver, "http01", "ingress") for solver in solvers if mapping(solver, "http01", "ingress")]
    by_route = any(mapping(solver, "http01", "gatewayHTTPRoute") for solver in solvers)
    if any(mapping(solver, "dns01", "cloudDNS") for solver in solvers) and not (ingress or by_route):
        result.challenge = "dns01"
    elif not (ingress or by_route):
        kinds = sorted({kind for solver in solvers for kind in mapping(solver, "dns01") or mapping(solver, "http01")})
        what = f"has a solver of {', '.join(kinds) or 'nothing'}; the stack uses HTTP-01 by the gateway, and Cloud DNS"
        result.notes.append(note(issuer, what))
    if any(solver.get("ingressClassName") == solver_route.CLASS for solver in ingress):
        result.class_field = "ingressClassName"


def solver_challenge(solver: Object) -> str | None:
    """Return the challenge that a solver is for; None for one that the stack does not have."""
    if mapping(solver, "dns01", "cloudDNS"):
        return acme.DNS01
    return acme.HTTP01 if mapping(solver, "http01") else None


def _rank(selector: Object, host: str, labels: Object) -> tuple[int, int, int] | None:
    """Return how specific a solver's selector is for a host; None if it is not for the host."""
    hosts, zones = texts(selector, "dnsNames"), texts(selector, "dnsZones")
    fitting = [zone for zone in zones if names.lies_in(zone, host)]
    wanted = mapping(selector, "matchLabels")
    if (hosts and host not in hosts) or (zones and not fitting):
        return None
    if any(labels.get(name) != value for name, value in wanted.items()):
        return None
    return len(hosts and [host]), max(map(len, fitting), default=0), len(wanted)


def _read_account(issuer: Object, result: Signing) -> None:
    """Note that the account of an issuer changes, unless its key has the name that the program uses."""
    secret, own = text(issuer, "spec", "acme", "privateKeySecretRef", "name"), acme.account_key_secret(key(issuer)[1])
    if not secret or secret == own:
        return
    what = (
        f"has its account's key in the Secret {secret}, and in the stack in {own}: it registers a new account. No"
        " certificate is signed again for that"
    )
    if uri := text(issuer, "status", "acme", "uri"):
        what += f", but a CAA record with accounturi={uri} would refuse the new one"
    result.notes.append(note(issuer, what))


def _read_certificate(chosen: Object, inventory: Inventory, result: Signing) -> None:
    spec = mapping(chosen, "spec")
    result.secret_name = _secret_name(inventory, chosen)
    result.secrets = (result.secret_name,)
    if result.secret_name != CREDENTIAL:
        result.certificate["secretName"] = result.secret_name
    if result.secret_name != key(chosen)[1]:
        what = f"cannot be kept: a stack's has the name of its Secret, {result.secret_name}"
        result.notes.append(note(chosen, what))
        result.chosen = None
    elif (secret := text(spec, "secretName")) != result.secret_name:
        what = f"is in the Secret {secret}, and in the stack in {result.secret_name}: it is signed again, once"
        result.notes.append(note(chosen, what))
    algorithm = text(spec, "privateKey", "algorithm") or "RSA"
    if algorithm not in tls.KEY_SIZES:
        result.notes.append(note(chosen, f"has a key of {algorithm}; the stack's is ECDSA: it is signed again"))
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
    if dropped := sorted(set(spec) & {"duration", "renewBefore", "subject", "keystores", "secretTemplate"}):
        what = f"has {', '.join(dropped)}, which the config cannot express: the `up` removes it"
        result.notes.append(note(chosen, what))


def _secret_name(inventory: Inventory, chosen: Object) -> str:
    namespace, name = key(chosen)
    try:
        return names.kubernetes_name(name)
    except ValueError:
        # cert-manager does not issue into a Secret that two Certificates name.
        certificates = (certificate for certificate in inventory.certificates if key(certificate)[0] == namespace)
        used = {text(certificate, "spec", "secretName") for certificate in certificates}
        return next(name for name in (CREDENTIAL, *(f"{CREDENTIAL}-{n}" for n in range(2, 99))) if name not in used)
