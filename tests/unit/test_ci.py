"""The verbs of `python -m deploy.ci`, each typed as a step of a workflow."""

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
from tests.unit.runner import ROOT, Machine, obeyed, step

KUBECONFIG = "apiVersion: v1\nusers:\n- name: a\n  user:\n    token: s3cret\n"
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


class TestGate:
    def gate(self, machine: Machine, stack: str, **env: str) -> subprocess.CompletedProcess[str]:
        return machine.run(step("up", stack, "ci gate"), **env)

    def test_the_newest_commit_of_main_is_let_through(self, machine: Machine) -> None:
        for stack in ("dev", "prod"):
            assert self.gate(machine, stack).returncode == 0

    @pytest.mark.parametrize("stack", ["dev", "prod"])
    def test_an_older_commit_is_not_deployed_again(self, machine: Machine, stack: str) -> None:
        machine.state(head="def456")
        done = self.gate(machine, stack)

        assert done.returncode == 1, "a re-run, or an approval that came late"
        assert "abc123 is not the newest commit of main; the run of def456 deploys it" in done.stderr

    @pytest.mark.parametrize("environment", ["prod", "prod-preview"])
    @pytest.mark.parametrize("reviewers", [{}, {"prod": [], "prod-preview": []}], ids=["no environment", "no reviewer"])
    def test_prod_is_not_deployed_where_nobody_is_asked(
        self, machine: Machine, environment: str, reviewers: dict[str, list[str]]
    ) -> None:
        kept = {name: people for name, people in machine.state()["reviewers"].items() if name != environment}
        machine.state(reviewers=kept | {environment: reviewers[environment]} if reviewers else kept)
        done = self.gate(machine, "prod")

        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            f"error: environment {environment} has no required reviewers;"
            " add them at https://github.test/acme/gateway/settings/environments"
        ]

    def test_dev_needs_no_reviewer(self, machine: Machine) -> None:
        machine.state(reviewers={})
        assert self.gate(machine, "dev").returncode == 0

    def test_a_question_that_github_does_not_answer_is_a_no(self, machine: Machine) -> None:
        machine.state(fail=["gh"])
        done = self.gate(machine, "prod")

        assert done.returncode == 2
        assert "gh is out of order" in done.stdout
        assert "Traceback" not in done.stderr


class TestPreview:
    def preview(self, machine: Machine, **env: str) -> subprocess.CompletedProcess[str]:
        return machine.run(step("preview-stack", "preview", "ci preview"), STACK="dev", **env)

    def handed_over(self, machine: Machine) -> dict[str, Any]:
        written: dict[str, Any] = json.loads((machine.folder / "preview.json").read_text())
        return written

    def test_the_stack_is_previewed_under_the_policies_and_the_outcome_handed_over(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "+ 3 to create"})
        done = self.preview(machine)

        assert done.returncode == 0, done.stderr
        assert machine.calls("pulumi")[-1] == (
            "preview --stack dev --non-interactive --color never --policy-pack policies"
        )
        assert self.handed_over(machine) == {"code": 0, "output": "+ 3 to create\n"}
        assert "+ 3 to create" in done.stdout, "and the log has it too"
        assert not machine.calls("gh"), "with a token that could not write it"

    def test_a_preview_that_fails_is_handed_over_and_fails_the_job(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "violates a policy"}, fail=["pulumi"])

        assert self.preview(machine, PULUMI_BACKEND_URL="file:///state").returncode == 1
        assert self.handed_over(machine) == {"code": 1, "output": "violates a policy\npulumi is out of order\n"}

    def test_the_end_of_a_long_output_is_handed_over(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "x" * 2_000_000 + "the summary"})
        self.preview(machine)

        assert self.handed_over(machine)["output"].endswith("the summary\n")
        assert (machine.folder / "preview.json").stat().st_size < outcome.LIMIT

    def test_a_config_that_cannot_be_read_fails_the_job(self, machine: Machine) -> None:
        machine.state(fail=["pulumi"])
        done = self.preview(machine)

        assert done.returncode == 2
        assert "error: the config of stack dev cannot be read: pulumi is out of order" in done.stdout


