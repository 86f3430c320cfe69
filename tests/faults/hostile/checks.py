"""What must hold of a report of problems, as functions that return what does not."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from rich.console import Console

from components.problem import Problem, ProblemsError, sentence
from components.shell import QUOTED
from deploy.ci.commands import Ran
from deploy.ci.report import section
from tests.faults.hostile.strategies import CANARY, CANARY_NUMBER, Hostile
from tlsctl import printing
from tlsctl.stack import Stack

PROGRAMS = {"pulumi", "gcloud", "kubectl", "helm"}
"""What the fixes of a config are commands of."""

_MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
_STACK = Stack("dev")
_LONGEST = 4000
"""Characters of a line. A report is read, whatever the config holds."""


def report(given: Hostile, refused: ProblemsError) -> Iterator[str]:
    """Yield what is wrong with the report of a config."""
    text = str(refused)
    yield from secrets(given, text)
    lines = text.split("\n")
    if len(lines) != 1 + sum(1 + len(each.fix) for each in refused.problems):
        yield "a value added a line to the report"
    if hidden := next((each for each in text if not each.isprintable() and each != "\n"), None):
        yield f"U+{ord(hidden):04X} reached the terminal"
    if (longest := max(map(len, lines))) > _LONGEST:
        yield f"a line has {longest} characters"
    for problem in refused.problems:
        if not problem.where or "accepted: " not in problem.what or not problem.fix:
            yield f"no key, no accepted value or no fix: {sentence(problem)[:200]}"


def secrets(given: Hostile, text: str) -> Iterator[str]:
    """Yield the secret values of a config that a text shows."""
    if given.holds_secret:
        yield from (f"a secret is shown ({each})" for each in (CANARY, str(CANARY_NUMBER)) if each in text)


def words(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield the commands of fixes that a shell would read as others than are meant."""
    for problem in _STACK.addressed(problems):
        for command in problem.fix:
            yield from _command(command)


def _command(command: str) -> Iterator[str]:
    # What is quoted is a word, or a part of one; of the rest the shell makes something.
    bare = re.sub(QUOTED, "Q", command)
    meant = re.sub(r" &&|, or|    #.*| < KUBECONFIG$", " ", bare)
    if odd := re.search(r"[^\w ./:@%+=,\[\]-]", meant):
        yield f"{odd[0]!r} is not quoted in {command[:200]!r}"
    for quoted in re.findall(QUOTED, command):
        if quoted[0] == '"' and re.search(r"[$`!\\]", quoted) and not re.fullmatch(r'"\$\(cat [a-z.-]+\)"', quoted):
            yield f"the shell works out {quoted[:80]} in {command[:200]!r}"
    for each in re.split(r" && |, or ", bare.partition("    #")[0]):
        said = each.removesuffix(" < KUBECONFIG").split()
        if not said or said[0] not in PROGRAMS:
            yield f"{each[:80]!r} is no program of a fix, in {command[:200]!r}"
        elif said[:2] == ["pulumi", "config"] and said[2] in ("set", "rm"):
            # Behind `--` nothing is an option.
            end = said.index("--") if "--" in said else len(said)
            options = {word for word in said[:end] if word.startswith("-")}
            if options - {"--path", "--secret", "--stack"}:
                yield f"an option was added in {command[:200]!r}"
            values = [word for word in said[3:end] if word not in {*options, "dev"}] + said[end + 1 :]
            if len(values) != (1 if said[2] == "rm" or each.endswith("KUBECONFIG") else 2):
                yield f"a word too many or too few in {command[:200]!r}"
        if said and said[0] == "pulumi" and "--stack" not in said:
            yield f"no stack in {command[:200]!r}"


def printed(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield what of problems is lost or obeyed on the way to an operator's terminal."""
    found = io.StringIO()
    printing.problems(Console(file=found, highlight=False, width=80), problems)
    want = [line for each in problems for line in (sentence(each), *each.fix)]
    if [line.strip() for line in found.getvalue().rstrip("\n").split("\n")] != [line.strip() for line in want]:
        yield "the terminal shows something else than the problems"


_STRUCTURE = ["heading_open", "inline", "heading_close", "paragraph_open", "inline", "paragraph_close", "fence"]


def commented(text: str) -> Iterator[str]:
    """Yield what of a text takes effect in a comment that quotes it."""
    shown = _MARKDOWN.parse(section("Preview of stack `dev`", Ran("pulumi preview --stack dev", 1, text)))
    if [token.type for token in shown] != _STRUCTURE:
        yield f"a comment has {', '.join(token.type for token in shown if token.type not in _STRUCTURE)} of the text"
    inner = [child.type for token in shown if token.type == "inline" for child in token.children or ()]
    if set(inner) - {"text", "code_inline"}:
        yield f"a comment has {', '.join(inner)}"
