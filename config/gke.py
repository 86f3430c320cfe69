"""A GKE cluster's control plane: which of its endpoints can be used, and what Autopilot closes.

https://cloud.google.com/kubernetes-engine/docs/concepts/network-isolation
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.kube.kubeconfig import GKE_PLUGIN
from components.problem import Problem
from components.shell import word

IP, DNS = "ip", "dns"
ENDPOINTS = (IP, DNS)
"""`ip` has a CA of its own, and may be private; `dns` has a public certificate, and asks IAM who may connect."""


@dataclass(frozen=True)
class Cluster:
    """What Google says of a cluster."""

    name: str
    location: str
    project: str = ""
    ip: str = ""
    """Of the endpoint by address: the public one, unless that is off."""
    authority: str = ""
    """The CA of the endpoint by address, base64 of PEM."""
    ip_enabled: bool = True
    private: bool = False
    """Whether the endpoint by address is reached from the cluster's network alone."""
    dns: str = ""
    """The name of the endpoint by DNS."""
    dns_open: bool = False
    """Whether that one takes calls from outside of Google."""
    autopilot: bool = False

    @property
    def where(self) -> str:
        """The `where` of its problems."""
        return f"the GKE cluster '{self.name}' in '{self.location}'"

    def update(self, option: str) -> str:
        """Return the command that changes it."""
        project = f" --project {word(self.project)}" if self.project else ""
        return f"gcloud container clusters update {word(self.name)} --location {word(self.location)}{project} {option}"


def endpoint_problem(cluster: Cluster, endpoint: str) -> Problem | None:
    """Return why an endpoint cannot be used, or None.

    Args:
        cluster: whose.
        endpoint: one of `ENDPOINTS`.
    """
    if endpoint == DNS:
        if cluster.dns and cluster.dns_open:
            return None
        what = "has a DNS endpoint that takes no calls" if cluster.dns else "has no DNS endpoint"
        return Problem(cluster.where, what, (cluster.update("--enable-dns-access"), _use(IP)))
    if cluster.ip_enabled and cluster.ip and cluster.authority:
        return None
    what = "has no endpoint by address" if not (cluster.ip_enabled and cluster.ip) else "has no CA of its own"
    # The other one may have to be opened too, which the next run would only say then.
    opened = () if cluster.dns_open else (cluster.update("--enable-dns-access"),)
    return Problem(cluster.where, what, (*opened, _use(DNS)))


def unreachable(cluster: Cluster) -> Problem:
    """Return the problem of an endpoint by address that does not answer from here."""
    opened = () if cluster.dns_open else (cluster.update("--enable-dns-access"),)
    if cluster.private:
        what = f"has a private endpoint alone, {cluster.ip}, which does not answer from here: it is for the cluster's"
        what += " network"
    else:
        what = f"does not answer from here at {cluster.ip}: its authorized networks may leave this machine out"
    return Problem(cluster.where, what, (*opened, _use(DNS)))


def without_plugin(cluster: Cluster) -> Problem:
    """Return the problem of a machine that has nothing to bring credentials with."""
    what = f"is entered with {GKE_PLUGIN}, which is not on PATH"
    return Problem(cluster.where, what, (f"gcloud components install {GKE_PLUGIN}",))


def _use(endpoint: str) -> str:
    return f"pulumi config set --path gke.endpoint {endpoint}"


def autopilot_problems(cluster: Cluster, values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the values of cert-manager's chart that Autopilot does not admit.

    https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-security
    """
    for path, refused, why in (
        (("global", "leaderElection", "namespace"), "kube-system", "keeps kube-system closed"),
        (("webhook", "hostNetwork"), True, "admits no Pod on the node's network"),
    ):
        found: Any = values
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        if found == refused:
            where = f"certManager.values.{'.'.join(path)}"
            given = str(refused).lower() if refused is True else refused
            what = f"is {given}, and {cluster.where} is an Autopilot, which {why}"
            yield Problem(where, what, (f"pulumi config rm --path {where}",))
