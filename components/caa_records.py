"""CAA records at each host: only the issuers' ACME accounts may have certificates for it, by the challenge it has.

A CAA record set that is there already is somebody's decision about who may sign, and the provider would replace it
without a word: it is refused, at the preview too.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from . import inputs
from .problem import Problem, text
from .record_sets import before_create, existing
from .shell import word
from .specs import acme, caa, names, values


class CaaHostArgs(TypedDict):
    """A host, and how it is proven."""

    host: str
    """The DNS name; `*.` may lead it. The records of a wildcard are at its domain."""
    challenge: NotRequired[str]
    """`http01` (the default) or `dns01`."""


class CaaRecordsArgs(TypedDict):
    """What `CaaRecords` takes."""

    hosts: Sequence[CaaHostArgs]
    """The hosts."""
    accounts: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    """The URIs of the ACME accounts that may ask, by any name: `accounts` of `AcmeIssuers`."""
    zone: pulumi.Input[str]
    """The managed zone's name."""
    identities: NotRequired[Sequence[str]]
    """The domains of the CAs (`meta.caaIdentities` of their directories); `letsencrypt.org` by default."""
    ttl: NotRequired[pulumi.Input[int]]
    """Seconds, 300 by default."""
    project: NotRequired[pulumi.Input[str] | None]
    """The zone's project, if not the gcp provider's."""


SHAPE = inputs.shape(
    hosts=inputs.known(
        inputs.several(
            inputs.shape(
                host=inputs.known(inputs.value(names.dns_name)),
                challenge=inputs.known(inputs.value(values.one_of(*acme.CHALLENGES), acme.HTTP01)),
            )
        )
    ),
    accounts=inputs.value(values.accounts),
    zone=inputs.value(values.string),
    identities=inputs.known(inputs.optional(inputs.several(inputs.value(names.domain)), [caa.LETS_ENCRYPT])),
    ttl=inputs.value(values.whole(1, 86400), 300),
    project=inputs.optional(inputs.value(values.string)),
)


class CaaRecords(pulumi.ComponentResource):
    """One CAA record set per name."""

    def __init__(self, name: str, args: CaaRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:CaaRecords", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        accounts = pulumi.Output.from_input(given["accounts"])
        hooks = _refuse_to_replace(self)
        for owner, served in caa.owners({each["host"]: each["challenge"] for each in given["hosts"]}).items():
            gcp.dns.RecordSet(
                f"{name}-{owner}",
                name=f"{owner}.",
                type="CAA",
                ttl=given["ttl"],
                managed_zone=given["zone"],
                project=given["project"],
                rrdatas=accounts.apply(partial(_records, served, given["identities"])),
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
            raise pulumi.RunError(text([overwriting(owner, records, zone)]))

    return before_create(component, refuse)


def overwriting(owner: str, found: Sequence[str], zone: str) -> Problem:
    """Return the problem of a name that has CAA records which are not the stack's."""
    parsed = [caa.Record.parse(each) for each in found]
    allowed = sorted({each.domain for each in parsed if each.tag in ("issue", "issuewild") and each.domain})
    loss = f"{', '.join(allowed)} would no longer be allowed to sign" if allowed else "what they say would be lost"
    return Problem(
        f"CAA of {owner}",
        f"has records that are not this stack's: {'; '.join(found)}. Replaced by the stack's, {loss}",
        (
            f"gcloud dns record-sets delete {word(owner + '.')} --zone {word(zone)} --type CAA"
            "    # then the stack makes its own",
            "pulumi config set --path dns.caa false    # leaves it as it is",
        ),
    )
