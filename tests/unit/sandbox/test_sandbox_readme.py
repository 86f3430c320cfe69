"""The sandbox's README names what is there."""

import re
from pathlib import Path

import sandbox
from sandbox.__main__ import _parser

FOLDER = Path(sandbox.__file__).parent
README = (FOLDER / "README.md").read_text()


def test_the_layout_names_every_module_and_folder_and_nothing_else() -> None:
    layout = README.partition("## Layout")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([^`]+)`", layout))
    there = {f"{entry.name}/" if entry.is_dir() else entry.name for entry in FOLDER.iterdir()}
    assert named == there - {"__init__.py", "__pycache__/", "README.md"}, "a reader finds each by what it is for"


def test_every_command_that_it_shows_is_one() -> None:
    shown = re.findall(r"^\$ uv run python -m sandbox ([a-z][^#\n]*)", README, flags=re.MULTILINE)
    assert len(shown) > 8, "the commands were found"
    for command in shown:
        words = command.split()
        _parser().parse_args(words)  # exits, and so fails, on what it does not know


def test_every_command_there_is_is_shown() -> None:
    usage = _parser().format_help()
    verbs = set(re.findall(r"^    ([a-z-]+) ", usage, flags=re.MULTILINE))
    assert {"up", "down", "exec"} <= verbs, "the verbs were found"
    assert all(f"python -m sandbox {verb}" in README for verb in verbs - {"start"}), "and start stands beside stop"
