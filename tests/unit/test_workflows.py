"""The workflows: what they are allowed, and every shell step of theirs, typed with programs that only take notes."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.commands import Ran
from ci.report import section, sections
from tests.unit import fake_programs

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = ROOT / ".github/actions/setup/action.yml"
WORKFLOWS: dict[str, Any] = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"].values()]
# YAML 1.1 reads the key `on` as true.
EVENTS = {name: workflow[True] for name, workflow in WORKFLOWS.items()}


class TestLint:
    def test_actionlint_finds_nothing(self) -> None:
        lint("go", "-C", str(ROOT / "tests/tools"), "tool", "actionlint", *map(str, FILES))

    def test_zizmor_finds_nothing(self) -> None:
        lint(str(Path(sys.executable).with_name("zizmor")), "--offline", "--no-progress", str(ROOT / ".github"))

    def test_the_engine_is_the_one_that_the_sandbox_proves(self) -> None:
        module = (ROOT / "sandbox/builds/pulumi/go.mod").read_text()
        pinned = re.search(r"github.com/pulumi/pulumi/pkg/v3 v(\S+)", module)
        assert pinned
        assert (ROOT / ".github/pulumi-version").read_text().strip() == pinned[1]


class TestRights:
    @pytest.mark.parametrize("file", [*FILES, ACTION], ids=lambda file: file.stem)
    def test_actions_are_pinned_by_commit_with_the_tag_beside(self, file: Path) -> None:
        for line in file.read_text().splitlines():
            if "uses:" in line and "./" not in line:
                assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line

    def test_nothing_is_allowed_unless_a_job_asks(self) -> None:
        for name, workflow in WORKFLOWS.items():
            assert workflow["permissions"] == {}, name
        for name, job in JOBS:
            checked_out = "actions/checkout" in str(job["steps"])
            assert checked_out == ("permissions" in job), f"{name}: {job}"

    def test_no_token_is_left_in_a_checkout(self) -> None:
        for name, job in JOBS:
            for each in job["steps"]:
                if each.get("uses", "").startswith("actions/checkout@"):
                    assert each["with"] == {"persist-credentials": False}, f"{name}: the program's code could read it"

    def test_the_code_of_a_fork_meets_no_credentials(self) -> None:
        assert "pull_request_target" not in str(EVENTS), "it would run a fork's code with this repository's rights"
        jobs = WORKFLOWS["preview"]["jobs"]
        ours = "github.event.pull_request.head.repo.full_name == github.repository"
        for job in jobs.values():
            assert ("id-token" in job.get("permissions", {})) == (job.get("if") == ours)
        assert jobs["fork"]["if"] == ours.replace("==", "!="), "the others are told why"

    def test_each_workflow_is_an_identity_of_its_own(self) -> None:
        for name, identity in {"preview": "PREVIEW", "drift": "DRIFT", "up": "DEPLOY"}.items():
            accounts = re.findall(r"vars\.(\w+)_SERVICE_ACCOUNT", (ROOT / f".github/workflows/{name}.yml").read_text())
            assert set(accounts) == {identity}
        assert "secrets." not in "".join(file.read_text() for file in [*FILES, ACTION]), "there are no keys"

    def test_only_an_update_has_environments_and_none_is_cut_off(self) -> None:
        up = WORKFLOWS["up"]["jobs"]
        assert {stack: job["environment"] for stack, job in up.items()} == {"dev": "dev", "prod": "prod"}
        assert up["prod"]["needs"] == "dev", "prod comes after a dev that serves"
        for job in up.values():
            assert job["concurrency"]["cancel-in-progress"] is False
        assert EVENTS["up"] == {"push": {"branches": ["main"]}}
        assert not [name for name, job in JOBS if name != "up" and "environment" in job], "the identity is bound to it"

    def test_every_job_has_a_concurrency_group_and_a_bound(self) -> None:
        groups = {job["concurrency"]["group"] for _, job in JOBS if "concurrency" in job}
        assert {"up-dev", "up-prod", "drift", "preview-${{ matrix.stack }}-${{ github.ref }}"} <= groups
        assert all(job["timeout-minutes"] for _, job in JOBS)


@dataclass
class Machine:
    """A runner whose programs only take notes."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("gh", "make", "pulumi", "python", "sudo", "uv"):
            fake = self.folder / name
            # Without site-packages it starts in a third of the time.
            fake.write_text(f"#!{sys.executable} -S\n" + Path(fake_programs.__file__).read_text())
            fake.chmod(0o755)
        self.state(calls=[], comments=[], issues=[], fail=[], prints={})

    def state(self, **changes: Any) -> dict[str, Any]:
        file = self.folder / "state.json"
        state: dict[str, Any] = {**(json.loads(file.read_text()) if file.exists() else {}), **changes}
        file.write_text(json.dumps(state))
        return state

    def run(self, step: dict[str, Any], **env: str) -> subprocess.CompletedProcess[str]:
        """Run a step as GitHub does; `env` is what its expressions give."""
        given = {key: value for key, value in step.get("env", {}).items() if "${{" not in str(value)}
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "FAKES": str(self.folder / "state.json"),
            "PYTHON": sys.executable,
            "GITHUB_REPOSITORY": "acme/gateway",
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_RUN_ID": "7",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            **given,
            **env,
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def calls(self, program: str) -> list[str]:
        return [" ".join(call[1:]) for call in self.state()["calls"] if call[0] == program]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def step(workflow: str, job: str, having: str) -> dict[str, Any]:
    """Return the shell step that has `having` in it."""
    found = [each for each in WORKFLOWS[workflow]["jobs"][job]["steps"] if having in each.get("run", "")]
    assert len(found) == 1, f"{workflow}.{job} has {len(found)} steps with {having}"
    return dict(found[0])


