"""The plans of `plan-rollout`, played day by day against Let's Encrypt's limits, which are written independently.

Nothing of a plan is refused; one more order is refused each day. So a plan is as quick as the limits allow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from config.reading import read_printed
from config.rollout import Rollout, plan
from sandbox.testing.rate_limits import DAY, HOUR, CaLimits, RateLimits
from tests.unit.tlsctl.verify.support import config as stack_config

ACCOUNT = "account"
ANOTHER_CA = {"orders": "12/3h", "certificates": "4/7d", "sameNames": "2/7d"}
STRICT_CA = {"certificates": "2/7d"}
ENFORCED = {
    None: CaLimits(),
    ANOTHER_CA["certificates"]: CaLimits(orders=(12, 3 * HOUR), certificates=(4, 7 * DAY), same_names=(2, 7 * DAY)),
    STRICT_CA["certificates"]: CaLimits(certificates=(2, 7 * DAY)),
}
"""The limits of the CA, by `acme.limits.certificates`."""


@dataclass(frozen=True)
class Shape:
    """A stack's hosts and certificates."""

    hosts: int
    domains: Sequence[str] = ("sandbox.test",)
    grouping: str = "perHost"
    profile: str = "classic"
    clusters: int = 1
    limits: Mapping[str, str] = field(default_factory=dict)

    def rollout(self) -> Rollout:
        """Return its rollout as `plan-rollout` has it."""
        names = [f"h{number}.{self.domains[number % len(self.domains)]}" for number in range(self.hosts)]
        hosts = [{"host": name, "service": "s", "namespace": "s", "port": 80} for name in names]
        acme: dict[str, Any] = {"email": "platform@sandbox.test", "issuer": "prod", "profile": self.profile}
        acme |= {"limits": dict(self.limits)} if self.limits else {}
        config = stack_config(hosts=hosts, acme=acme, certificate={"grouping": self.grouping})
        rollout = plan(read_printed(config, "dev"), [], clusters=self.clusters)
        assert rollout is not None, "the CA's limits are known"
        return rollout

    def ca(self) -> RateLimits:
        """Return its CA."""
        return RateLimits(ENFORCED[self.limits.get("certificates")])


SHAPES = {
    "a certificate per host, of one registered domain": (Shape(66), [50, 7, 7, 2]),
    "a certificate per host, each of a domain of its own": (
        Shape(302, [f"d{number}.test" for number in range(302)]), [300, 2]
    ),
    "shared certificates of 25 names": (Shape(60, grouping="shared", profile="tlsserver"), [3]),
    "another CA, three domains": (
        Shape(24, ["a.test", "b.test", "c.test"], limits=ANOTHER_CA), [12, 3, 3, 3, 3]
    ),
    "another CA, shared certificates that two domains are in": (
        Shape(75, ["a.test", "b.test"], "shared", "tlsserver", limits=STRICT_CA), [2, 1]
    ),
    "one name, of six clusters": (Shape(1, clusters=6), [5, 1]),
    "two names each, of three clusters, at another CA": (Shape(2, clusters=3, limits=ANOTHER_CA), [4, 2]),
}  # fmt: skip


def order(ca: RateLimits, names: Sequence[str], *, replaces: bool = False) -> None:
    """Have a certificate issued."""
    problem = ca.order(ACCOUNT, names, replaces=replaces)
    assert problem is None, problem
    ca.issue(names, replaces=replaces)


def refusal(ca: RateLimits, names: Sequence[str]) -> str:
    """Return the reason for which the CA refuses an order."""
    problem = ca.order(ACCOUNT, names)
    assert problem is not None, f"an order of {names} is refused"
    return str(problem["detail"])


def play(ca: RateLimits, rollout: Rollout) -> None:
    """Order each batch at its time, and some of the next one too early: a refused order counts against no limit."""
    for number, batch in enumerate(rollout.batches):
        ca.move(batch.at - float(ca.now))
        for place in batch.places:
            order(ca, rollout.certificates[place])
        for later in rollout.batches[number + 1 :][:1]:
            for place in {later.places[0], later.places[-1]}:
                assert "too many" in refusal(ca, rollout.certificates[place]), "no batch could be larger"
            ca.move(later.at - DAY - float(ca.now))
            assert "too many" in refusal(ca, rollout.certificates[later.places[0]]), "or a day earlier"


@pytest.mark.parametrize("what", SHAPES)
def test_a_plan_is_within_the_limits_of_the_ca_and_no_quicker_one_is(what: str) -> None:
    shape, sizes = SHAPES[what]
    rollout, ca = shape.rollout(), shape.ca()
    assert [len(batch.places) for batch in rollout.batches] == sizes
    play(ca, rollout)
    assert ca.issued == len(rollout.certificates), "everything was signed"


@pytest.mark.parametrize(
    "shape",
    [Shape(30), Shape(50), Shape(6, limits=ANOTHER_CA)],
    ids=["room for more", "no room for a day", "another CA"],
)
def test_the_room_after_a_rollout_is_what_the_ca_has_left(shape: Shape) -> None:
    rollout, ca = shape.rollout(), shape.ca()
    play(ca, rollout)
    names = rollout.certificates[rollout.batches[-1].places[-1]]
    for _ in range(rollout.again):
        order(ca, names)
    assert "for this exact set of identifiers in the last 168h0m0s" in refusal(ca, names)
    for number in range(rollout.new["sandbox.test"]):
        order(ca, [f"new{number}.sandbox.test"])
    assert 'already issued for "sandbox.test" in the last 168h0m0s' in refusal(ca, ["another.sandbox.test"])
    order(ca, names, replaces=True)


def test_another_host_is_signed_when_the_plan_says_and_not_before() -> None:
    shape = Shape(50)
    rollout, ca = shape.rollout(), shape.ca()
    assert rollout.new == {"sandbox.test": 0}
    play(ca, rollout)
    ca.move(rollout.another["sandbox.test"] - 1)
    assert "retry after 2026-01-01 03:21:36 UTC" in refusal(ca, ["another.sandbox.test"]), "after 201.6 minutes"
    ca.move(1)
    order(ca, ["another.sandbox.test"])


def test_a_host_that_joins_a_shared_certificate_costs_one_more_of_the_domains() -> None:
    before, after = (Shape(count, grouping="shared").rollout() for count in (3, 4))
    ca = RateLimits(CaLimits(certificates=(2, 7 * DAY)))
    for names in (before.certificates[0], before.certificates[0], after.certificates[0]):
        order(ca, names)
    assert 'certificates (2) already issued for "sandbox.test"' in refusal(ca, ["another.sandbox.test"]), (
        "the same names again took none of them, the joined host one"
    )
