"""How Ingresses are removed whose hosts the stack serves, and what is deleted with them.

cert-manager makes a Certificate for each Secret of an Ingress, in its namespace, and binds it to the Ingress by an
ownerReference, so that it is deleted with the Ingress (pkg/controller/certificate-shim/sync.go). The Secret is not,
unless cert-manager has the flag --enable-certificate-owner-ref.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from components.problem import Problem
from components.shell import word
from components.specs import acme, solver_route
from tlsctl.adopt import ingresses
from tlsctl.adopt.objects import (
    Inventory,
    Object,
    key,
    kubectl,
    mapping,
    mappings,
    note,
    owners,
    patch,
    qualified,
    text,
    texts,
)
from tlsctl.adopt.serving import Serving
from tlsctl.adopt.signing import IssuerId, Signing, identity, reference, secret_of
from tlsctl.own import Key


@dataclass
class Removal:
    """The Ingresses that are removed, and the Certificates that become needless with them."""

    removed: list[Object] = field(default_factory=list)
    """Ingresses without hosts other than the stack's."""
    edited: list[Object] = field(default_factory=list)
    """Ingresses with hosts of the stack and others."""
    kept: list[Object] = field(default_factory=list)
    """All Ingresses that are not removed, also those that are edited."""
    deleted: list[Object] = field(default_factory=list)
    """Certificates that are deleted with an Ingress."""
    unused: list[Object] = field(default_factory=list)
    """Certificates made by hand whose Secret no Ingress presents afterwards."""

    @property
    def certificates(self) -> list[Object]:
        """Return the Certificates that do not exist afterwards."""
        return [*self.deleted, *self.unused]


def owning_ingresses(obj: Object) -> list[str]:
    """Return the Ingresses, by name, with which an object is deleted."""
    return [text(owner, "name") for owner in owners(obj) if text(owner, "kind") == "Ingress"]


def release_from_owners(obj: Object) -> Problem | None:
    """Return how an object that the stack takes over is released from its owners: it would be deleted with them."""
    if not owners(obj):
        return None
    path = "/metadata/ownerReferences"
    is_the_same = {"op": "test", "path": f"{path}/0/uid", "value": text(owners(obj)[0], "uid")}
    named = ", ".join(f"{text(owner, 'kind')} {text(owner, 'name')}" for owner in owners(obj))
    fix = patch(text(obj, "kind").lower(), obj, is_the_same, {"op": "remove", "path": path})
    return note(obj, f"is deleted with {named}, which owns it", fix)


def plan_removal(inventory: Inventory, served: Serving, signed: Signing) -> Removal:
    """Return which Ingresses are removed, and which Certificates with them."""
    result = Removal()
    for ingress in inventory.ingresses:
        if ingresses.is_solver(ingress):
            continue
        hosts = set(ingresses.hosts(ingress))
        if hosts and hosts <= set(served.names):
            result.removed.append(ingress)
            continue
        result.kept.append(ingress)
        if hosts & set(served.names):
            result.edited.append(ingress)
    removed = {key(ingress) for ingress in result.removed}
    unpresented = _presented(result.removed) - _presented(result.kept)
    for certificate in inventory.certificates:
        namespace, secret = secret_of(certificate)
        if signed.owns_certificate(certificate) or (namespace, secret) in served.presented:
            continue
        if any((namespace, owner) in removed for owner in owning_ingresses(certificate)):
            result.deleted.append(certificate)
        elif not owners(certificate) and (namespace, secret) in unpresented:
            result.unused.append(certificate)
    return result


def _presented(of: Sequence[Object]) -> set[Key]:
    return {(key(ingress)[0], secret) for ingress in of for secret in ingresses.secrets(ingress)}


def wait_for_resolvers(inventory: Inventory, served: Serving) -> Iterator[Problem]:
    """Yield how long clients still reach the address that hosts had before."""
    if moved := served.elsewhere(inventory):
        ttls = (record.get("ttl") for host in moved for record in inventory.a_records(host))
        ttl = max((ttl for ttl in ttls if isinstance(ttl, int)), default=300)
        what = f"resolvers may have the old address for {ttl} s more, and send requests there"
        yield Problem(f"records of {', '.join(moved)}", what, (f"sleep {word(ttl)}",))


