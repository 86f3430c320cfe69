"""A and AAAA records in an existing Cloud DNS managed zone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from .args import Path, with_cross_check
from .fields import Default, Domain, HostName, Input, Ipv4, Ipv6, NonEmpty, Text, Ttl
from .inputs import check_inputs, computed, resource_label
from .record_sets import OthersRecords


def _without_address(args: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    if args["ip"] is None and args["ipv6"] is None:
        yield ("ip",), "is missing: set ip, ipv6 or both"


@with_cross_check(_without_address, "ip", "ipv6")
class DnsRecordsArgs(TypedDict):
    """The inputs of `DnsRecords`."""

    hosts: NonEmpty[Input[HostName]]
    """DNS names; `*.` may lead one."""
    zone: Input[Text]
    """The name of the managed zone."""
    ip: NotRequired[Input[Ipv4]]
    """The IPv4 address of the hosts; each gets an A record."""
    ipv6: NotRequired[Input[Ipv6]]
    """The IPv6 address of the hosts; each gets an AAAA record. Set `ip`, `ipv6` or both."""
    ttl: NotRequired[Annotated[Input[Ttl], Default(300)]]
    """How long resolvers may cache the records, in seconds."""
    project: NotRequired[Input[Text] | None]
    """The project of the zone. Defaults to that of the gcp provider."""
    take_over: NotRequired[Annotated[bool, Default(False)]]
    """Whether hosts that lead to other addresses are taken away from there. By default, they are refused."""
    caa_identities: NotRequired[Annotated[Sequence[Domain], Default(())]]
    """The domains of the CA, as CAA records name it. Where those of the zone forbid it, the hosts are refused."""


class DnsRecords(pulumi.ComponentResource):
    """One record per host and kind of address.

    Example: `DnsRecords("dns", {"hosts": ["shop.acme.dev"], "ip": ingress.ip, "zone": "acme"})`
    """

    addresses: pulumi.Output[Mapping[str, str]]
    """The address of each host in the zone; the IPv4 address of hosts with both."""

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:DnsRecords", name, {}, opts)
        inputs = check_inputs(self, name, args, DnsRecordsArgs)
        # An A record keeps the name that it had before there were AAAA records.
        addresses = [("A", "", inputs["ip"]), ("AAAA", "-ipv6", inputs["ipv6"])]
        known = [host for host in inputs["hosts"] if isinstance(host, str)]
        others = OthersRecords(
            self,
            [(host, kind) for kind, _, ip in addresses if ip is not None for host in known],
            inputs["take_over"],
            inputs["caa_identities"],
        )

        def record_set(resource: str, owner: Input[str], kind: str, value: Input[str]) -> gcp.dns.RecordSet:
            return gcp.dns.RecordSet(
                resource,
                name=computed("{}.".format, owner),
                type=kind,
                ttl=inputs["ttl"],
                managed_zone=inputs["zone"],
                project=inputs["project"],
                rrdatas=[value],
                opts=pulumi.ResourceOptions(parent=self, hooks=others.hooks),
            )

        records = [
            [
                record_set(f"{name}-{resource_label(host, position)}{suffix}", host, kind, ip)
                for position, host in enumerate(inputs["hosts"])
            ]
            for kind, suffix, ip in addresses
            if ip is not None
        ]
        rrdatas = pulumi.Output.all(*(record.rrdatas for record in records[0]))
        self.addresses = pulumi.Output.from_input(computed(_addresses, inputs["hosts"], rrdatas))
        self.register_outputs({"addresses": self.addresses})


def _addresses(hosts: Sequence[str], rrdatas: Sequence[Sequence[str] | None]) -> dict[str, str]:
    return {host: (values or [""])[0] for host, values in zip(hosts, rrdatas, strict=True)}
