"""The verbs of `python -m deploy.ci`, run as the steps of the workflows type them."""

import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.ci import outcome
from deploy.ci.credentials import SHARED
from tests.unit.deploy.runner import ROOT, Machine, obeyed, step

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


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def gate(machine: Machine, stack: str) -> Done:
    return machine.run(step("up", stack, "ci gate"))


def preview(machine: Machine, **env: str) -> Done:
    return machine.run(step("preview-stack", "preview", "ci preview"), STACK="dev", **env)


def comment(machine: Machine, sha: str = "abc123", pulls: tuple[int, ...] = (5,), repository: int = 1) -> Done:
    pull_requests = [{"number": number, "base": {"repo": {"id": repository}}} for number in pulls]
    run = {"id": 77, "head_sha": sha, "pull_requests": pull_requests}
    (machine.folder / "event.json").write_text(json.dumps({"repository": {"id": 1}, "workflow_run": run}))
    return machine.run(step("comment", "comment", "ci comment"))


def up(machine: Machine, stack: str = "dev", **env: str) -> Done:
    return machine.run(step("up", stack, "ci up"), STACK=stack, **env)


def drift(machine: Machine, stack: str = "dev") -> Done:
    return machine.run(step("drift", "drift", "ci drift"), STACK=stack)


def handed_over(machine: Machine) -> dict[str, Any]:
    """What a preview writes for the job that comments."""
    written: dict[str, Any] = json.loads((machine.folder / "preview.json").read_text())
    return written


def add_artifact(machine: Machine, stack: str = "dev", content: Any = None, **changes: Any) -> None:
    """Add a preview's artifact, as the job that ran a branch's code leaves it."""
    artifacts = machine.state()["artifacts"]
    file = machine.folder / f"{len(artifacts)}.zip"
    text = content if isinstance(content, str) else json.dumps(content or {"code": 0, "output": "+ 3 to create"})
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("preview.json", text)
    artifact = {"id": len(artifacts) + 1, "run": 77, "name": f"preview-{stack}", "expired": False}
    size = {"size_in_bytes": file.stat().st_size, "file": str(file)}
    machine.state(
        artifacts=[*artifacts, artifact | size | changes],
        pulls={"5": {"number": 5, "state": "open", "head": {"sha": "abc123"}}},
    )


class TestGate:
    @pytest.mark.parametrize("stack", ["dev", "prod"])
    def test_only_the_newest_commit_of_main_is_deployed(self, machine: Machine, stack: str) -> None:
        assert gate(machine, stack).returncode == 0
        machine.state(head="def456")
        done = gate(machine, stack)

        assert done.returncode == 1, "a re-run, or a late approval"
        assert "abc123 is not the newest commit of main; the run of def456 deploys it" in done.stderr

    @pytest.mark.parametrize("environment", ["prod", "prod-preview"])
    @pytest.mark.parametrize("exists", [False, True])
    def test_prod_is_not_deployed_without_required_reviewers(
        self, machine: Machine, environment: str, exists: bool
    ) -> None:
        reviewers = {**machine.state()["reviewers"], environment: []}
        machine.state(reviewers=reviewers if exists else {key: value for key, value in reviewers.items() if value})
        done = gate(machine, "prod")

        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            f"error: environment {environment} has no required reviewers;"
            " add them at https://github.test/acme/gateway/settings/environments"
        ]
        assert gate(machine, "dev").returncode == 0, "dev needs none"

    def test_nothing_is_deployed_while_github_does_not_answer(self, machine: Machine) -> None:
        machine.state(fail=["gh"])
        done = gate(machine, "prod")

        assert done.returncode == 2
        assert "gh is out of order" in done.stdout
        assert "Traceback" not in done.stderr


