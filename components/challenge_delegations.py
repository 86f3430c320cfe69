"""CNAMEs by which the DNS-01 challenges of hosts are solved in another zone than that of their addresses.

cert-manager follows them, and so need not write to the zone that users depend on.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from .fields import Default, Domain, HostName, Input, NonEmpty, Text, Ttl
from .inputs import check_inputs, computed
from .record_sets import OthersRecords
from .specs import names


class ChallengeDelegationsArgs(TypedDict):
    """The inputs of `ChallengeDelegations`."""

    hosts: NonEmpty[HostName]
    """The hosts whose DNS-01 challenges are solved in the other zone; `*.` may lead one."""
    domain: Input[Domain]
    """The domain of that zone."""
    zone: Input[Text]
    """The name of the managed zone of the hosts."""
    ttl: NotRequired[Annotated[Input[Ttl], Default(300)]]
    """How long resolvers may cache the records, in seconds."""
    project: NotRequired[Input[Text] | None]
    """The project of the hosts' zone. Defaults to that of the gcp provider."""
    take_over: NotRequired[Annotated[bool, Default(False)]]
    """Whether challenges that are delegated elsewhere are taken away from there. By default, they are refused."""
    former_parent: NotRequired[Text | None]
    """The `DnsRecords` that made these records in version 0.1. They stay as they are, and are not made again."""


class ChallengeDelegations(pulumi.ComponentResource):
    """One CNAME per challenge name: a wildcard and its domain share theirs.

    Example:
    `ChallengeDelegations("delegations", {"hosts": ["shop.acme.dev"], "domain": "proofs.acme.dev", "zone": "acme"})`
    """

    def __init__(self, name: str, args: ChallengeDelegationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:ChallengeDelegations", name, {}, opts)
        inputs = check_inputs(self, name, args, ChallengeDelegationsArgs)
        bases = list(dict.fromkeys(map(names.without_wildcard, inputs["hosts"])))
        keys = [(names.challenge_name(base), "CNAME") for base in bases]
        others = OthersRecords(self, keys, inputs["take_over"])
        for base, (owner, kind) in zip(bases, keys, strict=True):
            gcp.dns.RecordSet(
                f"{name}-{base}",
                name=f"{owner}.",
                type=kind,
                ttl=inputs["ttl"],
                managed_zone=inputs["zone"],
                project=inputs["project"],
                rrdatas=[computed(partial(names.challenge_target, base), computed("{}.".format, inputs["domain"]))],
                opts=pulumi.ResourceOptions(
                    parent=self, hooks=others.hooks, aliases=_former_names(inputs["former_parent"], base)
                ),
            )
        self.register_outputs({})


def _former_names(parent: str | None, base: str) -> Sequence[pulumi.Alias]:
    """Return the name that a record had in version 0.1, as a child of `DnsRecords`.

    Without it, an upgrade would create the record under its new name, and then delete that very record by the old one:
    no certificate could be renewed.
    """
    if parent is None:
        return []
    urn = pulumi.create_urn(parent, "istio-gateway-tls:index:DnsRecords")
    return [pulumi.Alias(name=f"{parent}-challenge-{base}", parent=urn)]
