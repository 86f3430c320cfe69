"""What becomes of the objects that were read: the stack's config, what to do before and after the `up`, what stays."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from components.problem import Problem
from components.specs import acme, apis, gcloud, istio
from config.command import TLSCTL
from tlsctl.adopt import cert_manager
from tlsctl.adopt.cleanup import Cleanup, mounted_secrets
from tlsctl.adopt.ingress_removal import lost_renewals, plan_removal
from tlsctl.adopt.istio import HTTPS, blocked_challenges, listeners, old_api
from tlsctl.adopt.objects import Inventory, at, key, mapping, note, selects, text, texts
from tlsctl.adopt.serving import Serving, serving
from tlsctl.adopt.signing import Signing, signing, solver_challenge
from tlsctl.own import OwnObjects

_GKE = re.compile(r"gke_(?P<project>[^_]+)_(?P<location>[^_]+)_(?P<cluster>[^_]+)")
"""The name that gcloud gives to the context of a cluster."""

_TOOLS = {
    "meta.helm.sh/release-name": "Helm",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""Annotations and labels by which other tools mark their objects."""

_DEFAULT_TTL = 300


@dataclass
class Decision:
    """What to write and to print."""

    config: dict[str, Any]
    """By key, without the project's prefix."""
    before: list[dict[str, Any]] = field(default_factory=list)
    """Objects to apply before the `up`, so that requests are answered while it runs."""
    before_notes: list[Problem] = field(default_factory=list)
    """What prevents certificates from being signed."""
    after: list[Problem] = field(default_factory=list)
    """What to remove after the `up`, in this order, so that HTTPS does not stop."""
    notes: list[Problem] = field(default_factory=list)
    """What the stack cannot take over, or changes."""
    elsewhere: list[str] = field(default_factory=list)
    """Hosts whose record does not lead to the gateway."""
    address: str = ""


def decide(inventory: Inventory, stack: str, challenge: str | None = None) -> Decision:
    """Return what becomes of the objects; a challenge replaces the one that the issuer uses."""

    def challenge_of(host: str) -> str:
        return challenge or signed.challenge_of(host)

    # The challenge depends on the issuer, which depends on the Gateways, and hosts depend on the challenge.
    served = serving(inventory, lambda _: acme.DNS01)
    signed = signing(inventory, served.namespace, served.credentials)
    served = serving(inventory, challenge_of)
    used = {challenge_of(host) for host in served.names}
    proven = next(iter(used)) if len(used) == 1 else challenge or signed.challenge
    for host in served.hosts:
        if (own := challenge_of(host["host"])) != proven:
            host["challenge"] = own
    if served.api == apis.GATEWAY and len(served.hosts) > 1:
        signed.divide(served.names)
    _order_hosts(served, signed)
    chart_notes: list[Problem] = []
    chart = cert_manager.section(inventory, chart_notes)
    if chart and chart.get("install") is False:
        signed.acme["createIssuers"] = True
    if others := signed.other_names(inventory, served.names):
        signed.acme["dnsNames"] = others
    removal = plan_removal(inventory, served, signed)
    cleanup = Cleanup(inventory, served, signed, OwnObjects(stack, served.namespace), removal)
    return Decision(
        {
            **_cluster(inventory),
            "acme": signed.acme,
            **({"api": served.api} if served.api != apis.ISTIO else {}),
            **({"challenge": proven} if proven != "http01" else {}),
            "hosts": served.hosts,
            "dns": _dns(inventory, served),
            **_sections(
                ingress=_ingress(served, signed, cleanup),
                certManager=chart or {},
                certificate=signed.certificate,
                tls=_tls(served, signed),
            ),
        },
        list(cleanup.copies.values()),
        [
            *blocked_challenges(served.gateways),
            *_zone_access(inventory, signed, used),
            *_reads_gateway_api(served, chart, used),
        ],
        list(cleanup.steps()),
        [
            *served.notes,
            *signed.notes,
            *chart_notes,
            *lost_renewals(inventory, served, signed, removal),
            *old_api(inventory),
            *_other_records(inventory, served),
            *_other_tools(inventory, served),
        ],
        served.elsewhere(inventory),
        served.address,
    )


def _sections(**sections: dict[str, Any]) -> dict[str, Any]:
    return {name: section for name, section in sections.items() if section}


def _zone_access(inventory: Inventory, signed: Signing, used: Collection[str]) -> Iterator[Problem]:
    """Yield that cert-manager needs access to the zone, if it has not proven names there before."""
    if acme.DNS01 in used and acme.DNS01 not in map(solver_challenge, signed.solvers):
        what = (
            f"needs access to the managed zone {inventory.zone}, to prove names there. On GKE with Workload Identity"
            " the stack grants it; other ways are in docs/challenges.md"
        )
        yield Problem("cert-manager", what, ("pulumi config set --path dns.workloadIdentity true",))


