"""The workflows: their permissions, their identities, and their order."""

import hashlib
import re
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.bootstrap.identities import IDENTITIES, job_of_token, jobs
from tests.unit.deploy.runner import ACTION, CODE, EVENTS, FILES, JOBS, ROOT, WORKFLOWS, executable
from tests.unit.deploy.test_bootstrap import DEV, PROD, evaluate, up

# pulumi_gcp.storage warns of a function of its own when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProject:DeprecationWarning")

NOT_A_FORK = "github.event.pull_request.head.repo.full_name == github.repository"
STACKS = {"dev": DEV, "prod": PROD}


class TestLint:
    # Go fetches it, the first time.
    @pytest.mark.network
    def test_actionlint_finds_nothing(self) -> None:
        # It does not know `$/` yet (1.7.12).
        ours = ("-ignore", r'specifying action "\$/[a-z./]+" in invalid format because ref is missing')
        lint("go", "-C", str(ROOT / "tests/tools"), "tool", "actionlint", *ours, *map(str, FILES))

    def test_zizmor_finds_nothing(self) -> None:
        lint(str(Path(sys.executable).with_name("zizmor")), "--offline", "--no-progress", str(ROOT / ".github"))


class TestVersions:
    def test_actions_install_pinned_programs(self) -> None:
        versions: dict[str, set[str]] = {"setup-uv": set(), "setup-gcloud": set()}
        for item in every_step():
            action = item.get("uses", "").partition("@")[0].rpartition("/")[2]
            if action in versions:
                versions[action].add(str(item["with"].get("version")))
        for action, (pinned,) in versions.items():
            assert re.fullmatch(r"\d+\.\d+\.\d+", pinned), f"{action} installs the newest version"
        (uv,) = versions["setup-uv"]
        assert f"uv=={uv} " in (ROOT / ".github/uv.txt").read_text(), "make installs another one"
        assert "pip install --quiet --require-hashes --requirement .github/uv.txt" in (ROOT / "Makefile").read_text()

    def test_programs_have_a_sha_256_in_the_versions_that_are_tested(self) -> None:
        module = (ROOT / "sandbox/builds/pulumi/go.mod").read_text()
        (engine,) = re.findall(r"github.com/pulumi/pulumi/pkg/v3 v(\S+)", module)
        listed = re.findall(r"^[0-9a-f]{64}  (\S+)$", (ROOT / ".github/programs.sha256").read_text(), re.MULTILINE)
        plugins = {
            f"pulumi-resource-{provider}-v{version(f'pulumi-{provider}')}-linux-amd64.tar.gz"
            for provider in ("kubernetes", "gcp")
        }
        assert f"pulumi-v{engine}-linux-x64.tar.gz" in listed
        assert len(listed) == 1 or plugins < set(listed), "the checksums of new plugins: docs/pull-requests.md"

    @pytest.mark.parametrize("replaced", [None, "pulumi-v1.0.0-linux-x64", "pulumi-resource-gcp-v2.0.0-linux-amd64"])
    def test_a_program_with_another_sha_256_is_not_run(self, tmp_path: Path, replaced: str | None) -> None:
        workspace, temporary, served = (tmp_path / name for name in ("workspace", "temporary", "served"))
        for folder in (workspace / ".venv/bin", workspace / ".github", temporary, served):
            folder.mkdir(parents=True)
        executable(tmp_path / "curl", 'for url; do true; done\ncp "$SERVED/${url##*/}" .')
        executable(tmp_path / "pulumi", 'echo "$@" >> ran')
        sums = ""
        for name in ("pulumi-v1.0.0-linux-x64", "pulumi-resource-gcp-v2.0.0-linux-amd64"):
            with tarfile.open(served / f"{name}.tar.gz", "w:gz") as archive:
                archive.add(tmp_path / "pulumi", "pulumi/pulumi")
            content = (served / f"{name}.tar.gz").read_bytes()
            sums += f"{hashlib.sha256(content).hexdigest()}  {name}.tar.gz\n"
            (served / f"{name}.tar.gz").write_bytes(content + b"x" * (name == replaced))
        (workspace / ".github/programs.sha256").write_text(f"# what they are\n{sums}")
        (programs,) = (item["run"] for item in every_step() if "get.pulumi.com" in item.get("run", ""))
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", programs],
            cwd=temporary, capture_output=True, text=True, timeout=60, check=False,
            env={
                "PATH": f"{tmp_path}:/usr/bin:/bin", "SERVED": str(served),
                "GITHUB_WORKSPACE": str(workspace), "GITHUB_ENV": str(tmp_path / "env"),
            },
        )  # fmt: skip

        assert (done.returncode == 0) == (replaced is None), done.stdout + done.stderr
        if replaced:
            assert not (temporary / "ran").exists(), "it was run"
            return
        installed = "plugin install resource gcp v2.0.0 --file pulumi-resource-gcp-v2.0.0-linux-amd64.tar.gz\n"
        assert (temporary / "ran").read_text() == installed
        assert (tmp_path / "env").read_text() == "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true\n", "no other one"

    def test_jobs_with_an_identity_build_with_what_is_locked(self) -> None:
        syncs = {item["run"] for item in every_step() if "uv sync" in item.get("run", "")}
        assert syncs == {
            "uv sync --frozen --no-build --no-binary-package sslyze",
            "uv sync --frozen --no-build --no-default-groups --group release",
        }, "nothing else is built"
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        assert project["tool"]["uv"]["no-build-isolation-package"] == ["sslyze"], "no newest setuptools"
        assert {"istio-gateway-tls[verify]", "setuptools"} <= set(project["dependency-groups"]["verify"])
        assert {"policies", "verify"} <= set(project["tool"]["uv"]["default-groups"]), "what the jobs install"

    def test_programs_come_before_the_identity(self) -> None:
        actions = [
            item.get("uses", item.get("run", "")) for item in yaml.safe_load(ACTION.read_text())["runs"]["steps"]
        ]
        (identity,) = (number for number, text in enumerate(actions) if "google-github-actions/auth@" in text)
        assert ["uv sync" in text or "get.pulumi.com" in text for text in actions[:identity]].count(True) == 2


