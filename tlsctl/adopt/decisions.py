"""What becomes of what was found: the stack's config, what to do before and after the `up`, and what stays by hand."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.problem import Problem
from components.shell import word
from components.specs import acme, cert_manager, istio
from tlsctl.adopt import cleanup, ingress_removal, signing
from tlsctl.adopt.objects import Found, at, key, mapping, other_writers, qualified, selects, text, texts
from tlsctl.adopt.serving import Serving, elsewhere, serving

_GKE = re.compile(r"gke_(?P<project>[^_]+)_(?P<location>[^_]+)_(?P<cluster>[^_]+)")
"""How gcloud calls the context of a cluster."""

_DEFAULT_TTL = 300
_OWN_VALUES = ("crds", "installCRDs", "startupapicheck")
"""Values of the chart that the program gives itself."""


@dataclass
class Decision:
    """What to write and to say."""

    config: dict[str, Any]
    """By key, without the project's prefix."""
    before: list[dict[str, Any]] = field(default_factory=list)
    """Objects to apply before the `up`, so that requests are answered while it runs."""
    before_notes: list[Problem] = field(default_factory=list)
    after: list[Problem] = field(default_factory=list)
    """What to remove after the `up`, in this order, so that HTTPS does not stop."""
    notes: list[Problem] = field(default_factory=list)
    """What the stack cannot take over, or changes."""
    elsewhere: list[str] = field(default_factory=list)
    """Hosts whose record does not lead to the gateway."""
    address: str = ""
    """The gateway's."""


def decide(found: Found, stack: str, challenge: str | None = None) -> Decision:
    """Return what becomes of what was found.

    Args:
        found: the cluster and the zone.
        stack: the stack's name.
        challenge: how ownership of a name is to be proven, if not as it is.
    """
    # Which issuer signs says how names are proven, and so which hosts the config can have: the Gateways come first.
    drawn = serving(found, challenge or "dns01")
    signed = signing.signing(found, drawn.namespace, drawn.credentials)
    proven = challenge or signed.challenge
    served = drawn if proven == "dns01" else serving(found, proven)
    _order(served, signed)
    config: dict[str, Any] = {**_cluster(found), "acme": signed.acme}
    if proven != "http01":
        config["challenge"] = proven
    config["hosts"] = served.hosts
    config["dns"] = _dns(found, served)
    if ingress := _ingress(served, signed):
        config["ingress"] = ingress
    notes = [*served.notes, *signed.notes]
    chart, creates = _cert_manager(found, notes)
    if chart:
        config["certManager"] = chart
    if creates:
        signed.acme["createIssuers"] = True
    if others := signing.names_of_others(found, served.names, signed.chosen):
        signed.acme["dnsNames"] = others
    if signed.certificate:
        config["certificate"] = signed.certificate
    if tls := _tls(served, signed):
        config["tls"] = tls
    decision = Decision(config, notes=notes)
    decision.elsewhere, decision.address = elsewhere(found, served), served.address
    decision.before = cleanup.copies(found, served, stack)
    decision.before_notes = list(cleanup.redirects_in_the_way(served))
    decision.before_notes += _access(found, signed, proven)
    departed = ingress_removal.departing(found, served, signed)
    decision.after = list(cleanup.leftovers(found, served, signed, stack, decision.before, departed))
    notes += ingress_removal.renewals(found, served, signed, departed)
    notes += _istio(found)
    notes += _other_records(found, served)
    notes += _shared_with(found, served)
    return decision


def _access(found: Found, signed: signing.Signing, proven: str) -> Iterator[Problem]:
    """Yield that cert-manager needs access to the zone, where it is the first time that it proves names there."""
    if proven == "dns01" and signed.challenge != "dns01":
        what = (
            f"needs access to the managed zone {found.zone}, to prove names there. On GKE with Workload Identity the"
            " stack grants it; other ways are in docs/challenges.md"
        )
        yield Problem("cert-manager", what, ("pulumi config set --path dns.workloadIdentity true",))


def _order(served: Serving, signed: signing.Signing) -> None:
    """Bring the hosts into the order of the certificate's names: another order is another certificate."""
    given = (signed.chosen and at(signed.chosen, "spec", "dnsNames")) or []
    served.hosts.sort(key=lambda each: given.index(each["host"]) if each["host"] in given else len(given))
    if signed.chosen is not None and list(given) != served.names:
        what = f"is for {', '.join(map(str, given)) or 'no name'}, the stack's for {', '.join(served.names) or 'none'}:"
        served.notes.append(Problem(f"Certificate {qualified(key(signed.chosen))}", f"{what} it is signed anew, once"))


