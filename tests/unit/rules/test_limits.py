"""When new certificates fit into a CA's limits."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.rules.acme import PROD
from components.rules.limits import DAY, HOUR, LETS_ENCRYPT, Limit, Limits, by_day, schedule

SMALL = Limits(orders=Limit(4, 10), certificates=Limit(2, 100), same_names=Limit(5, 1000))


def domain(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def hosts(count: int, of: str = "shop.test") -> list[list[str]]:
    return [[f"h{number}.{of}"] for number in range(count)]


def test_what_the_bucket_holds_is_signed_at_once_and_the_rest_as_tokens_come_back() -> None:
    assert schedule(hosts(4), SMALL, domain) == [0, 0, 100, 200]


def test_domains_do_not_wait_for_each_other_but_share_the_account() -> None:
    mixed = [*hosts(3), *hosts(3, "blog.test")]
    assert schedule(mixed, SMALL, domain) == [0, 0, 100, 0, 0, 100]
    many = [[f"a.d{number}.test"] for number in range(6)]
    assert schedule(many, SMALL, domain) == [0, 0, 0, 0, 10, 20], "four orders, then one every ten seconds"


def test_a_certificate_for_two_domains_waits_for_both() -> None:
    both = [["a.shop.test", "a.blog.test"]]
    assert schedule([*hosts(2), *both], SMALL, domain)[2] == 100


@pytest.mark.parametrize(("count", "days"), [(50, 0), (51, 0), (57, 0), (58, 1), (1000, 133)])
def test_a_host_each_at_lets_encrypt(count: int, days: int) -> None:
    """Fifty at once and one more every 201.6 minutes: 7 a day."""
    signed = schedule(hosts(count), LETS_ENCRYPT[PROD], domain)
    assert int(max(signed) // DAY) == days
    assert next(len(each) for _, each in by_day(signed)) == min(count, 57)


def test_a_refill_is_as_the_documents_have_it() -> None:
    real = LETS_ENCRYPT[PROD]
    assert real.orders.seconds == 36
    assert real.certificates.seconds / 60 == pytest.approx(202, abs=1), "minutes"
    assert real.same_names.seconds / HOUR == pytest.approx(34, abs=1), "hours"


@given(st.lists(st.sampled_from(["a.test", "b.test", "c.test"]), max_size=30))
def test_no_window_holds_more_than_the_bucket_and_what_came_back(of: Sequence[str]) -> None:
    signed = schedule([[f"h{number}.{each}"] for number, each in enumerate(of)], SMALL, domain)
    for kind, times in [
        (SMALL.orders, signed),
        *((SMALL.certificates, [at for at, own in zip(signed, of, strict=True) if own == each]) for each in set(of)),
    ]:
        for begin in times:
            for end in times:
                within = sum(begin <= at <= end for at in times)
                assert end < begin or within <= kind.tokens + (end - begin) / kind.seconds
