"""A CA's rate limits as token buckets, and the batches in which new certificates fit into them.

Let's Encrypt's are in https://letsencrypt.org/docs/rate-limits/ and
https://letsencrypt.org/docs/staging-environment/. A bucket starts full, each certificate takes a token, and tokens
refill at a constant rate. Signing the same names again takes no token of `orders` and `certificates`, but one of
`same_names`; a renewal that ARI has asked for takes none at all.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from components.specs import acme
from config.registered import registered_domain

HOUR = 3600
DAY = 24 * HOUR
_UNITS = {"s": 1, "m": 60, "h": HOUR, "d": DAY}
_EXACT = 1e-6
"""Seconds of rounding error: a token that is due at a time is available at that time."""


@dataclass(frozen=True)
class Limit:
    """A bucket: how many tokens it holds, and in how many seconds one refills."""

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Limits:
    """The rate limits of a CA."""

    orders: Limit
    """New orders per ACME account."""
    certificates: Limit
    """New certificates per registered domain."""
    same_names: Limit
    """Certificates for exactly the same names, the first one included."""


NONE = Limits(Limit(10**9, 0.0), Limit(10**9, 0.0), Limit(10**9, 0.0))
"""A CA that is not known to limit anything."""

LETS_ENCRYPT: Mapping[str, Limits] = {
    acme.PROD: Limits(Limit(300, 3 * HOUR / 300), Limit(50, 7 * DAY / 50), Limit(5, 7 * DAY / 5)),
    acme.STAGING: Limits(
        Limit(1500, 3 * HOUR / 1500), Limit(30_000, 7 * DAY / 30_000), Limit(30_000, 7 * DAY / 30_000)
    ),
}


def parse(value: str) -> Limit:
    """Parse a limit: `50/7d` is 50 tokens, all of which refill in 7 days (s, m, h or d).

    Raises:
        ValueError: the text has another form.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,5})([smhd])", value)
    if not match:
        raise ValueError("is not a number and a time such as 50/7d")
    tokens = int(match[1])
    return Limit(tokens, int(match[2]) * _UNITS[match[3]] / tokens)


@dataclass
class _Bucket:
    limit: Limit
    full: float = -math.inf
    """When the bucket is full again, in seconds."""

    def ready(self) -> float:
        """Return since when the bucket has a token."""
        return self.full - (self.limit.tokens - 1) * self.limit.seconds

    def left(self, at: float) -> int:
        if self.full <= at:
            return self.limit.tokens
        return self.limit.tokens - math.ceil((self.full - at - _EXACT) / self.limit.seconds)

    def take(self, at: float) -> None:
        """Take a token, if the bucket has one; it never goes below zero."""
        most = at + self.limit.tokens * self.limit.seconds
        self.full = min(max(self.full, at) + self.limit.seconds, most)


@dataclass
class Room:
    """The unused part of a CA's limits, as certificates are signed one after another. Times are in seconds from now."""

    limits: Limits
    signed: Iterable[tuple[float, Iterable[str]]] = ()
    """When certificates were signed (negative times), and their names."""
    _orders: _Bucket = field(init=False)
    _domains: dict[str, _Bucket] = field(init=False, default_factory=dict)
    _names: dict[frozenset[str], _Bucket] = field(init=False, default_factory=dict)
    _since: dict[frozenset[str], float] = field(init=False, default_factory=dict)
    """When each set of names was signed for the first time."""

    def __post_init__(self) -> None:
        self._orders = _Bucket(self.limits.orders)
        for at, names in sorted((at, sorted(names)) for at, names in self.signed):
            self.sign(names, at)

    def ready(self, names: Iterable[str], at: float) -> float:
        """Return since when a certificate for these names can be signed, if it is requested at `at` or later."""
        return max(bucket.ready() for bucket in self._buckets(frozenset(names), at))

    def sign(self, names: Iterable[str], at: float) -> None:
        """Take the tokens of a certificate for these names."""
        key = frozenset(names)
        for bucket in self._buckets(key, at):
            bucket.take(at)
        self._since.setdefault(key, at)

    def new(self, domain: str, at: float) -> int:
        """Return how many new certificates for a registered domain can be signed at once."""
        return min(self._orders.left(at), self._of_domain(domain).left(at))

    def again(self, names: Iterable[str], at: float) -> int:
        """Return how often the same names can be signed again at once, as after their Secret is lost."""
        return self._of_names(frozenset(names)).left(at)

    def limit_key(self, names: Iterable[str]) -> tuple[bool, frozenset[str]]:
        """Return the key shared by certificates that count against the same limit."""
        key = frozenset(names)
        known = key in self._since
        return known, key if known else frozenset(map(registered_domain, key))

    def _buckets(self, names: frozenset[str], at: float) -> list[_Bucket]:
        # Certificates that are requested at the same time are all new to the CA, which has signed none of them yet.
        if self._since.get(names, at) < at:
            return [self._of_names(names)]
        domains = sorted(set(map(registered_domain, names)))
        return [self._orders, *map(self._of_domain, domains), self._of_names(names)]

    def _of_domain(self, domain: str) -> _Bucket:
        return self._domains.setdefault(domain, _Bucket(self.limits.certificates))

    def _of_names(self, names: frozenset[str]) -> _Bucket:
        return self._names.setdefault(names, _Bucket(self.limits.same_names))


@dataclass(frozen=True)
class Batch:
    """The certificates that one update gets."""

    at: float
    """When the update begins, in seconds from now."""
    places: Sequence[int]
    """The certificates, by their number."""

    @property
    def day(self) -> int:
        """The day of the batch, counted from 0."""
        return int(self.at // DAY)


def batches(certificates: Sequence[Sequence[str]], room: Room, interval: float = DAY) -> list[Batch]:
    """Return the batches in which certificates can be signed, each as large as the limits allow.

    Names that repeat are signed again. The batches take their tokens from the room.
    """
    planned: list[Batch] = []
    waiting, at = list(range(len(certificates))), 0.0
    while waiting:
        # A certificate that has to wait stands for all others that count against the same limit.
        full: dict[tuple[bool, frozenset[str]], Sequence[str]] = {}
        fit, rest = [], []
        for place in waiting:
            names = certificates[place]
            key = room.limit_key(names)
            if key not in full and room.ready(names, at) <= at + _EXACT:
                room.sign(names, at)
                fit.append(place)
            else:
                full.setdefault(key, names)
                rest.append(place)
        if fit:
            planned.append(Batch(at, fit))
        waiting = rest
        soonest = min((room.ready(names, at + interval) for names in full.values()), default=at)
        at = max(at + interval, math.ceil((soonest - _EXACT) / interval) * interval)
    return planned
