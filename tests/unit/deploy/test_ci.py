"""The verbs of `python -m deploy.ci`, run as the steps of the workflows type them."""

import io
import json
import re
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.ci import outcome
from deploy.ci.commands import Ran
from tests.unit.deploy.runner import GITHUB, ROOT, WORKFLOWS, Machine, step

Done = subprocess.CompletedProcess[str]

KUBECONFIG = "apiVersion: v1\nusers:\n- name: a\n  user:\n    token: s3cret\n"
WITH_CREDENTIALS = {"istio-gateway-tls:kubeconfig": {"value": KUBECONFIG, "secret": True}}
HOSTILE = """fine
::add-mask::a
  ::error file=a::b
word ##[add-path]/tmp
::stop-commands::mine
::mine::
::set-env name=a::b"""
STOPPED = re.compile(r"^::stop-commands::([0-9a-f]{32})\n.*?^::\1::$", re.MULTILINE | re.DOTALL)
"""A part of a log in which a runner obeys no commands: it ends with the token alone, which nobody can guess."""

BOT = {"login": "github-actions[bot]"}
APPROVED = {"state": "approved", "environments": [{"name": "prod-preview"}]}
REJECTED = APPROVED | {"state": "rejected"}
APPROVED_ELSEWHERE = APPROVED | {"environments": [{"name": "staging"}]}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def gate(machine: Machine, stack: str) -> Done:
    reviewed = WORKFLOWS["up"]["jobs"][stack]["with"].get("reviewed", "")
    return machine.run(step("up-stack", "up", "ci gate"), REVIEWED=reviewed)


def preview(machine: Machine, **env: str) -> Done:
    return machine.run(step("preview-stack", "preview", "ci preview"), STACK="dev", **env)


def comment(
    machine: Machine,
    file: str = "preview-dev.yml",
    sha: str = "abc123",
    pulls: tuple[int, ...] = (5,),
    repository: int = 1,
) -> Done:
    pull_requests = [{"number": number, "base": {"repo": {"id": repository}}} for number in pulls]
    run = {"id": 77, "head_sha": sha, "pull_requests": pull_requests}
    workflow = {"path": f".github/workflows/{file}"}
    event = {"repository": {"id": 1}, "workflow": workflow, "workflow_run": run}
    (machine.folder / "event.json").write_text(json.dumps(event))
    return machine.run(step("comment-previews", "comment", "ci comment"), STACKS="dev prod")


def up(machine: Machine, **env: str) -> Done:
    return machine.run(step("up-stack", "up", "ci up"), STACK="dev", **env)


def drift(machine: Machine, reviewed: str = "") -> Done:
    return machine.run(step("drift-stack", "drift", "ci drift"), STACK="dev", REVIEWED=reviewed)


def reviewers(machine: Machine, **people: list[str]) -> None:
    """Let GitHub's environments have these reviewers."""
    for environment, names in people.items():
        rules = [{"type": "branch_policy"}, *({"type": "required_reviewers", "reviewers": [name]} for name in names)]
        machine.answer(f"{GITHUB}/environments/{environment.replace('_', '-')} ", {"protection_rules": rules})


def handed_over(machine: Machine) -> dict[str, Any]:
    """What a preview writes for the job that comments."""
    return dict(json.loads((machine.folder / "preview.json").read_text()))


def artifacts(machine: Machine, *contents: Any, **changes: Any) -> None:
    """Let a run have artifacts of previews, as jobs that ran a branch's code leave them."""
    listed = []
    for id_, content in enumerate(contents, 1):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("preview.json", content if isinstance(content, str) else json.dumps(content))
        machine.answer(f"{GITHUB}/actions/artifacts/{id_}/zip", packed.getvalue().decode("latin-1"))
        size = len(packed.getvalue())
        listed.append({"id": id_, "name": "preview", "expired": False, "size_in_bytes": size, **changes})
    machine.answer(f"{GITHUB}/actions/runs/77/artifacts?", {"artifacts": listed})
    machine.answer(f"{GITHUB}/pulls/5", {"number": 5, "state": "open", "head": {"sha": "abc123"}})


def comments(machine: Machine, *written: dict[str, Any]) -> None:
    """Let the pull request have these comments."""
    machine.answer("gh api --paginate --slurp repos/acme/gateway/issues/5/comments", [list(written)])