def _cluster(found: Found) -> dict[str, Any]:
    match = _GKE.fullmatch(found.context)
    if not match:
        return {"context": found.context} if found.context else {}
    cluster = {"cluster": match["cluster"], "location": match["location"]}
    return {"gke": cluster | ({"project": match["project"]} if match["project"] != found.project else {})}


def _dns(found: Found, served: Serving) -> dict[str, Any]:
    ttls = [
        each["ttl"]
        for each in found.record_sets
        if text(each, "type") == "A"
        and text(each, "name").rstrip(".") in served.names
        and isinstance(each.get("ttl"), int)
        and 0 < each["ttl"] <= 86400
    ]
    usual = Counter(ttls).most_common(1)[0][0] if ttls else _DEFAULT_TTL
    return {"zone": found.zone, **({"ttl": usual} if usual != _DEFAULT_TTL else {})}


def _ingress(served: Serving, signed: signing.Signing) -> dict[str, Any]:
    given: dict[str, Any] = {
        "namespace": served.namespace,
        "service": key(served.service)[1] if served.service else istio.SERVICE,
        "selector": dict(served.selector),
        "classField": signed.class_field,
    }
    usual = {
        "namespace": istio.NAMESPACE,
        "service": istio.SERVICE,
        "selector": istio.SELECTOR,
        "classField": "class",
    }
    return {name: value for name, value in given.items() if value != usual[name]}


def _tls(served: Serving, signed: signing.Signing) -> dict[str, Any]:
    found: dict[str, Any] = {}
    versions = {
        text(server, "tls", "minProtocolVersion")
        for gateway in served.gateways
        for server in at(gateway, "spec", "servers") or ()
        if at(server, "port", "number") == 443
    }
    if versions == {"TLSV1_3"}:
        found["minVersion"] = "1.3"
    if served.hsts and signed.acme.get("issuer") == acme.PROD:
        found["hsts"] = served.hsts
    return found


def _cert_manager(found: Found, notes: list[Problem]) -> tuple[dict[str, Any], bool]:
    """Return the section of the config, and whether the stack makes issuers although it installs nothing."""
    controllers = [each for each in found.deployments if _is_controller(each)]
    if not controllers:
        return {}, False
    namespace = key(controllers[0])[0]
    version = _version_of(controllers[0], found)
    where, reason = f"cert-manager {version or ''}".strip(), ""
    release = found.release
    if release is None:
        reason = f"is installed in {namespace} by a manifest, and not by Helm"
    elif release.name != "cert-manager":
        reason = f"is the Helm release {release.name}; a stack's is called cert-manager"
    elif _shares(found, namespace):
        reason = f"has the namespace {namespace} in common with others; a stack's has its own"
    if reason:
        what = f"{reason}: it stays as it is, and the stack uses it (certManager.install: false)"
        notes.append(Problem(where, what, _upgrade_fix(version, namespace)))
        section: dict[str, Any] = {"install": False}
        return section | ({"namespace": namespace} if namespace != "cert-manager" else {}), True
    assert release is not None  # noqa: S101 - the reason says so otherwise
    return _release(release.version or version, release.values, namespace, found, notes), False


def _release(
    version: str, given: Mapping[str, Any], namespace: str, found: Found, notes: list[Problem]
) -> dict[str, Any]:
    section: dict[str, Any] = {"namespace": namespace} if namespace != "cert-manager" else {}
    try:
        kept = cert_manager.check_version(version)
        if kept != cert_manager.VERSION:
            section["version"] = kept
    except ValueError as error:
        what = (
            f"{error}: the `up` upgrades it to {cert_manager.VERSION}; cert-manager's way is a minor version at a time"
        )
        fix = (
            f"helm get values cert-manager --namespace {word(namespace)}",
            "https://cert-manager.io/docs/releases/upgrading/",
        )
        notes.append(Problem(f"cert-manager {version or 'of an unknown version'}", what, fix[:1]))
    if found.release is not None and found.release.version is None:
        what = "are in a Secret that cannot be read from here; what they change belongs into certManager.values"
        notes.append(
            Problem(
                "values of the Helm release", what, (f"helm get values cert-manager --namespace {word(namespace)}",)
            )
        )
    values = {name: value for name, value in given.items() if name not in _OWN_VALUES and value is not None}
    leader = mapping(values, "global", "leaderElection")
    if set(mapping(values, "global")) == {"leaderElection"} and leader == {"namespace": namespace}:
        del values["global"]
    if not found.definitions_by_helm:
        # Helm takes over no object that it has not made.
        values["crds"] = {"enabled": False}
        notes.append(Problem("CRDs of cert-manager", "applied without Helm; they stay so (certManager.values.crds)"))
    return section | ({"values": values} if values else {})


