"""The GKE cluster and the managed zone that a stack's config names, looked up before any resource is registered."""

import json
from collections.abc import Iterator, Set

import pulumi
import pulumi_gcp as gcp

from components.rules import names
from components.rules.kubeconfig import gke_kubeconfig, is_content
from components.rules.problem import Problem, ProblemsError
from settings import Settings, config_heading
from settings.cluster import Gke
from settings.models import View
from settings.problems import HIDDEN, Path, config_problem, set_command


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
