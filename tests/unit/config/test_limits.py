"""In which batches certificates fit into a CA's limits."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.specs.acme import PROD
from config.limits import DAY, HOUR, LETS_ENCRYPT, NONE, Batch, Limit, Limits, Room, batches, parse


def domain(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def hosts(count: int, of: str = "shop.test") -> list[list[str]]:
    return [[f"h{number}.{of}"] for number in range(count)]


def test_a_thousand_hosts_are_signed_by_seven_a_day_and_once_a_week_by_eight() -> None:
    planned_ = batches(hosts(1000), Room(LETS_ENCRYPT[PROD]))
    assert planned_[-1].day == 133
    assert [len(batch.places) for batch in planned_[:9]] == [50, 7, 7, 7, 7, 7, 7, 8, 7]


def test_an_earlier_certificate_counts_until_its_token_has_refilled() -> None:
    real = LETS_ENCRYPT[PROD]
    before = [(-2.0 * HOUR, names) for names in hosts(50)]
    room = Room(real, before)
    assert room.new("shop.test", 0) == 0
    assert room.ready(["another.shop.test"], 0) == pytest.approx(201.6 * 60 - 2 * HOUR)
    assert room.again(["h0.shop.test"], 0) == 4, "each set of names has four left"
    assert Room(real, [(at - DAY, names) for at, names in before]).new("shop.test", 0) == 7
    assert Room(real, [(at - 7 * DAY, names) for at, names in before]).new("shop.test", 0) == 50
    longer = Room(real, [(-2.0 * HOUR, names) for names in hosts(60)])
    assert longer.ready(["another.shop.test"], 0) <= 201.6 * 60, "more than there can have been is no debt"


def test_a_ca_without_limits_signs_everything_at_once() -> None:
    assert len(batches(hosts(2000) * 2, Room(NONE))) == 1
    assert Room(NONE, [(-1.0, ["a.test"])]).new("a.test", 0) > 10**6


def test_a_limit_is_read_as_it_is_written() -> None:
    assert parse("300/3h") == LETS_ENCRYPT[PROD].orders
    assert parse("50/7d") == LETS_ENCRYPT[PROD].certificates
    assert parse("2/10s") == Limit(2, 5)


@pytest.mark.parametrize("value", ["", "50", "50/7", "50/7w", "0/7d", "5/0d", "-1/1d", "1.5/1d", "50 / 7d", "5/7d\n"])
def test_other_texts_are_no_limit(value: str) -> None:
    with pytest.raises(ValueError, match="is not a number and a time such as 50/7d"):
        parse(value)


class Ca:
    """Buckets as a CA keeps them: filled as time passes, and emptied by certificates."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: dict[tuple[str, ...], tuple[Fraction, int]] = {}
        self._first: dict[frozenset[str], int] = {}

    def sign(self, names: Sequence[str], now: int) -> bool:
        """Sign, if there is a token in each bucket; say whether."""
        met: dict[tuple[str, ...], Limit] = {("names", *sorted(names)): self._limits.same_names}
        if self._first.get(frozenset(names), now) == now:
            met[("account",)] = self._limits.orders
            met |= {("domain", domain(name)): self._limits.certificates for name in names}
        held = {key: self._now(key, limit, now) for key, limit in met.items()}
        if min(held.values()) < 1:
            return False
        self._first.setdefault(frozenset(names), now)
        self._held |= {key: (tokens - 1, now) for key, tokens in held.items()}
        return True

    def _now(self, key: tuple[str, ...], limit: Limit, now: int) -> Fraction:
        tokens, at = self._held.get(key, (Fraction(limit.tokens), now))
        return min(Fraction(limit.tokens), tokens + Fraction(now - at) / Fraction(limit.seconds))


LIMIT = st.builds(Limit, st.integers(1, 6), st.integers(1, 40))
LIMITS = st.builds(Limits, LIMIT, LIMIT, LIMIT)
NAME = st.builds("{}.{}".format, st.sampled_from("abcde"), st.sampled_from(["x.test", "y.test", "z.test"]))
CERTIFICATES = st.lists(st.lists(NAME, min_size=1, max_size=3, unique=True), max_size=25)


@given(CERTIFICATES, LIMITS, st.integers(1, 60))
def test_a_ca_signs_each_batch_at_its_time_and_no_other_certificate_before(
    certificates: Sequence[Sequence[str]], limits: Limits, interval: int
) -> None:
    plan = batches(certificates, Room(limits), interval)
    assert sorted(place for batch in plan for place in batch.places) == list(range(len(certificates))), (
        "each has a place"
    )
    sizes: Mapping[int, Batch] = {int(batch.at): batch for batch in plan}
    ca, waiting = Ca(limits), set(range(len(certificates)))
    for now in range(0, int(plan[-1].at) + 1 if plan else 0, interval):
        for place in sizes[now].places if now in sizes else ():
            assert ca.sign(certificates[place], now), "a planned certificate is never refused"
            waiting.remove(place)
        for place in waiting:
            assert not ca.sign(certificates[place], now), "a waiting certificate could not be signed sooner"


@given(CERTIFICATES, LIMITS, st.integers(1, 60), st.integers(0, 500))
def test_the_number_that_is_left_is_exact(
    certificates: Sequence[Sequence[str]], limits: Limits, interval: int, later: int
) -> None:
    room, ca = Room(limits), Ca(limits)
    plan = batches(certificates, room, interval)
    for batch in plan:
        for place in batch.places:
            assert ca.sign(certificates[place], int(batch.at))
    now = (int(plan[-1].at) if plan else 0) + 1 + later
    for names in {frozenset(names) for names in certificates}:
        again = room.again(names, now)
        assert [ca.sign(sorted(names), now) for _ in range(again + 1)] == [True] * again + [False]
    new = room.new("x.test", now)
    assert [ca.sign([f"new{number}.x.test"], now) for number in range(new + 1)] == [True] * new + [False]
