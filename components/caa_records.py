"""CAA records at each host: only the issuers' ACME accounts may have certificates for it, by the challenge it has.

A CAA record set that is there already is somebody's decision about who may sign, and the provider would replace it
without a word: it is refused, at the preview too.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp
from pydantic import Field

from .fields import Challenge, Default, Domain, HostName, Input, NonEmpty, Text, Ttl
from .inputs import check_inputs
from .problem import COMMANDS, Problem, text
from .record_sets import before_create, existing
from .shell import word
from .specs import acme, caa


class CaaHostArgs(TypedDict):
    """A host and its challenge."""

    host: HostName
    """The DNS name; `*.` may lead it. The records of a wildcard are at its domain."""
    challenge: NotRequired[Annotated[Challenge, Default(acme.HTTP01)]]
    """The challenge by which control of the host is proven."""


class CaaRecordsArgs(TypedDict):
    """The inputs of `CaaRecords`."""

    hosts: NonEmpty[CaaHostArgs]
    """The hosts."""
    accounts: Input[Annotated[Mapping[str, Input[Text]], Field(min_length=1)]]
    """The URIs of the ACME accounts that may order certificates, by any key: `accounts` of `AcmeIssuers`."""
    zone: Input[Text]
    """The name of the managed zone."""
    identities: NotRequired[Annotated[NonEmpty[Domain], Default((caa.LETS_ENCRYPT,))]]
    """The domains of the CAs (`meta.caaIdentities` of their directories)."""
    ttl: NotRequired[Annotated[Input[Ttl], Default(300)]]
    """How long resolvers may cache the records, in seconds."""
    project: NotRequired[Input[Text] | None]
    """The project of the zone. Defaults to that of the gcp provider."""


class CaaRecords(pulumi.ComponentResource):
    """One CAA record set per name."""

    def __init__(self, name: str, args: CaaRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:CaaRecords", name, {}, opts)
        inputs = check_inputs(self, name, args, CaaRecordsArgs)
        accounts = pulumi.Output.from_input(inputs["accounts"])
        hooks = _refuse_to_replace(self)
        for owner, served in caa.owners({host["host"]: host["challenge"] for host in inputs["hosts"]}).items():
            gcp.dns.RecordSet(
                f"{name}-{owner}",
                name=f"{owner}.",
                type="CAA",
                ttl=inputs["ttl"],
                managed_zone=inputs["zone"],
                project=inputs["project"],
                rrdatas=accounts.apply(partial(_records, served, inputs["identities"])),
                opts=pulumi.ResourceOptions(parent=self, hooks=hooks),
            )
        self.register_outputs({})


def _records(served: Mapping[bool, str], identities: Sequence[str], accounts: Mapping[str, str]) -> list[str]:
    return caa.records(served, identities, sorted(accounts.values()))


def _refuse_to_replace(component: pulumi.ComponentResource) -> pulumi.ResourceHookBinding | None:
    """Return hooks that let a record set be created only where there is none: what the stack has is updated."""

    async def refuse(args: pulumi.ResourceHookArgs) -> None:
        given: Mapping[str, Any] = args.new_inputs or {}
        zone, project = given.get("managedZone"), given.get("project")
        if not isinstance(zone, str):
            return  # not known yet: a zone of this program's own
        found = await existing(component, zone, project, name=str(given["name"]), type="CAA")
        for (owner, _), records in found.items():
            problem = overwriting(owner, records, zone, COMMANDS.get(component.pulumi_resource_name, {}))
            raise pulumi.RunError(text([problem]))

    return before_create(component, refuse)


def overwriting(owner: str, found: Sequence[str], zone: str, commands: Mapping[str, str]) -> Problem:
    """Return the problem of a name that has CAA records of somebody else.

    Args:
        owner: the name.
        found: its records.
        zone: the managed zone.
        commands: the commands that set inputs of the component.
    """
    without = f"{commands['hosts']} false" if "hosts" in commands else "leave the host out of the input hosts"
    parsed = [caa.Record.parse(each) for each in found]
    allowed = sorted({each.domain for each in parsed if each.tag in ("issue", "issuewild") and each.domain})
    loss = f"{', '.join(allowed)} would no longer be allowed to sign" if allowed else "what they say would be lost"
    return Problem(
        f"CAA of {owner}",
        f"has records that are not this stack's: {'; '.join(found)}. Replaced by the stack's, {loss}",
        (
            f"gcloud dns record-sets delete {word(owner + '.')} --zone {word(zone)} --type CAA"
            "    # then the stack makes its own",
            f"{without}    # keeps the records as they are",
        ),
    )
