"""Words of commands: whatever is in one, a shell reads one word."""

import shlex
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from components.shell import Expression, unquoted, word, words


@given(st.text(st.sampled_from("ab \\$`'\";|&<>~*?#{},()[]!-="), max_size=8))
def test_what_is_shown_is_one_word(value: str) -> None:
    assert shlex.split(word(value)) == [value]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_a_word_is_one_line_that_shows_every_character(value: str) -> None:
    assert word(value).isprintable()
    assert "\n" not in word(value)


def test_a_shell_reads_what_no_terminal_shows_as_it_was() -> None:
    value = "a\n'; id; '\\\t\x1b[31m\u202e\U000e0041\x7f"
    read = subprocess.run(
        ["bash", "-c", f"printf %s {word(value)}"],
        capture_output=True, text=True, check=True, timeout=30, env={"LC_ALL": "C.UTF-8"},
    )  # fmt: skip

    assert read.stdout == value


def test_a_word_that_begins_with_a_hyphen_is_no_option() -> None:
    assert words("key", "--config-file=/etc/x") == "-- key '--config-file=/etc/x'"
    assert words("key", "x-y") == "key x-y"


def test_what_the_shell_is_to_work_out_is_typed_as_it_is() -> None:
    assert word(Expression('"$(cat ca.pem)"')) == '"$(cat ca.pem)"'
    assert word('"$(cat ca.pem)"') != '"$(cat ca.pem)"', "a value of a config is no such thing"


def test_what_is_not_quoted_is_the_command_itself() -> None:
    assert unquoted(f"pulumi config set a {word('x --stack y')} --stack z") == "pulumi config set a  --stack z"
    assert unquoted("a " + word("x\n'y'") + " b") == "a  b"
