"""Let's Encrypt's rate limits as Boulder enforces them, on a clock that a test moves; Pebble has none.

Written from https://letsencrypt.org/docs/rate-limits/ and from Boulder's own checks, independently of the program's
arithmetic, which tests compare with it. A new order is checked against all limits. It counts against `orders` at once,
and against `certificates` and `same_names` when it is finalized.
"""

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

HOUR = 3600
DAY = 24 * HOUR
START = datetime(2026, 1, 1, tzinfo=UTC)
"""The time when the clock is at 0, for the text of a refusal."""
DOCUMENTATION = "https://letsencrypt.org/docs/rate-limits/#"

Figures = tuple[int, int]
"""How many, in how many seconds."""
Key = tuple[str, ...]
"""A limit, and what it counts for."""


@dataclass(frozen=True)
class CaLimits:
    """How many in how many seconds; the defaults are Let's Encrypt's."""

    orders: Figures = (300, 3 * HOUR)
    """New orders of an account."""
    certificates: Figures = (50, 7 * DAY)
    """For a registered domain."""
    same_names: Figures = (5, 7 * DAY)
    """For exactly the same names."""


@dataclass
class Bucket:
    """Tokens that come back one by one; a fraction of a token is kept exactly."""

    most: int
    seconds: int
    tokens: Fraction = field(init=False)
    at: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        self.tokens = Fraction(self.most)

    def wait(self, now: Fraction) -> Fraction:
        """Return the seconds until there is a token, 0 if there is one."""
        self.tokens = min(Fraction(self.most), self.tokens + (now - self.at) * self.most / self.seconds)
        self.at = now
        return max(Fraction(0), (1 - self.tokens) * self.seconds / self.most)

    def take(self, now: Fraction) -> None:
        """Take a token; orders that were accepted may lead to a debt."""
        self.wait(now)
        self.tokens -= 1


class RateLimits:
    """The counts of an ACME server.

    Attributes:
        now: Seconds on its clock.
        issued: How many certificates it has issued.
    """

    def __init__(self, limits: CaLimits) -> None:
        self.now = Fraction(0)
        self.issued = 0
        self._limits = limits
        self._buckets: dict[Key, Bucket] = {}
        self._known: set[frozenset[str]] = set()
        self._lock = threading.Lock()

    def move(self, seconds: float) -> None:
        """Move the clock."""
        self.now += Fraction(seconds)

    def order(self, account: str, names: Iterable[str], *, replaces: bool = False) -> dict[str, Any] | None:
        """Count a new order, or return the problem document if it is over a limit.

        Args:
            account: The account that orders.
            names: The names of the certificate.
            replaces: Whether it is a renewal that ARI asked for, which no limit applies to.
        """
        names = frozenset(names)
        if replaces:
            return None
        with self._lock:
            same: Key = ("same_names", *sorted(names))
            orders: list[Key] = [] if names in self._known else [("orders", account)]
            for key in (*orders, *self._of_domains(names), same):
                if wait := self._bucket(key).wait(self.now):
                    return self._problem(key, math.ceil(wait))
            for key in orders:
                self._bucket(key).take(self.now)
        return None

    def issue(self, names: Iterable[str], *, replaces: bool = False) -> None:
        """Count a certificate of an order that was accepted."""
        names = frozenset(names)
        with self._lock:
            for key in () if replaces else (*self._of_domains(names), ("same_names", *sorted(names))):
                self._bucket(key).take(self.now)
            self._known.add(names)
            self.issued += 1

    def _of_domains(self, names: frozenset[str]) -> list[Key]:
        """Return the keys of the names' registered domains, which the same names again do not count for."""
        return [] if names in self._known else [("certificates", domain) for domain in sorted(set(map(_domain, names)))]

    def _bucket(self, key: Key) -> Bucket:
        return self._buckets.setdefault(key, Bucket(*getattr(self._limits, key[0])))

    def _problem(self, key: Key, wait: int) -> dict[str, Any]:
        """Return Boulder's answer."""
        most, seconds = getattr(self._limits, key[0])
        what, anchor = {
            "orders": ("new orders ({}) from this account", "new-orders-per-account"),
            "certificates": (
                f'certificates ({{}}) already issued for "{key[-1]}"', "new-certificates-per-registered-domain"
            ),
            "same_names": (
                "certificates ({}) already issued for this exact set of identifiers",
                "new-certificates-per-exact-set-of-identifiers",
            ),
        }[key[0]]  # fmt: skip
        again = START + timedelta(seconds=math.ceil(self.now) + wait)
        period = f"{seconds // HOUR}h{seconds % HOUR // 60}m{seconds % 60}s"
        detail = f"too many {what.format(most)} in the last {period}, retry after {again:%Y-%m-%d %H:%M:%S} UTC"
        return {
            "type": "urn:ietf:params:acme:error:rateLimited",
            "detail": f"{detail}: see {DOCUMENTATION}{anchor}",
            "status": 429,
            "retry_after": wait,
        }


def _domain(name: str) -> str:
    """Return the registered domain of a test's name; no public suffix here has two labels."""
    return ".".join(name.split(".")[-2:])