def issues(machine: Machine, *open_: dict[str, Any]) -> None:
    """Let these issues about drift be open."""
    machine.answer("gh api --paginate --slurp repos/acme/gateway/issues?state=open&labels=drift", [list(open_)])


class TestGate:
    def test_only_the_newest_commit_of_main_is_deployed(self, machine: Machine) -> None:
        reviewers(machine, prod=["ann"], prod_preview=["ann"])
        assert gate(machine, "prod").returncode == 0
        machine.answer(f"{GITHUB}/commits/main", {"sha": "def456"})
        done = gate(machine, "prod")

        assert done.returncode == 1, "a re-run, or a late approval"
        assert "abc123 is not the newest commit of main; the run of def456 deploys it" in done.stderr

    def test_prod_is_not_deployed_without_required_reviewers(self, machine: Machine) -> None:
        reviewers(machine, prod=[])
        done = gate(machine, "prod")

        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            f"error: environment {environment} has no required reviewers;"
            " add them at https://github.test/acme/gateway/settings/environments"
            for environment in ("prod", "prod-preview")
        ]
        assert gate(machine, "dev").returncode == 0, "dev needs none"

    def test_nothing_is_deployed_while_github_does_not_answer(self, machine: Machine) -> None:
        machine.answer("gh", "gh is out of order", 1)
        done = gate(machine, "prod")

        assert done.returncode == 2
        assert "gh is out of order" in done.stdout
        assert "Traceback" not in done.stderr


class TestPreview:
    def test_the_stack_is_previewed_with_the_policies_and_the_outcome_handed_over(self, machine: Machine) -> None:
        machine.answer("pulumi preview", "+ 3 to create")
        done = preview(machine)

        assert done.returncode == 0, done.stderr
        assert machine.calls("pulumi preview") == [
            "pulumi preview --stack dev --non-interactive --color never --policy-pack policies"
        ]
        assert handed_over(machine) == {"code": 0, "output": "+ 3 to create"}
        assert "+ 3 to create" in done.stdout, "the log has it too"
        assert not machine.calls("gh"), "the job's token cannot write"

    def test_a_failed_preview_is_handed_over_and_fails_the_job(self, machine: Machine) -> None:
        machine.answer("pulumi preview", "violates a policy", 1)

        assert preview(machine).returncode == 1
        assert handed_over(machine) == {"code": 1, "output": "violates a policy"}


