"""The names of the gateway: A and AAAA records in a Cloud DNS managed zone that is there already."""

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
    zone: pulumi.Input[str]
    """The managed zone's name."""
    ip: NotRequired[pulumi.Input[str]]
    """The IPv4 address of all of them; each has an A record then."""
    ipv6: NotRequired[pulumi.Input[str]]
    """The IPv6 address of all of them; each has an AAAA record then. One of both addresses is needed."""
    ttl: NotRequired[pulumi.Input[int]]
    """Seconds, 300 by default."""
    project: NotRequired[pulumi.Input[str] | None]
    """The zone's project, if not the gcp provider's."""


SHAPE = inputs.shape(
    hosts=inputs.known(inputs.several(inputs.value(names.dns_name))),
    ip=inputs.optional(inputs.value(values.ipv4)),
    ipv6=inputs.optional(inputs.value(values.ipv6)),
    zone=inputs.value(values.string),
    ttl=inputs.value(values.whole(1, 86400), 300),
    project=inputs.optional(inputs.value(values.string)),
)


_ADDRESS = inputs.shape(ip=inputs.value(values.ipv4))
"""What is needed where there is no IPv6 address."""


class DnsRecords(pulumi.ComponentResource):
    """One record per host and kind of address."""

    addresses: pulumi.Output[Mapping[str, str]]
    """The address of each host, as it is in the zone: IPv4, where it has both."""

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:DnsRecords", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        if given["ip"] is None and given["ipv6"] is None:
            inputs.check_inputs(self, name, {}, _ADDRESS)
        # An A record keeps the name that it had before there were others.
        kinds = [("A", "", given["ip"]), ("AAAA", "-ipv6", given["ipv6"])]
        records = {
            kind: [
                gcp.dns.RecordSet(
                    f"{name}-{inputs.label(host, position)}{suffix}",
                    name=pulumi.Output.format("{}.", host),
                    type=kind,
                    ttl=given["ttl"],
                    managed_zone=given["zone"],
                    project=given["project"],
                    rrdatas=[address],
                    opts=pulumi.ResourceOptions(parent=self),
                )
                for position, host in enumerate(given["hosts"])
            ]
            for kind, suffix, address in kinds
            if address is not None
        }
        shown = next(iter(records.values()))
        self.addresses = pulumi.Output.all(
            *(pulumi.Output.all(host, record.rrdatas) for host, record in zip(given["hosts"], shown, strict=True))
        ).apply(lambda pairs: {host: (rrdatas or [""])[0] for host, rrdatas in pairs})
        self.register_outputs({"addresses": self.addresses})
