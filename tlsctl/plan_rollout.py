"""``tlsctl plan-rollout``: whether the CA signs what the config asks for, or in how many days.

What a stack has signed already is in its state. What others have had signed for the same domains is not to be seen, so
the CA's limits are taken to be unused.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from publicsuffixlist import PublicSuffixList
from rich.table import Table
from rich.text import Text

from components.rules import acme
from components.rules.limits import DAY, LETS_ENCRYPT, Limits, by_day, schedule
from components.rules.names import WILDCARD
from settings import Settings, printed
from tlsctl import printing
from tlsctl.stack import Stack

_CERTIFICATE = "kubernetes:cert-manager.io/v1:Certificate"


@dataclass(frozen=True)
class Rollout:
    """What is to be signed, and when."""

    certificates: Sequence[tuple[str, ...]]
    """The names of each that is new or has other names than before."""
    signed: Sequence[float]
    """When each can be, in seconds from now."""
    standing: int
    """How many are as they were."""
    alternative: int | None
    """How many certificates the hosts would need in `shared` ones, where each host has its own."""

    @property
    def at_once(self) -> bool:
        """Whether one `pulumi up` gets them all."""
        return not any(self.signed)


def run(stack: Stack, args: argparse.Namespace) -> int:
    """Print the plan; return 0 if one update gets everything, 1 if the CA would cut it off."""
    with ThreadPoolExecutor() as pool:
        state = pool.submit(stack.read, "pulumi stack export")
        config = pool.submit(stack.read, "pulumi config --json --show-secrets")
        settings = printed.read(config.result(), stack.name.rpartition("/")[2])
        found = plan(settings, state.result())
    if args.json:
        print(json.dumps(document(stack, found), indent=2))
    elif found is None:
        printing.output().print("The limits are known of Let's Encrypt alone; this stack's issuer is at another CA.")
    else:
        _print(stack, settings, found)
    return 0 if found is None or found.at_once else 1


def plan(settings: Settings, state: Mapping[str, Any]) -> Rollout | None:
    """Return what is to be signed and when; None of a CA whose limits are not known.

    Args:
        settings: the stack's.
        state: what `pulumi stack export` prints.
    """
    limits = limits_of(settings)
    if limits is None:
        return None
    issuer = acme.issuer_name(settings.acme.issuer)
    there = signed_before(state, issuer)
    wanted = [tuple(hosts) for view in settings.views for hosts in view.settings.certificates.values()]
    new = [hosts for hosts in wanted if frozenset(hosts) not in there]
    per_host = any(view.settings.certificate.grouping == "perHost" for view in settings.views)
    shared = sum(_shared(view.settings) for view in settings.views) if per_host else None
    return Rollout(new, schedule(new, limits, registered_domain), len(wanted) - len(new), shared)


def limits_of(settings: Settings) -> Limits | None:
    """Return the limits of the CA that signs, None of another one than Let's Encrypt."""
    environment = acme.environment_of(getattr(settings.acme.servers, settings.acme.issuer))
    return LETS_ENCRYPT[environment] if environment else None


def signed_before(state: Mapping[str, Any], issuer: str) -> set[frozenset[str]]:
    """Return the names of each Certificate that an issuer has signed, by the stack's state."""
    resources = state.get("deployment", {}).get("resources") or []
    specs = [each.get("inputs", {}).get("spec", {}) for each in resources if each["type"] == _CERTIFICATE]
    return {
        frozenset(spec["dnsNames"])
        for spec in specs
        if isinstance(spec, Mapping) and spec.get("issuerRef", {}).get("name") == issuer
    }


def registered_domain(host: str) -> str:
    """Return the part of a name that somebody bought, by the public suffix list; the name itself if it is a suffix."""
    name = host.removeprefix(WILDCARD)
    return _SUFFIXES.privatesuffix(name) or name


def document(stack: Stack, found: Rollout | None) -> dict[str, Any]:
    """Return the plan as JSON: days from now, with the certificates of each."""
    if found is None:
        return {"stack": stack.name, "known": False}
    return {
        "stack": stack.name,
        "known": True,
        "atOnce": found.at_once,
        "standing": found.standing,
        "days": [
            {"day": day, "certificates": [list(found.certificates[place]) for place in places]}
            for day, places in by_day(found.signed)
        ],
    }


def _shared(settings: Settings) -> int:
    hosts = [host.host for host in settings.hosts]
    return len(acme.group_names(hosts, "shared", settings.certificate.secret_name, settings.acme.profile))


def _print(stack: Stack, settings: Settings, found: Rollout) -> None:
    console = printing.output()
    new, standing = len(found.certificates), found.standing
    console.print(f"Let's Encrypt ({settings.acme.issuer}): {new} certificates to sign, {standing} as they are.")
    if found.at_once:
        console.print(Text("One update gets them all.", style="green"))
    else:
        table = Table("day", "certificates", "in all", box=None)
        in_all = 0
        for day, places in by_day(found.signed):
            in_all += len(places)
            table.add_row(str(day), str(len(places)), f"{in_all} of {new}")
        console.print(table)
        console.print(
            Text(
                f"One update would be cut off: the last is signed on day {int(max(found.signed)) // DAY}.",
                style="red",
            )
        )
        if found.alternative is not None:
            console.print(f"In certificates that hosts share there would be {found.alternative}:")
            printing.command(console, stack.address("pulumi config set --path certificate.grouping shared"))
    console.print(_cost(settings))


def _cost(settings: Settings) -> str:
    if settings.certificate.grouping == "perHost":
        return "Another host is a new certificate, and touches no other."
    return "Another host signs the certificate that it joins anew, with other names: one more of the domain's."


_SUFFIXES = PublicSuffixList()
