"""What a stack's config names of Google Cloud, looked up before any resource is registered: zones, cluster, project."""

import json
from collections.abc import Set

import pulumi
import pulumi_gcp as gcp

from components.rules import acme, dns01, names
from components.rules.kubeconfig import gke_kubeconfig, is_content
from components.rules.problem import Problem, ProblemsError
from settings import Settings, config_heading
from settings.cluster import Gke
from settings.problems import HIDDEN, Path, config_problem, dotted, set_command


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
    zone = settings.dns.zone
    domain = _zone_domain(["dns", "zone"], zone, settings.dns.project)
    hidden = "hosts" in secrets
    problems = [
        config_problem(
            ["hosts", index, "host"],
            f"{domain} and names below it",
            set_command(["hosts", index, "host"], f"{'NAME' if hidden else host.host.split('.')[0]}.{domain}")
            + ", or pulumi config set --path dns.zone NAME",
            value=HIDDEN if hidden else host.host,
            reason=f"lies outside the managed zone {zone}",
        )
        for index, host in enumerate(settings.hosts)
        if not names.lies_in(domain, host.host)
    ]
    if problems:
        raise ProblemsError(*problems, heading=config_heading(stack, problems))


def find_challenge_domain(settings: Settings) -> str | None:
    """Return the domain of the zone that DNS-01 is proven in, None where that is the zone of the hosts.

    Raises:
        ProblemsError: the zone cannot be read, or a name in it would be too long.
    """
    given = settings.dns.challenge_zone
    if given is None:
        return None
    path: Path = ["dns", "challengeZone", "zone"]
    domain = _zone_domain(path, given.zone, given.project)
    for host in settings.hosts_proven_by(acme.DNS01):
        length = len(names.challenge_target(host, domain))
        if length > names.MAX_NAME:
            what = f"{host} would be proven by a name of {length} characters, a DNS name has at most {names.MAX_NAME}"
            raise ProblemsError(Problem(dotted(path), what, ("pulumi config rm --path dns.challengeZone",)))
    return domain


def find_workload_pool(settings: Settings) -> str | None:
    """Return the full name of the cluster's workload identity pool, None where nothing is granted to it.

    Raises:
        ProblemsError: the cluster's project, whose number is part of the name, cannot be read.
    """
    if not settings.dns.workload_identity or settings.dns.workload_pool:
        return settings.dns.workload_pool
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
