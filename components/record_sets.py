"""Looks at the managed zone before a record set is created, by the gcp provider and its credentials.

The provider would replace an existing record set without a warning.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from importlib import metadata

import pulumi

from . import engine, preflight
from .name_servers import name_servers
from .preflight import hooks
from .preflight.records import Zone
from .problem import COMMANDS, Problem, text
from .specs import external_dns
from .specs.external_dns import Key, Owner

Records = dict[Key, list[str]]
"""The records of a managed zone."""

Owners = dict[Key, list[Owner]]

_RECORD_SETS = "gcp:dns/getRecordSets:getRecordSets"


def before_create(
    component: pulumi.ComponentResource, check: Callable[[Key, Sequence[str] | None, str, str | None], Awaitable[None]]
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that call `check` before a record set is created, at the preview too.

    Record sets that the stack has are updated without a check.

    `check` takes the record set, its records if they are known, the zone and its project, and raises `pulumi.RunError`
    to refuse the creation.
    """

    async def run(args: pulumi.ResourceHookArgs) -> None:
        inputs = args.new_inputs or {}
        zone, name, kind = (inputs.get(key) for key in ("managedZone", "name", "type"))
        if isinstance(zone, str) and isinstance(name, str) and isinstance(kind, str):
            values = inputs.get("rrdatas")
            known = values if isinstance(values, list) and all(isinstance(value, str) for value in values) else None
            await check((name.removesuffix("."), kind), known, zone, inputs.get("project"))
        # Otherwise the zone is one of this program's own, and not known yet.

    return hooks.before_create(component, run)


async def existing(component: pulumi.ComponentResource, zone: str, project: str | None, **query: str) -> Records:
    """Return the records of a managed zone, which the provider of the component reads.

    A query is the `name`, with the trailing dot, and the `type` of the record sets; without one, all are returned.

    Raises:
        RuntimeError: the zone cannot be read; carries the provider's words.
    """
    arguments = {"managedZone": zone, "project": project, **query}
    # The version that the SDK gives the record sets: the engine knows it only for programs in Python.
    answer = await engine.ask(
        _RECORD_SETS, arguments, component.get_provider(_RECORD_SETS), metadata.version("pulumi-gcp")
    )
    return {
        (str(record_set["name"]).removesuffix("."), str(record_set["type"])): list(
            map(str, record_set.get("rrdatas") or ())
        )
        for record_set in answer.get("rrsets") or ()
    }


class OthersRecords:
    """Refuses to create a record set where somebody else's is in the way.

    external-dns would change its own back or delete it; a name that leads elsewhere has its users there; and beside a
    CNAME there may be no other record.
    """

    hooks: pulumi.ResourceHookBinding | None
    """For the record sets of the component."""

    def __init__(
        self, component: pulumi.ComponentResource, own: Sequence[Key], take_over: bool, identities: Sequence[str] = ()
    ) -> None:
        """Take the record sets whose names are known: the first error names all of them.

        With `take_over`, names may be taken away from other addresses. `identities` are the domains of the CA, which
        CAA records may forbid.
        """
        self._take_over = take_over
        self._identities = identities
        self.hooks = before_create(component, self._refuse)
        self._component = component
        self._record_sets = frozenset(own)
        self._zones: dict[tuple[str, str | None], asyncio.Future[tuple[Zone, Owners]]] = {}
        self._reported = self._warned = False

    async def _refuse(self, key: Key, values: Sequence[str] | None, zone: str, project: str | None) -> None:
        # A thousand record sets are created side by side, and the zone is read once.
        if (zone, project) not in self._zones:
            self._zones[zone, project] = asyncio.ensure_future(self._read(zone, project))
        seen, owners = await self._zones[zone, project]
        if key not in self._record_sets:  # the program did not know its name
            owners = owners | external_dns.owners(seen.records, [key])
        if not self._warned:
            self._warned = True
            of_all = (preflight.find(preflight.RECORDS, seen, own, None, warn=True) for own in self._record_sets)
            # What is wrong with the zone is wrong with each of its record sets.
            if warnings := list(dict.fromkeys(problem for of_one in of_all for problem in of_one)):
                pulumi.log.warn(text(warnings))
        problems = self._problems(seen, key, values)
        if key not in owners and not problems:
            return
        if self._reported:
            where = f"record set {key[0]}. {key[1]}"
            raise pulumi.RunError(text([Problem(where, "cannot be made either, as the first error says")]))
        self._reported = True
        if key in owners:
            raise pulumi.RunError(text([external_dns.handover(owners, zone, project)]))
        alike = sorted(other for other in self._record_sets if other != key and other[1] == key[1])
        problems += [problem for other in alike for problem in self._problems(seen, other, values)]
        raise pulumi.RunError(text(problems))

    def _problems(self, zone: Zone, key: Key, values: Sequence[str] | None) -> list[Problem]:
        return list(preflight.find(preflight.RECORDS, zone, key, None if self._take_over else values))

    async def _read(self, zone: str, project: str | None) -> tuple[Zone, Owners]:
        records = await existing(self._component, zone, project)
        commands = COMMANDS.get(self._component.pulumi_resource_name, {})
        seen = Zone(zone, project, records, commands, self._record_sets, self._identities)
        if seen.domain:
            seen = replace(seen, delegated_to=await engine.in_thread(name_servers, seen.domain))
        return seen, external_dns.owners(records, self._record_sets)
