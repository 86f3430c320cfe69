"""Record sets of others in the place of the stack's own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..problem import Problem, set_input
from ..shell import word
from .external_dns import Key

Records = Mapping[Key, Sequence[str]]
"""The records of a managed zone."""

_ADDRESSES = ("A", "AAAA")


def in_the_way(
    records: Records,
    wanted: Iterable[Key],
    values: Sequence[str] | None,
    zone: str,
    project: str | None = None,
    commands: Mapping[str, str] | None = None,
) -> Iterator[Problem]:
    """Yield why some record sets cannot be made, or would take a name away from its users.

    Args:
        records: Those of the zone.
        wanted: The record sets that are to be made.
        values: The addresses that they are to have; None if they are not known, or may replace others.
        zone: The name of the managed zone.
        project: The project of the zone.
        commands: What sets the inputs of the component.
    """
    for name, kind in wanted:
        options = f"--zone {word(zone)}" + (f" --project {word(project)}" if project else "")
        at_name = [other for owner, other in records if owner == name]
        if kind in _ADDRESSES and "CNAME" in at_name:
            (target, *_) = records[name, "CNAME"]
            what = f"cannot be made: the name is a CNAME of {target}, and has no other record"
            yield Problem(_where(name, kind), what, tuple(_in_place_of_cname(name, kind, target, options)))
        elif kind == "CNAME" and (others := [other for other in at_name if other != kind]):
            what = f"cannot be made: the name has records of the type {', '.join(others)}, beside which no CNAME may be"
            fix = (f"gcloud dns record-sets delete {word(name + '.')} {options} --type {other}" for other in others)
            yield Problem(_where(name, kind), what, tuple(fix))
        elif values is not None and {*records.get((name, kind), values)} != {*values}:
            current = ", ".join(records[name, kind])
            what = f"leads to {current}, where users are, and would lead to {', '.join(values)} at once"
            take = set_input(commands or {}, "take_over", "true", "once the gateway may have its users")
            yield Problem(_where(name, kind), what, ("python -m tlsctl adopt    # moves the records last", take))


def _where(name: str, kind: str) -> str:
    return f"record set {name}. {kind}"


def _in_place_of_cname(name: str, kind: str, target: str, options: str) -> Iterator[str]:
    """Yield the commands of one change: the name is never without a record."""
    transaction = "gcloud dns record-sets transaction"
    record = f"{options} --name {word(name + '.')} --ttl TTL --type"
    yield f"{transaction} start {options}"
    yield f"{transaction} remove {record} CNAME {word(target)}"
    yield f"{transaction} add {record} {kind} ADDRESS    # where the name leads now"
    yield f"{transaction} execute {options}"