class TestComment:
    def test_the_outcome_is_written_into_the_pull_request(self, machine: Machine) -> None:
        artifacts(machine, {"code": 0, "output": "+ 3 to create"})
        done = comment(machine)

        assert done.returncode == 0, done.stdout + done.stderr
        ((request, content),) = machine.written()
        assert request == "POST repos/acme/gateway/issues/5/comments"
        assert content["body"].startswith("<!-- preview of dev -->\n### Preview of stack `dev`")
        assert "`pulumi preview --stack dev " in content["body"]
        assert "\n```\n+ 3 to create\n```\n" in content["body"]
        assert "Of abc123." in content["body"]

    def test_the_stacks_earlier_comment_is_edited_with_the_latest_outcome(self, machine: Machine) -> None:
        quoted = {"id": 1, "user": {"login": "somebody"}, "body": "<!-- preview of dev -->\nquoted"}
        of_prod = {"id": 2, "user": BOT, "body": "<!-- preview of prod -->\n"}
        of_dev = {"id": 3, "user": BOT, "body": "<!-- preview of dev -->\r\nfrom before"}
        comments(machine, quoted, of_prod, of_dev)
        artifacts(machine, {"code": 0, "output": "first"}, {"code": 255, "output": "violates a policy"})
        comment(machine)

        ((request, content),) = machine.written()
        assert request == "PATCH repos/acme/gateway/issues/comments/3"
        assert "### Failed preview of stack `dev`" in content["body"]
        assert "violates a policy" in content["body"]

    @pytest.mark.parametrize(
        ("state", "event"),
        [("open", {"sha": "older"}), ("closed", {}), ("open", {"pulls": ()}), ("open", {"repository": 2})],
        ids=["an earlier commit", "a closed pull request", "a fork", "another repository"],
    )
    def test_other_runs_write_no_comment(self, machine: Machine, state: str, event: dict[str, Any]) -> None:
        artifacts(machine, {"code": 0, "output": "+ 3 to create"})
        machine.answer(f"{GITHUB}/pulls/5", {"number": 5, "state": state, "head": {"sha": "abc123"}})
        done = comment(machine, **event)

        assert done.returncode == 0
        assert not machine.written()
        assert f"no open pull request has {event.get('sha', 'abc123')} as its newest commit" in done.stdout

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("[", "holds no JSON"),
            ("[" * 100_000, "holds no JSON"),
            ('{"code": true, "output": "x"}', "holds something other than"),
            ('{"code": 0, "output": "x", "issue": 1}', "holds something other than"),
            ('{"code": 0, "output": "%s"}' % ("x" * outcome.LIMIT), "holds more than"),
        ],
        ids=["cut off", "nested", "another type", "another key", "a bomb"],
    )
    def test_an_artifact_with_other_content_is_refused(self, machine: Machine, content: str, problem: str) -> None:
        artifacts(machine, content)
        done = comment(machine)

        assert done.returncode == 2
        assert f"error: the artifact {problem}" in done.stdout
        assert not machine.written()

    @pytest.mark.parametrize("reviews", [[], [REJECTED], [APPROVED_ELSEWHERE]])
    def test_a_run_that_nobody_has_approved_writes_nothing_about_prod(self, machine: Machine, reviews: Any) -> None:
        artifacts(machine, {"code": 0, "output": "no changes, the branch says"})
        reviewers(machine, prod_preview=["ann"])
        machine.answer(f"{GITHUB}/actions/runs/77/approvals", reviews)
        done = comment(machine, "preview-prod.yml")

        assert done.returncode == 2
        assert "run 77 of .github/workflows/preview-prod.yml has no approval of environment prod-preview" in done.stdout
        assert not machine.written()

    def test_the_stack_is_that_of_the_workflow(self, machine: Machine) -> None:
        artifacts(machine, {"code": 0, "output": "+ 3 to create"})
        reviewers(machine, prod_preview=["ann"])
        machine.answer(f"{GITHUB}/actions/runs/77/approvals", [REJECTED, APPROVED])
        assert comment(machine, "preview-prod.yml").returncode == 0
        assert comment(machine, "preview-everybody.yml").returncode == 2

        ((_, content),) = machine.written()
        assert content["body"].startswith("<!-- preview of prod -->\n### Preview of stack `prod`")

    def test_a_large_artifact_is_not_downloaded(self, machine: Machine) -> None:
        artifacts(machine, "{}", size_in_bytes=outcome.LIMIT + 1)
        assert comment(machine).returncode == 2
        assert not [call for call in machine.calls("gh") if call.endswith("/zip")]


class TestUp:
    def test_an_update_is_planned_applied_with_the_policies_and_verified(self, machine: Machine) -> None:
        done = up(machine)

        assert done.returncode == 0, done.stdout
        assert machine.calls("pulumi up") == ["pulumi up --stack dev --yes --non-interactive --policy-pack policies"]
        assert machine.calls("python -m tlsctl") == [
            "python -m tlsctl plan-rollout --stack dev",
            "python -m tlsctl policy-pack",
            "python -m tlsctl verify --stack dev --watch --timeout 300",
        ]

    def test_a_repository_with_the_package_is_worked_on_by_its_command(self, machine: Machine) -> None:
        machine.install("tlsctl")
        machine.answer("tlsctl policy-pack", "/venv/share/policies\n")
        assert up(machine).returncode == 0
        assert drift(machine).returncode == 0
        assert preview(machine).returncode == 0

        assert not machine.calls("python -m tlsctl")
        packs = [call.partition("--policy-pack ")[2] for call in machine.calls("pulumi") if "--policy-pack" in call]
        assert packs == ["/venv/share/policies"] * 2
        assert len(machine.calls("tlsctl verify --stack dev")) == 2

    @pytest.mark.parametrize(
        ("failing", "updates", "checks"),
        [("python -m tlsctl plan-rollout", 0, 1), ("pulumi up", 1, 2), ("python -m tlsctl verify", 1, 3)],
    )
    def test_an_update_stops_at_the_first_failure(
        self, machine: Machine, failing: str, updates: int, checks: int
    ) -> None:
        machine.answer(failing, "out of order", 1)
        assert up(machine).returncode == 1
        assert len(machine.calls("pulumi up")) == updates
        assert len(machine.calls("python -m tlsctl")) == checks


