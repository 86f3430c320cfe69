"""cert-manager's access to the managed zone in which DNS-01 is solved, by Workload Identity Federation for GKE.

It takes the rights to create and grant roles in the zone's project, which is more than a deployment should have. In a
workflow, bootstrap grants the same.
"""

from typing import Annotated, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from .custom_role import explain_deleted
from .fields import AccountUid, Default, Input, KubernetesName, RoleId, Text, WorkloadPool
from .inputs import check_inputs
from .problem import COMMANDS, set_input
from .specs import dns01


class Dns01IdentityArgs(TypedDict):
    """The inputs of `Dns01Identity`."""

    zone: Input[Text]
    """The name of the managed zone."""
    pool: Input[WorkloadPool]
    """The cluster's workload identity pool,
    `projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog`."""
    role_id: Input[RoleId]
    """The id of the custom role that is made, unique in the project of the zone."""
    project: NotRequired[Input[Text] | None]
    """The project of the zone. Defaults to that of the gcp provider."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(dns01.NAMESPACE)]]
    """The namespace of cert-manager."""
    service_account: NotRequired[Annotated[Input[Text], Default(dns01.SERVICE_ACCOUNT)]]
    """The ServiceAccount of cert-manager's controller."""
    uid: NotRequired[Input[AccountUid] | None]
    """The UID of the ServiceAccount, which alone may then write the zone. Without it, those of every cluster of
    the project may."""


class Dns01Identity(pulumi.ComponentResource):
    """A custom role, granted to cert-manager's ServiceAccount on one zone.

    Example: `Dns01Identity("access", {"zone": "acme", "pool": pool, "role_id": "dns01_prod"})`
    """

    member: pulumi.Output[str]
    """The ServiceAccount, as IAM policies name it."""

    def __init__(self, name: str, args: Dns01IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:Dns01Identity", name, {}, opts)
        inputs = check_inputs(self, name, args, Dns01IdentityArgs)
        child = pulumi.ResourceOptions(parent=self)
        hooks = explain_deleted(self, lambda: set_input(COMMANDS.get(name, {}), "role_id", "certManagerDns01_ID"))
        role = gcp.projects.IAMCustomRole(
            f"{name}-role",
            role_id=inputs["role_id"],
            title="DNS-01 of cert-manager",
            description="Writes the TXT records of ACME challenges",
            permissions=list(dns01.PERMISSIONS),
            project=inputs["project"],
            opts=pulumi.ResourceOptions(parent=self, hooks=hooks),
        )
        self.member = pulumi.Output.all(
            inputs["pool"], inputs["namespace"], inputs["service_account"], inputs["uid"]
        ).apply(lambda parts: dns01.member(*parts))
        gcp.dns.DnsManagedZoneIamMember(
            f"{name}-zone",
            managed_zone=inputs["zone"],
            role=role.name,
            member=self.member,
            project=inputs["project"],
            opts=child,
        )
        self.register_outputs({"member": self.member})
