"""Let's Encrypt's rate limits as Boulder enforces them, on a clock that a test moves: Pebble has none.

Written from https://letsencrypt.org/docs/rate-limits/ and from what Boulder checks and counts, and apart from the
project's own arithmetic, which is held against it. A new order is checked against all limits; of them, `orders` is
counted then, `certificates` and `same_names` when the order is finalized, `failures` when an authorization is invalid.
"""

import json
import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from sandbox.testing import jws

HOUR = 3600
DAY = 24 * HOUR
START = datetime(2026, 1, 1, tzinfo=UTC)
"""When the clock is at 0; it is seen in the words of a refusal alone."""
DOCUMENTATION = "https://letsencrypt.org/docs/rate-limits/#"

Figures = tuple[int, int]
"""How many, in how many seconds."""


@dataclass(frozen=True)
class CaLimits:
    """How many in how many seconds; of Let's Encrypt where nothing else is said."""

    orders: Figures = (300, 3 * HOUR)
    """New orders of an account."""
    certificates: Figures = (50, 7 * DAY)
    """For a registered domain."""
    same_names: Figures = (5, 7 * DAY)
    """For exactly the same names."""
    failures: Figures = (5, HOUR)
    """Failed authorizations of a name, of an account."""
    accounts: Figures = (10, 3 * HOUR)
    """From an IP address."""


@dataclass
class Bucket:
    """Tokens that come back one by one. A fraction of a token is kept exactly."""

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
        """Take a token. What was promised to orders that are under way is given, down to a debt."""
        self.wait(now)
        self.tokens -= 1


class RateLimits:
    """What an ACME server remembers of its clients, for its limits."""

    def __init__(self, limits: CaLimits) -> None:
        self.now = Fraction(0)
        self.issued = 0
        self.refused = 0
        self._limits = limits
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self._sets: set[frozenset[str]] = set()
        self._orders: dict[str, list[tuple[str, ...]]] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += Fraction(seconds)

    def refusal(self, path: str, body: bytes, address: str) -> dict[str, Any] | None:
        """Return the problem document of a request that is over a limit; else count it, if it counts at once."""
        with self._lock:
            if path.startswith("/sign-me-up"):
                if jws.payload(body).get("onlyReturnExisting"):
                    return None
                accounts: tuple[str, ...] = ("accounts", address)
                checked, counted = [accounts], [accounts]
            elif path.startswith("/order-plz"):
                checked, counted = self._new_order(body)
            else:
                return None
            for key in checked:
                if wait := self._bucket(key).wait(self.now):
                    self.refused += 1
                    return self._problem(key, math.ceil(wait))
            for key in counted:
                self._bucket(key).take(self.now)
        return None

    def saw(self, path: str, body: bytes, status: int, content: bytes) -> None:
        """Count what an answer of the ACME server says."""
        if status >= 400:
            return
        with self._lock:
            if path.startswith("/order-plz"):
                made = path_of(json.loads(content)["finalize"])
                names, replaces = _order_of(body)
                again = names in self._sets
                domains = [] if again else sorted(set(map(registered_domain, names)))
                counted = [*(("certificates", each) for each in domains), ("same_names", *sorted(names))]
                self._orders[made], self._names[made] = [] if replaces else counted, names
            elif path in self._orders:
                for key in self._orders.pop(path):
                    self._bucket(key).take(self.now)
                self._sets.add(self._names.pop(path))
                self.issued += 1
            elif path.startswith("/authZ/") and path not in self._failed:
                found = json.loads(content)
                if found.get("status") == "invalid":
                    self._failed.add(path)
                    self._bucket(("failures", jws.account(body), found["identifier"]["value"])).take(self.now)

    def _new_order(self, body: bytes) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
        """Return the buckets that a new order is checked against, and those that it is counted in at once."""
        account, (names, replaces) = jws.account(body), _order_of(body)
        if replaces:
            return [], []
        failures = [("failures", account, each) for each in sorted(names)]
        same = ("same_names", *sorted(names))
        if names in self._sets:
            return [*failures, same], []
        orders = ("orders", account)
        domains = sorted(set(map(registered_domain, names)))
        return [orders, *failures, *(("certificates", each) for each in domains), same], [orders]

    def _bucket(self, key: tuple[str, ...]) -> Bucket:
        return self._buckets.setdefault(key, Bucket(*getattr(self._limits, key[0])))

    def _problem(self, key: tuple[str, ...], wait: int) -> dict[str, Any]:
        """Return what Boulder answers."""
        most, seconds = getattr(self._limits, key[0])
        words, anchor = {
            "orders": ("new orders ({}) from this account", "new-orders-per-account"),
            "certificates": (
                f'certificates ({{}}) already issued for "{key[-1]}"', "new-certificates-per-registered-domain"
            ),
            "same_names": (
                "certificates ({}) already issued for this exact set of identifiers",
                "new-certificates-per-exact-set-of-identifiers",
            ),
            "failures": (
                f'failed authorizations ({{}}) for "{key[-1]}"', "authorization-failures-per-identifier-per-account"
            ),
            "accounts": ("new registrations ({}) from this IP address", "new-registrations-per-ip-address"),
        }[key[0]]  # fmt: skip
        again = START + timedelta(seconds=math.ceil(self.now) + wait)
        period = f"{seconds // HOUR}h{seconds % HOUR // 60}m{seconds % 60}s"
        detail = f"too many {words.format(most)} in the last {period}, retry after {again:%Y-%m-%d %H:%M:%S} UTC"
        return {
            "type": "urn:ietf:params:acme:error:rateLimited",
            "detail": f"{detail}: see {DOCUMENTATION}{anchor}",
            "status": 429,
            "retry_after": wait,
        }


def registered_domain(name: str) -> str:
    """Return that of the tests' names: none of them lies below a suffix of two labels."""
    return ".".join(name.split(".")[-2:])


def path_of(url: str) -> str:
    """Return the path of a URL of the ACME server."""
    return "/" + url.split("/", 3)[3]


def _order_of(body: bytes) -> tuple[frozenset[str], bool]:
    """Return the names of a new order, and whether it is a renewal that ARI asked for."""
    order = jws.payload(body)
    names: Iterable[dict[str, str]] = order["identifiers"]
    return frozenset(each["value"] for each in names), bool(order.get("replaces"))
