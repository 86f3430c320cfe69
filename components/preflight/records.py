"""Record sets that somebody else has made, and that are in the way of the stack's own."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..problem import Problem, set_input
from ..shell import word
from ..specs import acme, caa, gcloud, names
from ..specs.external_dns import Key

FIRST_PAGE = 1000
"""Record sets of a zone that Cloud DNS lists at once."""

_ADDRESSES = ("A", "AAAA")


@dataclass(frozen=True)
class Zone:
    """A managed zone, in which record sets are to be created."""

    name: str
    project: str | None = None
    records: Mapping[Key, Sequence[str]] = field(default_factory=dict)
    """The records that it has."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """What sets the inputs of the component."""
    own: Collection[Key] = ()
    """All record sets that the stack has, or is to have."""
    identities: Collection[str] = ()
    """The domains of the CA, as CAA records name it; empty where they are not known, or the stack makes CAA records."""
    delegated_to: Collection[str] | None = None
    """The name servers that DNS has for the zone's domain; None where DNS cannot be asked."""

    @cached_property
    def domain(self) -> str:
        """The zone's domain, whose name has the SOA record; empty where the zone was not read."""
        return next((name for name, kind in self.records if kind == "SOA"), "")

    def types_at(self, name: str) -> Sequence[str]:
        """Return the types of the records that a name has."""
        return self._types.get(name, ())

    def closest(self, name: str, kind: str) -> str:
        """Return the closest name, at a name or above it, that has records of a type; empty where none has."""
        owner = names.without_wildcard(name)
        while owner and (owner, kind) not in self.records:
            owner = owner.partition(".")[2]
        return owner

    @cached_property
    def _types(self) -> Mapping[str, Sequence[str]]:
        """The types by name: a thousand hosts are looked for."""
        types: dict[str, list[str]] = {}
        for name, kind in self.records:
            types.setdefault(name, []).append(kind)
        return types

    @cached_property
    def out_of_reach(self) -> Collection[Key]:
        """The record sets beyond the first page."""
        return {*itertools.islice(self.records, FIRST_PAGE, None)}


Values = Sequence[str] | None
"""The records of a set that is to be created; None if they are not known, or may replace others."""


def beside_cname(zone: Zone, key: Key, _: Values) -> Iterator[Problem]:
    """Yield the problem of an address whose name is a CNAME, which has no other record."""
    name, kind = key
    if kind in _ADDRESSES and "CNAME" in zone.types_at(name):
        (target, *_) = zone.records[name, "CNAME"]
        what = f"cannot be made: the name is a CNAME of {target}, and has no other record"
        yield Problem(_where(key), what, gcloud.replace_cname(name, target, kind, zone.name, zone.project))


def cname_beside(zone: Zone, key: Key, _: Values) -> Iterator[Problem]:
    """Yield the problem of a CNAME whose name has other records."""
    name, kind = key
    others = [other for other in zone.types_at(name) if other != kind]
    if kind == "CNAME" and others:
        what = f"cannot be made: the name has records of the type {', '.join(others)}, beside which no CNAME may be"
        fix = tuple(gcloud.delete(name, other, zone.name, zone.project) for other in others)
        yield Problem(_where(key), what, fix)


def leads_elsewhere(zone: Zone, key: Key, values: Values) -> Iterator[Problem]:
    """Yield the problem of a name that would lose its users' records."""
    current = zone.records.get(key)
    if current is None or values is None or {*current} == {*values}:
        return
    to = ", ".join(current) or "several places by a routing policy"
    what = f"leads to {to}, where users are, and would lead to {', '.join(values)} at once"
    take = set_input(zone.commands, "take_over", "true", "once the gateway may have its users")
    yield Problem(_where(key), what, ("uv run python -m tlsctl adopt    # moves the records last", take))


