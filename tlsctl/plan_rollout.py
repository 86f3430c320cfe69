"""``tlsctl plan-rollout``: in which batches the CA signs what the config asks for, and what its limits leave after."""

import argparse
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from components.specs import cert_manager
from config.limits import DAY, HOUR
from config.models import Settings
from config.reading import read_printed
from config.rollout import IssuedCertificate, Rollout, plan
from tlsctl import printing
from tlsctl.stack import Stack

_CERTIFICATE = f"kubernetes:{cert_manager.API}:Certificate"


def run(stack: Stack, args: argparse.Namespace) -> int:
    """Print the plan; return 0 if one update gets everything, 1 if the CA would cut it off."""
    with ThreadPoolExecutor() as pool:
        state = pool.submit(stack.read, "pulumi stack export")
        config = pool.submit(stack.read, "pulumi config --json --show-secrets")
        settings = read_printed(config.result(), stack.short_name)
        rollout = plan(settings, in_state(state.result()), clusters=args.clusters)
    if args.json:
        print(json.dumps(document(stack, rollout), indent=2))
    elif rollout is None:
        console = printing.output()
        console.print("The limits of this stack's CA are not known. They can be set (orders and sameNames as well):")
        printing.command(console, stack.address("pulumi config set --path acme.limits.certificates 50/7d"))
    else:
        _print(stack, settings, rollout)
    return 0 if rollout is None or rollout.at_once else 1


def in_state(state: Mapping[str, Any]) -> Iterator[IssuedCertificate]:
    """Yield the stack's Certificates from what `pulumi stack export` prints."""
    for resource in state.get("deployment", {}).get("resources") or []:
        spec = resource.get("inputs", {}).get("spec", {})
        # A secret spec is encrypted, and no mapping of names.
        if resource["type"] == _CERTIFICATE and isinstance(spec, Mapping) and "dnsNames" in spec:
            created = _created(resource)
            yield IssuedCertificate(
                names=frozenset(spec["dnsNames"]),
                issuer=spec.get("issuerRef", {}).get("name", ""),
                created=datetime.fromisoformat(created).timestamp() if created else None,
                signed=not resource.get("initErrors"),
            )


def _created(resource: Mapping[str, Any]) -> str | None:
    """Return when an object was created in the cluster: an imported one is older than its resource."""
    metadata = resource.get("outputs", {}).get("metadata")
    in_cluster = metadata.get("creationTimestamp") if isinstance(metadata, Mapping) else None
    created: str | None = in_cluster or resource.get("created")
    return created


def document(stack: Stack, rollout: Rollout | None) -> dict[str, Any]:
    """Return the plan as JSON: days from now, with the certificates that the update of each gets."""
    if rollout is None:
        return {"stack": stack.name, "known": False}
    return {
        "stack": stack.name,
        "known": True,
        "atOnce": rollout.at_once,
        "standing": rollout.unchanged,
        "days": [
            {"day": batch.day, "certificates": [list(rollout.certificates[place]) for place in batch.places]}
            for batch in rollout.batches
        ],
        "left": {"again": rollout.again, "new": dict(rollout.new)},
        "another": {domain: round(at) for domain, at in rollout.another.items()},
    }


def _print(stack: Stack, settings: Settings, rollout: Rollout) -> None:
    console = printing.output()
    new = len(rollout.certificates)
    console.print(f"{settings.acme.issuer}: {new} certificates to sign, {rollout.unchanged} unchanged.")
    if rollout.at_once:
        console.print(Text("One update gets them all.", style="green"))
    else:
        table = Table("day", "certificates", "in all", "up to", box=None)
        in_all = 0
        for batch in rollout.batches:
            in_all += len(batch.places)
            last = rollout.certificates[batch.places[-1]]
            table.add_row(str(batch.day), str(len(batch.places)), f"{in_all} of {new}", last[-1])
        console.print(table)
        last_day = rollout.batches[-1].day
        console.print(Text(f"One update would be cut off: the last is signed on day {last_day}.", style="red"))
        console.print("Add to the config what the update of each day gets, and run the next update a day later.")
        if rollout.alternative is not None:
            console.print(f"With shared certificates there would be {rollout.alternative}:")
            printing.command(console, stack.address("pulumi config set --path certificate.grouping shared"))
    console.print(_cost(settings))
    for domain, left in rollout.new.items():
        console.print(f"After that, {_left(left, rollout.another[domain])} for {domain}.")
    console.print(f"Each certificate can be signed again {rollout.again} times, as when its Secret is lost.")


def _left(left: int, another: float) -> str:
    if left:
        return f"there is room for {left} new certificates at once"
    wait = f"{another / DAY:.1f} days" if another > 2 * DAY else f"{another / HOUR:.1f} hours"
    return f"the next new certificate can be signed in {wait}"


def _cost(settings: Settings) -> str:
    if settings.certificate.grouping == "perHost":
        return "Another host is a new certificate, and touches no other."
    return "Another host changes the names of the certificate that it joins: one more certificate for its domain."