def removal_steps(served: Serving, removal: Removal) -> Iterator[Problem]:
    """Yield what to do with Ingresses after the `up`, in this order."""
    for ingress in removal.removed:
        namespace, name = key(ingress)
        of_namespace = (certificate for certificate in removal.deleted if key(certificate)[0] == namespace)
        with_it = [qualified(certificate) for certificate in of_namespace if name in owning_ingresses(certificate)]
        what = "has no hosts but the stack's"
        if with_it:
            what += f"; its Certificate {', '.join(with_it)} is deleted with it"
        # The Certificate goes before its Secret, which it would otherwise order again.
        yield note(ingress, what, kubectl("delete", "ingress", ingress, "--cascade=foreground"))
    for certificate in removal.unused:
        what = "is not presented by any Ingress afterwards"
        yield note(certificate, what, kubectl("delete", "certificate", certificate))
    for secret in sorted({secret_of(certificate) for certificate in removal.certificates} - _presented(removal.kept)):
        what = "is not deleted with its Certificate, and no Ingress presents it afterwards"
        fix = kubectl("delete", "secret", secret, "--ignore-not-found")
        yield Problem(f"Secret {qualified(secret)}", what, (fix,))
    yield from _shared_secrets(removal)
    for ingress in removal.edited:
        hosts = ingresses.hosts(ingress)
        rest = ", ".join(host or "requests of any host" for host in hosts if host not in served.names)
        own = ", ".join(host for host in hosts if host in served.names)
        what = f"has {rest} too, and stays: remove {own} from its rules and its tls"
        yield note(ingress, what, kubectl("edit", "ingress", ingress))


def _shared_secrets(removal: Removal) -> Iterator[Problem]:
    """Yield the Ingresses that stay and present a Secret whose Certificate is deleted with another Ingress."""
    lost = {secret_of(certificate) for certificate in removal.deleted}
    for ingress in removal.kept:
        for secret in sorted(ingresses.secrets(ingress)):
            if (key(ingress)[0], secret) in lost:
                what = (
                    f"presents the Secret {secret}, whose Certificate is deleted with another Ingress. When it changes,"
                    " cert-manager makes a Certificate for it, if it has the annotation of an issuer"
                )
                annotation = word(f"istio-gateway-tls/certificate={secret}")
                yield note(ingress, what, kubectl("annotate", "ingress", ingress, annotation))


def lost_renewals(inventory: Inventory, served: Serving, signed: Signing, removal: Removal) -> Iterator[Problem]:
    """Yield the Certificates that cannot be renewed once records have moved: HTTP-01 needs the old address."""
    moved = served.elsewhere(inventory)
    issuers = {identity(issuer): issuer for issuer in inventory.issuers if not signed.owns_issuer(identity(issuer))}
    for certificate in inventory.certificates:
        names = texts(certificate, "spec", "dnsNames")
        lost = [name for name in names if name.lower() in moved]
        issuer = issuers.get(reference(certificate))
        if issuer is None or not lost or signed.owns_certificate(certificate) or not (where := _solver(issuer)):
            continue
        what = (
            f"is proven by HTTP-01 at {where} ({text(issuer, 'kind')} {qualified(issuer)}): it cannot be renewed once"
            f" the records of {', '.join(lost)} lead to the gateway. "
        )
        if certificate in removal.certificates:
            what += "It is removed after the `up`"
        else:
            rest = ", ".join(name for name in names if name not in lost)
            what += "Remove them from it soon after the `up`" + (f", so that {rest} can be" if rest else "")
        yield note(certificate, what)


def _solver(issuer: Object) -> str:
    """Return where an issuer proves names by HTTP-01, if that is not the gateway and there is no other way."""
    solvers = mappings(issuer, "spec", "acme", "solvers")
    if any(mapping(solver, "dns01") for solver in solvers):
        return ""
    for solver in solvers:
        for parent in mappings(solver, "http01", "gatewayHTTPRoute", "parentRefs"):
            return f"the Gateway {text(parent, 'name')}"
        ingress = mapping(solver, "http01", "ingress")
        class_ = text(ingress, "class") or text(ingress, "ingressClassName")
        if ingress and class_ != solver_route.CLASS:
            return f"Ingresses of the class {class_}" if class_ else "Ingresses"
    return ""


def requested_issuers(ingress: Object) -> list[IssuerId]:
    """Return the issuers that an Ingress names in annotations."""
    options = [(acme.CLUSTER_ISSUER, "", "cluster-issuer"), (acme.ISSUER, key(ingress)[0], "issuer")]
    named = [
        (kind, namespace, text(ingress, "metadata", "annotations", f"cert-manager.io/{annotation}"))
        for kind, namespace, annotation in options
    ]
    return [issuer for issuer in named if issuer[2]]
