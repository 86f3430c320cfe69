"""The gateway's address, reserved in the cloud, so that a Service that is created again can have it again.

Google gives a load balancer an ephemeral address, which is released with the Service. A reservation of the same
address keeps it ("promote"), without a change of the Service. For a new Service to ask for it takes one value of
Istio's chart, which belongs to those who installed Istio.
https://cloud.google.com/vpc/docs/reserve-static-external-ip-address#promote_ephemeral_ip
"""

from typing import Annotated, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from .fields import COMPONENT_NAME, Input, Ipv4, KubernetesName, Text
from .inputs import check_inputs
from .specs import addresses


class ReservedAddressArgs(TypedDict):
    """The inputs of `ReservedAddress`."""

    ip: Input[Ipv4]
    """The external IPv4 address of the gateway's Service."""
    region: Input[Text]
    """The region of the load balancer, which is the cluster's."""
    object_name: NotRequired[Annotated[Input[KubernetesName], COMPONENT_NAME]]
    """The name of the address in the project."""
    project: NotRequired[Input[Text] | None]
    """The project of the cluster. Defaults to that of the gcp provider."""


class ReservedAddress(pulumi.ComponentResource):
    """A protected regional external address, in use by the load balancer that has it.

    Example: `ReservedAddress("address", {"ip": ingress.ip, "region": "europe-west1"})`
    """

    object_name: pulumi.Output[str]
    """The name of the address, for the annotation `networking.gke.io/load-balancer-ip-addresses` of a Service."""
    chart_value: pulumi.Output[str]
    """The option of `helm upgrade` by which Istio's gateway chart asks for the address."""

    def __init__(self, name: str, args: ReservedAddressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:ReservedAddress", name, {}, opts)
        inputs = check_inputs(self, name, args, ReservedAddressArgs)
        address = gcp.compute.Address(
            f"{name}-address",
            name=inputs["object_name"],
            address=inputs["ip"],
            address_type="EXTERNAL",
            region=inputs["region"],
            project=inputs["project"],
            description="The address of an Istio ingress gateway, kept beyond its Service",
            # A released address may belong to somebody else a moment later. Two addresses cannot have one name.
            opts=pulumi.ResourceOptions(parent=self, protect=True, delete_before_replace=True),
        )
        self.object_name = address.name
        self.chart_value = address.address.apply(addresses.chart_value)
        self.register_outputs({"objectName": self.object_name, "chartValue": self.chart_value})
