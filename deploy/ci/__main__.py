"""`python -m deploy.ci VERB`: the steps of the workflows. A verb reads GitHub's variables and event."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deploy.ci import credentials, outcome, report
from deploy.ci.commands import Ran, inert, run
from deploy.ci.github import Github, GithubError
from deploy.ci.outcome import OutcomeError

BRANCH = "main"
"""The branch that is deployed."""

DRIFT = "drift"
"""The label of the issues."""

INSTALLED = "tlsctl"
"""The command of a repository that has the program as a package."""


class UnsetError(Exception):
    """A variable that GitHub or the workflow sets is missing."""


def gate(reviewed: Sequence[str]) -> int:
    """Refuse to deploy an old commit, or with environments that have no required reviewers.

    A re-run and a late approval are for an old commit, and would undo what was deployed since.
    """
    github = _github()
    head, commit = github.head(BRANCH), _variable("GITHUB_SHA")
    problems = _unreviewed(github, reviewed)
    if head != commit:
        problems.append(f"{commit} is not the newest commit of {BRANCH}; the run of {head} deploys it")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _unreviewed(github: Github, environments: Sequence[str]) -> list[str]:
    """Return the problem of each environment that has no required reviewers."""
    return [
        f"environment {environment} has no required reviewers; add them at {_repository_url()}/settings/environments"
        for environment in environments
        if not github.reviewers(environment)
    ]


def preview(stack: str, file: str) -> int:
    """Preview a stack with the policies, and write the outcome to a file for the job that comments."""
    problem = credentials.problem(stack, _variable("PULUMI_BACKEND_URL"))
    ran = Ran("", 1, problem) if problem else run(*_preview_command(stack, _policies()))
    if problem:
        _print_error(problem)
    Path(file).write_text(outcome.to_json(ran))
    return ran.code


def comment(stacks: Sequence[str]) -> int:
    """Write the outcome of a preview of one of these stacks into its pull request, one comment per stack.

    GitHub names the workflow's file, and so the stack, the pull request and the commit. The artifact may come from any
    code, so it is data, and refused if it is not what `preview` writes.
    """
    github = _github()
    event: dict[str, Any] = json.loads(Path(_variable("GITHUB_EVENT_PATH")).read_text())
    workflow, workflow_run = event["workflow"]["path"], event["workflow_run"]
    stack = {f".github/workflows/preview-{stack}.yml": stack for stack in stacks}.get(workflow)
    if not stack:
        raise OutcomeError(f"{workflow} previews none of the stacks {', '.join(stacks)}")
    pull_requests = _pull_requests(github, workflow_run, event["repository"]["id"])
    if not pull_requests:
        print(f"no open pull request has {workflow_run['head_sha']} as its newest commit")
        return 0
    archive = github.artifact(workflow_run["id"], "preview", outcome.LIMIT)
    if archive is None:
        return 0
    # A branch can change the workflow's file, but not who has approved its run.
    environment = f"{stack}-preview"
    if github.reviewers(environment) and not github.approved(workflow_run["id"], environment):
        raise OutcomeError(f"run {workflow_run['id']} of {workflow} has no approval of environment {environment}")
    previewed = outcome.unpack(archive, " ".join(_preview_command(stack)))
    title = f"{'Failed preview' if previewed.code else 'Preview'} of stack {report.code(stack)}"
    body = report.section(title, previewed)
    for number in pull_requests:
        github.comment(number, f"preview of {stack}", f"{body}\nOf {workflow_run['head_sha']}.\n")
    return 0


def _pull_requests(github: Github, workflow_run: dict[str, Any], repository: int) -> list[int]:
    """Return this repository's open pull requests that still have the run's commit as their newest."""
    listed = [pull for pull in workflow_run["pull_requests"] if pull["base"]["repo"]["id"] == repository]
    current = [github.pull_request(pull["number"]) for pull in listed]
    sha = workflow_run["head_sha"]
    return [pull["number"] for pull in current if pull["state"] == "open" and pull["head"]["sha"] == sha]


def up(stack: str) -> int:
    """Apply a stack with the policies, if the CA's limits allow its certificates, and check that it serves."""
    problem = credentials.problem(stack, _variable("PULUMI_BACKEND_URL"))
    if problem:
        _print_error(problem)
        return 1
    # An update that runs into the CA's limits would leave some hosts without a certificate.
    if (planned := run(*_tlsctl("plan-rollout", "--stack", stack))).code:
        return planned.code
    applied = run("pulumi", "up", "--stack", stack, "--yes", "--non-interactive", "--policy-pack", _policies())
    return applied.code or run(*_tlsctl("verify", "--stack", stack, "--watch", "--timeout", "300")).code