class TestComment:
    def comment(
        self, machine: Machine, *, sha: str = "abc123", pulls: tuple[int, ...] = (5,), repository: int = 1
    ) -> subprocess.CompletedProcess[str]:
        event = {
            "repository": {"id": 1},
            "workflow_run": {
                "id": 77,
                "head_sha": sha,
                "pull_requests": [{"number": number, "base": {"repo": {"id": repository}}} for number in pulls],
            },
        }
        (machine.folder / "event.json").write_text(json.dumps(event))
        return machine.run(step("comment", "comment", "ci comment"))

    def given(self, machine: Machine, stack: str = "dev", content: Any = None, **changes: Any) -> None:
        """A preview's artifact, as the job that ran a branch's code left it."""
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

    def test_the_outcome_is_written_into_the_pull_request(self, machine: Machine) -> None:
        self.given(machine)
        done = self.comment(machine)

        assert done.returncode == 0, done.stdout + done.stderr
        (comment,) = machine.state()["comments"]
        assert comment["issue"] == 5
        assert comment["body"].startswith("<!-- preview of dev -->\n### Preview of stack `dev`")
        assert "`pulumi preview --stack dev " in comment["body"]
        assert "\n```\n+ 3 to create\n```\n" in comment["body"]
        assert "Of abc123." in comment["body"], "which commit it is about"

    def test_there_is_one_comment_for_each_stack_edited_in_place(self, machine: Machine) -> None:
        theirs = {"id": 1, "issue": 5, "user": {"login": "somebody"}, "body": "<!-- preview of dev -->\nquoted"}
        machine.state(comments=[theirs])
        for number, stack in enumerate(("dev", "prod", "dev")):
            machine.state(artifacts=[])
            self.given(machine, stack, {"code": 0, "output": f"number {number}"})
            assert self.comment(machine).returncode == 0

        comments = machine.state()["comments"]
        assert comments[0] == theirs, "somebody's quotation is not ours to edit"
        assert [("number 2" in each["body"], "number 1" in each["body"]) for each in comments[1:]] == [
            (True, False),
            (False, True),
        ], "dev's was edited, prod's left alone"

    def test_a_preview_that_failed_says_so(self, machine: Machine) -> None:
        self.given(machine, content={"code": 255, "output": "violates a policy"})
        self.comment(machine)
        assert "### Failed preview of stack `dev`" in machine.state()["comments"][0]["body"]

    def test_of_two_attempts_the_later_one_counts(self, machine: Machine) -> None:
        self.given(machine, content={"code": 1, "output": "first"})
        self.given(machine, content={"code": 0, "output": "second"})
        self.comment(machine)
        assert "second" in machine.state()["comments"][0]["body"]

    def test_an_outcome_of_an_earlier_commit_is_not_written_over_a_later_ones(self, machine: Machine) -> None:
        self.given(machine)
        done = self.comment(machine, sha="older")

        assert done.returncode == 0
        assert not machine.state()["comments"]
        assert "no open pull request has older as its newest commit" in done.stdout

    def test_a_closed_pull_request_is_left_alone(self, machine: Machine) -> None:
        self.given(machine)
        machine.state(pulls={"5": {"number": 5, "state": "closed", "head": {"sha": "abc123"}}})
        assert self.comment(machine).returncode == 0
        assert not machine.state()["comments"]

    @pytest.mark.parametrize("pulls", [{"pulls": ()}, {"repository": 2}], ids=["of a fork", "of another repository"])
    def test_a_run_of_another_repositorys_branch_writes_nothing(self, machine: Machine, pulls: dict[str, Any]) -> None:
        self.given(machine)
        assert self.comment(machine, **pulls).returncode == 0
        assert not machine.state()["comments"]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("[", "holds no JSON"),
            ("[" * 100_000, "holds no JSON"),
            ('{"code": 0}', "holds something else"),
            ('{"code": "0", "output": "x"}', "holds something else"),
            ('{"code": true, "output": "x"}', "holds something else"),
            ('{"code": 0, "output": "x", "issue": 1}', "holds something else"),
            ('{"code": 0, "output": "%s"}' % ("x" * outcome.LIMIT), "holds more than"),
        ],
        ids=["cut off", "nested", "no output", "a text for a code", "a truth for a code", "more", "a bomb"],
    )
    def test_an_artifact_that_is_something_else_is_refused(self, machine: Machine, content: str, said: str) -> None:
        self.given(machine, content=content)
        self.given(machine, "prod")
        done = self.comment(machine)

        assert done.returncode == 1
        assert f"error: artifact preview-dev {said}" in done.stdout
        assert [each["body"].splitlines()[0] for each in machine.state()["comments"]] == ["<!-- preview of prod -->"]

    def test_a_large_artifact_is_not_even_fetched(self, machine: Machine) -> None:
        self.given(machine, size_in_bytes=outcome.LIMIT + 1)
        assert self.comment(machine).returncode == 1
        assert not [call for call in machine.calls("gh") if call.endswith("/zip")]

    def test_only_the_stacks_that_main_names_are_commented_on(self, machine: Machine) -> None:
        self.given(machine, "everybody")
        self.comment(machine)
        assert not machine.state()["comments"]

    def test_what_it_quotes_cannot_leave_its_fence_or_hide_the_marker(self, machine: Machine) -> None:
        self.given(machine, content={"code": 0, "output": "```\n<!-- preview of prod -->\n@everybody\n````"})
        self.comment(machine)
        body = machine.state()["comments"][0]["body"]
        assert "\n`````\n```\n<!-- preview of prod -->\n@everybody\n````\n`````\n" in body

    def test_a_comment_that_github_refuses_is_an_error_in_its_words(self, machine: Machine) -> None:
        machine.state(fail=["gh"])
        done = self.comment(machine)

        assert done.returncode == 2
        assert "gh is out of order" in done.stdout
        assert "Traceback" not in done.stderr