class TestPreview:
    def test_the_stack_is_previewed_with_the_policies_and_the_outcome_handed_over(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "+ 3 to create"})
        done = preview(machine)

        assert done.returncode == 0, done.stderr
        assert machine.calls("pulumi")[-1] == (
            "preview --stack dev --non-interactive --color never --policy-pack policies"
        )
        assert handed_over(machine) == {"code": 0, "output": "+ 3 to create\n"}
        assert "+ 3 to create" in done.stdout, "the log has it too"
        assert not machine.calls("gh"), "the job's token cannot write"

    def test_a_failed_preview_is_handed_over_and_fails_the_job(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "violates a policy"}, fail=["pulumi"])

        assert preview(machine, PULUMI_BACKEND_URL="file:///state").returncode == 1
        assert handed_over(machine) == {"code": 1, "output": "violates a policy\npulumi is out of order\n"}

    def test_the_end_of_a_long_output_is_handed_over(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "x" * 2_000_000 + "the summary"})
        preview(machine)

        assert handed_over(machine)["output"].endswith("the summary\n")
        assert (machine.folder / "preview.json").stat().st_size < outcome.LIMIT

    def test_a_config_that_cannot_be_read_fails_the_job(self, machine: Machine) -> None:
        machine.state(fail=["pulumi"])
        done = preview(machine)

        assert done.returncode == 2
        assert "error: the config of stack dev cannot be read: pulumi is out of order" in done.stdout


class TestComment:
    def test_the_outcome_is_written_into_the_pull_request(self, machine: Machine) -> None:
        add_artifact(machine)
        done = comment(machine)

        assert done.returncode == 0, done.stdout + done.stderr
        (written,) = machine.state()["comments"]
        assert written["issue"] == 5
        assert written["body"].startswith("<!-- preview of dev -->\n### Preview of stack `dev`")
        assert "`pulumi preview --stack dev " in written["body"]
        assert "\n```\n+ 3 to create\n```\n" in written["body"]
        assert "Of abc123." in written["body"]

    def test_each_stack_has_one_comment_that_is_edited(self, machine: Machine) -> None:
        foreign = {"id": 1, "issue": 5, "user": {"login": "somebody"}, "body": "<!-- preview of dev -->\nquoted"}
        machine.state(comments=[foreign])
        for number, stack in enumerate(("dev", "prod", "dev")):
            machine.state(artifacts=[])
            add_artifact(machine, stack, {"code": 0, "output": f"number {number}"})
            assert comment(machine).returncode == 0

        comments = machine.state()["comments"]
        assert comments[0] == foreign, "somebody else's quotation stays"
        assert ["number 2" in comments[1]["body"], "number 1" in comments[2]["body"]] == [True, True]
        assert len(comments) == 3

    def test_the_later_attempt_counts_and_a_failure_is_named(self, machine: Machine) -> None:
        add_artifact(machine, content={"code": 0, "output": "first"})
        add_artifact(machine, content={"code": 255, "output": "violates a policy"})
        comment(machine)
        body = machine.state()["comments"][0]["body"]
        assert "### Failed preview of stack `dev`" in body
        assert "violates a policy" in body

    @pytest.mark.parametrize(
        ("state", "event"),
        [
            ("open", {"sha": "older"}),
            ("closed", {}),
            ("open", {"pulls": ()}),
            ("open", {"repository": 2}),
        ],
        ids=["an earlier commit", "a closed pull request", "a fork", "another repository"],
    )
    def test_other_runs_write_no_comment(self, machine: Machine, state: str, event: dict[str, Any]) -> None:
        add_artifact(machine)
        machine.state(pulls={"5": {"number": 5, "state": state, "head": {"sha": "abc123"}}})
        done = comment(machine, **event)

        assert done.returncode == 0
        assert not machine.state()["comments"]
        assert f"no open pull request has {event.get('sha', 'abc123')} as its newest commit" in done.stdout

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("[", "holds no JSON"),
            ("[" * 100_000, "holds no JSON"),
            ('{"code": 0}', "holds something other than"),
            ('{"code": "0", "output": "x"}', "holds something other than"),
            ('{"code": true, "output": "x"}', "holds something other than"),
            ('{"code": 0, "output": "x", "issue": 1}', "holds something other than"),
            ('{"code": 0, "output": "%s"}' % ("x" * outcome.LIMIT), "holds more than"),
        ],
        ids=["cut off", "nested", "no output", "code as text", "code as boolean", "another key", "a bomb"],
    )
    def test_an_artifact_with_other_content_is_refused(self, machine: Machine, content: str, problem: str) -> None:
        add_artifact(machine, content=content)
        add_artifact(machine, "prod")
        done = comment(machine)

        assert done.returncode == 1
        assert f"error: artifact preview-dev {problem}" in done.stdout
        bodies = [written["body"].splitlines()[0] for written in machine.state()["comments"]]
        assert bodies == ["<!-- preview of prod -->"]

    def test_a_large_artifact_and_one_of_an_unknown_stack_are_not_downloaded(self, machine: Machine) -> None:
        add_artifact(machine, "everybody")
        add_artifact(machine, size_in_bytes=outcome.LIMIT + 1)
        assert comment(machine).returncode == 1
        assert not [call for call in machine.calls("gh") if call.endswith("/zip")]


