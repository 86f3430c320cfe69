#!/usr/bin/env python3
"""Stands for the programs that a workflow runs: keeps what it was asked, and answers as the real one would.

Under the name of `gh` it keeps comments and issues as GitHub does; `python -m ci` is the real one. Everything is
in the JSON file that $FAKES names: `calls`, `comments`, `issues`, `fail` (names of programs) and `prints`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

BOT = "github-actions[bot]"


def gh(state: dict[str, Any], arguments: list[str], given: str) -> str:
    """Do what `gh ARGUMENTS` would."""
    match arguments:
        case ["api", "--paginate", "--slurp", _]:
            return json.dumps([[each] for each in state["comments"]])
        case ["api", "--method", "POST", _, "--input", "-"]:
            comment = {"id": len(state["comments"]) + 1, "user": {"login": BOT}, **json.loads(given)}
            state["comments"].append(comment)
        case ["api", "--method", "PATCH", path, "--input", "-"]:
            state["comments"][int(path.rsplit("/", 1)[1]) - 1].update(json.loads(given))
        case ["issue", "list", "--label", label, "--state", "open", "--json", "number"]:
            found = [each for each in state["issues"] if each["label"] == label and each["open"]]
            return json.dumps([{"number": each["number"]} for each in found])
        case ["issue", "create", "--title", title, "--label", label, "--body-file", "-"]:
            number = len(state["issues"]) + 1
            state["issues"].append({"number": number, "title": title, "label": label, "body": given, "open": True})
        case ["issue", "edit", number, "--body-file", "-"]:
            state["issues"][int(number) - 1]["body"] = given
        case ["issue", "close", number, "--comment", _]:
            state["issues"][int(number) - 1]["open"] = False
        case ["label", "create", _, "--force", "--description", _]:
            pass
        case _:
            sys.exit(f"unknown command {arguments}")
    return ""


def main() -> int:
    """Be the program whose name this is called by."""
    program, arguments = Path(sys.argv[0]).name, sys.argv[1:]
    if program == "uv" and arguments[:2] == ["run", "--no-sync"]:
        os.execvp(arguments[2], arguments[2:])  # noqa: S606 - it becomes that program, as uv does
    if program == "python" and arguments[:2] == ["-m", "ci"]:
        os.execv(os.environ["PYTHON"], ["python", *arguments])  # noqa: S606
    file = Path(os.environ["FAKES"])
    state: dict[str, Any] = json.loads(file.read_text())
    given = "" if sys.stdin.isatty() or program != "gh" else sys.stdin.read()
    state["calls"].append([program, *arguments])
    answer = gh(state, arguments, given) if program == "gh" else state["prints"].get(program, "")
    file.write_text(json.dumps(state))
    print(answer)
    if program in state["fail"]:
        print(f"{program} is out of order", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
