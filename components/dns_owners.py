"""Refuses to create a record set that external-dns owns.

The provider would replace it without a word, and external-dns would put it back or delete it. The zone is read once,
and only where a record set is created.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from .problem import Problem, text
from .record_sets import Records, before_create, existing
from .specs import external_dns
from .specs.external_dns import Key, Owner

_Owned = dict[Key, list[Owner]]


class OwnedRecords:
    """The record sets of one component, looked at before one of them is created, at the preview too."""

    hooks: pulumi.ResourceHookBinding | None
    """What has each of them looked at."""

    def __init__(self, component: pulumi.ComponentResource, all_of_them: Sequence[Key]) -> None:
        """Take the record sets whose names are known; where one is owned, the error speaks of all that are."""
        self.hooks = before_create(component, self._refuse)
        self._component = component
        self._all = frozenset(all_of_them)
        self._zones: dict[tuple[str, str | None], asyncio.Future[tuple[Records, _Owned]]] = {}
        self._told = False

    async def _refuse(self, args: pulumi.ResourceHookArgs) -> None:
        given: Mapping[str, Any] = args.new_inputs or {}
        zone, project, name, kind = (given.get(key) for key in ("managedZone", "project", "name", "type"))
        if not all(isinstance(each, str) for each in (zone, name, kind)):
            return  # not known yet: a zone of this program's own
        key = (str(name).removesuffix("."), str(kind))
        records, owned = await self._read(str(zone), project)
        if key not in self._all:  # its name was not known before
            owned = owned | external_dns.owners(records, [key])
        if key not in owned:
            return
        if self._told:
            where = f"record set {key[0]}. {key[1]}"
            raise pulumi.RunError(text([Problem(where, "is owned by external-dns too, as the first error says")]))
        self._told = True
        raise pulumi.RunError(text([external_dns.handover(owned, str(zone), project)]))

    async def _read(self, zone: str, project: str | None) -> tuple[Records, _Owned]:
        # A thousand record sets are created side by side, and the zone is one.
        if (zone, project) not in self._zones:
            self._zones[zone, project] = asyncio.ensure_future(self._look(zone, project))
        return await self._zones[zone, project]

    async def _look(self, zone: str, project: str | None) -> tuple[Records, _Owned]:
        records = await existing(self._component, zone, project)
        return records, external_dns.owners(records, self._all)
