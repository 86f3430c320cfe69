"""`python -m deploy.ci`: what the workflows run. A verb reads its input from GitHub's variables and event."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.ci import credentials, outcome, report
from deploy.ci.commands import Ran, inert, run
from deploy.ci.github import Github, GithubError

BRANCH = "main"
"""What is deployed."""

DRIFT = "drift"
"""The label of the issues."""

VERIFY = ("python", "-m", "tlsctl", "verify")
PLAN_ROLLOUT = ("python", "-m", "tlsctl", "plan-rollout")
"""The check of a live environment."""


class UnsetError(Exception):
    """A variable that GitHub or the workflow sets is missing."""


def gate(reviewed: Sequence[str]) -> int:
    """Refuse to deploy an old commit, or to environments whose approval nobody is asked for.

    A re-run, and an approval that comes late, are of the commit that they were made for. What was deployed since then
    would be undone.
    """
    github = _github()
    head, ours = github.head(BRANCH), _given("GITHUB_SHA")
    problems = [f"{ours} is not the newest commit of {BRANCH}; the run of {head} deploys it"] if head != ours else []
    for environment in reviewed:
        if not github.reviewers(environment):
            where = f"{_server()}/settings/environments"
            problems.append(f"environment {environment} has no required reviewers; add them at {where}")
    for each in problems:
        print(f"error: {each}", file=sys.stderr)
    return 1 if problems else 0


def preview(stack: str, file: str) -> int:
    """Preview a stack under the policies, and write what came of it for the job that comments."""
    refused = credentials.problem(stack, _given("PULUMI_BACKEND_URL"))
    ran = Ran("", 1, refused) if refused else run(*_preview(stack))
    if refused:
        _error(refused)
    Path(file).write_text(outcome.Outcome(ran.code, ran.output).written())
    return ran.code


def comment(stacks: Sequence[str]) -> int:
    """Write the outcome of each stack's preview into the pull request's comment for that stack.

    Which pull request and which commit is GitHub's own word. The run may have been of any code, so its artifacts are
    data: one that is not what `preview` writes is refused.
    """
    github = _github()
    event: dict[str, Any] = json.loads(Path(_given("GITHUB_EVENT_PATH")).read_text())
    run_ = event["workflow_run"]
    pull_requests = _pull_requests(github, run_, event["repository"]["id"])
    if not pull_requests:
        print(f"no open pull request has {run_['head_sha']} as its newest commit")
        return 0
    bad = 0
    for stack in stacks:
        try:
            archive = github.artifact(run_["id"], f"preview-{stack}", outcome.LIMIT)
            if archive is None:
                continue
            found = outcome.unpacked(archive)
        except (GithubError, outcome.OutcomeError) as error:
            _error(f"artifact preview-{stack} {error}")
            bad += 1
            continue
        title = f"{'Failed preview' if found.code else 'Preview'} of stack {report.code(stack)}"
        body = report.section(title, Ran(" ".join(_preview(stack)), found.code, found.output))
        for number in pull_requests:
            github.comment(number, f"preview of {stack}", f"{body}\nOf {run_['head_sha']}.\n")
    return 1 if bad else 0


def _pull_requests(github: Github, run_: dict[str, Any], repository: int) -> list[int]:
    """Return this repository's pull requests whose newest commit is the run's; a newer one has a run of its own."""
    numbers = [each["number"] for each in run_["pull_requests"] if each["base"]["repo"]["id"] == repository]
    found = [github.pull_request(number) for number in numbers]
    return [each["number"] for each in found if each["state"] == "open" and each["head"]["sha"] == run_["head_sha"]]


def up(stack: str) -> int:
    """Apply a stack under the policies, if the CA can sign what it asks for, and check that it serves."""
    refused = credentials.problem(stack, _given("PULUMI_BACKEND_URL"))
    if refused:
        _error(refused)
        return 1
    # Else a part of the hosts is without a certificate until the CA's limits allow another one.
    if (planned := run(*PLAN_ROLLOUT, "--stack", stack)).code:
        return planned.code
    applied = run("pulumi", "up", "--stack", stack, "--yes", "--non-interactive", "--policy-pack", "policies")
    return applied.code or run(*VERIFY, "--stack", stack, "--watch", "--timeout", "300").code


def drift(stack: str) -> int:
    """Compare a stack with what is there, and keep one issue that says what differs; closed when nothing does."""
    changed = run(*_pulumi("preview", stack), "--refresh", "--expect-no-changes", "--diff")
    seen = run(*VERIFY, "--stack", stack)
    bad = [(f"Stack {report.code(stack)} is not as its program says", changed)] if changed.code else []
    bad += [(f"Stack {report.code(stack)} does not serve as it should", seen)] if seen.code else []
    job = f"{_server()}/actions/runs/{_given('GITHUB_RUN_ID')}"
    github, marker = _github(), f"drift of {stack}"
    if bad:
        github.issue(DRIFT, marker, f"Drift of {stack}", report.sections(bad) + f"\nSeen by {job}\n")
    else:
        github.close(DRIFT, marker, f"Gone, as seen by {job}")
    return 1 if bad else 0


def _preview(stack: str) -> Sequence[str]:
    return (*_pulumi("preview", stack), "--policy-pack", "policies")


def _pulumi(verb: str, stack: str) -> Sequence[str]:
    return ("pulumi", verb, "--stack", stack, "--non-interactive", "--color", "never")


def _github() -> Github:
    return Github(_given("GITHUB_REPOSITORY"))


def _server() -> str:
    return f"{_given('GITHUB_SERVER_URL')}/{_given('GITHUB_REPOSITORY')}"


def _given(variable: str) -> str:
    try:
        return os.environ[variable]
    except KeyError:
        raise UnsetError(f"{variable} is not set; a workflow sets it") from None


def _error(text: str) -> None:
    """Print an error that may quote what others have written."""
    with inert():
        print(f"error: {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is the verb's, or 2 when it could not be run."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.work(args))
    except (UnsetError, GithubError, OSError, json.JSONDecodeError, subprocess.SubprocessError) as error:
        _error(str(error))
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.ci", description="Runs what the workflows are made of.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("gate", help="refuse to deploy an old commit, or to an environment without reviewers")
    verb.add_argument("--reviewed", nargs="*", default=[], metavar="ENVIRONMENT", help="needs required reviewers")
    verb.set_defaults(work=lambda args: gate(args.reviewed))

    verb = verbs.add_parser("preview", help="preview a stack under the policies, and write the outcome to a file")
    verb.add_argument("stack", metavar="STACK")
    verb.add_argument("file", metavar="FILE")
    verb.set_defaults(work=lambda args: preview(args.stack, args.file))

    verb = verbs.add_parser("comment", help="write the outcomes of previews into their pull request")
    verb.add_argument("stacks", nargs="+", metavar="STACK")
    verb.set_defaults(work=lambda args: comment(args.stacks))

    for work in (up, drift):
        verb = verbs.add_parser(work.__name__, help=(work.__doc__ or "").splitlines()[0])
        verb.add_argument("stack", metavar="STACK")
        verb.set_defaults(work=lambda args, work=work: work(args.stack))
    return parser


if __name__ == "__main__":
    sys.exit(main())
