"""CAA records at each host: only the issuers' ACME accounts get certificates for it, and only by its challenge.

An existing CAA record set is somebody's decision about who may sign, and the provider would replace it without a
warning. So it is refused, at the preview too.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp
from pydantic import Field

from .fields import Challenge, Default, Domain, HostName, Input, NonEmpty, Text, Ttl
from .inputs import check_inputs
from .problem import COMMANDS, Problem, set_input, text
from .record_sets import before_create, existing
from .shell import word
from .specs import acme, caa, gcloud
from .specs.external_dns import Key


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
    """One CAA record set per name.

    Example: `CaaRecords("caa", {"hosts": [{"host": "shop.acme.dev"}], "accounts": issuers.accounts, "zone": "acme"})`
    """

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
    """Return hooks that let a CAA record set be created only at a name that has none."""

    async def refuse(key: Key, _values: Sequence[str] | None, zone: str, project: str | None) -> None:
        owner, kind = key
        records = await existing(component, zone, project, name=f"{owner}.", type=kind)
        if key in records:
            commands = COMMANDS.get(component.pulumi_resource_name, {})
            raise pulumi.RunError(text([replaced(owner, records[key], zone, project, commands)]))

    return before_create(component, refuse)


def replaced(
    owner: str, records: Sequence[str], zone: str, project: str | None, commands: Mapping[str, str]
) -> Problem:
    """Return the problem of a name whose CAA records the component would replace; `commands` set its inputs."""
    parsed = [caa.Record.parse(record) for record in records]
    allowed = sorted({record.domain for record in parsed if record.tag in ("issue", "issuewild") and record.domain})
    loss = f"{', '.join(allowed)} would no longer be allowed to sign" if allowed else "what they say would be lost"
    removed = f"remove {word(owner)} from the input hosts    # keeps the records"
    without = set_input(commands, "hosts", "false", "keeps the records") if "hosts" in commands else removed
    what = f"has records that are not this stack's: {'; '.join(records)}. Replaced by the stack's, {loss}"
    delete = gcloud.delete(owner, "CAA", zone, project)
    return Problem(f"CAA of {owner}", what, (f"{delete}    # then the stack makes its own", without))
