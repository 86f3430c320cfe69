"""What is written for people: it leads somewhere, names what there is, and uses one word for one thing."""

import ast
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
from docs import pictures
from tests.unit import harness
from tests.unit.harness import CERTIFICATE, VIRTUAL_SERVICE

pytestmark = pytest.mark.usefixtures("no_rubbish")

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
MADE_ELSEWHERE = {".venv", ".git", "node_modules"}


def files(pattern: str) -> Iterator[Path]:
    """Our own files of that name."""
    for path in sorted(ROOT.rglob(pattern)):
        if not any(part in MADE_ELSEWHERE or part.endswith("_cache") for part in path.relative_to(ROOT).parts):
            yield path


DOCUMENTS = list(files("*.md"))
PICTURES = sorted(DOCS.glob("*.svg"))
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def links(document: Path) -> list[str]:
    """Where a document leads to within the repository."""
    text = re.sub(r"`[^`\n]*`", "", without_blocks(document.read_text()))
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(document: Path) -> set[str]:
    """What GitHub calls the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def typed(document: Path) -> list[str]:
    """The commands that a document says to type."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", document.read_text(), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.strip()]


def mentioned(document: Path) -> list[str]:
    """What a document quotes within its text."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", without_blocks(document.read_text()))]


def without_blocks(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(README.read_text().splitlines()) < 120, "the rest belongs on a page of docs/"


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{link} is not there"
        assert not anchor or anchor in anchors(target), f"{link} has no such heading"


@pytest.mark.parametrize("document", [*DOCUMENTS, *PICTURES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_has_a_path_of_somebodys_machine(document: Path) -> None:
    found = re.findall(r"(?<![\w.~/])/(?:work|root|home|Users)\b\S*", html.unescape(document.read_text()))
    assert not found, "it is on no other machine"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_pictures_show_the_outcome_and_not_the_progress(picture: Path) -> None:
    shown = [html.unescape(text) for text in re.findall(r">([^<>]+)</text>", picture.read_text())]
    assert not [text for text in shown if re.search("[\u2800-\u28ff]|make\\[", text)], "it was for a moment"
    assert max(map(len, shown)) <= pictures.COLUMNS


def test_a_picture_has_the_end_of_make_up_in_its_colours() -> None:
    printed = "Outputs:\nDuration: 3s\n\n  \x1b[32mhttps://shop.sandbox.test\x1b[0m  200\n"
    drawn = pictures.drawn("make up", pictures.end_of_up(printed))

    assert "https://shop.sandbox.test" in drawn
    assert "Duration" not in drawn, "what Pulumi says is not the end"
    assert "@font-face" not in drawn, "a picture loads nothing"
    assert len(set(re.findall(r"\.terminal-r\d \{ fill: (\S+)", drawn))) > 1, "green is another colour than the rest"
    assert drawn == pictures.drawn("make up", pictures.end_of_up(printed)), "the same text makes the same file"


def test_pages_that_the_code_names_are_there() -> None:
    for file in files("*.py"):
        for page in re.findall(r"(?<![\w/])docs/[\w-]+\.md", file.read_text()):
            assert (ROOT / page).exists(), f"{file.relative_to(ROOT)} sends its reader to {page}"


def test_every_page_is_found_from_the_readme() -> None:
    index = DOCS / "README.md"
    reached = {(page.parent / link.partition("#")[0]).resolve() for page in (README, index) for link in links(page)}
    pages = {page for page in DOCS.glob("*.md") if page != index}
    assert pages <= reached, "a page that nothing leads to is not read"


def test_the_index_has_every_page() -> None:
    listed = {(DOCS / link).resolve() for link in links(DOCS / "README.md")}
    assert set(DOCS.glob("*.md")) - {DOCS / "README.md"} <= listed


def test_the_word_for_a_fix_is_fix() -> None:
    other = re.compile(r"\b(?:[m]end\w*|[r]emed(?:y|ies|iat)\w*)", re.IGNORECASE)
    for path in (*DOCUMENTS, *files("*.py"), *files("*.yml"), *files("*.yaml"), ROOT / "Makefile"):
        text = path.read_text().replace("remediation_steps", "")  # A parameter of pulumi_policy's.
        assert not other.findall(text), f"{path.relative_to(ROOT)}: the glossary of CONTRIBUTING has one word for it"


@every_document
def test_python_is_started_in_one_way(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        return  # It says how it was started before.
    for command in (*typed(document), *mentioned(document)):
        assert ".venv/bin" not in command, f"{command}: `uv run` finds the environment"
        bare = re.match(r"python3? -m (tlsctl|sandbox)( |$)", command)
        assert not bare, f"{command}: without `uv run`, it needs an environment that is active"


@pytest.mark.parametrize("program", [tlsctl.__main__, sandbox.__main__], ids=["tlsctl", "sandbox"])
def test_commands_of_documents_are_those_of_the_programs(program: Any) -> None:
    parse, start = program._parser().parse_args, f"python -m {program.__name__.partition('.')[0]} "
    shown = 0
    for document in DOCUMENTS:
        for command in (*typed(document), *mentioned(document)):
            *_, arguments = command.split(start)
            if start not in command or arguments.startswith("…"):
                continue
            shown += 1
            with contextlib.redirect_stderr(io.StringIO()) as said:
                try:
                    parse(shlex.split(arguments, comments=True))
                except SystemExit:
                    pytest.fail(f"{document.relative_to(ROOT)}: {command}: {said.getvalue()}")
    assert shown, "the documents say how it is used"


def test_targets_of_documents_are_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for command in (*typed(document), *mentioned(document)):
            target = re.match(r"make ([a-z-]+)", command)
            assert target is None or target[1] in targets, f"{document.relative_to(ROOT)}: {command}"


LAYOUT = {
    row[0].strip("/"): set(re.findall(r"`([\w.]+)`", row[2]))
    for line in (ROOT / "CONTRIBUTING.md").read_text().partition("## Layout")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| `")
    and (row := [cell.strip(" `") if not at else cell for at, cell in enumerate(line[2:].split("|"))])
}
"""What each folder may import, by CONTRIBUTING."""


def imported(file: Path) -> set[str]:
    """The modules that a file imports by their full names."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }


