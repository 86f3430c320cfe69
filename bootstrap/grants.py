"""What each identity may do, and nothing else: the table below is the policy, the component applies it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True)
class Roles:
    """Roles by what they are granted on; those of the cluster's project reach all of its clusters."""

    bucket: str
    key: str
    zone: tuple[str, ...]
    """Permissions of a role of our own: Cloud DNS has none between reading and administering a zone."""
    cluster: str
    cluster_extra: tuple[str, ...] = ()
    """Permissions beyond that role."""


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
    "preview": Roles(
        bucket="roles/storage.objectViewer",
        key="roles/cloudkms.cryptoKeyDecrypter",
        zone=READ_ZONE,
        cluster="roles/container.viewer",
    ),
    # It runs what is on main. Helm keeps its releases in Secrets, and a refresh reads them.
    "drift": Roles(
        bucket="roles/storage.objectViewer",
        key="roles/cloudkms.cryptoKeyDecrypter",
        zone=READ_ZONE,
        cluster="roles/container.viewer",
        cluster_extra=("container.secrets.get", "container.secrets.list"),
    ),
    # cert-manager's chart makes cluster roles, which only container.admin may.
    "deploy": Roles(
        bucket="roles/storage.objectUser",
        key="roles/cloudkms.cryptoKeyEncrypterDecrypter",
        zone=(*READ_ZONE, *WRITE_ZONE),
        cluster="roles/container.admin",
    ),
}


class GrantsArgs(TypedDict):
    """What `Grants` takes."""

    roles: Roles
    """What to grant."""
    member: pulumi.Input[str]
    """To whom, as IAM takes it."""
    bucket: pulumi.Input[str]
    """The state bucket's name."""
    key: pulumi.Input[str]
    """The key's id."""
    cluster_project: str
    """The clusters' project."""
    dns_project: str
    """The zones' project."""
    zones: Sequence[str]
    """Names of managed zones."""


class Grants(pulumi.ComponentResource):
    """The grants of one identity, each on the smallest thing that takes one."""

    def __init__(self, name: str, args: GrantsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:Grants", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        roles, member = args["roles"], args["member"]
        gcp.storage.BucketIAMMember(
            f"{name}-bucket", bucket=args["bucket"], role=roles.bucket, member=member, opts=child
        )
        gcp.kms.CryptoKeyIAMMember(f"{name}-key", crypto_key_id=args["key"], role=roles.key, member=member, opts=child)
        self._on_zones(name, args, child)
        self._on_clusters(name, args, child)
        self.register_outputs({})

    @staticmethod
    def _on_zones(name: str, args: GrantsArgs, child: pulumi.ResourceOptions) -> None:
        role = _custom_role(f"{name}-dns", args["dns_project"], args["roles"].zone, child)
        for zone in args["zones"]:
            gcp.dns.DnsManagedZoneIamMember(
                f"{name}-zone-{zone}",
                project=args["dns_project"],
                managed_zone=zone,
                role=role.name,
                member=args["member"],
                opts=child,
            )

    @staticmethod
    def _on_clusters(name: str, args: GrantsArgs, child: pulumi.ResourceOptions) -> None:
        roles, project = args["roles"], args["cluster_project"]
        gcp.projects.IAMMember(
            f"{name}-cluster", project=project, role=roles.cluster, member=args["member"], opts=child
        )
        if roles.cluster_extra:
            extra = _custom_role(f"{name}-cluster-extra", project, roles.cluster_extra, child)
            gcp.projects.IAMMember(
                f"{name}-cluster-extra", project=project, role=extra.name, member=args["member"], opts=child
            )


def _custom_role(
    name: str, project: str, permissions: Sequence[str], child: pulumi.ResourceOptions
) -> gcp.projects.IAMCustomRole:
    words = ["pulumi", *name.split("-")]
    return gcp.projects.IAMCustomRole(
        f"{name}-role",
        role_id=words[0] + "".join(word.capitalize() for word in words[1:]),
        title=" ".join(words).capitalize(),
        project=project,
        permissions=list(permissions),
        opts=child,
    )
