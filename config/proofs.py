"""The args about proofs of control and CAA records, which span all gateways of a stack."""

from collections.abc import Mapping

import pulumi

from components.caa_records import CaaHostArgs, CaaRecordsArgs
from components.dns01_identity import Dns01IdentityArgs
from components.shared_args import SolverArgs
from components.specs import apis, cert_manager, names
from components.specs.acme import CLUSTER_ISSUER, DNS01
from config.lookups import Zone
from config.models import Settings, ZonePart


def solvers(settings: Settings) -> list[SolverArgs]:
    """Return a solver for each way of proving names; those of other stacks are proven by the stack's default."""
    acme = settings.acme
    solved: list[tuple[SolverArgs, list[str]]] = [(_solver(settings, settings.challenge), [])]
    for part in _zone_parts(settings):
        for host, challenge in part.settings.challenges.items():
            solver = _solver(part.settings, challenge)
            if not any(solver == other for other, _ in solved):
                solved.append((solver, []))
            next(hosts for other, hosts in solved if other == solver).append(host)
    (default, own), *others = solved
    made: list[SolverArgs] = [{**solver, "dns_names": hosts} for solver, hosts in others]
    if acme.issuer_kind != CLUSTER_ISSUER:
        return [default, *made]  # without names it matches any
    if own or acme.dns_names or acme.dns_zones:
        return [{**default, "dns_names": [*own, *acme.dns_names], "dns_zones": acme.dns_zones}, *made]
    return made


def _solver(settings: Settings, challenge: str) -> SolverArgs:
    wait = settings.acme.wait_instead_of_self_check
    solver: SolverArgs = {"challenge": challenge, "wait_instead_of_self_check": wait}
    if challenge != DNS01:
        if settings.api == apis.GATEWAY:
            # One solver is for every gateway: a Certificate names its own.
            return {**solver, "api": settings.api}
        return {**solver, "class_field": settings.ingress.class_field}
    zone, project = _challenge_zone(settings)
    follow = settings.dns.challenge_zone is not None
    return {**solver, "zone": zone, "project": project or settings.gcp_project, "follow_cname": follow}


def _challenge_zone(settings: Settings) -> Zone:
    section = settings.dns.challenge_zone or settings.dns
    return section.zone, section.project


def access(settings: Settings, stack: str, pool: str | None) -> dict[str, Dns01IdentityArgs]:
    """Return cert-manager's access to each zone, by the component's name."""
    granting = [part.settings for part in _zone_parts(settings) if _may_write(part.settings)]
    uid = next((view.dns.workload_account for view in granting if view.dns.workload_account), None)
    identities: dict[str, Dns01IdentityArgs] = {}
    for position, (zone, project) in enumerate(dict.fromkeys(map(_challenge_zone, granting))):
        own = f"{stack}_{zone}" if position else stack
        here = (view.dns.workload_role for view in granting if _challenge_zone(view) == (zone, project))
        identities[f"dns01-{zone}" if position else "dns01"] = {
            "zone": zone,
            "project": project or settings.gcp_project,
            "pool": pool or "",
            "role_id": next(filter(None, here), None) or names.role_id("certManagerDns01", own),
            "namespace": settings.cert_manager.namespace,
            "service_account": cert_manager.service_account(settings.cert_manager.values),
            "uid": uid,
        }
    return identities


def _zone_parts(settings: Settings) -> list[ZonePart]:
    """Return the parts of all gateways."""
    return [part for view in settings.views for part in view.settings.zone_parts]


def _may_write(settings: Settings) -> bool:
    """Tell whether cert-manager is granted the zone, which DNS-01 is proven in."""
    return settings.dns.workload_identity and DNS01 in (settings.challenge, *settings.challenges.values())


def caa_records(
    settings: Settings, accounts: pulumi.Input[Mapping[str, pulumi.Input[str]]]
) -> dict[str, CaaRecordsArgs]:
    """Return the CAA records of each zone, by the component's name.

    A wildcard and its domain share a record set, even where two gateways serve them.
    """
    zones: dict[Zone, list[Settings]] = {}
    for part in _zone_parts(settings):
        if part.settings.dns.caa:
            zones.setdefault(part.zone, []).append(part.settings)
    records: dict[str, CaaRecordsArgs] = {}
    for position, ((zone, project), views) in enumerate(zones.items()):
        challenges = [pair for view in views for pair in view.challenges.items()]
        hosts: list[CaaHostArgs] = [{"host": host, "challenge": challenge} for host, challenge in challenges]
        records[f"caa-{zone}" if position else "caa"] = {
            "hosts": hosts,
            "accounts": accounts,
            "zone": zone,
            "project": project,
            "identities": views[0].caa_identities or [],
            "ttl": views[0].dns.ttl,
        }
    return records


def delegations(settings: Settings) -> dict[str, set[str]]:
    """Return the hosts of each gateway that are proven in another zone; a wildcard and its domain share one proof."""
    delegated: dict[str, set[str]] = {}
    taken: set[str] = set()
    for view in settings.views:
        hosts = view.settings.hosts_proven_by(DNS01) if view.settings.dns.challenge_zone else []
        delegated[view.name] = {host for host in hosts if names.without_wildcard(host) not in taken}
        taken |= set(map(names.without_wildcard, hosts))
    return delegated


def challenge_domain(settings: Settings, domains: Mapping[Zone, str]) -> str | None:
    """Return the domain that a gateway's names are proven in, if not their own."""
    return domains.get(_challenge_zone(settings)) if settings.dns.challenge_zone else None
