"""How Ingresses go whose hosts the stack serves, and what goes with them.

cert-manager makes a Certificate for each Secret of an Ingress, in its namespace, and binds it to the Ingress by an
ownerReference: it is deleted with it (pkg/controller/certificate-shim/sync.go). The Secret is not, unless cert-manager
has the flag --enable-certificate-owner-ref.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from components.kube import solver_route
from components.problem import Problem
from components.shell import word
from components.specs import acme
from tlsctl.adopt import ingresses
from tlsctl.adopt.cutover import kubectl
from tlsctl.adopt.objects import Found, Key, Object, key, mapping, mappings, qualified, text, texts
from tlsctl.adopt.serving import Serving, elsewhere, records_of
from tlsctl.adopt.signing import Signing, identity, is_taken_over, reference


@dataclass
class Departing:
    """What goes and what stays."""

    going: list[Object] = field(default_factory=list)
    """Ingresses that have no hosts but the stack's."""
    shrinking: list[Object] = field(default_factory=list)
    """Those that have others too."""
    staying: list[Object] = field(default_factory=list)
    """All that do not go."""
    deleted: list[Object] = field(default_factory=list)
    """Certificates that are deleted with an Ingress."""
    needless: list[Object] = field(default_factory=list)
    """Certificates by hand whose Secret no Ingress presents any more."""

    @property
    def certificates(self) -> list[Object]:
        """Return those that will not be there any more."""
        return [*self.deleted, *self.needless]


def owners(obj: Object) -> list[str]:
    """Return the Ingresses, by name, with which an object is deleted; they are in its namespace."""
    return [text(each, "name") for each in references(obj) if text(each, "kind") == "Ingress"]


def references(obj: Object) -> list[Object]:
    """Return an object's ownerReferences."""
    return mappings(obj, "metadata", "ownerReferences")


def release(obj: Object) -> Problem | None:
    """Return how an object that is taken over is let go by its owners: it would be deleted with them."""
    if not references(obj):
        return None
    uid = text(references(obj)[0], "uid")
    path = "/metadata/ownerReferences"
    # Only if it is the object that was looked at.
    patch = f'[{{"op":"test","path":"{path}/0/uid","value":"{uid}"}},{{"op":"remove","path":"{path}"}}]'
    named = ", ".join(f"{text(each, 'kind')} {text(each, 'name')}" for each in references(obj))
    what = f"is deleted with {named}, which owns it"
    kind = text(obj, "kind")
    return Problem(
        f"{kind} {qualified(key(obj))}",
        what,
        (kubectl("patch", kind.lower(), key(obj), f"--type json --patch {word(patch)}"),),
    )


def departing(found: Found, served: Serving, signed: Signing) -> Departing:
    """Return which Ingresses go, and which Certificates with them."""
    result = Departing()
    for obj in found.ingresses:
        if ingresses.is_solver(obj):
            continue
        hosts = set(ingresses.hosts(obj))
        goes = bool(hosts) and hosts <= set(served.names)
        (result.going if goes else result.staying).append(obj)
        if not goes and hosts & set(served.names):
            result.shrinking.append(obj)
    going = {key(each) for each in result.going}
    presented = {(key(each)[0], secret) for each in result.going for secret in ingresses.secrets(each)}
    kept = {(key(each)[0], secret) for each in result.staying for secret in ingresses.secrets(each)}
    for each in found.certificates:
        if _is_the_gateways(each, served, signed):
            continue
        if any((key(each)[0], owner) in going for owner in owners(each)):
            result.deleted.append(each)
        elif not references(each) and _secret(each) in presented - kept:
            result.needless.append(each)
    return result


def _is_the_gateways(certificate: Object, served: Serving, signed: Signing) -> bool:
    if certificate is signed.chosen or key(certificate) == (served.namespace, signed.secret_name):
        return True
    return key(certificate)[0] == served.namespace and text(certificate, "spec", "secretName") in served.credentials


def _secret(certificate: Object) -> Key:
    return key(certificate)[0], text(certificate, "spec", "secretName")


