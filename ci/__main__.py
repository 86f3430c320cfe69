"""``python -m ci``: what the workflows preview.yml and drift.yml run."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from ci import github, report
from ci.commands import Ran, run

DRIFT = "drift"
"""The label of the one issue."""


def preview(stack: str) -> int:
    """Preview a stack under the policies and write the outcome into the pull request's comment for that stack."""
    ran = run(*_pulumi("preview", stack), "--policy-pack", "policies")
    outcome = "Preview of stack" if ran.code == 0 else "Failed preview of stack"
    body = report.section(f"{outcome} `{stack}`", ran) + f"\nOf {os.environ['HEAD_SHA']}.\n"
    github.comment(os.environ["GITHUB_REPOSITORY"], os.environ["PULL_REQUEST"], f"preview of {stack}", body)
    return ran.code


def drift(*stacks: str) -> int:
    """Compare every stack with what is there, and keep one issue that says what differs; closed when nothing does."""
    bad: list[tuple[str, Ran]] = []
    for stack in stacks:
        changed = run(*_pulumi("preview", stack), "--refresh", "--expect-no-changes", "--diff")
        seen = run("python", "-m", "verify", "--stack", stack)
        bad += [(f"Stack `{stack}` is not as its program says", changed)] if changed.code else []
        bad += [(f"Stack `{stack}` does not serve as it should", seen)] if seen.code else []
    server, repository, number = (os.environ[f"GITHUB_{each}"] for each in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    job = f"{server}/{repository}/actions/runs/{number}"
    if bad:
        github.issue(DRIFT, "Drift", report.sections(bad) + f"\nSeen by {job}\n")
    else:
        github.close(DRIFT, f"Gone, as seen by {job}")
    return 1 if bad else 0


def _pulumi(verb: str, stack: str) -> Sequence[str]:
    return ("pulumi", verb, "--stack", stack, "--non-interactive", "--color", "never")


def main() -> int:
    """Parse the command line and run its verb."""
    parser = argparse.ArgumentParser(prog="python -m ci", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def add(work: Callable[..., int], many: str | int) -> None:
        verb = verbs.add_parser(work.__name__, help=work.__doc__)
        verb.set_defaults(work=work)
        verb.add_argument("stacks", nargs=many, metavar="STACK")

    add(preview, 1)
    add(drift, "+")
    arguments = parser.parse_args()
    try:
        return int(arguments.work(*arguments.stacks))
    except KeyError as missing:
        print(f"error: {missing} is not set; a workflow sets it", file=sys.stderr)
    except (github.GithubError, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
