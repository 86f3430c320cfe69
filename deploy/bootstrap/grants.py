"""What each identity of a stack may do, and nothing else: the table below is the policy, the component applies it.

What it may do inside the cluster is Kubernetes' own to say: bootstrap/rbac.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import pulumi
import pulumi_gcp as gcp

from components.specs import dns01, names


@dataclass(frozen=True)
class Roles:
    """Roles by what they are granted on."""

    bucket: str
    key: str
    zone: tuple[str, ...]
    """Permissions of a role of our own: Cloud DNS has none between reading and administering a zone."""
    cluster: str = "roles/container.clusterViewer"
    """On the cluster's project: to find the cluster and to be let in. It allows nothing inside of any cluster."""


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
    # It runs the code of a branch that nobody has reviewed. A preview writes nothing and takes no lock.
    "preview": Roles(bucket="roles/storage.objectViewer", key="roles/cloudkms.cryptoKeyDecrypter", zone=READ_ZONE),
    # It runs what is on main, and compares.
    "drift": Roles(bucket="roles/storage.objectViewer", key="roles/cloudkms.cryptoKeyDecrypter", zone=READ_ZONE),
    "deploy": Roles(
        bucket="roles/storage.objectUser",
        key="roles/cloudkms.cryptoKeyEncrypterDecrypter",
        zone=(*READ_ZONE, *WRITE_ZONE),
    ),
}


class GrantsArgs(TypedDict):
    """What `Grants` takes."""

    roles: Roles
    """What to grant."""
    member: pulumi.Input[str]
    """To whom, as IAM takes it."""
    bucket: pulumi.Input[str]
    """The name of the stack's bucket."""
    key: pulumi.Input[str]
    """The id of the stack's key."""
    cluster_project: str
    """The cluster's project."""
    dns_project: str
    """The zones' project."""
    zones: Sequence[str]
    """Names of managed zones."""


class Grants(pulumi.ComponentResource):
    """The grants of one identity of one stack, each on the smallest thing that takes one."""

    def __init__(self, name: str, args: GrantsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:Grants", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        roles, member = args["roles"], args["member"]
        gcp.storage.BucketIAMMember(
            f"{name}-bucket", bucket=args["bucket"], role=roles.bucket, member=member, opts=child
        )
        gcp.kms.CryptoKeyIAMMember(f"{name}-key", crypto_key_id=args["key"], role=roles.key, member=member, opts=child)
        gcp.projects.IAMMember(
            f"{name}-cluster", project=args["cluster_project"], role=roles.cluster, member=member, opts=child
        )
        words = ["pulumi", *name.split("-"), "dns"]
        role = gcp.projects.IAMCustomRole(
            f"{name}-dns-role",
            role_id=words[0] + "".join(word.capitalize() for word in words[1:]),
            title=" ".join(words).capitalize(),
            project=args["dns_project"],
            permissions=list(roles.zone),
            opts=child,
        )
        for zone in args["zones"]:
            gcp.dns.DnsManagedZoneIamMember(
                f"{name}-zone-{zone}",
                project=args["dns_project"],
                managed_zone=zone,
                role=role.name,
                member=member,
                opts=child,
            )
        self.register_outputs({})


class SolverAccessArgs(TypedDict):
    """What `SolverAccess` takes."""

    zone: str
    """The managed zone's name."""
    project: str
    """The zone's project."""
    cluster_project: str
    """The cluster's project."""


class SolverAccess(pulumi.ComponentResource):
    """cert-manager's access to the zone that a stack's names are proven in by DNS-01.

    Here, and not in the stack: who deploys would else be able to change every custom role of the project.
    """

    def __init__(self, name: str, args: SolverAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:SolverAccess", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        number = gcp.organizations.get_project_output(project_id=args["cluster_project"]).number
        role = gcp.projects.IAMCustomRole(
            f"{name}-role",
            role_id=names.role_id("certManagerDns01", name.removeprefix("dns01-")),
            title="DNS-01 of cert-manager",
            project=args["project"],
            permissions=list(dns01.PERMISSIONS),
            opts=child,
        )
        gcp.dns.DnsManagedZoneIamMember(
            f"{name}-zone",
            project=args["project"],
            managed_zone=args["zone"],
            role=role.name,
            member=number.apply(lambda known: dns01.member(dns01.pool(args["cluster_project"], known))),
            opts=child,
        )
        self.register_outputs({})
