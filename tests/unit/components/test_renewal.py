"""When a renewal is planned, and from when on it is late, by each certificate's own clock."""

import datetime

import pytest

from components.specs.renewal import is_late, planned, share_left

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def days(count: float) -> datetime.timedelta:
    return datetime.timedelta(days=count)


@pytest.mark.parametrize(("percentage", "day"), [(None, 60), (50, 45), (10, 81)])
def test_a_renewal_is_planned_by_the_share_that_is_left(percentage: int | None, day: int) -> None:
    assert planned(BEGIN, BEGIN + days(90), percentage) == BEGIN + days(day)


@pytest.mark.parametrize(("lifetime", "late_after"), [(90, 4.5), (45, 2.25), (160 / 24, 8 / 24)])
def test_it_is_late_after_a_twentieth_of_the_lifetime(lifetime: float, late_after: float) -> None:
    end = BEGIN + days(lifetime)
    due = planned(BEGIN, end)

    assert not is_late(BEGIN, end, due, due + days(late_after) - days(0.001)), "cert-manager tries again by itself"
    assert is_late(BEGIN, end, due, due + days(late_after) + days(0.001)), "verify and the alert say so together"


def test_no_more_than_all_and_no_less_than_nothing_is_left() -> None:
    end = BEGIN + days(90)

    assert share_left(BEGIN, end, BEGIN - days(1)) == 1.0
    assert share_left(BEGIN, end, BEGIN + days(45)) == pytest.approx(0.5)
    assert share_left(BEGIN, end, end + days(1)) == 0.0
