"""`python -m deploy.release TAG`: prints the notes of a release, if the repository says what the tag does."""

import re
import sys

from deploy import template

CHANGELOG = template.ROOT / "CHANGELOG.md"


class ReleaseError(Exception):
    """A tag that cannot be released; the text has a line for each reason."""


def notes(tag: str) -> str:
    """Return the section of the changelog for a tag.

    Raises:
        ReleaseError: the tag is no version, the changelog does not have it, or the template is of another release.
    """
    version = tag.removeprefix("v")
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        raise ReleaseError(f"{tag} is not a version; accepted: v1.2.3")
    section = re.search(
        rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)",
        CHANGELOG.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    problems = [] if section else [f"CHANGELOG.md has no heading `## {version} - YYYY-MM-DD`"]
    if template.version() != version:
        problems.append(f"examples/template/pyproject.toml is of {template.version()}, and not of {version}")
    if not section or problems:
        raise ReleaseError("\n".join(problems))
    return section[1].strip() + "\n"


if __name__ == "__main__":
    try:
        print(notes(sys.argv[1]), end="")
    except ReleaseError as error:
        sys.exit(str(error))
