"""What the config names and Google Cloud must know: the managed zone and the GKE cluster.

Both are looked up before any resource is registered, so that a wrong name changes nothing.
"""

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp

from components.cluster import gke_kubeconfig, kubeconfig_input
from settings.models import Settings
from settings.problems import Problem, config_error, set_command


def find_kubeconfig(settings: Settings) -> pulumi.Input[str] | None:
    """Return the kubeconfig, of the GKE cluster where one is named; None is the ambient one."""
    if gke := settings.gke:
        return kubeconfig_input(gke_kubeconfig(gke.cluster, gke.location, gke.project))
    return kubeconfig_input(settings.kubeconfig)


def require_hosts_in_zone(settings: Settings) -> None:
    """Look the managed zone up and refuse hosts that it cannot hold.

    Raises:
        pulumi.RunError: when the zone cannot be read, or with every host outside it.
    """
    domain = _zone_domain(settings.dns.zone, settings.dns.project)
    hosts = [host.host for host in settings.hosts]
    if strangers := outside(domain, hosts):
        raise config_error(
            [
                Problem(
                    key=f"hosts[{index}].host",
                    value=hosts[index],
                    reason=f"lies outside the managed zone {settings.dns.zone}",
                    accepted=f"{domain} and names below it",
                    mend=set_command(["hosts", index, "host"], f"{hosts[index].split('.')[0]}.{domain}")
                    + ", or pulumi config set --path dns.zone NAME",
                )
                for index in strangers
            ]
        )


def outside(domain: str, hosts: Sequence[str]) -> list[int]:
    """Return the positions of the hosts that are neither `domain` nor below it."""
    return [index for index, host in enumerate(hosts) if not f".{host}".endswith(f".{domain}")]


def _zone_domain(zone: str, project: str | None) -> str:
    reason = "there is no such zone"
    try:
        domain = gcp.dns.get_managed_zone(name=zone, project=project).dns_name
    except Exception as error:
        domain, reason = "", str(error)
    if not domain:
        raise pulumi.RunError(
            f"dns.zone: {zone!r} cannot be read: {reason}\n"
            "    gcloud dns managed-zones list\n"
            "    pulumi config set --path dns.zone NAME"
        )
    return domain.removesuffix(".").lower()
