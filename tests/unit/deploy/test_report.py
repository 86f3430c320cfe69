"""Comments and issues quote any output safely and within GitHub's limit."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from deploy.ci.commands import Ran
from deploy.ci.report import code, section, sections

GITHUB = 65_536
"""Characters of a comment or an issue."""

OUTPUTS = st.one_of(
    st.tuples(st.text(st.characters(codec=None), max_size=300), st.just(1)),
    st.tuples(st.text("`\n x", max_size=300), st.just(1)),
    # Repeated characters: a fence as long as the text, four bytes each, or six when JSON escapes them.
    st.tuples(st.text('`\n a\u20ac\U0001f600\x00\x1b"\\\ud800', min_size=1, max_size=4), st.integers(1, 70_000)),
)
"""A text, and how often to repeat it."""

some = settings(max_examples=40, deadline=None)


@some
@given(OUTPUTS)
def test_a_section_is_within_githubs_limit(repeated: tuple[str, int]) -> None:
    output = repeated[0] * repeated[1]
    text = section("Preview", Ran("pulumi preview", 0, output))

    assert len(text.encode()) < GITHUB, "characters, and bytes"
    assert len(json.dumps({"body": text}, ensure_ascii=False)) < 2 * GITHUB, "JSON escapes nothing"
    assert len(sections([("Preview", Ran("pulumi preview", 0, output))] * 4).encode()) < GITHUB, "all sections together"


@some
@given(OUTPUTS)
def test_an_output_cannot_leave_its_fence(repeated: tuple[str, int]) -> None:
    output = repeated[0] * repeated[1]
    text = section("Preview", Ran("pulumi preview", 0, output))
    lines = text.split("\n\n", 2)[2].split("\n")
    fence = lines[0]

    assert re.fullmatch("`{3,}", fence)
    # A line of at least as many backticks closes it, indented by up to three spaces.
    closing = [number for number, line in enumerate(lines[1:], 1) if re.fullmatch(" {0,3}" + fence + "`* *", line)]
    assert closing == [len(lines) - 2], "only its own last line"


def test_the_end_of_a_long_output_is_kept() -> None:
    text = section("Preview", Ran("pulumi preview", 0, "x" * 100_000 + "the summary"))

    assert text.endswith("xthe summary\n```\n")
    cut = re.search(r"\[(\d+) characters before this are in the job's log\]\n(x+the summary)", text)
    assert cut
    assert int(cut[1]) + len(cut[2]) == 100_011, "it tells how much is missing"
    assert len(text.encode()) > 59_900, "and keeps as much as fits"


@pytest.mark.parametrize("hidden", ["\x1b[31m", "\x00", "\u202e", "\r", "\ud800"])
def test_invisible_characters_are_replaced(hidden: str) -> None:
    assert f"a\ufffd{hidden[1:]}b" in section("Preview", Ran("pulumi preview", 0, f"a{hidden}b"))


@pytest.mark.parametrize("text", ["``", "`a", "a`b", "[x](https://evil.test)", "a\nb", "a\x1b"])
def test_inline_code_has_no_other_markup(text: str) -> None:
    [_, inline, _] = MarkdownIt().parse(f"Stack {code(text)} is")
    [before, quoted, after] = list(inline.children or ())
    assert (before.content, quoted.type, after.content) == ("Stack ", "code_inline", " is")
    assert quoted.content == " ".join(text.split()).replace("\x1b", "\ufffd")