class TestUp:
    @pytest.mark.parametrize("stack", ["dev", "prod"])
    def test_an_update_is_planned_applied_with_the_policies_and_verified(self, machine: Machine, stack: str) -> None:
        done = up(machine, stack)

        assert done.returncode == 0, done.stdout
        assert machine.calls("pulumi")[-1] == f"up --stack {stack} --yes --non-interactive --policy-pack policies"
        assert machine.calls("python") == [
            f"-m tlsctl plan-rollout --stack {stack}",
            f"-m tlsctl verify --stack {stack} --watch --timeout 300",
        ]

    @pytest.mark.parametrize(
        ("failing", "updates", "checks"), [("plan-rollout", 0, 1), ("pulumi", 1, 1), ("verify", 1, 2)]
    )
    def test_an_update_stops_at_the_first_failure(
        self, machine: Machine, failing: str, updates: int, checks: int
    ) -> None:
        machine.state(fail=[failing])
        assert up(machine, PULUMI_BACKEND_URL="file:///state").returncode == 1
        assert len([call for call in machine.calls("pulumi") if call.startswith("up ")]) == updates
        assert len(machine.calls("python")) == checks


class TestCredentials:
    @pytest.mark.parametrize("verb", [preview, up])
    def test_a_kubeconfig_with_credentials_does_not_come_into_a_shared_state(self, machine: Machine, verb: Any) -> None:
        machine.state(config=WITH_CREDENTIALS)
        done = verb(machine)

        problem = "kubeconfig of stack dev holds credentials (users[0].user.token) in a state that others read"
        assert done.returncode == 1
        assert f"error: {problem}" in done.stdout
        assert "gke.cluster" in done.stdout, "with the fix"
        assert "s3cret" not in done.stdout + done.stderr
        assert [call.split()[0] for call in machine.calls("pulumi")] == ["config"], "nothing else runs"
        if verb is preview:
            assert handed_over(machine)["code"] == 1
            assert problem in handed_over(machine)["output"], "the pull request shows it"

    def test_a_local_state_may_hold_credentials(self, machine: Machine) -> None:
        machine.state(config=WITH_CREDENTIALS)
        assert up(machine, PULUMI_BACKEND_URL="file:///state").returncode == 0

    @pytest.mark.parametrize("scheme", ["gs", "s3", "azblob", "https", "postgres"])
    def test_a_shared_state_is_known_by_its_address(self, scheme: str) -> None:
        assert f"{scheme}://state".startswith(SHARED)


