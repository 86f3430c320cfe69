"""cert-manager's access to the managed zone that DNS-01 is proven in, by Workload Identity Federation for GKE.

Whoever runs it may make roles of the zone's project and say who has them, which is more than a deployment should be
able to: in a workflow, bootstrap grants the same.
"""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from . import inputs
from .specs import dns01, names, values


class Dns01IdentityArgs(TypedDict):
    """What `Dns01Identity` takes."""

    zone: pulumi.Input[str]
    """The managed zone's name."""
    pool: pulumi.Input[str]
    """The cluster's pool, `projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog`."""
    role_id: pulumi.Input[str]
    """The id of the custom role that is made, unique in the zone's project."""
    project: NotRequired[pulumi.Input[str] | None]
    """The zone's project, if not the gcp provider's."""
    namespace: NotRequired[pulumi.Input[str]]
    """cert-manager's namespace, `cert-manager` by default."""
    service_account: NotRequired[pulumi.Input[str]]
    """The ServiceAccount of its controller, `cert-manager` by default."""


SHAPE = inputs.shape(
    zone=inputs.value(values.string),
    pool=inputs.value(values.workload_pool),
    role_id=inputs.value(values.role_id),
    project=inputs.optional(inputs.value(values.string)),
    namespace=inputs.value(names.kubernetes_name, dns01.NAMESPACE),
    service_account=inputs.value(values.string, dns01.SERVICE_ACCOUNT),
)


class Dns01Identity(pulumi.ComponentResource):
    """A custom role, and cert-manager's ServiceAccount with it on one zone."""

    member: pulumi.Output[str]
    """The ServiceAccount, as IAM policies name it."""

    def __init__(self, name: str, args: Dns01IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:Dns01Identity", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        child = pulumi.ResourceOptions(parent=self)
        role = gcp.projects.IAMCustomRole(
            f"{name}-role",
            role_id=given["role_id"],
            title="DNS-01 of cert-manager",
            description="Writes the TXT records of ACME challenges",
            permissions=list(dns01.PERMISSIONS),
            project=given["project"],
            opts=child,
        )
        self.member = pulumi.Output.all(given["pool"], given["namespace"], given["service_account"]).apply(
            lambda each: dns01.member(*each)
        )
        gcp.dns.DnsManagedZoneIamMember(
            f"{name}-zone",
            managed_zone=given["zone"],
            role=role.name,
            member=self.member,
            project=given["project"],
            opts=child,
        )
        self.register_outputs({"member": self.member})
