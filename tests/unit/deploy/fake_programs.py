#!/usr/bin/env python3
"""Replaces the programs that a workflow runs: records the calls and answers like the real ones.

As `gh` it stores comments and issues like GitHub; `python -m deploy.ci` is the real one. The state is in the JSON file
$FAKES: `calls`, `fail` (names of programs), `prints`, pulumi's `config`, and GitHub's `head`, `reviewers`, `pulls`,
`artifacts`, `comments` and `issues`.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Not at run time, because it starts hundreds of times.
    from typing import Any

BOT = "github-actions[bot]"
REPOSITORY = "repos/acme/gateway/"


def gh(state: dict[str, Any], arguments: list[str], body: str) -> str | bytes:
    """Act as `gh ARGUMENTS`."""
    match arguments:
        case ["api", "--paginate", "--slurp", path]:
            return json.dumps([[post] for post in listed(state, path.removeprefix(REPOSITORY))])
        case ["api", "--method", method, path, "--input", "-"]:
            write(state, method, path.removeprefix(REPOSITORY).split("/"), json.loads(body))
            return ""
        case ["api", path] if path.startswith(REPOSITORY):
            return read(state, path.removeprefix(REPOSITORY))
    sys.exit(f"unknown command {arguments}")


def listed(state: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """Return GitHub's list of comments or issues."""
    if path.endswith("/comments"):
        return [comment for comment in state["comments"] if path == f"issues/{comment['issue']}/comments"]
    label = path.rpartition("labels=")[2]
    return [issue for issue in state["issues"] if issue["state"] == "open" and label in issue["labels"]]


def write(state: dict[str, Any], method: str, path: list[str], body: dict[str, Any]) -> None:
    """Apply a request with a body."""
    match method, path:
        case "POST", ["issues", number, "comments"]:
            written = {"id": len(state["comments"]) + 1, "user": {"login": BOT}, "issue": int(number)}
            state["comments"].append(written | body)
        case "PATCH", ["issues", "comments", id_]:
            state["comments"][int(id_) - 1].update(body)
        case "POST", ["issues"]:
            written = {"number": len(state["issues"]) + 1, "user": {"login": BOT}, "state": "open"}
            state["issues"].append(written | body)
        case "PATCH", ["issues", number]:
            state["issues"][int(number) - 1].update(body)
        case _:
            sys.exit(f"unknown request {method} {path}")


def read(state: dict[str, Any], path: str) -> str | bytes:
    """Return GitHub's answer."""
    path, _, query = path.partition("?")
    match path.split("/"):
        case ["commits", "main"]:
            return json.dumps({"sha": state["head"]})
        case ["environments", name] if name in state["reviewers"]:
            rules: list[dict[str, Any]] = [{"type": "branch_policy"}]
            if people := state["reviewers"][name]:
                rules.append({"type": "required_reviewers", "reviewers": people})
            return json.dumps({"protection_rules": rules})
        case ["pulls", number] if number in state["pulls"]:
            return json.dumps(state["pulls"][number])
        case ["actions", "runs", run, "artifacts"]:
            name = query.partition("&")[0].removeprefix("name=")
            artifacts = [file for file in state["artifacts"] if file["run"] == int(run) and file["name"] == name]
            return json.dumps({"artifacts": artifacts})
        case ["actions", "artifacts", id_, "zip"]:
            file = next(item["file"] for item in state["artifacts"] if item["id"] == int(id_))
            with open(file, "rb") as archive:  # noqa: PTH123
                return archive.read()
    sys.exit("gh: Not Found (HTTP 404)")


def keep(state: dict[str, Any]) -> None:
    """Save the state."""
    with open(os.environ["FAKES"], "w") as file:  # noqa: PTH123
        json.dump(state, file)


def main() -> int:
    """Act as the program whose name this file has."""
    program, arguments = sys.argv[0].rpartition("/")[2], sys.argv[1:]
    if program == "uv" and arguments[:2] == ["run", "--no-sync"]:
        os.execvp(arguments[2], arguments[2:])  # noqa: S606
    if program in ("python", "python3") and arguments[:2] == ["-m", "deploy.ci"]:
        os.execv(os.environ["PYTHON"], ["python", *arguments])  # noqa: S606
    with open(os.environ["FAKES"]) as file:  # noqa: PTH123
        state: dict[str, Any] = json.load(file)
    body = "" if sys.stdin.isatty() or program != "gh" else sys.stdin.read()
    state["calls"].append([program, *arguments])
    if {program, *sys.argv[1:]} & {*state["fail"]}:
        keep(state)
        print(state["prints"].get(program, ""), flush=True)
        print(f"{program} is out of order", file=sys.stderr)
        return 1
    if program == "gh":
        answer = gh(state, arguments, body)
    elif program == "pulumi" and arguments[0] == "config":
        answer = json.dumps(state["config"])
    else:
        answer = state["prints"].get(program, "")
    keep(state)
    sys.stdout.buffer.write(answer if isinstance(answer, bytes) else f"{answer}\n".encode(errors="surrogatepass"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
