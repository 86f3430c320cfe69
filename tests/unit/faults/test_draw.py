"""A round is decided by its seed and number alone."""

from tests.faults.draw import ENGINE, LANGUAGE_HOST, OPERATIONS, VICTIMS, draw


def test_a_round_is_reproducible() -> None:
    assert draw(7, 17) == draw(7, 17), "whatever was drawn before"
    assert draw(7, 17).command == "make faults SEED=7 ONLY=17"
    assert [draw(7, n) for n in range(1, 20)] != [draw(8, n) for n in range(1, 20)], "another seed, other rounds"


def test_every_victim_comes_once_in_each_cycle() -> None:
    size = len(VICTIMS)
    for first in (1, 1 + size):
        assert {draw(3, number).victim for number in range(first, first + size)} == set(VICTIMS)


def test_a_kill_falls_into_its_operation_and_pulumi_is_killed_only_where_it_runs() -> None:
    for drawn in (draw(1, number) for number in range(1, 500)):
        assert 0 <= drawn.after <= OPERATIONS[drawn.operation], "it would be over"
        assert drawn.operation != "renewal" or drawn.victim not in (ENGINE, LANGUAGE_HOST), "cert-manager renews"
