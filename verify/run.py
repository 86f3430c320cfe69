"""One look at everything, side by side."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dns.resolver

from verify import certificates, cluster, names, offers, requests, trust
from verify.checks import INGRESS, Report, Result, ordered
from verify.environment import Environment

Part = Callable[[], Sequence[Result]]
Progress = Callable[[int, int], None]
"""Told how many parts are done, and of how many."""

_WORKERS = 16


@dataclass(frozen=True)
class Options:
    """How to look."""

    resolver: dns.resolver.Resolver
    ca: Path | None = None
    """Roots to trust, if not those of the stack's issuer."""


def look(environment: Environment, options: Options, progress: Progress) -> Report:
    """Make every check once.

    Raises:
        UnreadableError: there are no roots to trust.
    """
    trusted = trust.choose(environment, options.ca)
    profile = offers.intermediate()
    parts: list[Part] = [partial(cluster.look, environment), partial(requests.ports, environment)]
    for host in environment.hosts:
        parts += [
            partial(offers.look, environment, host, profile),
            partial(names.look, environment, host, options.resolver),
            partial(certificates.look, environment, host, trusted, profile),
            partial(requests.plain, environment, host),
            partial(requests.secure, environment, host),
        ]
    results: list[Result] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        running = [pool.submit(part) for part in parts]
        for done, part in enumerate(as_completed(running), start=1):
            results += part.result()
            progress(done, len(parts))
    subjects = [INGRESS, *environment.certificates, *environment.hosts]
    return Report(ordered(results, subjects), environment.certificates)
