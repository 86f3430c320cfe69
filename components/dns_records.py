"""The names of the gateway: records in a Cloud DNS managed zone that is there already.

An A record for each host, and an AAAA record where the gateway has an IPv6 address. A host that is proven by DNS-01 in
another zone has a CNAME that leads there as well, so that cert-manager need not write to the zone of the addresses.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from . import inputs
from .dns_owners import OwnedRecords
from .specs import names, values


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
    challenge_domain: NotRequired[pulumi.Input[str] | None]
    """The domain of the zone that DNS-01 is proven in, if not this one."""
    challenge_hosts: NotRequired[Sequence[str]]
    """The hosts that are proven there."""


SHAPE = inputs.shape(
    hosts=inputs.known(inputs.several(inputs.value(names.dns_name))),
    ip=inputs.optional(inputs.value(values.ipv4)),
    ipv6=inputs.optional(inputs.value(values.ipv6)),
    zone=inputs.value(values.string),
    ttl=inputs.value(values.whole(1, 86400), 300),
    project=inputs.optional(inputs.value(values.string)),
    challenge_domain=inputs.optional(inputs.value(names.domain)),
    challenge_hosts=inputs.known(inputs.optional(inputs.several(inputs.value(names.dns_name), least=0), [])),
)


_ADDRESS = inputs.shape(ip=inputs.value(values.ipv4))
"""What is needed where there is no IPv6 address."""


class DnsRecords(pulumi.ComponentResource):
    """One record per host and kind of address, and one CNAME per name that is proven in another zone."""

    addresses: pulumi.Output[Mapping[str, str]]
    """The address of each host, as it is in the zone: IPv4, where it has both."""

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:DnsRecords", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        if given["ip"] is None and given["ipv6"] is None:
            inputs.check_inputs(self, name, {}, _ADDRESS)
        # An A record keeps the name that it had before there were others.
        addresses = [("A", "", given["ip"]), ("AAAA", "-ipv6", given["ipv6"])]
        kinds = [each for each in addresses if each[2] is not None]
        # A wildcard and its domain are proven by the same name.
        challenges = list(dict.fromkeys(names.without_wildcard(host) for host in given["challenge_hosts"]))
        known = [(host, kind) for kind, _, _ in kinds for host in given["hosts"] if isinstance(host, str)]
        owned = OwnedRecords(self, [*known, *((names.challenge_name(base), "CNAME") for base in challenges)])

        def record_set(
            resource: str, owner: pulumi.Input[str], kind: str, value: pulumi.Input[str]
        ) -> gcp.dns.RecordSet:
            return gcp.dns.RecordSet(
                resource,
                name=inputs.computed("{}.".format, owner),
                type=kind,
                ttl=given["ttl"],
                managed_zone=given["zone"],
                project=given["project"],
                rrdatas=[value],
                opts=pulumi.ResourceOptions(parent=self, hooks=owned.hooks),
            )

        records = {
            kind: [
                record_set(f"{name}-{inputs.label(host, position)}{suffix}", host, kind, address)
                for position, host in enumerate(given["hosts"])
            ]
            for kind, suffix, address in kinds
        }
        shown = next(iter(records.values()))
        for base in challenges:
            target = inputs.computed(
                partial(names.challenge_target, base), inputs.computed("{}.".format, given["challenge_domain"])
            )
            record_set(f"{name}-challenge-{base}", names.challenge_name(base), "CNAME", target)
        rrdatas = pulumi.Output.all(*(record.rrdatas for record in shown))
        self.addresses = pulumi.Output.from_input(inputs.computed(_addresses, given["hosts"], rrdatas))
        self.register_outputs({"addresses": self.addresses})


def _addresses(hosts: Sequence[str], rrdatas: Sequence[Sequence[str] | None]) -> dict[str, str]:
    return {host: (values or [""])[0] for host, values in zip(hosts, rrdatas, strict=True)}
