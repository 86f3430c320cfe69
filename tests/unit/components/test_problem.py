"""Problems as text: what they quote stays within its line."""

import pytest

from components.problem import Problem, ProblemsError, sentence, visible


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\x08", r"a\x0db\x08"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("a\u2028b", r"a\u2028b"),
        ("one\n    two\n\nthree", "one two three"),
        ("münchen 東京 😀", "münchen 東京 😀"),
    ],
)
def test_every_character_shows_itself_in_one_line(given: str, shown: str) -> None:
    assert visible(given) == shown


def test_nothing_that_a_problem_quotes_adds_a_line_to_the_report() -> None:
    problem = Problem("key\n\x07", "is bad\n      pulumi destroy --yes", ("pulumi up\nrm",))
    lines = str(ProblemsError(problem, heading="the config\nhas")).split("\n")

    assert lines == ["the config has:", r"  key \x07 is bad pulumi destroy --yes", "      pulumi up rm"]
    assert sentence(problem) == r"key \x07 is bad pulumi destroy --yes"
