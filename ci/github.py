"""GitHub, through its own command `gh`: one comment, one issue, however often a job runs."""

import json
import subprocess
from typing import Any

BOT = "github-actions[bot]"
"""Whom the token of a job is; another's comment with the same marker is not ours to edit."""


class GithubError(Exception):
    """`gh` failed; the text is its own."""


def comment(repository: str, pull_request: str, marker: str, body: str) -> None:
    """Write the pull request's one comment with `marker`, or edit it.

    Args:
        repository: `OWNER/NAME`.
        pull_request: its number.
        marker: which of the workflows' comments; kept in the comment, and not shown.
        body: Markdown.
    """
    hidden = f"<!-- {marker} -->"
    path = f"repos/{repository}/issues/{pull_request}/comments"
    pages: list[list[dict[str, Any]]] = json.loads(_gh("api", "--paginate", "--slurp", path))
    ours = [
        each["id"]
        for page in pages
        for each in page
        if each["user"]["login"] == BOT and each["body"].startswith(hidden)
    ]
    text = json.dumps({"body": f"{hidden}\n{body}"})
    if ours:
        _gh("api", "--method", "PATCH", f"repos/{repository}/issues/comments/{ours[0]}", "--input", "-", given=text)
    else:
        _gh("api", "--method", "POST", path, "--input", "-", given=text)


def issue(label: str, title: str, body: str) -> None:
    """Open the one issue with `label`, or bring it up to date."""
    number = _open_issue(label)
    if number:
        _gh("issue", "edit", number, "--body-file", "-", given=body)
    else:
        _gh("label", "create", label, "--force", "--description", title)
        _gh("issue", "create", "--title", title, "--label", label, "--body-file", "-", given=body)


def close(label: str, reason: str) -> None:
    """Close the issue with `label`, if there is one."""
    number = _open_issue(label)
    if number:
        _gh("issue", "close", number, "--comment", reason)


def _open_issue(label: str) -> str:
    found = json.loads(_gh("issue", "list", "--label", label, "--state", "open", "--json", "number"))
    return str(min(each["number"] for each in found)) if found else ""


def _gh(*arguments: str, given: str = "") -> str:
    done = subprocess.run(["gh", *arguments], input=given, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise GithubError(f"`gh {' '.join(arguments[:4])}` failed: {done.stderr.strip()}")
    return done.stdout
