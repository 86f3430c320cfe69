#!/usr/bin/env python3
"""Stands for the programs that a workflow runs: keeps what it was asked, and answers as the real one would.

Under the name of `gh` it keeps comments and issues as GitHub does; `python -m deploy.ci` is the real one. All of it is
in the JSON file that $FAKES names: `calls`, `fail` (names of programs) and `prints`, and of GitHub `head`, `reviewers`,
`pulls`, `artifacts`, `comments`, `issues`; `config` is what pulumi has.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Not when it runs: it is started hundreds of times.
    from typing import Any

BOT = "github-actions[bot]"
REPOSITORY = "repos/acme/gateway/"


def gh(state: dict[str, Any], arguments: list[str], given: str) -> str | bytes:
    """Do what `gh ARGUMENTS` would."""
    match arguments:
        case ["api", "--paginate", "--slurp", path]:
            return json.dumps([[each] for each in listed(state, path.removeprefix(REPOSITORY))])
        case ["api", "--method", method, path, "--input", "-"]:
            write(state, method, path.removeprefix(REPOSITORY).split("/"), json.loads(given))
            return ""
        case ["api", path] if path.startswith(REPOSITORY):
            return read(state, path.removeprefix(REPOSITORY))
    sys.exit(f"unknown command {arguments}")


def listed(state: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """Return what GitHub lists there."""
    if path.endswith("/comments"):
        return [each for each in state["comments"] if path == f"issues/{each['issue']}/comments"]
    label = path.rpartition("labels=")[2]
    return [each for each in state["issues"] if each["state"] == "open" and label in each["labels"]]


def write(state: dict[str, Any], method: str, path: list[str], body: dict[str, Any]) -> None:
    """Do what a request with a body does."""
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
    """Return what GitHub answers."""
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
            found = [each for each in state["artifacts"] if each["run"] == int(run) and each["name"] == name]
            return json.dumps({"artifacts": found})
        case ["actions", "artifacts", id_, "zip"]:
            file = next(each["file"] for each in state["artifacts"] if each["id"] == int(id_))
            with open(file, "rb") as archive:  # noqa: PTH123
                return archive.read()
    sys.exit("gh: Not Found (HTTP 404)")


def keep(state: dict[str, Any]) -> None:
    """Write the state down."""
    with open(os.environ["FAKES"], "w") as file:  # noqa: PTH123
        json.dump(state, file)


def main() -> int:
    """Be the program whose name this is called by."""
    program, arguments = sys.argv[0].rpartition("/")[2], sys.argv[1:]
    if program == "uv" and arguments[:2] == ["run", "--no-sync"]:
        os.execvp(arguments[2], arguments[2:])  # noqa: S606 - it becomes that program, as uv does
    if program in ("python", "python3") and arguments[:2] == ["-m", "deploy.ci"]:
        os.execv(os.environ["PYTHON"], ["python", *arguments])  # noqa: S606
    with open(os.environ["FAKES"]) as file:  # noqa: PTH123
        state: dict[str, Any] = json.load(file)
    given = "" if sys.stdin.isatty() or program != "gh" else sys.stdin.read()
    state["calls"].append([program, *arguments])
    if {program, *sys.argv[1:]} & {*state["fail"]}:
        keep(state)
        print(state["prints"].get(program, ""), flush=True)
        print(f"{program} is out of order", file=sys.stderr)
        return 1
    if program == "gh":
        answer = gh(state, arguments, given)
    elif program == "pulumi" and arguments[0] == "config":
        answer = json.dumps(state["config"])
    else:
        answer = state["prints"].get(program, "")
    keep(state)
    sys.stdout.buffer.write(answer if isinstance(answer, bytes) else f"{answer}\n".encode(errors="surrogatepass"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
