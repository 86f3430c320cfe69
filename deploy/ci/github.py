"""GitHub, through its own command `gh`: one comment and one issue per stack, however often a job runs."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

BOT = "github-actions[bot]"
"""The author that the token of a job writes as; another's comment or issue with the same marker is not ours to edit."""

TIMEOUT = 120
"""Seconds for one call."""


class GithubError(Exception):
    """`gh` failed; the text is its own."""


class NotFoundError(GithubError):
    """GitHub has no such thing."""


class Github:
    """One repository."""

    def __init__(self, repository: str) -> None:
        self.path = f"repos/{repository}"

    def comment(self, pull_request: int, marker: str, body: str) -> None:
        """Write the pull request's one comment with `marker`, or edit it.

        Args:
            pull_request: its number.
            marker: which of the workflows' comments; kept in the comment, and not shown.
            body: Markdown.
        """
        path = f"{self.path}/issues/{pull_request}/comments"
        text = _marked(marker, body)
        ours = next(_ours(marker, _pages(path)), None)
        if ours:
            _send("PATCH", f"{self.path}/issues/comments/{ours['id']}", {"body": text})
        else:
            _send("POST", path, {"body": text})

    def issue(self, label: str, marker: str, title: str, body: str) -> None:
        """Open the one issue with `marker`, or bring it up to date.

        Args:
            label: by which people find it; made if it is not there.
            marker: which of the workflows' issues; kept in the issue, and not shown.
            title: of a new one.
            body: Markdown.
        """
        text = _marked(marker, body)
        ours = self._issue(label, marker)
        if ours:
            _send("PATCH", f"{self.path}/issues/{ours['number']}", {"body": text})
        else:
            # GitHub makes a label that it does not know.
            _send("POST", f"{self.path}/issues", {"title": title, "labels": [label], "body": text})

    def close(self, label: str, marker: str, reason: str) -> None:
        """Close the issue with `marker`, if there is one, with a comment that gives the reason."""
        ours = self._issue(label, marker)
        if ours:
            path = f"{self.path}/issues/{ours['number']}"
            _send("POST", f"{path}/comments", {"body": reason})
            _send("PATCH", path, {"state": "closed"})

    def _issue(self, label: str, marker: str) -> dict[str, Any] | None:
        return next(_ours(marker, _pages(f"{self.path}/issues?state=open&labels={label}")), None)

    def head(self, branch: str) -> str:
        """Return the newest commit of a branch."""
        return str(_get(f"{self.path}/commits/{branch}")["sha"])

    def reviewers(self, environment: str) -> int:
        """Return how many people or teams an environment asks for an approval; 0 where there is no environment."""
        try:
            rules = _get(f"{self.path}/environments/{environment}")["protection_rules"]
        except NotFoundError:
            return 0
        return sum(len(rule["reviewers"]) for rule in rules if rule["type"] == "required_reviewers")

    def pull_request(self, number: int) -> dict[str, Any]:
        """Return a pull request as it is now."""
        found: dict[str, Any] = _get(f"{self.path}/pulls/{number}")
        return found

    def artifact(self, run: int, name: str, limit: int) -> bytes | None:
        """Return the newest artifact of a run that has this name, a ZIP archive; None where there is none.

        Raises:
            GithubError: it has more than `limit` bytes; nothing of it is fetched.
        """
        listed = _get(f"{self.path}/actions/runs/{run}/artifacts?name={name}&per_page=100")["artifacts"]
        found = [each for each in listed if each["name"] == name and not each["expired"]]
        if not found:
            return None
        newest = max(found, key=lambda each: int(each["id"]))
        if newest["size_in_bytes"] > limit:
            raise GithubError(f"artifact {name} of run {run} has {newest['size_in_bytes']} bytes, more than {limit}")
        return _gh("api", f"{self.path}/actions/artifacts/{newest['id']}/zip")


def _marked(marker: str, body: str) -> str:
    return f"<!-- {marker} -->\n{body}"


def _ours(marker: str, found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    hidden = _marked(marker, "")
    for each in found:
        # GitHub may give the lines of a body other ends.
        body = (each["body"] or "").replace("\r\n", "\n")
        if each["user"]["login"] == BOT and f"{body}\n".startswith(hidden):
            yield each


def _pages(path: str) -> Iterator[dict[str, Any]]:
    pages: list[list[dict[str, Any]]] = json.loads(_gh("api", "--paginate", "--slurp", path))
    for page in pages:
        yield from page


def _get(path: str) -> Any:
    return json.loads(_gh("api", path))


def _send(method: str, path: str, body: Any) -> None:
    # Not escaped more than it must be: what is counted is what is sent.
    given = json.dumps(body, ensure_ascii=False).encode()
    _gh("api", "--method", method, path, "--input", "-", given=given)


def _gh(*arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(["gh", *arguments], input=given, capture_output=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        error = NotFoundError if "(HTTP 404)" in said else GithubError
        raise error(f"`gh {' '.join(arguments[:4])}` failed: {said}")
    return done.stdout
