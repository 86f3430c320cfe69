"""A GKE cluster: looked up through the gcp provider, and entered with gke-gcloud-auth-plugin.

https://cloud.google.com/kubernetes-engine/docs/concepts/network-isolation
"""

import json
import shutil
import socket
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.kube.kubeconfig import GKE_PLUGIN, gke_kubeconfig
from components.problem import Problem, ProblemsError, text
from components.shell import word
from config.cluster import Gke
from config.models import Settings
from config.problems import remove_command, set_command

IP, DNS = "ip", "dns"
"""`ip` has a CA of its own, and may be private; `dns` has a public certificate, and IAM decides who may connect."""

_TIMEOUT = 5.0
"""Seconds that an endpoint by address has to answer in."""


@dataclass(frozen=True)
class Cluster:
    """A cluster, as Google describes it."""

    name: str
    location: str
    project: str
    ip: str
    """The endpoint by address: the public one, unless that is off."""
    authority: str
    """The CA of the endpoint by address, base64 of PEM."""
    ip_enabled: bool
    private: bool
    """Whether the endpoint by address is reachable from the cluster's network only."""
    dns: str
    """The name of the endpoint by DNS."""
    dns_open: bool
    """Whether the endpoint by DNS accepts calls from outside of Google."""
    autopilot: bool

    @property
    def where(self) -> str:
        """The `where` of its problems."""
        return _where(self.name, self.location)

    @property
    def open_dns(self) -> str:
        """The command that opens the endpoint by DNS."""
        project = f" --project {word(self.project)}" if self.project else ""
        cluster = f"{word(self.name)} --location {word(self.location)}{project}"
        return f"gcloud container clusters update {cluster} --enable-dns-access"

    @property
    def dns_instead(self) -> tuple[str, ...]:
        """The commands that use the endpoint by DNS, which may have to be opened first."""
        opening = () if self.dns_open else (self.open_dns,)
        return (*opening, set_command(["gke", "endpoint"], DNS))


def find_kubeconfig(settings: Settings) -> str | None:
    """Return the kubeconfig, of the GKE cluster where one is named; None is the ambient one.

    Raises:
        ProblemsError: the GKE cluster cannot be read or entered.
    """
    gke = settings.gke
    if gke is None:
        return settings.kubeconfig
    cluster = _look_up(gke)
    problems = list(_endpoint_problems(cluster, gke.endpoint))
    if cluster.autopilot and settings.cert_manager.install:
        problems += _autopilot_problems(cluster, settings.cert_manager.values)
    obstacles = [] if problems else list(_obstacles(cluster, gke.endpoint))
    if obstacles and pulumi.runtime.is_dry_run():
        # A preview works without the cluster, and shows what the program itself knows.
        pulumi.log.warn(text(obstacles))
    else:
        problems += obstacles
    if problems:
        raise ProblemsError(*problems)
    host, authority = (cluster.dns, None) if gke.endpoint == DNS else (cluster.ip, cluster.authority)
    return json.dumps(gke_kubeconfig(gke.cluster, host, authority))


def _look_up(gke: Gke) -> Cluster:
    try:
        answer = gcp.container.get_cluster(name=gke.cluster, location=gke.location, project=gke.project)
    except Exception as error:
        fix = (
            f"gcloud container clusters list --filter {word(f'name={gke.cluster}')}",
            f"{set_command(['gke', 'cluster'], 'NAME')} && {set_command(['gke', 'location'], 'LOCATION')}",
        )
        raise ProblemsError(Problem(_where(gke.cluster, gke.location), f"cannot be read: {error}", fix)) from None
    # Everything is a list of at most one, and older clusters lack some of it.
    endpoints = _only(answer.control_plane_endpoints_configs)
    by_dns = _only(getattr(endpoints, "dns_endpoint_configs", ()))
    by_ip = _only(getattr(endpoints, "ip_endpoints_configs", ()))
    return Cluster(
        gke.cluster,
        gke.location,
        gke.project or "",
        ip=answer.endpoint or "",
        authority=getattr(_only(answer.master_auths), "cluster_ca_certificate", None) or "",
        ip_enabled=getattr(by_ip, "enabled", None) is not False,
        private=bool(getattr(_only(answer.private_cluster_configs), "enable_private_endpoint", False)),
        dns=getattr(by_dns, "endpoint", None) or "",
        dns_open=bool(getattr(by_dns, "allow_external_traffic", False)),
        autopilot=bool(answer.enable_autopilot),
    )


def _only(items: Sequence[Any] | None) -> Any:
    return next(iter(items or ()), None)


def _where(name: str, location: str) -> str:
    return f"the GKE cluster '{name}' in '{location}'"


def _endpoint_problems(cluster: Cluster, endpoint: str) -> Iterator[Problem]:
    """Yield why an endpoint of a cluster cannot be used by anyone."""
    if endpoint == DNS:
        if not (cluster.dns and cluster.dns_open):
            what = "has a DNS endpoint that accepts no calls" if cluster.dns else "has no DNS endpoint"
            fix = (cluster.open_dns, set_command(["gke", "endpoint"], IP))
            yield Problem(cluster.where, what, fix)
    elif not (cluster.ip_enabled and cluster.ip):
        yield Problem(cluster.where, "has no endpoint by address", cluster.dns_instead)
    elif not cluster.authority:
        yield Problem(cluster.where, "has no CA of its own", cluster.dns_instead)


def _obstacles(cluster: Cluster, endpoint: str) -> Iterator[Problem]:
    """Yield why this machine cannot enter a cluster that others may enter."""
    if shutil.which(GKE_PLUGIN) is None:
        what = f"is entered with {GKE_PLUGIN}, which is not on PATH"
        yield Problem(cluster.where, what, (f"gcloud components install {GKE_PLUGIN}",))
    if endpoint == IP and not _answers(cluster.ip):
        what = f"does not answer from here at {cluster.ip}: its authorized networks may not include this machine"
        if cluster.private:
            what = f"has a private endpoint only, {cluster.ip}, which does not answer outside of the cluster's network"
        yield Problem(cluster.where, what, cluster.dns_instead)


def _answers(address: str) -> bool:
    if "https" in urllib.request.getproxies() and not urllib.request.proxy_bypass(address):
        # The proxy connects; it may be the bastion of a private cluster.
        return True
    try:
        socket.create_connection((address, 443), _TIMEOUT).close()
    except OSError:
        return False
    return True


def _autopilot_problems(cluster: Cluster, values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the values of cert-manager's chart that Autopilot does not admit.

    https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-security
    """
    for path, refused, why in (
        (("global", "leaderElection", "namespace"), "kube-system", "keeps kube-system closed"),
        (("webhook", "hostNetwork"), True, "admits no Pod on the node's network"),
    ):
        value: Any = values
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value == refused:
            where = ["certManager", "values", *path]
            what = f"is {json.dumps(refused)}, and {cluster.where} is an Autopilot, which {why}"
            yield Problem(".".join(where), what, (remove_command(where),))
