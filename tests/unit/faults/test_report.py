"""What several sandboxes play is told as if one had played all of it."""

import argparse

from tests.faults.__main__ import merged, shares
from tests.faults.page import killed


def played(number: int, victim: str, outcome: str, recovered: float | None, *broken: str) -> dict[str, object]:
    drawn = {"number": number, "victim": victim}
    return {"round": drawn, "outcome": outcome, "recovered": recovered, "broken": list(broken)}


def test_a_round_that_broke_before_it_recovered_is_counted() -> None:
    etcd, dns, every = killed(
        [
            played(1, "etcd", "went through", 2.0),
            played(2, "etcd", "failed", None, "it did not come to its end"),
            played(3, "etcd", "over before the kill", None),
            played(4, "DNS", "", None, "there is no certificate"),
        ]
    )

    assert etcd == ["etcd", 3, 1, 1, "2.0 s", "2.0 s", 1], "one broke, and one was not killed at all"
    assert dns == ["DNS", 1, 0, 0, "", "", 1], "it broke before there was a kill"
    assert every[-1] == 2


def test_every_round_is_played_once() -> None:
    asked = argparse.Namespace(only=None, scenarios=None, first=5, rounds=50, configs=10)
    numbers = [
        number
        for (first, count) in (
            [int(each.partition("=")[2]) for each in share if each.startswith(("--first=", "--rounds="))]
            for share in shares(asked)
        )
        for number in range(first, first + count)
    ]

    assert sorted(numbers) == list(range(5, 55))


def test_what_was_written_of_each_part_is_kept() -> None:
    machine = {"cores": 2}
    one = {"machine": machine, "scenarios": [{"name": "disk-full"}], "rounds": [played(3, "etcd", "failed", 1.0)]}
    other = {"machine": machine, "scenarios": [], "rounds": [played(1, "DNS", "failed", 2.0)], "hostile": {}}
    found = merged([one, other])

    assert [each["round"]["number"] for each in found["rounds"]] == [1, 3]
    assert found["scenarios"] == [{"name": "disk-full"}]
    assert found["machine"] == machine