def _reads_gateway_api(served: Serving, chart: dict[str, Any] | None, used: Collection[str]) -> Iterator[Problem]:
    """Yield that a cert-manager which the stack does not install has to make HTTPRoutes for challenges."""
    if served.api == apis.GATEWAY and acme.HTTP01 in used and chart and chart.get("install") is False:
        what = (
            "has to read the Gateway API, to answer challenges there: its chart's value config.gatewayAPI.enabled, or"
            " enableGatewayAPI in the file of its flag --config"
        )
        yield Problem("cert-manager", what)


def _order_hosts(served: Serving, signed: Signing) -> None:
    """Put the hosts into the order of the certificate's names: another order is another certificate."""
    if signed.chosen is None:
        return
    names = texts(signed.chosen, "spec", "dnsNames")
    served.hosts.sort(key=lambda host: names.index(host["host"]) if host["host"] in names else len(names))
    if names != served.names:
        own = ", ".join(served.names) or "none"
        what = f"is for {', '.join(names) or 'no name'}, the stack's for {own}: it is signed again, once"
        served.notes.append(note(signed.chosen, what))


def _cluster(inventory: Inventory) -> dict[str, Any]:
    match = _GKE.fullmatch(inventory.context)
    if not match:
        return {"context": inventory.context} if inventory.context else {}
    cluster = {"cluster": match["cluster"], "location": match["location"]}
    return {"gke": cluster | ({"project": match["project"]} if match["project"] != inventory.project else {})}


def _dns(inventory: Inventory, served: Serving) -> dict[str, Any]:
    ttls = [record.get("ttl") for host in served.names for record in inventory.a_records(host)]
    valid = [ttl for ttl in ttls if isinstance(ttl, int) and 0 < ttl <= 86400]
    usual = Counter(valid).most_common(1)[0][0] if valid else _DEFAULT_TTL
    return {"zone": inventory.zone, **({"ttl": usual} if usual != _DEFAULT_TTL else {})}


def _ingress(served: Serving, signed: Signing, cleanup: Cleanup) -> dict[str, Any]:
    """Return what differs from the defaults."""
    values: dict[str, tuple[Any, Any]] = {
        "namespace": (served.namespace, istio.NAMESPACE),
        "service": (key(served.service)[1] if served.service else istio.SERVICE, istio.SERVICE),
        "selector": (dict(served.selector), istio.SELECTOR),
        "classField": (signed.class_field, "class"),
        "routesFrom": (cleanup.routes_from, []),
    }
    return {name: value for name, (value, default) in values.items() if value != default}


def _tls(served: Serving, signed: Signing) -> dict[str, Any]:
    secure = (listener for gateway in served.gateways for listener in listeners(gateway, HTTPS))
    versions = {text(listener, "tls", "minProtocolVersion") for listener in secure}
    result: dict[str, Any] = {"minVersion": "1.3"} if versions == {"TLSV1_3"} else {}
    if served.hsts and signed.acme.get("issuer") == acme.PROD:
        result["hsts"] = served.hsts
    return result


def _other_records(inventory: Inventory, served: Serving) -> Iterator[Problem]:
    """Yield the record sets that exclude an A record of a host, or that lead around the gateway."""
    for record in inventory.record_sets:
        name, kind = text(record, "name").rstrip(".").lower(), text(record, "type")
        if name not in served.names or kind not in ("A", "CNAME", "AAAA"):
            continue
        where = f"record set {name}. {kind}"
        if kind == "A":
            if len(addresses := texts(record, "rrdatas")) > 1:
                yield Problem(
                    where, f"leads to {', '.join(addresses)}; the stack's leads to the gateway's address alone"
                )
            continue
        if kind == "AAAA":
            fix = gcloud.delete(name, kind, inventory.zone, inventory.project)
            yield Problem(where, "leads clients with IPv6 to another address than the gateway's", (fix,))
            continue
        what = "excludes an A record: replace it by one with the address that it leads to, then adopt again"
        target = next(iter(texts(record, "rrdatas")), "TARGET")
        ttl = at(record, "ttl") or _DEFAULT_TTL
        replace = gcloud.replace_cname(name, target, "A", inventory.zone, inventory.project, ttl)
        yield Problem(where, what, (*replace, f"{TLSCTL} adopt"))


def _other_tools(inventory: Inventory, served: Serving) -> Iterator[Problem]:
    """Yield the objects that another tool applies, which would revert the stack's changes, and mounted Secrets."""
    for obj in (*inventory.issuers, *inventory.certificates, *served.gateways):
        marks = {**mapping(obj, "metadata", "annotations"), **mapping(obj, "metadata", "labels")}
        for tool in dict.fromkeys(tool for mark, tool in _TOOLS.items() if mark in marks):
            yield note(obj, f"is also applied by {tool}: remove it there before the `up`, without deleting the object")
    for deployment in inventory.deployments:
        labels = mapping(deployment, "spec", "template", "metadata", "labels")
        if key(deployment)[0] == served.namespace and selects(served.selector, labels):
            yield from mounted_secrets(deployment)
