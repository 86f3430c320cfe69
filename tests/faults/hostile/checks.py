"""What must hold of a report of problems: functions that yield what does not."""

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
"""The programs of the fixes of a config."""

_MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
_STACK = Stack("dev")
_LONGEST = 4000
"""Characters of a line that people still read."""


def report(config: Hostile, refused: ProblemsError) -> Iterator[str]:
    """Yield what is wrong with the report of a config."""
    text = str(refused)
    yield from secrets(config, text)
    lines = text.split("\n")
    if len(lines) != 1 + sum(1 + len(problem.fix) for problem in refused.problems):
        yield "a value added a line to the report"
    if hidden := next((letter for letter in text if not letter.isprintable() and letter != "\n"), None):
        yield f"U+{ord(hidden):04X} reached the terminal"
    if (longest := max(map(len, lines))) > _LONGEST:
        yield f"a line has {longest} characters"
    for problem in refused.problems:
        if not problem.where or "accepted: " not in problem.what or not problem.fix:
            yield f"no key, no accepted value or no fix: {sentence(problem)[:200]}"


def secrets(config: Hostile, text: str) -> Iterator[str]:
    """Yield the secret values of a config that a text shows."""
    if config.holds_secret:
        yield from (f"a secret is shown ({secret})" for secret in (CANARY, str(CANARY_NUMBER)) if secret in text)


def words(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield the fixes that a shell would not read as they are meant."""
    for problem in _STACK.addressed(problems):
        for command in problem.fix:
            yield from _command(command)


def _command(command: str) -> Iterator[str]:
    # A shell leaves quoted text as it is, and interprets the rest.
    bare = re.sub(QUOTED, "Q", command)
    meant = re.sub(r" &&|, or|    #.*| < KUBECONFIG$", " ", bare)
    if odd := re.search(r"[^\w ./:@%+=,\[\]-]", meant):
        yield f"{odd[0]!r} is not quoted in {command[:200]!r}"
    for quoted in re.findall(QUOTED, command):
        if quoted[0] == '"' and re.search(r"[$`!\\]", quoted) and not re.fullmatch(r'"\$\(cat [a-z.-]+\)"', quoted):
            yield f"the shell works out {quoted[:80]} in {command[:200]!r}"
    for part in re.split(r" && |, or ", bare.partition("    #")[0]):
        argv = part.removesuffix(" < KUBECONFIG").split()
        if not argv or argv[0] not in PROGRAMS:
            yield f"{part[:80]!r} is no program of a fix, in {command[:200]!r}"
        elif argv[:2] == ["pulumi", "config"] and argv[2] in ("set", "rm"):
            # Behind `--` nothing is an option.
            end = argv.index("--") if "--" in argv else len(argv)
            options = {word for word in argv[:end] if word.startswith("-")}
            if options - {"--path", "--secret", "--stack"}:
                yield f"an option was added in {command[:200]!r}"
            values = [word for word in argv[3:end] if word not in {*options, "dev"}] + argv[end + 1 :]
            if len(values) != (1 if argv[2] == "rm" or part.endswith("KUBECONFIG") else 2):
                yield f"a word too many or too few in {command[:200]!r}"
        if argv and argv[0] == "pulumi" and "--stack" not in argv:
            yield f"no stack in {command[:200]!r}"


def printed(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield whether the operator's terminal shows something else than the problems."""
    shown = io.StringIO()
    printing.problems(Console(file=shown, highlight=False, width=80), problems)
    lines = [line.strip() for problem in problems for line in (sentence(problem), *problem.fix)]
    if [line.strip() for line in shown.getvalue().rstrip("\n").split("\n")] != lines:
        yield "the terminal shows something else than the problems"


_STRUCTURE = ["heading_open", "inline", "heading_close", "paragraph_open", "inline", "paragraph_close", "fence"]


def commented(text: str) -> Iterator[str]:
    """Yield the Markdown of a text that takes effect in a comment that quotes it."""
    shown = _MARKDOWN.parse(section("Preview of stack `dev`", Ran("pulumi preview --stack dev", 1, text)))
    if [token.type for token in shown] != _STRUCTURE:
        yield f"a comment has {', '.join(token.type for token in shown if token.type not in _STRUCTURE)} of the text"
    inner = [child.type for token in shown if token.type == "inline" for child in token.children or ()]
    if set(inner) - {"text", "code_inline"}:
        yield f"a comment has {', '.join(inner)}"