def _is_controller(deployment: Any) -> bool:
    labels = mapping(deployment, "metadata", "labels")
    component = labels.get("app.kubernetes.io/component")
    named = labels.get("app.kubernetes.io/name") == "cert-manager" or labels.get("app") == "cert-manager"
    return named and component in (None, "controller")


def _version_of(controller: Any, found: Found) -> str:
    label = text(controller, "metadata", "labels", "app.kubernetes.io/version")
    image = text(controller, "spec", "template", "spec", "containers", 0, "image")
    tag = re.search(r":(v?\d+\.\d+\.\d+)", image)
    return (found.release and found.release.version) or label or (tag[1] if tag else "")


def _shares(found: Found, namespace: str) -> bool:
    ours = ("cert-manager", "cainjector", "webhook")
    here = [each for each in found.deployments if key(each)[0] == namespace]
    return any(
        mapping(each, "metadata", "labels").get("app.kubernetes.io/name") not in ours
        and mapping(each, "metadata", "labels").get("app") not in ours
        for each in here
    )


def _upgrade_fix(version: str, namespace: str) -> tuple[str, ...]:
    try:
        cert_manager.check_version(version)
    except ValueError:
        look = f"kubectl --namespace {word(namespace)} get deployments"
        return (f"{look}    # older than the stack would install: upgrade it",)
    return ()


def _istio(found: Found) -> list[Problem]:
    if found.istio_api.endswith("/v1") or not found.gateways:
        return []
    what = f"has {found.istio_api} at most; the program needs networking.istio.io/v1, of Istio 1.22 and later"
    return [Problem("Istio", what, ("istioctl version",))]


def _other_records(found: Found, served: Serving) -> Iterator[Problem]:
    """Yield the record sets that a host's A record cannot be beside, or that lead around the gateway."""
    for each in found.record_sets:
        name, kind = text(each, "name").rstrip(".").lower(), text(each, "type")
        if name not in served.names or kind not in ("CNAME", "AAAA"):
            continue
        fix: tuple[str, ...] = (
            f"gcloud dns record-sets delete {word(name + '.')} --type {word(kind)} --zone {word(found.zone)}",
        )
        what = "leads clients with IPv6 to another address than the gateway's"
        if kind == "CNAME":
            what = "is where the A record must be: replace it by one with the address that it leads to, and adopt again"
            change = f"gcloud dns record-sets transaction {{}} --zone {word(found.zone)}"
            record = f"--name {word(name + '.')} --ttl {at(each, 'ttl') or _DEFAULT_TTL} --type"
            fix = (
                change.format("start"),
                f"{change.format('remove')} {record} CNAME {word(next(iter(texts(each, 'rrdatas')), 'TARGET'))}",
                f"{change.format('add')} {record} A ADDRESS",
                change.format("execute"),
                "uv run python -m tlsctl adopt",
            )
        yield Problem(f"record set {name}. {kind}", what, fix)


def _shared_with(found: Found, served: Serving) -> Iterator[Problem]:
    """Yield the objects that another tool applies, which would take back what the stack changes."""
    for obj in (*found.issuers, *found.certificates, *served.gateways):
        for tool in dict.fromkeys(other_writers(obj)):
            what = f"is also applied by {tool}: take it out there, without deleting it, before the `up`"
            yield Problem(f"{text(obj, 'kind')} {qualified(key(obj))}", what)
    for each in found.deployments:
        pods = mapping(each, "spec", "template", "metadata", "labels")
        if key(each)[0] == served.namespace and selects(served.selector, pods):
            yield from cleanup.mounted(each)
