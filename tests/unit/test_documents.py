"""Documents: links, commands, generated pages and the tests that they name exist."""

import contextlib
import fnmatch
import html
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import sandbox.__main__
import tlsctl.__main__
from config import reference as config_reference
from docs import pictures
from tests.unit import harness
from tests.unit.harness import CERTIFICATE, VIRTUAL_SERVICE
from tlsctl import reference as checks_reference

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
MADE_ELSEWHERE = {".venv", ".git", "node_modules"}


def files(pattern: str) -> Iterator[Path]:
    """The repository's files that match a pattern."""
    for path in sorted(ROOT.rglob(pattern)):
        if not any(part in MADE_ELSEWHERE or part.endswith("_cache") for part in path.relative_to(ROOT).parts):
            yield path


DOCUMENTS = list(files("*.md"))
PICTURES = sorted(DOCS.glob("*.svg"))
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def links(document: Path) -> list[str]:
    """The links of a document within the repository."""
    text = re.sub(r"`[^`\n]*`", "", without_blocks(document.read_text()))
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def typed(document: Path) -> list[str]:
    """The commands in the code blocks of a document."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", document.read_text(), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.strip()]


def mentioned(document: Path) -> list[str]:
    """The inline code of a document."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", without_blocks(document.read_text()))]


def without_blocks(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{link} is not there"
        assert not anchor or anchor in anchors(target), f"{link} has no such heading"


@pytest.mark.parametrize("document", [*DOCUMENTS, *PICTURES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_has_a_path_of_somebodys_machine(document: Path) -> None:
    assert not re.findall(r"(?<![\w.~/])/(?:work|root|home|Users)\b\S*", html.unescape(document.read_text()))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_pictures_show_the_outcome_and_not_the_progress(picture: Path) -> None:
    shown = [html.unescape(text) for text in re.findall(r">([^<>]+)</text>", picture.read_text())]
    assert not [text for text in shown if re.search("[\u2800-\u28ff]|make\\[", text)], "it was for a moment"
    assert max(map(len, shown)) <= pictures.COLUMNS


def test_pages_that_the_code_names_are_there() -> None:
    for file in files("*.py"):
        for page in re.findall(r"(?<![\w/])docs/[\w-]+\.md", file.read_text()):
            assert (ROOT / page).exists(), f"{file.relative_to(ROOT)} sends its reader to {page}"


def test_the_index_has_every_page() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / link).resolve() for link in links(index)}
    assert set(DOCS.glob("*.md")) - {index} <= listed


@every_document
def test_python_is_started_in_one_way(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        return  # It names earlier commands.
    for command in (*typed(document), *mentioned(document)):
        assert ".venv/bin" not in command, f"{command}: `uv run` finds the environment"
        bare = re.match(r"python3? -m (tlsctl|sandbox)( |$)", command)
        assert not bare, f"{command}: `uv run` activates the environment"


@pytest.mark.parametrize("program", [tlsctl.__main__, sandbox.__main__], ids=["tlsctl", "sandbox"])
def test_commands_of_documents_are_those_of_the_programs(program: Any) -> None:
    parse, start = program._parser().parse_args, f"python -m {program.__name__.partition('.')[0]} "
    commands = 0
    for document in DOCUMENTS:
        for command in (*typed(document), *mentioned(document)):
            *_, arguments = command.split(start)
            if start not in command or arguments.startswith("…"):
                continue
            commands += 1
            with contextlib.redirect_stderr(io.StringIO()) as error:
                try:
                    parse(shlex.split(arguments, comments=True))
                except SystemExit:
                    pytest.fail(f"{document.relative_to(ROOT)}: {command}: {error.getvalue()}")
    assert commands


def test_targets_of_documents_are_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for command in (*typed(document), *mentioned(document)):
            target = re.match(r"make ([a-z-]+)", command)
            assert target is None or target[1] in targets, f"{document.relative_to(ROOT)}: {command}"


def test_the_program_of_the_readme_runs() -> None:
    [program] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    # The installed package has another name.
    done = harness.run(lambda: exec(program.replace("istio_gateway_tls", "components")))  # noqa: S102

    assert done.outputs["urls"] == ["https://shop.acme.dev"]
    assert [resource.inputs["spec"]["dnsNames"] for resource in done.of(CERTIFICATE)] == [["shop.acme.dev"]]
    assert done.of(VIRTUAL_SERVICE), "the host has its route"


def test_everything_that_is_pinned_is_kept_up_to_date() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    watched = {
        (update["package-ecosystem"], folder.strip("/"))
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }

    def is_watched(ecosystem: str, folder: Path) -> bool:
        name = "" if folder == ROOT else str(folder.relative_to(ROOT))
        return any(kind == ecosystem and fnmatch.fnmatch(name, pattern) for kind, pattern in watched)

    for module in files("go.mod"):
        assert is_watched("gomod", module.parent), module
    for action in files("action.yml"):
        assert is_watched("github-actions", action.parent), action
    assert is_watched("github-actions", ROOT), "the root stands for .github/workflows"
    assert is_watched("uv", ROOT)


def test_the_generated_pages_are_up_to_date() -> None:
    for reference in (config_reference, checks_reference):
        text = reference.PAGE.read_text()
        assert text == reference.page(text), f"python -m {reference.__name__}"


def test_keys_that_the_documents_set_are_on_the_page_of_config_keys() -> None:
    keys = set(re.findall(r"^\| `([^`]+)` \|", (DOCS / "configuration.md").read_text(), re.MULTILINE))
    for document in (README, *DOCS.glob("*.md")):
        text = document.read_text()
        for command in re.findall(r"pulumi config (?:set|rm) [^\n`|]+", text):
            words = re.sub(r"--stack \S+", "", command).split("#")[0]
            key = next(word for word in shlex.split(words)[3:] if not word.startswith("--"))
            key = re.sub(r"\[\d+\]", "[]", key.removeprefix("istio-gateway-tls:")).removesuffix("[]")
            key = re.sub(r'\["[^"]+"\]$', "", key)  # an item of a map
            known = key in keys or key.startswith("certManager.values.")
            assert known, f"{document.relative_to(ROOT)}: {command}"


def test_every_threat_names_a_test_that_exists() -> None:
    tables = re.findall(r"^\| threat \|.*?\n\n", (DOCS / "security.md").read_text(), re.MULTILINE | re.DOTALL)
    rows = [row for table in tables for row in table.splitlines()[2:] if row]
    assert len(rows) > 25, "of the identities and of the cluster"
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)((?:::\w+)+)`", row)
        assert tests, row
        for file, path in tests:
            for name in path.split("::")[1:]:
                assert re.search(rf"^ *(?:class|def) {name}\b", (ROOT / file).read_text(), re.MULTILINE), (
                    f"{file}::{name}"
                )