class TestPermissions:
    def test_a_job_has_only_the_permissions_it_lists(self) -> None:
        for name, workflow in WORKFLOWS.items():
            assert workflow["permissions"] == {}, name
        for name, _, job in JOBS:
            needs_some = "uses" in job or "actions/checkout" in str(job["steps"]) or "github.token" in str(job["steps"])
            needs_some = needs_some or "uv publish" in str(job["steps"])
            assert needs_some == ("permissions" in job), f"{name}: {job}"

    def test_no_token_is_left_in_a_checkout(self) -> None:
        checkouts = [item for item in every_step() if item.get("uses", "").startswith("actions/checkout@")]
        assert checkouts
        for checkout in checkouts:
            assert checkout["with"] == {"persist-credentials": False}, "the program's code could read it"

    def test_the_code_of_a_fork_gets_no_credentials(self) -> None:
        assert "pull_request_target" not in str(EVENTS), "it would run a fork's code with this repository's rights"
        for name, _, job in JOBS:
            if "pull_request" in str(EVENTS[name]) and "id-token" in job.get("permissions", {}):
                assert job["if"] == NOT_A_FORK, name
        assert WORKFLOWS["preview-dev"]["jobs"]["fork"]["if"] == NOT_A_FORK.replace("==", "!="), (
            "a fork gets an explanation"
        )

    def test_jobs_that_run_a_branchs_code_write_nothing(self) -> None:
        for name, _, job in JOBS:
            if "pull_request" in started_by(name):
                writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
                assert writes <= {"id-token"}, f"{name} may write {writes} with unreviewed code"

    def test_only_the_code_of_main_writes_comments(self) -> None:
        names = {name for name, _, job in JOBS if job.get("permissions", {}).get("pull-requests") == "write"}
        assert names == {"comment", "comment-previews"}
        for name in names:
            assert started_by(name) == {"workflow_run"}, "a pull request cannot change what it runs"
        previews = {WORKFLOWS[f"preview-{stack}"]["name"] for stack in STACKS}
        assert set(EVENTS["comment"]["workflow_run"]["workflows"]) == previews
        code, _ = WORKFLOWS["comment-previews"]["jobs"]["comment"]["steps"]
        assert code["uses"] == "$/.github/actions/code", "of the commit of the workflow, with nothing checked out"

    def test_there_are_no_keys(self) -> None:
        assert "secrets." not in "".join(file.read_text() for file in [*FILES, ACTION])

    def test_credentials_of_the_auth_action_are_not_committed(self) -> None:
        ignored = subprocess.run(["git", "check-ignore", "gha-creds-0a1b.json"], cwd=ROOT, check=False, timeout=60)
        assert ignored.returncode == 0, "it writes them into the checkout"

    def test_jobs_with_credentials_use_no_cache(self) -> None:
        for name, _, job in JOBS:
            if "id-token" in job.get("permissions", {}):
                assert "actions/cache" not in str(job.get("steps")), f"{name} would run what another run wrote"
        assert "enable-cache: false" in ACTION.read_text()

    def test_every_job_has_a_timeout_and_no_update_is_cancelled(self) -> None:
        for name, _, job in JOBS:
            assert "uses" in job or job["timeout-minutes"], name
            if name == "up-stack":
                assert job["concurrency"] == {"group": "up-${{ inputs.stack }}", "cancel-in-progress": False}
        groups = [job["concurrency"]["group"] for _, _, job in JOBS if "concurrency" in job]
        assert len(groups) == len(set(groups)), "one job would cancel another"