def drift(stack: str, reviewed: Sequence[str]) -> int:
    """Compare a stack with the live objects, and report differences in one issue, which closes when they are gone.

    Environments without required reviewers count as a difference.
    """
    github = _github()
    changed = run(*_pulumi_command("preview", stack), "--refresh", "--expect-no-changes", "--diff")
    verified = run(*_tlsctl("verify", "--stack", stack))
    failed = [(f"Stack {report.code(stack)} differs from its program", changed)] if changed.code else []
    failed += [(f"Stack {report.code(stack)} does not serve as it should", verified)] if verified.code else []
    if problems := _unreviewed(github, reviewed):
        failed.append(("Nobody has to approve", Ran(f"gh api {github.path}/environments", 1, "\n".join(problems))))
    job = f"{_repository_url()}/actions/runs/{_variable('GITHUB_RUN_ID')}"
    marker = f"drift of {stack}"
    if failed:
        github.issue(DRIFT, marker, f"Drift of {stack}", report.sections(failed) + f"\nSeen by {job}\n")
    else:
        github.close(DRIFT, marker, f"Gone, as seen by {job}")
    return 1 if failed else 0


def _tlsctl(*arguments: str) -> Sequence[str]:
    return (INSTALLED, *arguments) if shutil.which(INSTALLED) else ("python", "-m", "tlsctl", *arguments)


def _policies() -> str:
    """Return the folder of the policy pack."""
    argv = _tlsctl("policy-pack")
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout.strip()


def _preview_command(stack: str, pack: str = "policies") -> Sequence[str]:
    return (*_pulumi_command("preview", stack), "--policy-pack", pack)


def _pulumi_command(verb: str, stack: str) -> Sequence[str]:
    return ("pulumi", verb, "--stack", stack, "--non-interactive", "--color", "never")


def _github() -> Github:
    return Github(_variable("GITHUB_REPOSITORY"))


def _repository_url() -> str:
    return f"{_variable('GITHUB_SERVER_URL')}/{_variable('GITHUB_REPOSITORY')}"


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise UnsetError(f"{name} is not set; a workflow sets it") from None


def _print_error(text: str) -> None:
    """Print an error that may quote untrusted text."""
    with inert():
        print(f"error: {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the verb's exit code, or 2 if the verb could not run."""
    args = vars(_parser().parse_args(arguments))
    try:
        return int(args.pop("work")(**args))
    except (UnsetError, GithubError, OutcomeError, OSError, json.JSONDecodeError, subprocess.SubprocessError) as error:
        _print_error(str(error))
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.ci", description="Runs the steps of the workflows.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    works: tuple[Callable[..., int], ...] = (gate, preview, comment, up, drift)
    of_verb = {work: verbs.add_parser(work.__name__, help=(work.__doc__ or "").partition("\n")[0]) for work in works}
    for verb in (of_verb[gate], of_verb[drift]):
        verb.add_argument(
            "--reviewed", type=str.split, default=[], metavar="ENVIRONMENTS", help="that need required reviewers"
        )
    of_verb[comment].add_argument("stacks", nargs="+", metavar="STACK")
    for work in (preview, up, drift):
        of_verb[work].add_argument("stack", metavar="STACK")
    of_verb[preview].add_argument("file", metavar="FILE")
    for work in works:
        of_verb[work].set_defaults(work=work)
    return parser


if __name__ == "__main__":
    sys.exit(main())