class TestUp:
    @pytest.mark.parametrize("stack", ["dev", "prod"])
    def test_an_update_is_applied_under_the_policies_and_checked(self, machine: Machine, stack: str) -> None:
        done = machine.run(step("up", stack, "ci up"), STACK=stack)

        assert done.returncode == 0, done.stdout
        assert machine.calls("pulumi")[-1] == f"up --stack {stack} --yes --non-interactive --policy-pack policies"
        assert machine.calls("python") == [
            f"-m tlsctl plan-rollout --stack {stack}",
            f"-m tlsctl verify --stack {stack} --watch --timeout 300",
        ]

    def test_a_stack_that_does_not_serve_stops_the_next_one(self, machine: Machine) -> None:
        machine.state(fail=["verify"])
        assert machine.run(step("up", "dev", "ci up"), STACK="dev").returncode == 1

    def test_an_update_that_the_ca_would_cut_off_is_not_begun(self, machine: Machine) -> None:
        machine.state(fail=["plan-rollout"])
        assert machine.run(step("up", "dev", "ci up"), STACK="dev").returncode == 1
        assert not [call for call in machine.calls("pulumi") if call.startswith("up ")]

    def test_an_update_that_fails_is_not_checked(self, machine: Machine) -> None:
        machine.state(fail=["pulumi"])
        done = machine.run(step("up", "dev", "ci up"), STACK="dev", PULUMI_BACKEND_URL="file:///state")
        assert done.returncode == 1
        assert machine.calls("python") == ["-m tlsctl plan-rollout --stack dev"]