class TestCalled:
    """The workflows that other repositories call."""

    def test_their_code_is_that_of_their_commit_and_only_a_stacks_is_the_callers(self) -> None:
        called = [name for name in WORKFLOWS if "workflow_call" in events(name) and name != "test"]
        assert called == ["comment-previews", "drift-stack", "preview-stack", "up-stack"]
        for name in called:
            (job,) = WORKFLOWS[name]["jobs"].values()
            assert not [item for item in job["steps"] if item.get("uses", "").startswith("./")], "the caller's"
            for item in (item for item in job["steps"] if "run" in item):
                assert re.search(r"python3? -P -m deploy\.ci ", item["run"]), "-P: not from the checkout"
                assert item["env"]["PYTHONPATH"] == "${{ steps.code.outputs.path }}"

    def test_they_read_no_variables_of_anybody(self) -> None:
        for name in ("comment-previews", "drift-stack", "preview-stack", "up-stack"):
            assert "vars." not in str(WORKFLOWS[name]), f"{name}: a caller passes what is needed"


class TestOrder:
    def test_an_update_needs_the_tests_of_its_commit_and_prods_needs_devs(self) -> None:
        up = WORKFLOWS["up"]["jobs"]
        assert up["test"]["uses"] == "./.github/workflows/test.yml"
        assert (up["dev"]["needs"], up["prod"]["needs"]) == ("test", "dev")
        assert EVENTS["up"] == {"push": {"branches": ["main"]}}

    def test_the_tests_run_on_every_pull_request_and_in_a_merge_queue(self) -> None:
        assert set(events("test")) == {"pull_request", "merge_group", "workflow_call"}
        assert "if" not in WORKFLOWS["test"]["jobs"]["test"]

    def test_the_gate_comes_before_everything_else(self) -> None:
        checkout, _, gate, setup, _ = WORKFLOWS["up-stack"]["jobs"]["up"]["steps"]
        assert checkout["uses"].startswith("actions/checkout@")
        assert "ci gate" in gate["run"], "before the job has credentials"
        assert setup["uses"] == "$/.github/actions/setup"
        assert WORKFLOWS["up"]["jobs"]["prod"]["with"]["reviewed"] == "prod prod-preview"
        (reviewed,) = (job["reviewed"] for job in variants(WORKFLOWS["drift"]["jobs"]["drift"]) if "reviewed" in job)
        assert reviewed == "prod prod-preview", "the nightly job looks too"


