"""What a CA signs in how much time: its limits as token buckets, and in which batches new certificates fit into them.

Let's Encrypt's are in https://letsencrypt.org/docs/rate-limits/ and
https://letsencrypt.org/docs/staging-environment/. A bucket is full at first, each certificate takes a token, and one
comes back every so often. What others have taken cannot be seen from here. Signing the same names again takes none of
`orders` and `certificates`, but one of `same_names`; a renewal that ARI has asked for takes none at all.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from components.specs import acme

HOUR = 3600
DAY = 24 * HOUR
_UNITS = {"s": 1, "m": 60, "h": HOUR, "d": DAY}
_EXACT = 1e-6
"""Seconds that the arithmetic may be off: a token that is due at a time is there at that time."""


@dataclass(frozen=True)
class Limit:
    """A bucket: how many tokens it holds, and the seconds that one takes to come back."""

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Limits:
    """The limits that certificates meet."""

    orders: Limit
    """New ones of an ACME account."""
    certificates: Limit
    """New ones for a registered domain."""
    same_names: Limit
    """For exactly the same names: the first, and each time that they are signed again."""


NONE = Limits(Limit(10**9, 0.0), Limit(10**9, 0.0), Limit(10**9, 0.0))
"""Those of a CA that says nothing."""

LETS_ENCRYPT: Mapping[str, Limits] = {
    acme.PROD: Limits(Limit(300, 3 * HOUR / 300), Limit(50, 7 * DAY / 50), Limit(5, 7 * DAY / 5)),
    acme.STAGING: Limits(
        Limit(1500, 3 * HOUR / 1500), Limit(30_000, 7 * DAY / 30_000), Limit(30_000, 7 * DAY / 30_000)
    ),
}


def parse(value: str) -> Limit:
    """Return the limit that `50/7d` says: 50 tokens, all of which come back in 7 days (s, m, h or d).

    Raises:
        ValueError: it is not written like that.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,5})([smhd])", value)
    if not found:
        raise ValueError("is not a number and a time such as 50/7d")
    tokens = int(found[1])
    return Limit(tokens, int(found[2]) * _UNITS[found[3]] / tokens)


@dataclass
class _Bucket:
    limit: Limit
    full: float = -math.inf
    """When every token is back, in seconds."""

    def ready(self) -> float:
        """Return since when there is a token."""
        return self.full - (self.limit.tokens - 1) * self.limit.seconds

    def left(self, at: float) -> int:
        """Return how many tokens there are."""
        if self.full <= at:
            return self.limit.tokens
        return self.limit.tokens - math.ceil((self.full - at - _EXACT) / self.limit.seconds)

    def take(self, at: float) -> None:
        """Take a token, if there is one: the bucket never has less than none."""
        most = at + self.limit.tokens * self.limit.seconds
        self.full = min(max(self.full, at) + self.limit.seconds, most)


@dataclass
class Room:
    """What is left of a CA's limits, as certificates are signed one after another. Times are in seconds from now."""

    limits: Limits
    registered_domain: Callable[[str], str]
    """Returns that of a name: the part that somebody bought."""
    signed: Iterable[tuple[float, Iterable[str]]] = ()
    """When certificates were signed, at negative times, and their names."""
    _orders: _Bucket = field(init=False)
    _domains: dict[str, _Bucket] = field(init=False, default_factory=dict)
    _names: dict[frozenset[str], _Bucket] = field(init=False, default_factory=dict)
    _since: dict[frozenset[str], float] = field(init=False, default_factory=dict)
    """When names were signed for the first time."""

    def __post_init__(self) -> None:
        self._orders = _Bucket(self.limits.orders)
        for at, names in sorted((at, sorted(names)) for at, names in self.signed):
            self.sign(names, at)

    def ready(self, names: Iterable[str], at: float) -> float:
        """Return since when a certificate for these names can be signed, if it is asked for at a time or later."""
        return max(bucket.ready() for bucket in self._buckets(frozenset(names), at))

    def sign(self, names: Iterable[str], at: float) -> None:
        """Take what a certificate for these names takes."""
        of = frozenset(names)
        for bucket in self._buckets(of, at):
            bucket.take(at)
        self._since.setdefault(of, at)

    def new(self, domain: str, at: float) -> int:
        """Return how many new certificates for a registered domain can be signed at once."""
        return min(self._orders.left(at), self._of_domain(domain).left(at))

    def again(self, names: Iterable[str], at: float) -> int:
        """Return how often the same names can be signed again at once, as after their Secret is lost."""
        return self._of_names(frozenset(names)).left(at)

    def meets(self, names: Iterable[str]) -> tuple[bool, frozenset[str]]:
        """Return what tells the limits that a certificate meets from those that others do."""
        of = frozenset(names)
        known = of in self._since
        return known, of if known else frozenset(map(self.registered_domain, of))

    def _buckets(self, names: frozenset[str], at: float) -> list[_Bucket]:
        # What is asked for at the same time is new to the CA each time: it knows what it has signed.
        if self._since.get(names, at) < at:
            return [self._of_names(names)]
        domains = sorted(set(map(self.registered_domain, names)))
        return [self._orders, *map(self._of_domain, domains), self._of_names(names)]

    def _of_domain(self, domain: str) -> _Bucket:
        return self._domains.setdefault(domain, _Bucket(self.limits.certificates))

    def _of_names(self, names: frozenset[str]) -> _Bucket:
        return self._names.setdefault(names, _Bucket(self.limits.same_names))


@dataclass(frozen=True)
class Batch:
    """Certificates that one update gets."""

    at: float
    """When it begins, in seconds from now."""
    places: Sequence[int]
    """Which of the certificates, by their number."""

    @property
    def day(self) -> int:
        """The day, of which the first is 0."""
        return int(self.at // DAY)


def batches(certificates: Sequence[Sequence[str]], room: Room, every: float = DAY) -> list[Batch]:
    """Return in which batches certificates can be signed, each as large as the limits allow.

    Args:
        certificates: the names of each. The same names again are signed again.
        room: what is left of the limits; what the batches need is taken from it.
        every: seconds from one update to the next.
    """
    found: list[Batch] = []
    waiting, at = list(range(len(certificates))), 0.0
    while waiting:
        # Whatever meets the same limits as one that has to wait, waits as well: the first stands for the others.
        full: dict[tuple[bool, frozenset[str]], Sequence[str]] = {}
        fit, rest = [], []
        for place in waiting:
            names = certificates[place]
            met = room.meets(names)
            if met not in full and room.ready(names, at) <= at + _EXACT:
                room.sign(names, at)
                fit.append(place)
            else:
                full.setdefault(met, names)
                rest.append(place)
        if fit:
            found.append(Batch(at, fit))
        waiting = rest
        soonest = min((room.ready(names, at + every) for names in full.values()), default=at)
        at = max(at + every, math.ceil((soonest - _EXACT) / every) * every)
    return found