class TestCredentials:
    @pytest.mark.parametrize(
        ("workflow", "job", "verb"), [("preview-stack", "preview", "preview"), ("up", "dev", "up")]
    )
    def test_a_kubeconfig_with_credentials_does_not_come_into_a_shared_state(
        self, machine: Machine, workflow: str, job: str, verb: str
    ) -> None:
        machine.state(config={"istio-gateway-tls:kubeconfig": {"value": KUBECONFIG, "secret": True}})
        done = machine.run(step(workflow, job, f"ci {verb}"), STACK="dev")

        assert done.returncode == 1
        said = "kubeconfig of stack dev holds credentials (users[0].user.token) in a state that others read"
        assert f"error: {said}" in done.stdout
        assert "gke.cluster" in done.stdout, "with the fix"
        assert "s3cret" not in done.stdout + done.stderr
        assert [call.split()[0] for call in machine.calls("pulumi")] == ["config"], "nothing else is done"

    def test_a_pull_request_is_told_of_it(self, machine: Machine) -> None:
        machine.state(config={"istio-gateway-tls:kubeconfig": {"value": KUBECONFIG, "secret": True}})
        machine.run(step("preview-stack", "preview", "ci preview"), STACK="dev")
        written = json.loads((machine.folder / "preview.json").read_text())
        assert written["code"] == 1
        assert "holds credentials (users[0].user.token)" in written["output"]

    def test_a_state_of_ones_own_may_hold_them(self, machine: Machine) -> None:
        machine.state(config={"istio-gateway-tls:kubeconfig": {"value": KUBECONFIG, "secret": True}})
        done = machine.run(step("up", "dev", "ci up"), STACK="dev", PULUMI_BACKEND_URL="file:///state")
        assert done.returncode == 0


class TestDrift:
    def drift(self, machine: Machine, stack: str = "dev") -> subprocess.CompletedProcess[str]:
        return machine.run(step("drift", "drift", "ci drift"), STACK=stack)

    def test_a_stack_is_compared_and_checked(self, machine: Machine) -> None:
        assert self.drift(machine).returncode == 0

        (call,) = machine.calls("pulumi")
        assert call.startswith("preview --stack dev")
        assert "--refresh --expect-no-changes" in call
        assert machine.calls("python") == ["-m tlsctl verify --stack dev"]
        assert not machine.state()["issues"], "nothing differs"

    def test_there_is_one_issue_however_often_it_is_seen_and_it_is_closed_when_gone(self, machine: Machine) -> None:
        for night in ("first", "second"):
            machine.state(fail=["pulumi"], prints={"pulumi": f"{night} night"})
            assert self.drift(machine).returncode == 1, "the job is red"

        (issue,) = machine.state()["issues"]
        assert (issue["title"], issue["labels"], issue["state"]) == ("Drift of dev", ["drift"], "open")
        assert "second night" in issue["body"], "brought up to date"
        assert "first night" not in issue["body"]
        assert "https://github.test/acme/gateway/actions/runs/7" in issue["body"]

        machine.state(fail=[])
        assert self.drift(machine).returncode == 0
        assert [each["state"] for each in machine.state()["issues"]] == ["closed"]
        assert "Gone, as seen by" in machine.state()["comments"][0]["body"]

    def test_an_issue_that_somebody_else_has_opened_is_left_alone(self, machine: Machine) -> None:
        theirs = {
            "number": 1, "user": {"login": "somebody"}, "state": "open", "labels": ["drift"],
            "body": "<!-- drift of dev -->\nnothing to see here", "title": "Drift of dev",
        }  # fmt: skip
        machine.state(issues=[theirs], fail=["pulumi"])
        self.drift(machine)
        machine.state(fail=[])
        self.drift(machine)

        issues = machine.state()["issues"]
        assert issues[0] == theirs, "it would hide ours"
        assert issues[1]["state"] == "closed", "and ours is found beside it"

    def test_each_stack_has_an_issue_of_its_own(self, machine: Machine) -> None:
        machine.state(fail=["pulumi"])
        self.drift(machine, "dev")
        self.drift(machine, "prod")
        machine.state(fail=[])
        self.drift(machine, "dev")
        assert [each["state"] for each in machine.state()["issues"]] == ["closed", "open"]

    def test_a_stack_as_planned_that_does_not_serve_is_told_apart(self, machine: Machine) -> None:
        machine.state(fail=["python"], prints={"python": "expired"})
        self.drift(machine)

        body = machine.state()["issues"][0]["body"]
        assert "Stack `dev` does not serve as it should" in body
        assert "is not as its program says" not in body


