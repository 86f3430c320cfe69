"""What the surroundings would defeat, said before any traffic is touched: one list of checks.

A preview and an `up` make them, and refuse or warn; `tlsctl verify` makes them on a live stack, and an `up` that failed
makes them to explain it. What cannot be read is not checked, and is no error.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..problem import Problem
from . import cert_manager, mesh, neighbours, records, roles, service

ADOPTING = "ISTIO_GATEWAY_TLS_ADOPTING"
"""An environment variable of the preview of `tlsctl adopt`, in which nothing that exists already is in the way."""


@dataclass(frozen=True)
class Check:
    """One thing that defeats a stack."""

    finding: str
    """What is there."""
    fix: str
    """What leads out, in words; a problem has the commands."""
    verify: str
    """The check of `tlsctl verify` that reports it; empty where none does."""
    problems: Callable[..., Iterator[Problem]]
    """Yields a problem for each time that it is there; takes what all checks of its list take."""
    warns: bool = False
    """Whether it is a warning only: it may be meant, or mended while the stack goes up."""


SERVICE: Mapping[str, Check] = {
    "type": Check(
        "the gateway's Service is no LoadBalancer",
        "the `kubectl patch` that makes it one",
        "service",
        service.wrong_type,
    ),
    "port": Check(
        "the Service has no port 443, or with HTTP-01 no port 80",
        "the `kubectl patch` that adds it",
        "service",
        service.missing_port,
    ),
    "address": Check(
        "its load balancer has a host name, or no address of the IP version of `ingress.family`",
        "another Service or family, or the `kubectl patch` that adds the address",
        "service",
        service.wrong_address,
    ),
    "selector": Check(
        "`ingress.selector` contradicts the Service's own selector: no Pod has the labels of both",
        "`ingress.selector` with the Service's labels",
        "service",
        service.other_pods,
    ),
    "unreachable": Check(
        "with HTTP-01 and a public CA: a private address, an internal load balancer, or `loadBalancerSourceRanges`",
        "`challenge: dns01`",
        "service",
        service.unreachable,
    ),
}
"""Checks of a Service, and of what it is `Wanted` for. They are made again whenever it changes while `up` waits."""

MESH: Mapping[str, Check] = {
    "solver": Check(
        "MeshConfig sends the Ingresses of HTTP-01 solvers to other Pods, or to none",
        "the `helm upgrade` that changes it, or `challenge: dns01`",
        "challenge",
        mesh.no_route,
    ),
    "undiscovered": Check(
        "the gateway's namespace has no label of MeshConfig's `discoverySelectors`",
        "the `kubectl label` that adds it",
        "gateway",
        mesh.undiscovered,
        warns=True,
    ),
    "closed": Check(
        "an AuthorizationPolicy on the gateway's Pods refuses the path of HTTP-01 to a CA",
        "the `kubectl patch` that exempts the path, or `challenge: dns01`",
        "challenge",
        mesh.closed,
        warns=True,
    ),
}
"""Checks of a `mesh.Mesh`, with HTTP-01 by Istio's own API."""

NEIGHBOURS: Mapping[str, Check] = {
    "same-host": Check(
        "a Gateway of another, for the same Pods, lists a host, or a name below a wildcard: Istio serves the older one"
        " alone, Envoy refuses what lists a host in another form, and `httpsRedirect` answers HTTP-01",
        "its owner takes the host out of it",
        "neighbour",
        neighbours.same_host,
        warns=True,
    ),
}
"""Checks of the `neighbours.Neighbours` of a Gateway that is to be created."""

RECORDS: Mapping[str, Check] = {
    "cname": Check(
        "a host that is to have an address is a CNAME",
        "one transaction that puts the address in its place",
        "record",
        records.beside_cname,
    ),
    "zone": Check(
        "DNS has other name servers for the zone's domain than the zone's: nobody would see its records",
        "the domain's NS records, at the registrar or in the zone above",
        "record",
        records.not_delegated,
        warns=True,
    ),
    "cut": Check(
        "a name lies below NS records of the zone, by which other servers are asked for it",
        "the managed zone of that name, or the deletion of the NS records",
        "record",
        records.below_cut,
    ),
    "delegation": Check(
        "a name that is to be the CNAME of a DNS-01 proof has other records",
        "their deletion",
        "record",
        records.cname_beside,
    ),
    "taken": Check(
        "a host has records with other addresses than the gateway's, and so has its users elsewhere",
        "`tlsctl adopt`, which moves the records last, or `dns.takeOver`, which does so where all hosts use DNS-01",
        "record",
        records.leads_elsewhere,
    ),
    "out-of-reach": Check(
        "a record set is there, beyond the first 1,000 of its zone, where the provider replaces none",
        "`tlsctl adopt`, which imports it",
        "record",
        records.out_of_reach,
    ),
    "caa": Check(
        "CAA records of the zone, at a host or above it, forbid the CA",
        "the CA's domain in them, or `dns.caa`",
        "caa",
        records.other_ca,
    ),
    "family": Check(
        "a host has a record of the IP version that `ingress.family` does not have",
        "its deletion, or `ingress.family: dual`",
        "record",
        records.other_family,
        warns=True,
    ),
}
"""Checks of a record set that is to be created, and of the `records.Zone` that it is for."""

CERT_MANAGER: Mapping[str, Check] = {
    "release": Check(
        "cert-manager's definitions are of another Helm release, or of none",
        "`certManager.install: false`, or `tlsctl adopt`",
        "issuer",
        cert_manager.other_release,
    ),
    "controller": Check(
        "cert-manager runs in `certManager.namespace` already",
        "`certManager.install: false`, or `tlsctl adopt`",
        "issuer",
        cert_manager.other_controller,
    ),
    "namespace": Check(
        "the namespace is there already, without a cert-manager, or is not there and `createNamespace` is false",
        "`certManager.createNamespace`",
        "issuer",
        cert_manager.namespace_exists,
    ),
}
"""Checks of the `cert_manager.Place` in which cert-manager is to be installed, before its namespace is created."""

ROLES: Mapping[str, Check] = {
    "role": Check(
        "a custom role of `dns.workloadIdentity`, or of bootstrap, was deleted 7 to 37 days ago (`up` finds it)",
        "another id: `dns.workloadRole`, or `roleSuffix` in bootstrap",
        "",
        roles.deleted_role,
    ),
}
"""Checks of a custom role's id, the provider's errors, and the command that sets another id."""

CHECKS = {**SERVICE, **MESH, **NEIGHBOURS, **RECORDS, **CERT_MANAGER, **ROLES}
"""All of them, by name; docs/checks.md has a row for each."""


def adopts() -> bool:
    """Tell whether this is the preview of `tlsctl adopt`, which lists the resources that are to be imported."""
    return bool(os.environ.get(ADOPTING))


def find(checks: Mapping[str, Check], *subject: Any, warn: bool = False) -> Iterator[Problem]:
    """Yield what those of some checks find about their subject that refuse, or with `warn` those that warn."""
    for check in checks.values():
        if check.warns is warn:
            yield from check.problems(*subject)