class TestDrift:
    def test_a_stack_is_compared_and_verified(self, machine: Machine) -> None:
        assert drift(machine).returncode == 0

        (call,) = machine.calls("pulumi")
        assert call.startswith("preview --stack dev")
        assert "--refresh --expect-no-changes" in call
        assert machine.calls("python") == ["-m tlsctl verify --stack dev"]
        assert not machine.state()["issues"]

    def test_drift_has_one_issue_that_is_closed_when_it_is_gone(self, machine: Machine) -> None:
        for night in ("first", "second"):
            machine.state(fail=["pulumi"], prints={"pulumi": f"{night} night"})
            assert drift(machine).returncode == 1, "the job fails"

        (issue,) = machine.state()["issues"]
        assert (issue["title"], issue["labels"], issue["state"]) == ("Drift of dev", ["drift"], "open")
        assert "Stack `dev` differs from its program" in issue["body"]
        assert "second night" in issue["body"], "updated"
        assert "first night" not in issue["body"]
        assert "https://github.test/acme/gateway/actions/runs/7" in issue["body"]

        machine.state(fail=[])
        assert drift(machine).returncode == 0
        assert [issue["state"] for issue in machine.state()["issues"]] == ["closed"]
        assert "Gone, as seen by" in machine.state()["comments"][0]["body"]

    def test_an_issue_that_somebody_else_has_opened_is_left_alone(self, machine: Machine) -> None:
        foreign = {
            "number": 1, "user": {"login": "somebody"}, "state": "open", "labels": ["drift"],
            "body": "<!-- drift of dev -->\nnothing to see here", "title": "Drift of dev",
        }  # fmt: skip
        machine.state(issues=[foreign], fail=["pulumi"])
        drift(machine)
        machine.state(fail=[])
        drift(machine)

        assert machine.state()["issues"][0] == foreign
        assert machine.state()["issues"][1]["state"] == "closed", "ours is found beside it"

    def test_each_stack_has_its_own_issue(self, machine: Machine) -> None:
        machine.state(fail=["pulumi"])
        drift(machine, "dev")
        drift(machine, "prod")
        machine.state(fail=[])
        drift(machine, "dev")
        assert [issue["state"] for issue in machine.state()["issues"]] == ["closed", "open"]

    def test_a_stack_without_drift_that_does_not_serve_is_reported(self, machine: Machine) -> None:
        machine.state(fail=["python"], prints={"python": "expired"})
        drift(machine)

        body = machine.state()["issues"][0]["body"]
        assert "Stack `dev` does not serve as it should" in body
        assert "differs from its program" not in body


class TestLog:
    @pytest.mark.parametrize("verb", [preview, up, drift])
    @pytest.mark.parametrize("fail", [[], ["pulumi", "python"]], ids=["success", "failure"])
    def test_no_word_that_a_command_prints_is_a_command_to_the_runner(
        self, machine: Machine, verb: Any, fail: list[str]
    ) -> None:
        machine.state(prints={"pulumi": HOSTILE, "python": HOSTILE}, fail=fail)
        done = verb(machine, **({"PULUMI_BACKEND_URL": "file:///state"} if fail and verb is not drift else {}))

        assert HOSTILE in done.stdout, "the log shows it unchanged"
        assert list(obeyed(done.stdout)) == []
        assert set(obeyed(HOSTILE)) > {"add-mask", "error", "add-path"}, "without protection it would be obeyed"
        assert list(obeyed(done.stdout + "::notice::ours")) == ["notice"], "later commands work"

    def test_an_error_of_pulumi_is_quoted_safely(self, machine: Machine) -> None:
        machine.state(fail=["pulumi"])
        assert "::stop-commands::" in up(machine).stdout.split("error:")[0]

    def test_outside_of_github_the_output_is_unchanged(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "+ 3 to create"})
        assert preview(machine, GITHUB_ACTIONS="").stdout == "+ 3 to create\n"

    def test_a_missing_variable_is_named(self, machine: Machine) -> None:
        gate_step = step("up", "dev", "ci gate")
        done = machine.run(gate_step | {"run": f"unset GITHUB_SHA; {gate_step['run']}"})
        assert done.returncode == 2
        assert "error: GITHUB_SHA is not set; a workflow sets it" in done.stdout


@pytest.mark.parametrize("verb", ["gate", "comment"])
def test_verbs_that_run_before_the_setup_need_no_packages(verb: str) -> None:
    command = [sys.executable, "-S", "-m", "deploy.ci", verb, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


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
