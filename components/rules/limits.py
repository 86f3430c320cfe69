"""What a CA signs in how much time: Let's Encrypt's limits as token buckets, and when new certificates fit into them.

https://letsencrypt.org/docs/rate-limits/ and https://letsencrypt.org/docs/staging-environment/. A bucket is full at
first, each certificate takes a token, and one comes back every so often. What others have taken cannot be seen from
here. A renewal of the same names takes none of `certificates`, and one that ARI has asked for takes none at all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from . import acme

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Limit:
    """A bucket: how many tokens it holds, and how long one takes to come back."""

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Limits:
    """The limits that new certificates meet."""

    orders: Limit
    """Of an ACME account."""
    certificates: Limit
    """New ones for a registered domain."""
    same_names: Limit
    """For exactly the same names."""


LETS_ENCRYPT: Mapping[str, Limits] = {
    acme.PROD: Limits(Limit(300, 3 * HOUR / 300), Limit(50, 7 * DAY / 50), Limit(5, 7 * DAY / 5)),
    acme.STAGING: Limits(
        Limit(1500, 3 * HOUR / 1500), Limit(30_000, 7 * DAY / 30_000), Limit(30_000, 7 * DAY / 30_000)
    ),
}


@dataclass
class _Bucket:
    limit: Limit
    tokens: float = field(init=False)
    at: float = 0.0
    """When it had these tokens, in seconds."""

    def __post_init__(self) -> None:
        self.tokens = self.limit.tokens

    def ready(self) -> float:
        """Return when there is a token."""
        return self.at + max(0.0, 1 - self.tokens) * self.limit.seconds

    def take(self, at: float) -> None:
        """Take a token, at a time when there is one."""
        self.tokens = min(self.limit.tokens, self.tokens + (at - self.at) / self.limit.seconds) - 1
        self.at = at


def schedule(
    certificates: Sequence[Sequence[str]], limits: Limits, registered_domain: Callable[[str], str]
) -> list[float]:
    """Return when each of new certificates can be signed at the earliest, in seconds from now.

    Args:
        certificates: the names of each; no two have the same names.
        limits: the CA's.
        registered_domain: returns that of a name: the part that somebody bought.
    """
    orders = _Bucket(limits.orders)
    domains: dict[str, _Bucket] = {}
    waiting: dict[frozenset[str], list[int]] = {}
    for number, names in enumerate(certificates):
        of = frozenset(map(registered_domain, names))
        waiting.setdefault(of, []).append(number)
        domains |= {domain: _Bucket(limits.certificates) for domain in of if domain not in domains}
    signed = [0.0] * len(certificates)
    # Those for the same domains meet the same limits: the first of each that waits stands for the others.
    while waiting:
        ready = {of: max(orders.ready(), *(domains[each].ready() for each in of)) for of in waiting}
        of = min(ready, key=lambda each: ready[each])
        number, at = waiting[of].pop(0), ready[of]
        if not waiting[of]:
            del waiting[of]
        for bucket in (orders, *(domains[each] for each in of)):
            bucket.take(max(at, bucket.at))
        signed[number] = at
    return signed


def by_day(signed: Sequence[float]) -> Iterator[tuple[int, list[int]]]:
    """Yield the days on which certificates are signed, the first is 0, and the places of those in `signed`."""
    days: dict[int, list[int]] = {}
    for place, at in enumerate(signed):
        days.setdefault(int(at // DAY), []).append(place)
    yield from sorted(days.items())