def out_of_reach(zone: Zone, key: Key, _: Values) -> Iterator[Problem]:
    """Yield the problem of a record set that the provider cannot replace: it looks at the first page of the zone only.

    https://github.com/hashicorp/terraform-provider-google/blob/main/google/services/dns/resource_dns_record_set.go
    """
    if key in zone.out_of_reach:
        what = f"exists, and is not among the first {FIRST_PAGE} of the zone, of which alone the provider replaces one"
        yield Problem(_where(key), what, ("uv run python -m tlsctl adopt    # imports it",))


def other_family(zone: Zone, key: Key, _: Values) -> Iterator[Problem]:
    """Yield the problem of a host with an address of the IP version that the stack does not set."""
    name, kind = key
    for other in _ADDRESSES:
        if kind in _ADDRESSES and other != kind and (name, other) in zone.records and (name, other) not in zone.own:
            to = ", ".join(zone.records[name, other])
            what = f"leads to {to}, and not to the gateway: clients and CAs that prefer it go there"
            fix = gcloud.delete(name, other, zone.name, zone.project)
            yield Problem(_where((name, other)), what, (fix,))


def other_ca(zone: Zone, key: Key, _: Values) -> Iterator[Problem]:
    """Yield the problem of CAA records that forbid the CA; those of the closest name count, and no others."""
    name, kind = key
    owner = zone.closest(name, "CAA")
    if kind not in _ADDRESSES or not owner or not zone.identities:
        return
    values = zone.records[owner, "CAA"]
    try:
        # An account and a method, which they may name too, are known once there is an issuer.
        parsed = [replace(caa.Record.parse(value), parameters={}) for value in values]
    except ValueError:
        return
    if wrong := caa.refusal(parsed, name, acme.HTTP01, zone.identities, None):
        tag = "issuewild" if names.is_wildcard(name) else "issue"
        allowing = [*values, *(f'0 {tag} "{identity}"' for identity in zone.identities)]
        fix = [gcloud.update(owner, "CAA", allowing, zone.name, zone.project)]
        if "caa" in zone.commands:
            fix.append(set_input(zone.commands, "caa", "true", "in place of the above: records of the hosts' own"))
        yield Problem(_where((owner, "CAA")), f"forbids a certificate for {name}: {wrong}", tuple(fix))


def not_delegated(zone: Zone, _key: Key, _values: Values) -> Iterator[Problem]:
    """Yield the problem of a zone whose domain has other name servers: nobody would see its records."""
    own = {server.removesuffix(".").lower() for server in zone.records.get((zone.domain, "NS"), ())}
    if not zone.domain or zone.delegated_to is None or not own or own & {*zone.delegated_to}:
        return
    others = ", ".join(sorted(zone.delegated_to)) or "no name servers"
    what = f"is not asked for {zone.domain}, which has {others} in DNS: no client and no CA would see its records"
    fix = (
        f"dig {word(zone.domain + '.')} NS",
        f"gcloud dns managed-zones describe {gcloud.zone_name(zone.name, zone.project)} --format 'value(nameServers)'"
        f"    # the NS records of {word(zone.domain)} have to name these, at the registrar or in the zone above",
    )
    yield Problem(f"managed zone {zone.name}", what, fix)


def below_cut(zone: Zone, key: Key, _: Values) -> Iterator[Problem]:
    """Yield the problem of a name below NS records of the zone, by which other servers are asked for it."""
    owner = zone.closest(key[0], "NS")
    if not zone.domain or not owner or owner == zone.domain:
        return
    servers = ", ".join(zone.records[owner, "NS"])
    what = f"would not be seen: NS records lead {owner} and the names below it to {servers}"
    zone_of_it = set_input(zone.commands, "zone", "NAME", f"the managed zone of {owner}")
    delete = f"{gcloud.delete(owner, 'NS', zone.name, zone.project)}    # if they lead nowhere"
    yield Problem(_where(key), what, (zone_of_it, delete))


def _where(key: Key) -> str:
    name, kind = key
    return f"record set {name}. {kind}"
