"""What no single field can tell: rules between keys of the whole stack.

They look at the raw config, not at the validated one, so that they are reported together with the errors of single
fields. What has the wrong type is passed over here: its own field has said so.
"""

import json
from collections.abc import Iterator, Mapping, Set
from typing import Any

from components.kube import kubeconfig
from components.problem import Problem
from components.specs import acme, cert_manager

from .gateway_checks import between_gateways, gateway_checks, strict
from .keys import Keys, of_each_gateway
from .problems import HIDDEN, Path
from .signing_checks import signing_checks


def cross_checks(raw: Mapping[str, Any], secret: Set[str]) -> list[Problem]:
    """Return the problems between keys.

    Args:
        raw: the config, decoded and not validated.
        secret: keys whose values are encrypted, and so must not be shown.
    """
    gateways = of_each_gateway(raw, secret)
    stack = gateways[0]
    return [
        *_cluster(stack),
        *_kubeconfig(stack),
        *_issuers(stack, gateways),
        *signing_checks(stack),
        *_chart(stack),
        *(problem for gateway in gateways for problem in gateway_checks(gateway, gateways)),
        *between_gateways(gateways),
        *strict(gateways),
    ]


def _cluster(stack: Keys) -> Iterator[Problem]:
    for key in ("kubeconfig", "context"):
        if stack.raw.get("gke") and stack.raw.get(key):
            value = HIDDEN if key == "kubeconfig" else stack.raw[key]
            accepted = "kubeconfig and context, or gke"
            yield stack.problem([key], "contradicts gke", accepted, stack.remove([key]), value)


def _kubeconfig(stack: Keys) -> Iterator[Problem]:
    given = stack.raw.get("kubeconfig")
    content = json.dumps(given) if isinstance(given, dict) else given
    if not isinstance(content, str) or not kubeconfig.is_content(content):
        return
    accepted = "a path; content without credentials; content with them as a secret; or gke"
    fix = "pulumi config set --secret kubeconfig < KUBECONFIG"
    try:
        embedded = kubeconfig.embedded_credentials(content)
    except ValueError as error:
        yield stack.problem(["kubeconfig"], str(error), accepted, fix, HIDDEN)
        return
    if embedded and "kubeconfig" not in stack.secret:
        reason = f"holds credentials in plain text, {', '.join(embedded)}: replace them, the stack's file had them"
        yield stack.problem(["kubeconfig"], reason, accepted, fix, HIDDEN)


def _issuers(stack: Keys, gateways: list[Keys]) -> Iterator[Problem]:
    section = stack.section("acme")
    create = section.get("createIssuers")
    if create is None:
        create = stack.section("certManager").get("install", True)
    kind = section.get("issuerKind", acme.CLUSTER_ISSUER)
    path: Path = ["acme", "issuerKind"]
    creates, proven = str(create).lower() != "false", {each for keys in gateways for each in keys.challenges}
    if creates and kind == acme.ISSUER and acme.DNS01 in proven:
        # cert-manager's --issuer-ambient-credentials would lend them to every Issuer of the cluster.
        reason = "cannot prove names by dns01: cert-manager lends its access to Cloud DNS to ClusterIssuers alone"
        fix = stack.set(path, acme.CLUSTER_ISSUER)
        yield stack.problem(path, reason, "ClusterIssuer with dns01", fix, kind)
    for key in ("dnsNames", "dnsZones") if kind == acme.ISSUER else ():
        if section.get(key):
            reason = "has no effect: an Issuer signs for the gateway's namespace alone"
            fix = stack.remove(["acme", key])
            yield stack.problem(["acme", key], reason, "a list with ClusterIssuers", fix, section[key])
    for other in gateways[1:] if kind == acme.ISSUER else ():
        theirs, own = other.place[0], stack.place[0]
        if theirs != own:
            where: Path = ["ingress", "namespace"]
            hidden = "ingress" in stack.secret
            named = "the namespace of the stack's own gateway" if hidden else str(own)
            reason = f"has no issuer: the stack's are Issuers of {named}, and sign for that namespace alone"
            fix = f"{other.set(where, 'NAMESPACE' if hidden else own)}, or {stack.set(path, acme.CLUSTER_ISSUER)}"
            yield other.problem(where, reason, f"{named}, or any with ClusterIssuers", fix, theirs)


def _chart(stack: Keys) -> Iterator[Problem]:
    section = stack.section("certManager")
    chart = section.get("chart", cert_manager.CHART)
    for key in ("digest", "keyring") if isinstance(chart, str) else ():
        if not section.get(key):
            continue
        try:
            if key == "digest":
                cert_manager.pinned(chart, str(section[key]))
            else:
                cert_manager.check_signable(chart)
        except ValueError as error:
            path: Path = ["certManager", "chart"]
            fix = f"{stack.set(path, 'CHART.tgz')}, or {stack.remove(['certManager', key])}"
            yield stack.problem(path, str(error), f"an OCI reference or a .tgz with certManager.{key}", fix, chart)