PREVIEW = {"STACK": "dev", "PULL_REQUEST": "5", "HEAD_SHA": "abc123"}


class TestPreview:
    def preview(self, machine: Machine, **env: str) -> subprocess.CompletedProcess[str]:
        return machine.run(step("preview", "preview", "ci preview"), **{**PREVIEW, **env})

    def test_the_stack_is_previewed_under_the_policies_and_commented_on(self, machine: Machine) -> None:
        machine.state(prints={"pulumi": "+ 3 to create"})
        done = self.preview(machine)

        assert done.returncode == 0, done.stderr
        assert machine.calls("pulumi") == ["preview --stack dev --non-interactive --color never --policy-pack policies"]
        comment = machine.state()["comments"][0]["body"]
        assert comment.startswith("<!-- preview of dev -->\n### Preview of stack `dev`")
        assert "+ 3 to create" in comment
        assert "Of abc123." in comment, "which commit it is about"
        assert "+ 3 to create" in done.stdout, "and the log has it too"

    def test_there_is_one_comment_for_each_stack_edited_in_place(self, machine: Machine) -> None:
        theirs = {"id": 1, "user": {"login": "somebody"}, "body": "<!-- preview of dev -->\nquoted"}
        machine.state(comments=[theirs])
        for stack in ("dev", "prod", "dev"):
            machine.state(prints={"pulumi": f"number {len(machine.calls('pulumi')) + 1}"})
            self.preview(machine, STACK=stack)

        comments = machine.state()["comments"]
        assert comments[0] == theirs, "somebody's quotation is not ours to edit"
        assert [("number 3" in each["body"], "number 2" in each["body"]) for each in comments[1:]] == [
            (True, False),
            (False, True),
        ], "dev's was edited, prod's left alone"

    def test_a_preview_that_fails_is_commented_on_and_fails_the_job(self, machine: Machine) -> None:
        machine.state(fail=["pulumi"], prints={"pulumi": "violates a policy"})

        assert self.preview(machine).returncode == 1
        comment = machine.state()["comments"][0]["body"]
        assert "### Failed preview of stack `dev`" in comment
        assert "violates a policy" in comment
        assert "pulumi is out of order" in comment, "errors too"

    def test_a_comment_that_github_refuses_is_an_error_in_its_words(self, machine: Machine) -> None:
        machine.state(fail=["gh"])
        done = self.preview(machine)

        assert done.returncode == 2
        assert "gh is out of order" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_fork_is_told_why_there_is_no_preview(self, machine: Machine) -> None:
        done = machine.run(step("preview", "fork", "LINE"))

        line = (machine.folder / "summary").read_text()
        assert "comes from a fork" in line
        assert "no credentials" in line
        assert f"::notice::{line}" in done.stdout

    def test_the_tests_run_before_with_what_they_need(self, machine: Machine) -> None:
        assert machine.run(step("preview", "check", "apt-get")).returncode == 0
        assert machine.run(step("preview", "check", "make check")).returncode == 0

        assert machine.calls("sudo")[-1].endswith("prometheus"), "promtool is in it"
        assert machine.calls("make") == ["check"]
        assert WORKFLOWS["preview"]["jobs"]["preview"]["needs"] == "check"


