"""A release: what a tag may be, and where the rights to publish are."""

import re
from pathlib import Path

import pytest

from deploy import release, template
from tests.unit.deploy.runner import EVENTS, WORKFLOWS

VERSION = template.version()
CHANGES = """# Changelog

## Unreleased

- Later.

## 0.1.0 - 2026-12-01

### Added

- The first.

## 0.0.9 - 2026-11-01

- Before.
"""


@pytest.fixture(autouse=True)
def changelog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "CHANGELOG.md"
    file.write_text(CHANGES)
    monkeypatch.setattr(release, "CHANGELOG", file)
    monkeypatch.setattr(template, "version", lambda: "0.1.0")


def test_the_notes_are_the_section_of_the_version() -> None:
    assert release.notes("v0.1.0") == "### Added\n\n- The first.\n"


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("0.1.0", "0.1.0 is not a version; accepted: v1.2.3"),
        ("v0.1", "v0.1 is not a version"),
        ("v0.2.0", "CHANGELOG.md has no heading `## 0.2.0 - YYYY-MM-DD`"),
        ("v0.0.9", "examples/template/pyproject.toml is of 0.1.0, and not of 0.0.9"),
    ],
)
def test_a_tag_that_the_repository_does_not_say_is_refused(tag: str, problem: str) -> None:
    with pytest.raises(release.ReleaseError) as refused:
        release.notes(tag)
    assert problem in str(refused.value)


def test_the_release_that_the_template_names_is_in_the_changelog() -> None:
    assert re.search(
        rf"^## {re.escape(VERSION)} - \d{{4}}-", (template.ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )


def test_only_the_tested_files_of_a_tag_are_published_by_a_job_that_builds_nothing() -> None:
    assert EVENTS["release"] == {"push": {"tags": ["v*"]}}
    jobs = WORKFLOWS["release"]["jobs"]
    assert [jobs[job]["needs"] for job in ("build", "publish", "notes")] == ["test", "build", "publish"]
    assert jobs["publish"]["environment"] == "pypi", "with reviewers"
    for name in ("publish", "notes"):
        steps = str(jobs[name]["steps"])
        assert "actions/checkout" not in steps, f"{name} has rights, and runs no code of the repository"
        assert "uv run" not in steps