def leftovers(found: Found, served: Serving, gone: Departing) -> Iterator[Problem]:
    """Yield what to do with Ingresses after the `up`, in this order."""
    moved = elsewhere(found, served)
    if moved and (gone.going or gone.shrinking):
        ttl = max(each["ttl"] for host in moved for each in records_of(found, host) if isinstance(each.get("ttl"), int))
        what = f"led elsewhere, and resolvers may know that for {ttl} s more: until then requests may go there"
        yield Problem(f"records of {', '.join(moved)}", what, (f"sleep {ttl}",))
    for each in gone.going:
        taken = [qualified(key(of)) for of in gone.deleted if key(each)[1] in owners(of) and key(of)[0] == key(each)[0]]
        what = "has no hosts but the stack's" + (f"; its Certificate {', '.join(taken)} goes with it" * bool(taken))
        # The Certificate first: without its Secret, it would be signed anew.
        fix = kubectl("delete", "ingress", key(each), "--cascade=foreground")
        yield Problem(f"Ingress {qualified(key(each))}", what, (fix,))
    for each in gone.needless:
        what = "is presented by no Ingress any more"
        yield Problem(f"Certificate {qualified(key(each))}", what, (kubectl("delete", "certificate", key(each)),))
    used = {(key(each)[0], secret) for each in gone.staying for secret in ingresses.secrets(each)}
    for of in sorted({_secret(each) for each in gone.certificates} - used):
        what = "is not deleted with its Certificate, and no Ingress presents it any more"
        fix = kubectl("delete", "secret", of, "--ignore-not-found")
        yield Problem(f"Secret {qualified(of)}", what, (fix,))
    yield from _shared(gone)
    for each in gone.shrinking:
        hosts = ingresses.hosts(each)
        rest = ", ".join(host or "requests of any host" for host in hosts if host not in served.names)
        ours = ", ".join(host for host in hosts if host in served.names)
        what = f"has {rest} too, and stays: take {ours} out of its rules and its tls"
        yield Problem(f"Ingress {qualified(key(each))}", what, (kubectl("edit", "ingress", key(each)),))


def _shared(gone: Departing) -> Iterator[Problem]:
    """Yield the Ingresses that stay and present a Secret whose Certificate goes with another Ingress."""
    lost = {_secret(each) for each in gone.deleted}
    for each in gone.staying:
        for secret in sorted(ingresses.secrets(each)):
            if (key(each)[0], secret) in lost:
                what = (
                    f"presents the Secret {secret}, whose Certificate goes with another Ingress. cert-manager makes one"
                    " for it when it changes, if it has the annotation of an issuer"
                )
                fix = kubectl("annotate", "ingress", key(each), word(f"istio-gateway-tls/certificate={secret}"))
                yield Problem(f"Ingress {qualified(key(each))}", what, (fix,))


def renewals(found: Found, served: Serving, signed: Signing, gone: Departing) -> Iterator[Problem]:
    """Yield the Certificates that cannot be renewed once records have moved: HTTP-01 proves a name where it leads."""
    moved = elsewhere(found, served)
    issuers = {identity(each): each for each in found.issuers if not is_taken_over(each, signed)}
    deleted = [key(each) for each in gone.certificates]
    for each in found.certificates:
        lost = [name for name in texts(each, "spec", "dnsNames") if name.lower() in moved]
        by = issuers.get(reference(each))
        where = _where_proven(by) if by and lost and each is not signed.chosen else ""
        if by is None or not where:
            continue
        what = (
            f"is proven by HTTP-01 at {where} ({text(by, 'kind')} {qualified(key(by))}): it cannot be renewed once the"
            f" records of {', '.join(lost)} lead to the gateway. "
        )
        rest = [name for name in texts(each, "spec", "dnsNames") if name not in lost]
        if key(each) in deleted:
            what += "It goes with what is removed after the `up`"
        else:
            kept = f", so that {', '.join(rest)} can be" if rest else ""
            what += f"Take them out of it soon after the `up`{kept}"
        yield Problem(f"Certificate {qualified(key(each))}", what)


def _where_proven(issuer: Object) -> str:
    """Return where an issuer proves names by HTTP-01, if that is not the gateway and there is no other way."""
    solvers = mappings(issuer, "spec", "acme", "solvers")
    if any(mapping(each, "dns01") for each in solvers):
        return ""
    for each in solvers:
        solver = mapping(each, "http01", "ingress")
        of = text(solver, "class") or text(solver, "ingressClassName")
        if solver and of != solver_route.CLASS:
            return f"Ingresses of the class {of}" if of else "Ingresses"
    return ""


def annotated(obj: Object) -> list[tuple[str, str, str]]:
    """Return the issuers that an Ingress asks for, as `signing.identity` has them."""
    asked = [(acme.CLUSTER_ISSUER, "", "cluster-issuer"), (acme.ISSUER, key(obj)[0], "issuer")]
    found = [(*of, text(obj, "metadata", "annotations", f"cert-manager.io/{name}")) for *of, name in asked]
    return [(kind, namespace, name) for kind, namespace, name in found if name]
