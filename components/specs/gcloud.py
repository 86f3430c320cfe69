"""The commands of gcloud that change the record sets of a managed zone by hand."""

from collections.abc import Iterable

from ..shell import word

_RECORD_SETS = "gcloud dns record-sets"


def zone_name(zone: str, project: str | None) -> str:
    """Return the name of a managed zone, with the option for its project where that is known."""
    return word(zone) + (f" --project {word(project)}" if project else "")


def delete(name: str, kind: str, zone: str, project: str | None) -> str:
    """Return the command that deletes a record set."""
    return f"{_RECORD_SETS} delete {word(name + '.')} --zone {zone_name(zone, project)} --type {word(kind)}"


def update(name: str, kind: str, values: Iterable[str], zone: str, project: str | None) -> str:
    """Return the command that gives a record set other values."""
    options = f"--zone {zone_name(zone, project)} --type {word(kind)}"
    return f"{_RECORD_SETS} update {word(name + '.')} {options} --rrdatas {','.join(map(word, values))}"


def replace_cname(
    name: str, target: str, kind: str, zone: str, project: str | None, ttl: int | str = "TTL"
) -> tuple[str, ...]:
    """Return the commands of one change that replaces a CNAME by an address: the name always has a record."""
    transaction, zone_option = f"{_RECORD_SETS} transaction", f"--zone {zone_name(zone, project)}"
    record = f"{zone_option} --name {word(name + '.')} --ttl {word(ttl)} --type"
    return (
        f"{transaction} start {zone_option}",
        f"{transaction} remove {record} CNAME {word(target)}",
        f"{transaction} add {record} {kind} ADDRESS    # where the name leads now",
        f"{transaction} execute {zone_option}",
    )