class TestCredentials:
    @pytest.mark.parametrize("verb", [preview, up])
    def test_a_kubeconfig_with_credentials_does_not_come_into_a_shared_state(self, machine: Machine, verb: Any) -> None:
        machine.answer("pulumi config", WITH_CREDENTIALS)
        done = verb(machine)

        problem = "kubeconfig of stack dev holds credentials (users[0].user.token) in a state that others read"
        assert done.returncode == 1
        assert f"error: {problem}" in done.stdout
        assert "gke.cluster" in done.stdout, "with the fix"
        assert "s3cret" not in done.stdout + done.stderr
        assert [call.split()[1] for call in machine.calls("pulumi")] == ["config"], "nothing else runs"
        if verb is preview:
            assert handed_over(machine)["code"] == 1
            assert problem in handed_over(machine)["output"], "the pull request shows it"

    @pytest.mark.parametrize(
        ("key", "value", "problem"),
        [
            ("kubernetes:kubeconfig", KUBECONFIG, "holds credentials (users[0].user.token)"),
            ("istio-gateway-tls:kubeconfig", KUBECONFIG.replace("\n", "\r"), "holds credentials (users[0].user.token)"),
            ("istio-gateway-tls:kubeconfig", "users: [{name: a, user: {token: s3cret}}]", "(users[0].user.token)"),
            ("istio-gateway-tls:kubeconfig", f"{KUBECONFIG}\t", "could, since it is not YAML"),
            ("istio-gateway-tls:kubeconfig", f"{KUBECONFIG}    token: ''\n", "could, since it is not YAML"),
            ("istio-gateway-tls:kubeconfig", "a: b\n# token: s3cret\n", "the comment in line 2"),
            ("gcp:accessToken", "s3cret", "gcp:accessToken of stack dev would be in a state that others read"),
            ("gcp:credentials", '{"private_key": "s3cret"}', "pulumi config rm gcp:credentials"),
        ],
    )
    def test_a_credential_of_a_provider_does_not_come_into_a_shared_state_in_any_form(
        self, machine: Machine, key: str, value: str, problem: str
    ) -> None:
        machine.answer("pulumi config", {key: {"value": value, "secret": True}})
        done = up(machine)
        assert done.returncode == 1
        assert problem in done.stdout
        assert "s3cret" not in done.stdout + done.stderr

    def test_a_local_state_may_hold_credentials(self, machine: Machine) -> None:
        machine.answer("pulumi config", WITH_CREDENTIALS)
        assert up(machine, PULUMI_BACKEND_URL="file:///state").returncode == 0


class TestDrift:
    def test_a_stack_is_compared_and_verified(self, machine: Machine) -> None:
        assert drift(machine).returncode == 0

        (call,) = machine.calls("pulumi")
        assert call.startswith("pulumi preview --stack dev")
        assert "--refresh --expect-no-changes" in call
        assert machine.calls("python -m tlsctl") == ["python -m tlsctl verify --stack dev"]
        assert not machine.written()

    def test_drift_opens_an_issue(self, machine: Machine) -> None:
        machine.answer("pulumi preview", "1 to update", 1)
        assert drift(machine).returncode == 1, "the job fails"

        ((request, issue),) = machine.written()
        assert request == "POST repos/acme/gateway/issues"
        assert (issue["title"], issue["labels"]) == ("Drift of dev", ["drift"])
        assert issue["body"].startswith("<!-- drift of dev -->\n### Stack `dev` differs from its program")
        assert "1 to update" in issue["body"]
        assert "does not serve as it should" not in issue["body"]
        assert "https://github.test/acme/gateway/actions/runs/7" in issue["body"]

    def test_the_stacks_issue_is_edited_and_closed_when_drift_is_gone(self, machine: Machine) -> None:
        of_prod = {"number": 1, "user": BOT, "body": "<!-- drift of prod -->\n"}
        of_dev = {"number": 2, "user": BOT, "body": "<!-- drift of dev -->\nfirst night"}
        issues(machine, of_prod, of_dev)
        machine.answer("python -m tlsctl verify", "expired", 1)
        drift(machine)
        machine.answer("python -m tlsctl verify")
        assert drift(machine).returncode == 0

        (edit, edited), (reason, gone), (close, closed) = machine.written()
        assert edit == close == "PATCH repos/acme/gateway/issues/2"
        assert "Stack `dev` does not serve as it should" in edited["body"]
        assert reason == "POST repos/acme/gateway/issues/2/comments"
        assert "Gone, as seen by" in gone["body"]
        assert closed == {"state": "closed"}

    def test_an_environment_that_nobody_guards_is_reported(self, machine: Machine) -> None:
        reviewers(machine, prod=["ann"], prod_preview=[])
        assert drift(machine, reviewed="prod prod-preview").returncode == 1

        ((_, issue),) = machine.written()
        assert "environment prod-preview has no required reviewers" in issue["body"]
        assert "environment prod has" not in issue["body"]

    def test_an_issue_that_somebody_else_has_opened_is_left_alone(self, machine: Machine) -> None:
        issues(machine, {"number": 1, "user": {"login": "somebody"}, "body": "<!-- drift of dev -->\nnothing here"})
        assert drift(machine).returncode == 0
        assert not machine.written()


