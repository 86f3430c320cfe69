"""GitHub through its command `gh`: one comment and one issue per stack, however often a job runs."""

import json
import subprocess
from itertools import chain
from typing import Any

BOT = "github-actions[bot]"
"""The author of what a job's token writes. Comments and issues of others are never edited, even with our marker."""

TIMEOUT = 120
"""Seconds for one call."""


class GithubError(Exception):
    """`gh` failed; the text is its own."""


class NotFoundError(GithubError):
    """GitHub answered with 404."""


class Github:
    """One repository. Every method raises `GithubError` if `gh` fails."""

    def __init__(self, repository: str) -> None:
        self.path = f"repos/{repository}"

    def comment(self, pull_request: int, marker: str, body: str) -> None:
        """Write the pull request's comment with a marker, which is hidden in it, or edit it."""
        path = f"{self.path}/issues/{pull_request}/comments"
        content = {"body": _marked(marker, body)}
        if existing := _find(marker, path):
            _send("PATCH", f"{self.path}/issues/comments/{existing['id']}", content)
        else:
            _send("POST", path, content)

    def issue(self, label: str, marker: str, title: str, body: str) -> None:
        """Open the issue with a marker, which is hidden in it, or update its body. GitHub creates a missing label."""
        content = {"body": _marked(marker, body)}
        if existing := self._issue(label, marker):
            _send("PATCH", f"{self.path}/issues/{existing['number']}", content)
        else:
            _send("POST", f"{self.path}/issues", {"title": title, "labels": [label], **content})

    def close(self, label: str, marker: str, reason: str) -> None:
        """Close the issue with a marker, if there is one, with a comment."""
        if existing := self._issue(label, marker):
            path = f"{self.path}/issues/{existing['number']}"
            _send("POST", f"{path}/comments", {"body": reason})
            _send("PATCH", path, {"state": "closed"})

    def _issue(self, label: str, marker: str) -> dict[str, Any] | None:
        return _find(marker, f"{self.path}/issues?state=open&labels={label}")

    def head(self, branch: str) -> str:
        """Return a branch's newest commit."""
        return str(_get(f"{self.path}/commits/{branch}")["sha"])

    def reviewers(self, environment: str) -> int:
        """Return how many people or teams can approve an environment; 0 if it does not exist."""
        try:
            rules = _get(f"{self.path}/environments/{environment}")["protection_rules"]
        except NotFoundError:
            return 0
        return sum(len(rule["reviewers"]) for rule in rules if rule["type"] == "required_reviewers")

    def approved(self, run: int, environment: str) -> bool:
        """Tell whether a reviewer of an environment has let a run use it."""
        reviews = _get(f"{self.path}/actions/runs/{run}/approvals")
        approved = [review for review in reviews if review["state"] == "approved"]
        return any(item["name"] == environment for review in approved for item in review["environments"])

    def pull_request(self, number: int) -> dict[str, Any]:
        """Return a pull request in its current state."""
        pull_request: dict[str, Any] = _get(f"{self.path}/pulls/{number}")
        return pull_request

    def artifact(self, run: int, name: str, limit: int) -> bytes | None:
        """Return a run's newest artifact of a name, a ZIP archive; None if there is none.

        Raises:
            GithubError: `gh` fails, or the artifact has more than `limit` bytes; it is then not downloaded.
        """
        listed = _get(f"{self.path}/actions/runs/{run}/artifacts?name={name}&per_page=100")["artifacts"]
        artifacts = [artifact for artifact in listed if artifact["name"] == name and not artifact["expired"]]
        if not artifacts:
            return None
        newest = max(artifacts, key=lambda artifact: int(artifact["id"]))
        if newest["size_in_bytes"] > limit:
            raise GithubError(f"artifact {name} of run {run} has {newest['size_in_bytes']} bytes, more than {limit}")
        return _gh("api", f"{self.path}/actions/artifacts/{newest['id']}/zip")


def _marked(marker: str, body: str) -> str:
    return f"<!-- {marker} -->\n{body}"


def _find(marker: str, path: str) -> dict[str, Any] | None:
    """Return the first comment or issue of ours with a marker."""
    pages: list[list[dict[str, Any]]] = json.loads(_gh("api", "--paginate", "--slurp", path))
    for post in chain.from_iterable(pages):
        # GitHub may change the line endings of a body.
        body = (post["body"] or "").replace("\r\n", "\n")
        if post["user"]["login"] == BOT and f"{body}\n".startswith(_marked(marker, "")):
            return post
    return None


def _get(path: str) -> Any:
    return json.loads(_gh("api", path))


def _send(method: str, path: str, body: Any) -> None:
    # Unescaped, so that the bytes sent are the bytes that were counted.
    _gh("api", "--method", method, path, "--input", "-", data=json.dumps(body, ensure_ascii=False).encode())


def _gh(*arguments: str, data: bytes = b"") -> bytes:
    done = subprocess.run(["gh", *arguments], input=data, capture_output=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        message = done.stderr.decode(errors="replace").strip()
        error = NotFoundError if "(HTTP 404)" in message else GithubError
        raise error(f"`gh {' '.join(arguments[:4])}` failed: {message}")
    return done.stdout