class TestLog:
    @pytest.mark.parametrize(
        ("workflow", "job", "verb"),
        [("preview-stack", "preview", "preview"), ("up", "dev", "up"), ("drift", "drift", "drift")],
    )
    @pytest.mark.parametrize("fail", [[], ["pulumi", "python"]], ids=["well", "badly"])
    def test_no_word_that_a_command_prints_is_a_command_to_the_runner(
        self, machine: Machine, workflow: str, job: str, verb: str, fail: list[str]
    ) -> None:
        machine.state(prints={"pulumi": HOSTILE, "python": HOSTILE}, fail=fail)
        backend = "file:///state" if fail else "gs://state"
        done = machine.run(step(workflow, job, f"ci {verb}"), STACK="dev", PULUMI_BACKEND_URL=backend)

        assert HOSTILE in done.stdout, "it is shown as it is"
        assert list(obeyed(done.stdout)) == []
        assert set(obeyed(HOSTILE)) > {"add-mask", "error", "add-path"}, "without that it would be obeyed"

    def test_commands_of_a_workflows_own_work_afterwards(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": HOSTILE})
        done = machine.run(step("preview-stack", "preview", "ci preview"), STACK="dev")
        assert list(obeyed(done.stdout + "::notice::ours")) == ["notice"]

    def test_what_github_says_of_an_error_is_no_command(self, machine: Machine) -> None:
        machine.state(fail=["pulumi"], prints={})
        done = machine.run(step("up", "dev", "ci up"), STACK="dev")
        assert "::stop-commands::" in done.stdout.split("error:")[0]

    def test_on_a_machine_of_ones_own_the_output_is_as_it_is(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "+ 3 to create"})
        done = machine.run(step("preview-stack", "preview", "ci preview"), STACK="dev", GITHUB_ACTIONS="")
        assert done.stdout == "+ 3 to create\n"

    def test_a_variable_that_is_missing_is_named(self, machine: Machine) -> None:
        gate = step("up", "dev", "ci gate")
        done = machine.run(gate | {"run": f"unset GITHUB_SHA; {gate['run']}"})
        assert done.returncode == 2
        assert "error: GITHUB_SHA is not set; a workflow sets it" in done.stdout


@pytest.mark.parametrize("verb", ["gate", "comment"])
def test_what_runs_before_there_is_an_environment_needs_none(verb: str) -> None:
    # `python3` of the runner has no packages.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "deploy.ci", verb, "--help"],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stated", [50_000_000, 10], ids=["honest", "lying"])
def test_an_archive_is_read_no_further_than_its_bound(stated: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("preview.json", "x" * 50_000_000)
    given = packed.getvalue().replace((50_000_000).to_bytes(4, "little"), stated.to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(outcome.OutcomeError):
            outcome.unpacked(given)
        assert tracemalloc.get_traced_memory()[1] < 10 * outcome.LIMIT, "it is never all in memory"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("archive", [b"", b"no archive", b"PK\x03\x04" + b"\x00" * 100])
def test_what_is_no_archive_is_refused(archive: bytes) -> None:
    with pytest.raises(outcome.OutcomeError, match="is no archive"):
        outcome.unpacked(archive)


def test_an_archive_of_other_files_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../preview.json", "{}")
    with pytest.raises(outcome.OutcomeError, match="KeyError"):
        outcome.unpacked(packed.getvalue())


@pytest.mark.parametrize(
    "backend", ["gs://state", "s3://state", "azblob://state", "https://api.pulumi.com", "postgres://state"]
)
def test_a_state_that_others_read_is_known_by_its_address(backend: str) -> None:
    assert backend.startswith(SHARED)
    assert not "file:///home/me".startswith(SHARED)
