"""The Google Cloud objects that a config names, looked up before any resource is registered: zones and projects."""

from collections.abc import Iterator, Set

import pulumi_gcp as gcp

from components.problem import HIDDEN, Problem, ProblemsError
from components.shell import word
from components.specs import acme, dns01, names
from config.decoding import config_heading
from config.models import Settings, View, ZonePart
from config.problems import Path, config_problem, dotted, remove_command, set_command

Zone = tuple[str, str | None]
"""A managed zone's name, and its project if that is not gcp:project."""


def require_hosts_in_zone(settings: Settings, stack: str, secrets: Set[str] = frozenset()) -> None:
    """Look the managed zones up, and refuse hosts that they cannot hold; values of secret keys are not shown.

    Raises:
        ProblemsError: a zone cannot be read, or cannot hold some hosts.
    """
    domains: dict[Zone, str] = {}
    problems: list[Problem] = []
    for view in settings.views:
        for part in view.settings.zone_parts:
            path = [*view.path_of("dns"), *part.path]
            domain = domains[part.zone] = domains.get(part.zone) or _zone_domain([*path, "zone"], *part.zone)
            if part.domain in (None, domain):
                problems += _outside(view, part, domain, secrets)
            else:
                problems.append(
                    config_problem(
                        [*path, "domain"],
                        domain,
                        f"{set_command([*path, 'domain'], domain)}, or {set_command([*path, 'zone'], 'NAME')}",
                        value=HIDDEN if path[0] in secrets else part.domain,
                        reason=f"is not the domain of the managed zone {part.settings.dns.zone}",
                    )
                )
    if problems:
        raise ProblemsError(*problems, heading=config_heading(stack, problems))


def _outside(view: View, part: ZonePart, domain: str, secrets: Set[str]) -> Iterator[Problem]:
    """Yield a problem for each host of a gateway that lies outside the domain of its managed zone."""
    hosts = set(part.settings.challenges)
    for index, host in enumerate(view.settings.hosts):
        if host.host not in hosts or names.lies_in(domain, host.host):
            continue
        path: Path = [*view.path, "hosts", index, "host"]
        hidden = path[0] in secrets
        suggestion = f"{'NAME' if hidden else host.host.split('.')[0]}.{domain}"
        yield config_problem(
            path,
            f"{domain} and names below it",
            f"{set_command(path, suggestion)}, or {set_command([*view.path_of('dns'), *part.path, 'zone'], 'NAME')}",
            value=HIDDEN if hidden else host.host,
            reason=f"lies outside the managed zone {part.settings.dns.zone}",
        )


def find_challenge_domains(settings: Settings) -> dict[Zone, str]:
    """Return the domain of each `dns.challengeZone`.

    Raises:
        ProblemsError: a zone cannot be read, or a name in it would be too long.
    """
    domains: dict[Zone, str] = {}
    for view in settings.views:
        challenge_zone = view.settings.dns.challenge_zone
        if challenge_zone is None:
            continue
        path: Path = [*view.path_of("dns"), "challengeZone"]
        zone = challenge_zone.zone, challenge_zone.project
        domain = domains[zone] = domains.get(zone) or _zone_domain([*path, "zone"], *zone)
        for host in view.settings.hosts_proven_by(acme.DNS01):
            length = len(names.challenge_target(host, domain))
            if length > names.MAX_NAME:
                what = (
                    f"{host} would be proven by a name of {length} characters, a DNS name has at most {names.MAX_NAME}"
                )
                raise ProblemsError(Problem(dotted([*path, "zone"]), what, (remove_command(path),)))
    return domains


def find_workload_pool(settings: Settings) -> str | None:
    """Return the full name of the cluster's workload identity pool; None where `dns.workloadIdentity` is off.

    Raises:
        ProblemsError: the cluster's project, whose number is part of the name, cannot be read.
    """
    sections = [view.settings.dns for view in settings.views if view.settings.dns.workload_identity]
    pool = next((dns.workload_pool for dns in sections if dns.workload_pool), None)
    if pool or not sections:
        return pool
    project = (settings.gke.project if settings.gke else None) or settings.gcp_project
    try:
        number = gcp.organizations.get_project(project_id=project).number
    except Exception as error:
        fix = (
            f"gcloud projects describe {word(project)} --format 'value(projectNumber)'",
            set_command(["dns", "workloadPool"], dns01.pool(project, "NUMBER")),
        )
        what = f"the number of the project {project} cannot be read: {error}"
        raise ProblemsError(Problem("dns.workloadIdentity", what, fix)) from None
    return dns01.pool(project, number)


def _zone_domain(path: Path, zone: str, project: str | None) -> str:
    fix = ("gcloud dns managed-zones list", set_command(path, "NAME"))
    where, reason = dotted(path), "there is no such zone"
    try:
        answer = gcp.dns.get_managed_zone(name=zone, project=project)
        domain, visibility = answer.dns_name, answer.visibility
    except Exception as error:
        domain, visibility, reason = "", "", str(error)
    if not domain:
        raise ProblemsError(Problem(where, f"{zone!r} cannot be read: {reason}", fix))
    if visibility == "private":
        what = f"{zone!r} is a private zone, which neither clients nor an ACME server can see; accepted: a public zone"
        raise ProblemsError(Problem(where, what, ("gcloud dns managed-zones list --filter visibility=public", fix[1])))
    return domain.removesuffix(".").lower()