class TestIdentities:
    """The identities of bootstrap, compared with those of the workflows."""

    def used(self) -> dict[tuple[str, str], list[tuple[str, dict[str, str]]]]:
        """The jobs of each identity and stack: their names and the claims of their tokens."""
        used: dict[tuple[str, str], list[tuple[str, dict[str, str]]]] = {}
        for name, id_, job in JOBS:
            for inputs in variants(job):
                account = re.search(r"vars\.([A-Z]+)_SERVICE_ACCOUNT_([A-Z_]+)", str(inputs.get("service-account")))
                if account:
                    stack = account[2].lower().replace("_", "-")
                    backend = f"${{{{ vars.PULUMI_BACKEND_URL_{account[2]} }}}}"
                    assert (inputs["backend"], inputs["stack"]) == (backend, stack), f"{name}.{id_} mixes stacks"
                    environment = environment_of(job, inputs)
                    for event in events(name):
                        ref = "refs/pull/5/merge" if event == "pull_request" else "refs/heads/main"
                        claims = {"event_name": event, "ref": ref}
                        claims |= {"environment": environment} if environment else {}
                        used.setdefault((account[1].lower(), stack), []).append((f"{name}.{id_}", claims))
        return used

    def test_every_identity_is_used_by_the_jobs_it_accepts(self) -> None:
        used = self.used()
        assert set(used) == {(identity, stack) for identity in IDENTITIES for stack in STACKS}
        for (identity, stack), users in used.items():
            assert len({job for job, _ in users}) == 1, f"{identity} of {stack} is used by {users}"
            for job, claims in users:
                kind = evaluate(job_of_token([DEV, PROD]), claims)
                assert kind == jobs(identity, STACKS[stack]), f"{job} cannot authenticate as {identity} of {stack}"

    def test_only_jobs_with_an_identity_can_get_a_token(self) -> None:
        for name, id_, job in JOBS:
            has_one = any("service-account" in inputs for inputs in variants(job))
            if (name, id_) != ("release", "publish"):  # It has a token for PyPI.
                assert has_one == ("id-token" in job.get("permissions", {})), f"{name}.{id_}"

    def test_every_environment_belongs_to_an_identity(self) -> None:
        required = {claims.get("environment") for users in self.used().values() for _, claims in users} - {None}
        assert required == {"dev", "prod", "prod-preview"}
        others = {job["environment"] for name, _, job in JOBS if "environment" in job and name != "release"}
        assert all("inputs." in environment for environment in others), "a caller names each"

    def test_the_variables_are_the_outputs_of_bootstrap(self) -> None:
        read = set(re.findall(r"vars\.(\w+)", "".join(file.read_text() for file in [*FILES, ACTION])))
        for_people = {"PULUMI_SECRETS_PROVIDER_DEV", "PULUMI_SECRETS_PROVIDER_PROD"}
        assert set(up().outputs) == read | for_people, "two are for `pulumi stack init`"


def events(workflow: str) -> list[str]:
    """The events that start a workflow."""
    on = EVENTS[workflow]
    return [on] if isinstance(on, str) else list(on)


def started_by(workflow: str) -> set[str]:
    """The events that start a workflow, by a call of it too."""
    callers = {name for name, _, job in JOBS if job.get("uses", "").endswith(f"/{workflow}.yml")}
    return set(events(workflow)) - {"workflow_call"} | {event for caller in callers for event in started_by(caller)}


def environment_of(job: dict[str, Any], inputs: dict[str, Any]) -> str:
    """The GitHub environment of a job that calls a workflow: one of its inputs."""
    (called,) = WORKFLOWS[Path(job["uses"]).stem]["jobs"].values()
    asked = re.fullmatch(r"\${{ inputs\.(\w+) }}", called.get("environment", ""))
    return str(inputs.get(asked[1], "")) if asked else ""


def every_step() -> list[dict[str, Any]]:
    of_jobs = [item for _, _, job in JOBS for item in job.get("steps", [])]
    return [*of_jobs, *(item for file in (ACTION, CODE) for item in yaml.safe_load(file.read_text())["runs"]["steps"])]


def variants(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The inputs that select a job's identity: of the workflow it calls, of its matrix, or of its setup."""
    included: list[dict[str, Any]] = job.get("strategy", {}).get("matrix", {}).get("include", [])
    if "uses" in job:
        return included or [job.get("with", {})]
    return [item["with"] for item in job["steps"] if item.get("uses") == "$/.github/actions/setup"]


def lint(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
