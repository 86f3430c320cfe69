"""The names of the gateway: A records in a Cloud DNS managed zone that is there already."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp


class DnsRecordsArgs(TypedDict):
    """What `DnsRecords` takes."""

    hosts: Sequence[str]
    """DNS names without the trailing dot."""
    ip: pulumi.Input[str]
    """The IPv4 address of all of them."""
    zone: str
    """The managed zone's name."""
    ttl: int
    """Seconds."""
    project: NotRequired[str | None]
    """The zone's project, if not the gcp provider's."""


class DnsRecords(pulumi.ComponentResource):
    """One A record per host."""

    addresses: pulumi.Output[Mapping[str, str]]
    """The address of each host, as it is in the zone."""

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:DnsRecords", name, {}, opts)
        records = {
            host: gcp.dns.RecordSet(
                f"{name}-{host}",
                name=f"{host}.",
                type="A",
                ttl=args["ttl"],
                managed_zone=args["zone"],
                project=args.get("project"),
                rrdatas=[args["ip"]],
                opts=pulumi.ResourceOptions(parent=self),
            )
            for host in args["hosts"]
        }
        self.addresses = pulumi.Output.all(
            **{host: record.rrdatas.apply(lambda rrdatas: (rrdatas or [""])[0]) for host, record in records.items()}
        )
        self.register_outputs({"addresses": self.addresses})
