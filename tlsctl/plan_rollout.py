"""``tlsctl plan-rollout``: in which batches the CA signs what the config asks for, and what is left of its limits then.

What a stack has had signed, and when, is in its state. What others have had signed for the same domains is not to be
seen: of that, the CA's limits are taken to be unused.
"""

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from components.specs import acme
from config import printed
from config.limits import DAY, HOUR, Batch, Room, batches
from config.models import Settings
from config.registered import registered_domain
from tlsctl import printing
from tlsctl.stack import Stack

_CERTIFICATE = "kubernetes:cert-manager.io/v1:Certificate"


@dataclass(frozen=True)
class Rollout:
    """What is to be signed, and when."""

    certificates: Sequence[tuple[str, ...]]
    """The names of each that is new or has other names than before; once for each cluster."""
    batches: Sequence[Batch]
    """Which of them each update gets."""
    standing: int
    """How many are as they were."""
    alternative: int | None
    """How many certificates the hosts would need in `shared` ones, where each host has its own."""
    new: Mapping[str, int]
    """How many new certificates for each registered domain the CA signs at once, after the last batch."""
    another: Mapping[str, float]
    """When it signs another new one for each, in seconds from now."""
    again: int
    """How often each certificate can be signed again at once after the last batch, as when its Secret is lost."""

    @property
    def at_once(self) -> bool:
        """Whether one `pulumi up` gets them all."""
        return all(batch.at == 0 for batch in self.batches)


def run(stack: Stack, args: argparse.Namespace) -> int:
    """Print the plan; return 0 if one update gets everything, 1 if the CA would cut it off."""
    with ThreadPoolExecutor() as pool:
        state = pool.submit(stack.read, "pulumi stack export")
        config = pool.submit(stack.read, "pulumi config --json --show-secrets")
        settings = printed.read(config.result(), stack.name.rpartition("/")[2])
        found = plan(settings, state.result(), clusters=args.clusters)
    if args.json:
        print(json.dumps(document(stack, found), indent=2))
    elif found is None:
        console = printing.output()
        console.print("The limits of this stack's CA are not known. They can be set (orders and sameNames as well):")
        printing.command(console, stack.address("pulumi config set --path acme.limits.certificates 50/7d"))
    else:
        _print(stack, settings, found)
    return 0 if found is None or found.at_once else 1


def plan(
    settings: Settings, state: Mapping[str, Any], *, clusters: int = 1, now: float | None = None
) -> Rollout | None:
    """Return what is to be signed and when; None of a CA whose limits are not known.

    Args:
        settings: the stack's.
        state: what `pulumi stack export` prints.
        clusters: how many stacks have certificates of their own for the same names, none of the others up yet.
        now: seconds since 1970, if not the clock's.
    """
    limits = settings.acme.ca_limits
    if limits is None:
        return None
    issuer = acme.issuer_name(settings.acme.issuer)
    there = signed_before(state, issuer, time.time() if now is None else now)
    wanted = [tuple(hosts) for view in settings.views for hosts in view.settings.certificates.values()]
    new = [hosts for hosts in wanted if frozenset(hosts) not in there] + wanted * (clusters - 1)
    room = Room(limits, registered_domain, [(at, names) for names, at in there.items()])
    planned = batches(new, room)
    end = planned[-1].at if planned else 0.0
    domains = sorted({registered_domain(host) for hosts in wanted for host in hosts})
    per_host = any(view.settings.certificate.grouping == "perHost" for view in settings.views)
    return Rollout(
        certificates=new,
        batches=planned,
        standing=len(wanted) * clusters - len(new),
        alternative=sum(_shared(view.settings) for view in settings.views) if per_host else None,
        new={domain: room.new(domain, end) for domain in domains},
        another={domain: max(end, room.ready([f"another.{domain}"], end)) for domain in domains},
        again=min(room.again(hosts, end) for hosts in wanted),
    )


def signed_before(state: Mapping[str, Any], issuer: str, now: float) -> dict[frozenset[str], float]:
    """Return when each Certificate of an issuer was made, in seconds from now, by its names; by the stack's state."""
    resources = state.get("deployment", {}).get("resources") or []
    found: dict[frozenset[str], float] = {}
    for each in resources:
        spec = each.get("inputs", {}).get("spec", {})
        # One that was awaited in vain has been cut off, and is yet to be signed.
        if each["type"] != _CERTIFICATE or not isinstance(spec, Mapping) or each.get("initErrors"):
            continue
        if spec.get("issuerRef", {}).get("name") == issuer:
            made = _made(each)
            found[frozenset(spec["dnsNames"])] = datetime.fromisoformat(made).timestamp() - now if made else -math.inf
    return found


def _made(resource: Mapping[str, Any]) -> str | None:
    """Return when an object was made, as the cluster has it: one that was imported is older than its resource."""
    metadata = resource.get("outputs", {}).get("metadata")
    there = metadata.get("creationTimestamp") if isinstance(metadata, Mapping) else None
    made: str | None = there or resource.get("created")
    return made


def document(stack: Stack, found: Rollout | None) -> dict[str, Any]:
    """Return the plan as JSON: days from now, with the certificates that the update of each gets."""
    if found is None:
        return {"stack": stack.name, "known": False}
    return {
        "stack": stack.name,
        "known": True,
        "atOnce": found.at_once,
        "standing": found.standing,
        "days": [
            {"day": batch.day, "certificates": [list(found.certificates[place]) for place in batch.places]}
            for batch in found.batches
        ],
        "left": {"again": found.again, "new": dict(found.new)},
        "another": {domain: round(at) for domain, at in found.another.items()},
    }


def _shared(settings: Settings) -> int:
    hosts = [host.host for host in settings.hosts]
    return len(acme.group_names(hosts, "shared", settings.certificate.secret_name, settings.acme.profile))


def _print(stack: Stack, settings: Settings, found: Rollout) -> None:
    console = printing.output()
    new, standing = len(found.certificates), found.standing
    console.print(f"{settings.acme.issuer}: {new} certificates to sign, {standing} as they are.")
    if found.at_once:
        console.print(Text("One update gets them all.", style="green"))
    else:
        table = Table("day", "certificates", "in all", "up to", box=None)
        in_all = 0
        for batch in found.batches:
            in_all += len(batch.places)
            last = found.certificates[batch.places[-1]]
            table.add_row(str(batch.day), str(len(batch.places)), f"{in_all} of {new}", last[-1])
        console.print(table)
        last_day = found.batches[-1].day
        console.print(Text(f"One update would be cut off: the last is signed on day {last_day}.", style="red"))
        console.print("Have in the config what the update of each day gets; the next one comes a day later.")
        if found.alternative is not None:
            console.print(f"In certificates that hosts share there would be {found.alternative}:")
            printing.command(console, stack.address("pulumi config set --path certificate.grouping shared"))
    console.print(_cost(settings))
    for domain, left in found.new.items():
        console.print(f"After that, {_left(left, found.another[domain])} for {domain}.")
    console.print(f"Each certificate can be signed again {found.again} times, as when its Secret is lost.")


def _left(left: int, another: float) -> str:
    if left:
        return f"there is room for {left} new certificates at once"
    wait = f"{another / DAY:.1f} days" if another > 2 * DAY else f"{another / HOUR:.1f} hours"
    return f"the next new certificate can be signed in {wait}"


def _cost(settings: Settings) -> str:
    if settings.certificate.grouping == "perHost":
        return "Another host is a new certificate, and touches no other."
    return "Another host signs the certificate that it joins anew, with other names: one more of the domain's."
