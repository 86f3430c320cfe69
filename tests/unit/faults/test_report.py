"""What is told of rounds is told of all of them."""

from faults.draw import Round
from faults.report import by_victim
from faults.rounds import Played


def played(victim: str, outcome: str, recovered: float | None, *broken: str) -> Played:
    return Played(Round(1, 1, "up", victim, 1.0, 1.0), outcome, recovered=recovered, broken=list(broken))


def test_a_round_that_broke_before_it_recovered_is_counted() -> None:
    etcd, dns = by_victim(
        [
            played("etcd", "went through", 2.0),
            played("etcd", "failed", None, "it did not come to its end"),
            played("etcd", "over before the kill", None),
            played("DNS", "", None, "there is no certificate"),
        ]
    )

    assert (etcd["kills"], etcd["broken"]) == (2, 1), "one broke, and one was not killed at all"
    assert etcd["medianSeconds"] == 2.0
    assert (dns["kills"], dns["broken"], dns["medianSeconds"]) == (0, 1, None), "it broke before there was a kill"