class TestLog:
    @pytest.mark.parametrize("verb", [preview, up, drift])
    def test_no_word_that_a_command_prints_is_a_command_to_the_runner(self, machine: Machine, verb: Any) -> None:
        machine.answer("pulumi preview", HOSTILE)
        for command in ("plan-rollout", "verify"):
            machine.answer(f"python -m tlsctl {command}", HOSTILE)
        done = verb(machine)

        assert HOSTILE in done.stdout, "the log shows it unchanged"
        assert not re.search(r"::|##\[", STOPPED.sub("", done.stdout)), "outside, the runner obeys"

    def test_an_error_of_pulumi_is_quoted_safely(self, machine: Machine) -> None:
        machine.answer("pulumi config", "pulumi is out of order", 1)
        done = up(machine)

        assert done.returncode == 2
        log, _, error = done.stdout.partition("error:")
        assert "::stop-commands::" in log
        assert error.startswith(" the config of stack dev cannot be read: pulumi is out of order")

    def test_outside_of_github_the_output_is_unchanged(self, machine: Machine) -> None:
        machine.answer("pulumi preview", "+ 3 to create")
        assert preview(machine, GITHUB_ACTIONS="").stdout == "+ 3 to create"

    def test_a_missing_variable_is_named(self, machine: Machine) -> None:
        gate_step = step("up-stack", "up", "ci gate")
        done = machine.run(gate_step | {"run": f"unset GITHUB_SHA; {gate_step['run']}"}, REVIEWED="")
        assert done.returncode == 2
        assert "error: GITHUB_SHA is not set; a workflow sets it" in done.stdout


@pytest.mark.parametrize("verb", ["gate", "comment"])
def test_verbs_that_run_before_the_setup_need_no_packages(verb: str) -> None:
    command = [sys.executable, "-S", "-P", "-m", "deploy.ci", verb, "--help"]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_end_of_a_long_output_is_handed_over() -> None:
    text = outcome.to_json(Ran("pulumi preview", 0, "\x00" * 2_000_000 + "the summary"))
    assert len(text) < outcome.LIMIT
    assert json.loads(text)["output"].endswith("the summary")


@pytest.mark.parametrize("stated", [50_000_000, 10], ids=["true size", "forged size"])
def test_an_archive_is_read_no_further_than_its_bound(stated: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("preview.json", "x" * 50_000_000)
    forged = packed.getvalue().replace((50_000_000).to_bytes(4, "little"), stated.to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(outcome.OutcomeError):
            outcome.unpack(forged, "pulumi preview")
        assert tracemalloc.get_traced_memory()[1] < 10 * outcome.LIMIT, "it is never all in memory"
    finally:
        tracemalloc.stop()


def test_other_archives_are_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../preview.json", "{}")
    for data in (b"", b"no archive", b"PK\x03\x04" + b"\x00" * 100, packed.getvalue()):
        with pytest.raises(outcome.OutcomeError, match="is no archive"):
            outcome.unpack(data, "pulumi preview")