@pytest.mark.parametrize("place", sorted(LAYOUT.keys() - {"tests"}))
def test_imports_go_in_the_directions_of_the_layout(place: str) -> None:
    ours = {name.removesuffix(".py").partition("/")[0] for name in LAYOUT}
    allowed = {place.removesuffix(".py").replace("/", "."), *LAYOUT[place]}
    for file in [ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"):
        for module in imported(file):
            known = any(module == each or module.startswith(f"{each}.") for each in allowed)
            assert known or module.partition(".")[0] not in ours, f"{file.relative_to(ROOT)} imports {module}"


def test_the_layout_has_every_folder_of_python() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/*.py")} | {path.name for path in ROOT.glob("*.py")}
    assert folders - MADE_ELSEWHERE <= LAYOUT.keys()


def test_the_program_of_the_readme_runs() -> None:
    [program] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    # Installed, the package has a name of its own.
    done = harness.run(lambda: exec(program.replace("istio_gateway_tls", "components")))  # noqa: S102

    assert done.outputs["urls"] == ["https://shop.acme.dev"]
    assert [each.inputs["spec"]["dnsNames"] for each in done.of(CERTIFICATE)] == [["shop.acme.dev"]]
    assert done.of(VIRTUAL_SERVICE), "the host has its route"


OWNED = [line.split()[0] for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines() if line.startswith("/")]


@pytest.mark.parametrize("pattern", OWNED)
def test_what_has_an_owner_is_there(pattern: str) -> None:
    assert list(ROOT.glob(pattern.strip("/"))), "GitHub says nothing about a path that matches nothing"


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/up.yml",
        "__main__.py",
        "deploy/bootstrap/__main__.py",
        "deploy/ci/__main__.py",
        "policies/__main__.py",
        "components/__init__.py",
        "Pulumi.prod.yaml",
        "uv.lock",
    ],
)
def test_what_runs_with_rights_has_an_owner(path: str) -> None:
    owned = [f"{pattern}*" if pattern.endswith("/") else pattern for pattern in OWNED]
    assert any(fnmatch.fnmatch(f"/{path}", pattern) for pattern in owned)


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
