#!/usr/bin/env python3
"""Replaces a program that a workflow runs: records the call, and prints what a test has it answer.

The folder $FAKES has the calls, one per line with its input, and the answers: the beginning of a command, its output
and its exit code. The latest one counts. `python -P -m deploy.ci` is the real one.
"""

import json
import os
import sys


def main() -> int:
    """Act as the program whose name this file has."""
    program, arguments = sys.argv[0].rpartition("/")[2], sys.argv[1:]
    if program == "uv" and arguments[:2] == ["run", "--no-sync"]:
        os.execvp(arguments[2], arguments[2:])  # noqa: S606
    if program in ("python", "python3") and arguments[:3] == ["-P", "-m", "deploy.ci"]:
        os.execv(os.environ["PYTHON"], [os.environ["PYTHON"], *arguments])  # noqa: S606
    command = " ".join([program, *arguments])
    given = sys.stdin.read() if command.endswith("--input -") else ""
    # Without pathlib, which takes longer to load than everything else: it starts hundreds of times.
    with open(f"{os.environ['FAKES']}/calls", "a") as calls:  # noqa: PTH123
        print(json.dumps([command, given]), file=calls)
    with open(f"{os.environ['FAKES']}/answers") as answers:  # noqa: PTH123
        output, code = next(
            (rest for start, *rest in json.load(answers)[::-1] if f"{command} ".startswith(start)), ("", 0)
        )
    # Each character is a byte, because an archive is no text.
    (sys.stderr if code else sys.stdout).buffer.write(output.encode("latin-1"))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
