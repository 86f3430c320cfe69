"""What a stack's config names of Google Cloud, looked up before any resource is registered: zones, cluster, project."""

import json
import shutil
import socket
import urllib.request
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.kube.kubeconfig import GKE_PLUGIN, gke_kubeconfig, is_content
from components.problem import Problem, ProblemsError, text
from components.shell import word
from components.specs import acme, dns01, names
from config import gke
from config.cluster import Gke
from config.decoding import config_heading
from config.models import Settings, View
from config.problems import HIDDEN, Path, config_problem, dotted, remove_command, set_command

_TIMEOUT = 5.0
"""Seconds that an endpoint by address has to answer in."""
Zone = tuple[str, str | None]
"""A managed zone's name, and its project if that is not gcp:project."""


def find_kubeconfig(settings: Settings) -> str | None:
    """Return the kubeconfig, of the GKE cluster where one is named; None is the ambient one.

    Args:
        settings: the config.

    Raises:
        ProblemsError: the GKE cluster cannot be read or entered.
    """
    return _enter(settings, settings.gke) if settings.gke else settings.kubeconfig


def kept(kubeconfig: str | None, secrets: Set[str] = frozenset()) -> pulumi.Input[str] | None:
    """Return a kubeconfig as an input: a secret, since content may hold credentials.

    Args:
        kubeconfig: a path or content. A path is a secret only where the config has it as one.
        secrets: keys of the config that hold a secret.
    """
    if kubeconfig is None or not ("kubeconfig" in secrets or is_content(kubeconfig)):
        return kubeconfig
    return pulumi.Output.secret(kubeconfig)


def _enter(settings: Settings, given: Gke) -> str:
    cluster = _look_up_cluster(given)
    problems = [problem] if (problem := gke.endpoint_problem(cluster, given.endpoint)) else []
    if cluster.autopilot and settings.cert_manager.install:
        problems += gke.autopilot_problems(cluster, settings.cert_manager.values)
    obstacles = [] if problems else list(_obstacles(cluster, given.endpoint))
    if obstacles and pulumi.runtime.is_dry_run():
        # A preview goes without the cluster, and shows what the program itself knows.
        pulumi.log.warn(text(obstacles))
    else:
        problems += obstacles
    if problems:
        raise ProblemsError(*problems)
    host, authority = (cluster.dns, None) if given.endpoint == gke.DNS else (cluster.ip, cluster.authority)
    return json.dumps(gke_kubeconfig(given.cluster, host, authority))


def _look_up_cluster(given: Gke) -> gke.Cluster:
    cluster = gke.Cluster(given.cluster, given.location, given.project or "")
    try:
        found = gcp.container.get_cluster(name=given.cluster, location=given.location, project=given.project)
    except Exception as error:
        fix = (
            f"gcloud container clusters list --filter {word(f'name={given.cluster}')}",
            "pulumi config set --path gke.cluster NAME && pulumi config set --path gke.location LOCATION",
        )
        raise ProblemsError(Problem(cluster.where, f"cannot be read: {error}", fix)) from None
    # Everything is a list of at most one, and older clusters lack some of it.
    endpoints = _only(found.control_plane_endpoints_configs)
    by_dns, by_ip = (_only(getattr(endpoints, f"{each}_configs", ())) for each in ("dns_endpoint", "ip_endpoints"))
    return replace(
        cluster,
        ip=found.endpoint or "",
        authority=getattr(_only(found.master_auths), "cluster_ca_certificate", None) or "",
        ip_enabled=getattr(by_ip, "enabled", None) is not False,
        private=bool(getattr(_only(found.private_cluster_configs), "enable_private_endpoint", False)),
        dns=getattr(by_dns, "endpoint", None) or "",
        dns_open=bool(getattr(by_dns, "allow_external_traffic", False)),
        autopilot=bool(found.enable_autopilot),
    )


def _only(found: Sequence[Any] | None) -> Any:
    """Return the one of a list of at most one; None where there is none."""
    return next(iter(found or ()), None)


def _obstacles(cluster: gke.Cluster, endpoint: str) -> Iterator[Problem]:
    """Yield what keeps this machine out of a cluster that others may enter."""
    if shutil.which(GKE_PLUGIN) is None:
        yield gke.without_plugin(cluster)
    if endpoint == gke.IP and not _answers(cluster.ip):
        yield gke.unreachable(cluster)


def _answers(address: str) -> bool:
    if "https" in urllib.request.getproxies() and not urllib.request.proxy_bypass(address):
        # A proxy connects, which may be the bastion of a private cluster.
        return True
    try:
        socket.create_connection((address, 443), _TIMEOUT).close()
    except OSError:
        return False
    return True


def require_hosts_in_zone(settings: Settings, stack: str, secrets: Set[str] = frozenset()) -> None:
    """Look the managed zone up and refuse hosts that it cannot hold.

    Args:
        settings: the config.
        stack: the stack's name.
        secrets: keys of the config that hold a secret.

    Raises:
        ProblemsError: the zone cannot be read, or has no place for some hosts.
    """
    domains: dict[Zone, str] = {}
    for path, dns in ((each.path, each.settings.dns) for each in settings.views):
        if (dns.zone, dns.project) not in domains:
            domains[dns.zone, dns.project] = _zone_domain([*path, "dns", "zone"], dns.zone, dns.project)
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
