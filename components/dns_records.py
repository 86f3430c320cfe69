"""The names of the gateway: A records in a Cloud DNS managed zone that is there already."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from . import inputs
from .rules import names, values


class DnsRecordsArgs(TypedDict):
    """What `DnsRecords` takes."""

    hosts: Sequence[pulumi.Input[str]]
    """DNS names; `*.` may lead one."""
    ip: pulumi.Input[str]
    """The IPv4 address of all of them."""
    zone: pulumi.Input[str]
    """The managed zone's name."""
    ttl: NotRequired[pulumi.Input[int]]
    """Seconds, 300 by default."""
    project: NotRequired[pulumi.Input[str] | None]
    """The zone's project, if not the gcp provider's."""


_SHAPE = inputs.shape(
    hosts=inputs.known(inputs.several(inputs.value(names.dns_name))),
    ip=inputs.value(values.ipv4),
    zone=inputs.value(values.string),
    ttl=inputs.value(values.whole(1, 86400), 300),
    project=inputs.optional(inputs.value(values.string)),
)


class DnsRecords(pulumi.ComponentResource):
    """One A record per host."""

    addresses: pulumi.Output[Mapping[str, str]]
    """The address of each host, as it is in the zone."""

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:DnsRecords", name, {}, opts)
        given = inputs.check_inputs(self, name, args, _SHAPE)
        records = [
            gcp.dns.RecordSet(
                f"{name}-{inputs.label(host, position)}",
                name=pulumi.Output.format("{}.", host),
                type="A",
                ttl=given["ttl"],
                managed_zone=given["zone"],
                project=given["project"],
                rrdatas=[given["ip"]],
                opts=pulumi.ResourceOptions(parent=self),
            )
            for position, host in enumerate(given["hosts"])
        ]
        self.addresses = pulumi.Output.all(
            *(pulumi.Output.all(host, record.rrdatas) for host, record in zip(given["hosts"], records, strict=True))
        ).apply(lambda pairs: {host: (rrdatas or [""])[0] for host, rrdatas in pairs})
        self.register_outputs({"addresses": self.addresses})
