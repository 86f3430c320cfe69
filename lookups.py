"""The GKE cluster and the managed zone that a stack's config names, looked up before any resource is registered."""

import json
import socket
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.rules import gke, names
from components.rules.kubeconfig import gke_kubeconfig, is_content
from components.rules.problem import Problem, ProblemsError, text
from settings import Settings, config_heading
from settings.cluster import Gke
from settings.models import View
from settings.problems import HIDDEN, Path, config_problem, set_command

_TIMEOUT = 5.0
"""Seconds that a private endpoint has to answer in."""


def find_kubeconfig(settings: Settings, secrets: Set[str] = frozenset()) -> pulumi.Input[str] | None:
    """Return the kubeconfig, of the GKE cluster where one is named; None is the ambient one.

    It is a secret, since content may hold credentials; a path is one only where the config has it as one.

    Args:
        settings: the config.
        secrets: keys of it that hold a secret.

    Raises:
        ProblemsError: the GKE cluster cannot be read or entered.
    """
    kubeconfig = _enter(settings, settings.gke) if settings.gke else settings.kubeconfig
    if kubeconfig is None or not ("kubeconfig" in secrets or is_content(kubeconfig)):
        return kubeconfig
    return pulumi.Output.secret(kubeconfig)


def _enter(settings: Settings, given: Gke) -> str:
    cluster = _look_up_cluster(given)
    problems = [problem] if (problem := gke.endpoint_problem(cluster, given.endpoint)) else []
    if cluster.autopilot and settings.cert_manager.install:
        problems += gke.autopilot_problems(cluster, settings.cert_manager.values)
    if not problems and given.endpoint == gke.IP and cluster.private and not _answers(cluster.ip):
        problem = gke.unreachable(cluster)
        if pulumi.runtime.is_dry_run():
            # A preview goes without the cluster, and shows what the program itself knows.
            pulumi.log.warn(text([problem]))
        else:
            problems.append(problem)
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
            f"gcloud container clusters list --filter name={given.cluster}",
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


def _answers(address: str) -> bool:
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
    zones = {(each.settings.dns.zone, each.settings.dns.project) for each in settings.views}
    domains = {(zone, project): _zone_domain(zone, project) for zone, project in sorted(zones, key=str)}
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


def _zone_domain(zone: str, project: str | None) -> str:
    reason = "there is no such zone"
    try:
        domain = gcp.dns.get_managed_zone(name=zone, project=project).dns_name
    except Exception as error:
        domain, reason = "", str(error)
    if not domain:
        fix = ("gcloud dns managed-zones list", "pulumi config set --path dns.zone NAME")
        raise ProblemsError(Problem("dns.zone", f"{zone!r} cannot be read: {reason}", fix))
    return domain.removesuffix(".").lower()
