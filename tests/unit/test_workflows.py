"""The workflows: what they are allowed, who they are, and that every shell step of theirs runs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.bootstrap.grants import GRANTS, READ_ZONE, WRITE_ZONE
from deploy.bootstrap.identities import IDENTITIES, job_of_token, jobs
from deploy.bootstrap.settings import Stack
from tests.unit.runner import ACTION, EVENTS, FILES, JOBS, ROOT, WORKFLOWS, Machine, step, steps
from tests.unit.test_bootstrap import DEV, PROD, evaluate, up

# pulumi_gcp.storage warns of a function of its own when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProject:DeprecationWarning")

OURS = "github.event.pull_request.head.repo.full_name == github.repository"
STACKS = {"dev": DEV, "prod": PROD}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class TestLint:
    # Go fetches it, the first time.
    @pytest.mark.network
    def test_actionlint_finds_nothing(self) -> None:
        lint("go", "-C", str(ROOT / "tests/tools"), "tool", "actionlint", *map(str, FILES))

    def test_zizmor_finds_nothing(self) -> None:
        lint(str(Path(sys.executable).with_name("zizmor")), "--offline", "--no-progress", str(ROOT / ".github"))


class TestVersions:
    @pytest.mark.parametrize("file", [*FILES, ACTION], ids=lambda file: file.stem)
    def test_actions_are_pinned_by_commit_with_the_tag_beside(self, file: Path) -> None:
        for line in file.read_text().splitlines():
            if "uses:" in line and "./" not in line:
                assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line

    def test_the_programs_that_actions_install_are_pinned(self) -> None:
        versions: dict[str, set[str]] = {"setup-uv": set(), "setup-gcloud": set()}
        for each in every_step():
            action = each.get("uses", "").partition("@")[0].rpartition("/")[2]
            if action in versions:
                versions[action].add(str(each["with"].get("version")))
        for action, found in versions.items():
            (version,) = found
            assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{action} takes what is newest"

    def test_the_engine_is_the_one_that_the_sandbox_proves(self) -> None:
        module = (ROOT / "sandbox/builds/pulumi/go.mod").read_text()
        pinned = re.search(r"github.com/pulumi/pulumi/pkg/v3 v(\S+)", module)
        assert pinned
        assert (ROOT / ".github/pulumi-version").read_text().strip() == pinned[1]


class TestRights:
    def test_nothing_is_allowed_unless_a_job_asks(self) -> None:
        for name, workflow in WORKFLOWS.items():
            assert workflow["permissions"] == {}, name
        for name, _, job in JOBS:
            reads = "uses" in job or "actions/checkout" in str(job["steps"])
            assert reads == ("permissions" in job), f"{name}: {job}"

    def test_no_token_is_left_in_a_checkout(self) -> None:
        checkouts = [each for each in every_step() if each.get("uses", "").startswith("actions/checkout@")]
        assert checkouts
        for each in checkouts:
            assert each["with"] == {"persist-credentials": False}, "the program's code could read it"

    def test_the_code_of_a_fork_meets_no_credentials(self) -> None:
        assert "pull_request_target" not in str(EVENTS), "it would run a fork's code with this repository's rights"
        for name, _, job in JOBS:
            if "pull_request" in str(EVENTS[name]) and "id-token" in job.get("permissions", {}):
                assert job["if"] == OURS, name
        assert WORKFLOWS["preview"]["jobs"]["fork"]["if"] == OURS.replace("==", "!="), "the others are told why"

    def test_what_runs_a_branchs_code_writes_nothing(self) -> None:
        for name, _, job in JOBS:
            if {"pull_request", "workflow_call"} & set(events(name)):
                writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
                assert writes <= {"id-token"}, f"{name} may write {writes}, with code that nobody has reviewed"

    def test_comments_are_written_by_mains_code(self) -> None:
        (name,) = {name for name, _, job in JOBS if job.get("permissions", {}).get("pull-requests") == "write"}
        assert list(EVENTS[name]) == ["workflow_run"], "a pull request cannot change what it runs"
        previews = {WORKFLOWS[each]["name"] for each in ("preview", "preview-prod")}
        assert set(EVENTS[name]["workflow_run"]["workflows"]) == previews
        for each in WORKFLOWS[name]["jobs"][name]["steps"]:
            assert "ref" not in each.get("with", {}), "what is checked out is main"
            assert "${{" not in each.get("run", ""), "no word of the event becomes a command"

    def test_there_are_no_keys(self) -> None:
        assert "secrets." not in "".join(file.read_text() for file in [*FILES, ACTION])

    def test_credentials_of_the_auth_action_are_not_committed(self) -> None:
        ignored = subprocess.run(["git", "check-ignore", "gha-creds-0a1b.json"], cwd=ROOT, check=False, timeout=60)
        assert ignored.returncode == 0, "it writes them into the checkout"

    def test_what_deploys_uses_no_cache(self) -> None:
        for name, _, job in JOBS:
            if "id-token" in job.get("permissions", {}):
                assert "actions/cache" not in str(job.get("steps")), f"{name} would run what another run has written"
        assert "enable-cache: false" in ACTION.read_text()

    def test_every_job_has_a_bound_and_an_update_is_never_cut_off(self) -> None:
        for name, id_, job in JOBS:
            assert "uses" in job or job["timeout-minutes"], name
            if name == "up" and id_ != "test":
                assert job["concurrency"] == {"group": f"up-{id_}", "cancel-in-progress": False}
        groups = [job["concurrency"]["group"] for _, _, job in JOBS if "concurrency" in job]
        assert len(groups) == len(set(groups)), "one job would end another"


class TestOrder:
    def test_an_update_comes_after_the_tests_of_its_commit_and_prod_after_a_dev_that_serves(self) -> None:
        up = WORKFLOWS["up"]["jobs"]
        assert up["test"]["uses"] == "./.github/workflows/test.yml"
        assert (up["dev"]["needs"], up["prod"]["needs"]) == ("test", "dev")
        assert EVENTS["up"] == {"push": {"branches": ["main"]}}

    def test_the_tests_run_on_every_pull_request(self) -> None:
        assert set(events("test")) == {"pull_request", "workflow_call"}
        (job,) = WORKFLOWS["test"]["jobs"].values()
        assert "if" not in job
        assert job["timeout-minutes"] == 60

    def test_built_tools_are_cached_by_what_they_are_built_from(self) -> None:
        (cache,) = [each for each in WORKFLOWS["test"]["jobs"]["test"]["steps"] if "actions/cache" in str(each)]
        for source in ("sandbox/builds/**", "sandbox/tools.py"):
            assert f"'{source}'" in cache["with"]["key"]
        assert cache["with"]["path"] == "~/.cache/istio-gateway-tls/tools"

    def test_before_anything_else_an_update_asks_whether_it_may(self) -> None:
        for stack in STACKS:
            checkout, gate, setup, _ = WORKFLOWS["up"]["jobs"][stack]["steps"]
            assert checkout["uses"].startswith("actions/checkout@")
            assert "ci gate" in gate["run"], "before there are credentials"
            assert setup["uses"] == "./.github/actions/setup"

    def test_what_production_asks_for_an_approval_is_checked_to_ask(self) -> None:
        gate = step("up", "prod", "ci gate")["run"]
        assert gate.endswith(f"--reviewed {PROD.name} {PROD.name}-preview")


class TestIdentities:
    """What bootstrap makes and what the workflows use, compared both ways."""

    def used(self) -> dict[tuple[str, str], list[tuple[str, dict[str, str]]]]:
        """By identity and stack: the name of each job that is this identity, and the claims of its token."""
        found: dict[tuple[str, str], list[tuple[str, dict[str, str]]]] = {}
        for name, id_, job in JOBS:
            for inputs in variants(job):
                account = re.search(r"vars\.([A-Z]+)_SERVICE_ACCOUNT_([A-Z_]+)", str(inputs.get("service-account")))
                if account:
                    stack = account[2].lower().replace("_", "-")
                    backend = inputs.get("backend") or job["env"]["PULUMI_BACKEND_URL"]
                    assert backend == f"${{{{ vars.PULUMI_BACKEND_URL_{account[2]} }}}}", f"{name}.{id_} mixes stacks"
                    assert (inputs.get("stack") or job["env"]["STACK"]) == stack, f"{name}.{id_} mixes stacks"
                    environment = inputs.get("environment") or job.get("environment")
                    for event in events(name):
                        ref = "refs/pull/5/merge" if event == "pull_request" else "refs/heads/main"
                        claims = {"event_name": event, "ref": ref}
                        claims |= {"environment": environment} if environment else {}
                        found.setdefault((account[1].lower(), stack), []).append((f"{name}.{id_}", claims))
        return found

    def test_every_identity_is_that_of_a_job_and_no_job_is_another(self) -> None:
        used = self.used()
        assert set(used) == {(identity, stack) for identity in IDENTITIES for stack in STACKS}
        for (identity, stack), found in used.items():
            assert len({job for job, _ in found}) == 1, f"{identity} of {stack} is used by {found}"
            for job, claims in found:
                kind = evaluate(job_of_token([DEV, PROD]), claims)
                assert kind == jobs(identity, STACKS[stack]), f"{job} would not be let in as {identity} of {stack}"

    def test_only_what_is_an_identity_can_get_a_token(self) -> None:
        for name, id_, job in JOBS:
            # A called workflow's job is the identity that its caller names.
            is_one = any("service-account" in inputs for inputs in variants(job)) or name == "preview-stack"
            assert is_one == ("id-token" in job.get("permissions", {})), f"{name}.{id_}"

    def test_every_environment_is_one_of_an_identity(self) -> None:
        named = {claims.get("environment") for found in self.used().values() for _, claims in found} - {None}
        written = {inputs.get("environment") for _, _, job in JOBS for inputs in [job, *variants(job)]} - {None}
        assert written - {"${{ inputs.environment }}"} == named == {"dev", "prod", "prod-preview"}

    def test_the_variables_that_are_read_are_those_that_bootstrap_gives(self) -> None:
        read = set(re.findall(r"vars\.(\w+)", "".join(file.read_text() for file in [*FILES, ACTION])))
        for_people = {"PULUMI_SECRETS_PROVIDER_DEV", "PULUMI_SECRETS_PROVIDER_PROD"}
        assert set(up().outputs) == read | for_people, "the last are for `pulumi stack init`"

    @pytest.mark.parametrize("identity", IDENTITIES)
    def test_an_identity_may_what_its_commands_need_and_no_more(self, machine: Machine, identity: str) -> None:
        jobs_of = {"preview": ("preview-stack", "preview"), "drift": ("drift", "drift"), "deploy": ("up", "dev")}
        for each in steps(*jobs_of[identity]):
            machine.run(each, STACK="dev")
        needed: set[str] = set()
        for call in machine.calls("pulumi"):
            needed |= NEEDS[call.split()[0]]
        if machine.calls("python"):
            needed |= NEEDS["verify"]

        roles = GRANTS[identity]
        assert {roles.bucket, roles.key, roles.cluster, *roles.zone} == strongest(needed)


NEEDS = {
    "config": {"roles/storage.objectViewer", "roles/cloudkms.cryptoKeyDecrypter"},
    "preview": {
        "roles/storage.objectViewer",
        "roles/cloudkms.cryptoKeyDecrypter",
        "roles/container.clusterViewer",
        *READ_ZONE,
    },
    "up": {
        "roles/storage.objectUser",
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "roles/container.clusterViewer",
        *READ_ZONE,
        *WRITE_ZONE,
    },
    "verify": {"roles/storage.objectViewer", "roles/cloudkms.cryptoKeyDecrypter", "roles/container.clusterViewer"},
}
"""What each command of a workflow needs of Google Cloud."""

WITHIN = {
    "roles/storage.objectViewer": "roles/storage.objectUser",
    "roles/cloudkms.cryptoKeyDecrypter": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
}
"""Roles that are a part of another."""


def strongest(roles: set[str]) -> set[str]:
    return {role for role in roles if WITHIN.get(role) not in roles}


def test_every_shell_step_runs(machine: Machine) -> None:
    (machine.folder / "event.json").write_text(
        '{"repository": {"id": 1}, "workflow_run": {"id": 1, "head_sha": "abc123", "pull_requests": []}}'
    )
    for name, id_, _ in JOBS:
        for each in steps(name, id_):
            done = machine.run(each, STACK="dev")
            assert done.returncode == 0, f"{name}.{id_}: {each['run']}\n{done.stdout}{done.stderr}"
            assert "${{" not in each["run"], "an expression would be read as a command"

    assert "sync --frozen --group policies --group verify" in machine.calls("uv"), "from the lock"
    assert sorted(machine.calls("make")) == ["audit", "test"]
    assert machine.calls("sudo") == ["sysctl --write kernel.apparmor_restrict_unprivileged_userns=0"]


def test_a_fork_is_told_why_there_is_no_preview(machine: Machine) -> None:
    done = machine.run(step("preview", "fork", "LINE"))

    line = (machine.folder / "summary").read_text()
    assert "comes from a fork" in line
    assert "no credentials" in line
    assert f"::notice::{line}" in done.stdout


def events(workflow: str) -> list[str]:
    """The events that start a workflow."""
    on = EVENTS[workflow]
    return [on] if isinstance(on, str) else list(on)


def every_step() -> list[dict[str, Any]]:
    of_jobs = [each for _, _, job in JOBS for each in job.get("steps", [])]
    return [*of_jobs, *yaml.safe_load(ACTION.read_text())["runs"]["steps"]]


def variants(job: dict[str, Any]) -> list[dict[str, Any]]:
    """What a job is given by which it is one identity or another: of the workflow it calls, its matrix, its setup."""
    if "uses" in job:
        return [job.get("with", {})]
    included: list[dict[str, Any]] = job.get("strategy", {}).get("matrix", {}).get("include", [])
    used = [each["with"] for each in job["steps"] if each.get("uses") == "./.github/actions/setup"]
    return included or used


def lint(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stack_of_the_workflows_is_what_bootstrap_takes() -> None:
    for name in STACKS:
        assert Stack(name=name, zones=("zone",)).name == name
