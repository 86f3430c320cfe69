"""The rights of each identity of a stack in Google Cloud: `GRANTS` lists them, `Grants` applies them.

The rights in the cluster are Kubernetes roles: deploy/bootstrap/rbac.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.custom_role import explain_deleted
from components.specs import dns01, names
from deploy.bootstrap.state import StateBackend


@dataclass(frozen=True)
class Roles:
    """Roles by the resource that they are granted on."""

    bucket: str
    key: str
    zone: tuple[str, ...]
    """Permissions of a custom role, because Cloud DNS has none between reading and administering a zone."""
    cluster: str = "roles/container.clusterViewer"
    """On the cluster's project, to find the cluster and authenticate. It grants nothing inside a cluster."""


READ_ZONE = (
    "dns.changes.get",
    "dns.changes.list",
    "dns.managedZones.get",
    "dns.resourceRecordSets.get",
    "dns.resourceRecordSets.list",
)
WRITE_ZONE = (
    "dns.changes.create",
    "dns.resourceRecordSets.create",
    "dns.resourceRecordSets.delete",
    "dns.resourceRecordSets.update",
)

GRANTS: Mapping[str, Roles] = {
    # Previews run the unreviewed code of a branch. They write nothing and take no lock.
    "preview": Roles(bucket="roles/storage.objectViewer", key="roles/cloudkms.cryptoKeyDecrypter", zone=READ_ZONE),
    # The drift job runs the code of main.
    "drift": Roles(bucket="roles/storage.objectViewer", key="roles/cloudkms.cryptoKeyDecrypter", zone=READ_ZONE),
    "deploy": Roles(
        bucket="roles/storage.objectUser",
        key="roles/cloudkms.cryptoKeyEncrypterDecrypter",
        zone=(*READ_ZONE, *WRITE_ZONE),
    ),
}


class Grants(pulumi.ComponentResource):
    """The grants of one identity of one stack, each on the smallest possible resource."""

    def __init__(
        self,
        name: str,
        roles: Roles,
        member: pulumi.Input[str],
        state: StateBackend,
        cluster_project: str,
        dns_project: str,
        zones: Sequence[str],
        suffix: str = "",
    ) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:Grants", name)
        child = pulumi.ResourceOptions(parent=self)
        gcp.storage.BucketIAMMember(f"{name}-bucket", bucket=state.bucket, role=roles.bucket, member=member, opts=child)
        gcp.kms.CryptoKeyIAMMember(f"{name}-key", crypto_key_id=state.key, role=roles.key, member=member, opts=child)
        gcp.projects.IAMMember(
            f"{name}-cluster", project=cluster_project, role=roles.cluster, member=member, opts=child
        )
        words = ["pulumi", *name.split("-"), "dns"]
        role = gcp.projects.IAMCustomRole(
            f"{name}-dns-role",
            role_id=words[0] + "".join(word.capitalize() for word in words[1:]) + suffix,
            title=" ".join(words).capitalize(),
            project=dns_project,
            permissions=list(roles.zone),
            opts=pulumi.ResourceOptions(parent=self, hooks=explain_deleted(self, _another_id)),
        )
        for zone in zones:
            gcp.dns.DnsManagedZoneIamMember(
                f"{name}-zone-{zone}",
                project=dns_project,
                managed_zone=zone,
                role=role.name,
                member=member,
                opts=child,
            )
        self.register_outputs({})


class SolverAccess(pulumi.ComponentResource):
    """cert-manager's access to the zone in which it solves a stack's DNS-01 challenges.

    In bootstrap; otherwise the deploy identity could change every custom role of the project.
    """

    def __init__(
        self, name: str, zone: str, dns_project: str, cluster_project: str, uid: str | None, suffix: str = ""
    ) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:SolverAccess", name)
        child = pulumi.ResourceOptions(parent=self)
        number = gcp.organizations.get_project_output(project_id=cluster_project).number
        role = gcp.projects.IAMCustomRole(
            f"{name}-role",
            role_id=names.role_id("certManagerDns01", name.removeprefix("dns01-")) + suffix,
            title="DNS-01 of cert-manager",
            project=dns_project,
            permissions=list(dns01.PERMISSIONS),
            opts=pulumi.ResourceOptions(parent=self, hooks=explain_deleted(self, _another_id)),
        )
        gcp.dns.DnsManagedZoneIamMember(
            f"{name}-zone",
            project=dns_project,
            managed_zone=zone,
            role=role.name,
            member=number.apply(lambda number: dns01.member(dns01.pool(cluster_project, number), uid=uid)),
            opts=child,
        )
        self.register_outputs({})


def _another_id() -> str:
    return "pulumi config set --path 'stacks[0].roleSuffix' _2    # of the stack whose role it is"