class TestUp:
    @pytest.mark.parametrize("stack", ["dev", "prod"])
    def test_an_update_is_applied_under_the_policies_and_verified(self, machine: Machine, stack: str) -> None:
        assert WORKFLOWS["up"]["jobs"][stack]["env"]["STACK"] == stack
        for having in ("pulumi up", "-m verify"):
            assert machine.run(step("up", stack, having), STACK=stack).returncode == 0

        assert machine.calls("pulumi") == [f"up --stack {stack} --yes --non-interactive --policy-pack policies"]
        assert machine.calls("python") == [f"-m verify --stack {stack} --watch --timeout 300"]

    def test_a_stack_that_does_not_serve_stops_the_next_one(self, machine: Machine) -> None:
        machine.state(fail=["python"])
        assert machine.run(step("up", "dev", "-m verify"), STACK="dev").returncode == 1


class TestDrift:
    def drift(self, machine: Machine) -> subprocess.CompletedProcess[str]:
        return machine.run(step("drift", "drift", "ci drift"))

    def test_every_stack_is_compared_and_verified(self, machine: Machine) -> None:
        assert self.drift(machine).returncode == 0

        for stack in ("dev", "prod"):
            assert any(
                call.startswith(f"preview --stack {stack}") and "--refresh --expect-no-changes" in call
                for call in machine.calls("pulumi")
            )
            assert f"-m verify --stack {stack}" in machine.calls("python")
        assert not machine.state()["issues"], "nothing differs"

    def test_there_is_one_issue_however_often_it_is_seen_and_it_is_closed_when_gone(self, machine: Machine) -> None:
        for night in ("first", "second"):
            machine.state(fail=["pulumi"], prints={"pulumi": f"{night} night"})
            assert self.drift(machine).returncode == 1, "the job is red"

        (issue,) = machine.state()["issues"]
        assert "second night" in issue["body"], "brought up to date"
        assert "first night" not in issue["body"]
        assert "https://github.test/acme/gateway/actions/runs/7" in issue["body"]
        assert issue["open"]

        machine.state(fail=[])
        assert self.drift(machine).returncode == 0
        assert [each["open"] for each in machine.state()["issues"]] == [False]

    def test_a_stack_as_planned_that_does_not_serve_is_told_apart(self, machine: Machine) -> None:
        machine.state(fail=["python"], prints={"python": "expired"})
        self.drift(machine)

        body = machine.state()["issues"][0]["body"]
        assert "Stack `dev` does not serve as it should" in body
        assert "is not as its program says" not in body


class TestReport:
    def test_a_long_output_keeps_its_end_within_githubs_limit(self) -> None:
        ran = Ran("pulumi preview", 0, "x" * 100_000 + "the summary")

        assert len(section("Preview", ran)) < 65_536
        assert "the summary" in section("Preview", ran)
        assert "40011 characters before this are in the job's log" in section("Preview", ran)
        assert len(sections([("Preview", ran)] * 4)) < 65_536, "all of them together"

    def test_an_output_cannot_leave_its_fence(self) -> None:
        text = section("Preview", Ran("pulumi preview", 0, "```\n@everybody\n````"))
        assert "\n`````\n```\n@everybody\n````\n`````\n" in text


def test_the_environment_is_made_from_the_lock(machine: Machine) -> None:
    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    for each in steps:
        if "run" in each:
            assert machine.run(each).returncode == 0

    assert machine.calls("uv") == ["sync --frozen --group policies --group verify"]


def lint(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
