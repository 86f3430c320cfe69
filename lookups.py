"""What a stack's config names of Google Cloud, looked up before any resource is registered: zones, cluster, project."""

import json
from collections.abc import Iterator, Set

import pulumi
import pulumi_gcp as gcp

from components.rules import acme, dns01, names
from components.rules.kubeconfig import gke_kubeconfig, is_content
from components.rules.problem import Problem, ProblemsError
from settings import Settings, config_heading
from settings.cluster import Gke
from settings.models import View
from settings.problems import HIDDEN, Path, config_problem, dotted, remove_command, set_command

Zone = tuple[str, str | None]
"""A managed zone's name, and its project if that is not gcp:project."""


def find_kubeconfig(settings: Settings, secrets: Set[str] = frozenset()) -> pulumi.Input[str] | None:
    """Return the kubeconfig, of the GKE cluster where one is named; None is the ambient one.

    It is a secret, since content may hold credentials; a path is one only where the config has it as one.

    Args:
        settings: the config.
        secrets: keys of it that hold a secret.

    Raises:
        ProblemsError: the GKE cluster cannot be read.
    """
    kubeconfig = _look_up_cluster(settings.gke) if settings.gke else settings.kubeconfig
    if kubeconfig is None or not ("kubeconfig" in secrets or is_content(kubeconfig)):
        return kubeconfig
    return pulumi.Output.secret(kubeconfig)


def _look_up_cluster(gke: Gke) -> str:
    try:
        found = gcp.container.get_cluster(name=gke.cluster, location=gke.location, project=gke.project)
        authority = found.master_auths[0].cluster_ca_certificate
    except Exception as error:
        fix = (
            f"gcloud container clusters list --filter name={gke.cluster}",
            "pulumi config set --path gke.cluster NAME && pulumi config set --path gke.location LOCATION",
        )
        where = f"the GKE cluster '{gke.cluster}' in '{gke.location}'"
        raise ProblemsError(Problem(where, f"cannot be read: {error}", fix)) from None
    return json.dumps(gke_kubeconfig(gke.cluster, found.endpoint, authority))


def require_hosts_in_zone(settings: Settings, stack: str, secrets: Set[str] = frozenset()) -> None:
    """Look the managed zone up and refuse hosts that it cannot hold.

    Args:
        settings: the config.
        stack: the stack's name.
        secrets: keys of the config that hold a secret.

    Raises:
        ProblemsError: the zone cannot be read, or has no place for some hosts.
    """
    zones = {(each.settings.dns.zone, each.settings.dns.project) for each in settings.views}
    domains = {zone: _zone_domain(["dns", "zone"], *zone) for zone in sorted(zones, key=str)}
    problems = [
        problem
        for view in settings.views
        for problem in _outside(view, domains[view.settings.dns.zone, view.settings.dns.project], secrets)
    ]
    if problems:
        raise ProblemsError(*problems, heading=config_heading(stack, problems))


def _outside(view: View, domain: str, secrets: Set[str]) -> Iterator[Problem]:
    """Yield a problem for each host of a gateway that its managed zone cannot hold."""
    for index, host in enumerate(view.settings.hosts):
        if names.lies_in(domain, host.host):
            continue
        path: Path = [*view.path, "hosts", index, "host"]
        hidden = path[0] in secrets
        meant = f"{'NAME' if hidden else host.host.split('.')[0]}.{domain}"
        yield config_problem(
            path,
            f"{domain} and names below it",
            f"{set_command(path, meant)}, or {set_command([*view.path, 'dns', 'zone'], 'NAME')}",
            value=HIDDEN if hidden else host.host,
            reason=f"lies outside the managed zone {view.settings.dns.zone}",
        )


def find_challenge_domains(settings: Settings) -> dict[Zone, str]:
    """Return the domains of the zones that DNS-01 is proven in, of those that are not the zones of the hosts.

    Raises:
        ProblemsError: a zone cannot be read, or a name in it would be too long.
    """
    found: dict[Zone, str] = {}
    for view in settings.views:
        given = view.settings.dns.challenge_zone
        if given is None:
            continue
        path: Path = [*view.path, "dns", "challengeZone"]
        zone = given.zone, given.project
        domain = found[zone] = found.get(zone) or _zone_domain([*path, "zone"], *zone)
        for host in view.settings.hosts_proven_by(acme.DNS01):
            length = len(names.challenge_target(host, domain))
            if length > names.MAX_NAME:
                what = (
                    f"{host} would be proven by a name of {length} characters, a DNS name has at most {names.MAX_NAME}"
                )
                raise ProblemsError(Problem(dotted([*path, "zone"]), what, (remove_command(path),)))
    return found


def find_workload_pool(settings: Settings) -> str | None:
    """Return the full name of the cluster's workload identity pool, None where nothing is granted to it.

    Raises:
        ProblemsError: the cluster's project, whose number is part of the name, cannot be read.
    """
    asked = [view.settings.dns for view in settings.views if view.settings.dns.workload_identity]
    given = next((dns.workload_pool for dns in asked if dns.workload_pool), None)
    if given or not asked:
        return given
    project = (settings.gke.project if settings.gke else None) or settings.gcp_project
    try:
        number = gcp.organizations.get_project(project_id=project).number
    except Exception as error:
        fix = (
            f"gcloud projects describe {project} --format 'value(projectNumber)'",
            set_command(["dns", "workloadPool"], dns01.pool(project, "NUMBER")),
        )
        what = f"the number of the project {project} cannot be read: {error}"
        raise ProblemsError(Problem("dns.workloadIdentity", what, fix)) from None
    return dns01.pool(project, number)


def _zone_domain(path: Path, zone: str, project: str | None) -> str:
    fix = ("gcloud dns managed-zones list", set_command(path, "NAME"))
    where, reason = dotted(path), "there is no such zone"
    try:
        found = gcp.dns.get_managed_zone(name=zone, project=project)
        domain, visibility = found.dns_name, found.visibility
    except Exception as error:
        domain, visibility, reason = "", "", str(error)
    if not domain:
        raise ProblemsError(Problem(where, f"{zone!r} cannot be read: {reason}", fix))
    if visibility == "private":
        what = f"{zone!r} is a private zone, which neither clients nor an ACME server can see; accepted: a public zone"
        raise ProblemsError(Problem(where, what, ("gcloud dns managed-zones list --filter visibility=public", fix[1])))
    return domain.removesuffix(".").lower()
