"""What the workflows stand on: who comes in, what each may do, and what is said of a bad config."""

import re
import runpy
from pathlib import Path
from typing import Any

import celpy
import pulumi
import pytest
from celpy.adapter import json_to_cel
from pulumi.runtime import mocks

from deploy.bootstrap.grants import GRANTS, READ_ZONE, WRITE_ZONE
from deploy.bootstrap.identities import IDENTITIES, environment, job_of_token, jobs
from deploy.bootstrap.settings import Stack
from tests.unit import harness
from tests.unit.harness import Recorder, Registered

# pulumi_gcp.storage warns of a function of its own when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProject:DeprecationWarning")

ROOT = Path(__file__).parents[2]
POOL = "projects/42/locations/global/workloadIdentityPools/github"
WRITES = re.compile(r"admin|objectUser|[eE]ncrypter|\.(create|update|delete|patch)\b")
STACKS: list[dict[str, Any]] = [
    {"name": "dev", "zones": ["dev", "internal"]},
    {"name": "prod", "zones": ["shop"], "production": True},
]
DEV, PROD = (Stack.model_validate(each) for each in STACKS)


class Google(Recorder):
    """Answers with what Google adds."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        id_, state = super().new_resource(args)
        if args.typ == "gcp:iam/workloadIdentityPool:WorkloadIdentityPool":
            state["name"] = POOL
        elif args.typ == "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider":
            state["name"] = f"{POOL}/providers/github"
        elif args.typ == "gcp:serviceaccount/account:Account":
            state["email"] = f"{args.inputs['accountId']}@platform.iam.gserviceaccount.com"
            state["name"] = f"projects/platform/serviceAccounts/{state['email']}"
        elif args.typ == "gcp:projects/iAMCustomRole:IAMCustomRole":
            state["name"] = f"projects/platform/roles/{args.inputs['roleId']}"
        return id_, state


def config(**changes: Any) -> dict[str, Any]:
    return {
        "gcp:project": "platform",
        "repositoryId": "123456",
        "location": "europe-west1",
        "stacks": STACKS,
        **changes,
    }


def up(**changes: Any) -> Recorder:
    recorder = Google()

    def program() -> None:
        runpy.run_path(str(ROOT / "deploy/bootstrap/__main__.py"), run_name="__main__")

    return harness.run(program, config(**changes), stack="bootstrap", recorder=recorder)


@pytest.fixture(scope="module")
def made() -> Recorder:
    return up()


def evaluate(expression: str, token: dict[str, str]) -> str:
    """Evaluate a mapping as Google does, of the claims of GitHub's token."""
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression))
    return str(program.evaluate({"assertion": json_to_cel(token)}))


def grants_of(made: Recorder, identity: str, stack: str) -> list[Registered]:
    member = f"serviceAccount:pulumi-{identity}-{stack}@platform.iam.gserviceaccount.com"
    return [each for each in made if each.inputs.get("member") == member]


def permissions_of(made: Recorder, identity: str, stack: str) -> list[str]:
    """Every role, and the permissions of those that are our own."""
    roles = [each.inputs["role"] for each in grants_of(made, identity, stack)]
    own = {
        f"projects/platform/roles/{each.inputs['roleId']}": each.inputs["permissions"]
        for each in made.of("gcp:projects/iAMCustomRole:IAMCustomRole")
    }
    return [word for role in roles for word in own.get(role, [role])]


class TestState:
    @pytest.mark.parametrize("stack", ["dev", "prod"])
    def test_an_earlier_state_can_be_restored_and_nobody_is_let_in_by_an_object(
        self, made: Recorder, stack: str
    ) -> None:
        bucket = made.named(f"{stack}-bucket").inputs

        assert bucket["name"] == f"platform-pulumi-{stack}"
        assert bucket["versioning"] == {"enabled": True}
        assert bucket["softDeletePolicy"] == {"retentionDurationSeconds": 90 * 86400}, (
            "who deletes deletes versions too"
        )
        assert bucket["uniformBucketLevelAccess"] is True
        assert bucket["publicAccessPrevention"] == "enforced"

    def test_what_a_stack_would_be_lost_with_is_protected(self, made: Recorder) -> None:
        protected = {each.name for each in made if each.protect}
        assert protected == {"ring", "dev-bucket", "dev-key", "prod-bucket", "prod-key"}

    def test_each_key_is_rotated(self, made: Recorder) -> None:
        for stack in ("dev", "prod"):
            assert made.named(f"{stack}-key").inputs["rotationPeriod"] == "7776000s", "90 days"


class TestWhoComesIn:
    def test_tokens_of_one_repository_are_taken_by_its_number(self, made: Recorder) -> None:
        provider = made.named("github-provider").inputs

        assert provider["attributeCondition"] == "assertion.repository_id == '123456'", "a name can be taken over"
        assert provider["oidc"]["issuerUri"] == "https://token.actions.githubusercontent.com"

    @pytest.mark.parametrize(
        ("event", "ref", "environment", "kind"),
        [
            ("pull_request", "refs/pull/5/merge", None, "preview"),
            ("pull_request", "refs/pull/5/merge", "prod-preview", "preview-prod-preview"),
            ("pull_request", "refs/pull/5/merge", "dev-preview", "none"),
            ("pull_request", "refs/pull/5/merge", "dev", "none"),
            ("pull_request", "refs/pull/5/merge", "prod", "none"),
            ("pull_request", "refs/pull/5/merge", "x:environment:prod-preview", "none"),
            ("push", "refs/heads/main", "dev", "deploy-dev"),
            ("push", "refs/heads/main", "prod", "deploy-prod"),
            ("push", "refs/heads/main", "prod-preview", "none"),
            ("push", "refs/heads/main", None, "none"),
            ("push", "refs/heads/main", "other", "none"),
            ("push", "refs/heads/branch", "prod", "none"),
            ("push", "refs/tags/main", "prod", "none"),
            ("schedule", "refs/heads/main", None, "drift"),
            ("schedule", "refs/heads/main", "prod", "none"),
            ("workflow_dispatch", "refs/heads/main", None, "drift"),
            ("workflow_dispatch", "refs/heads/main", "prod", "none"),
            ("workflow_dispatch", "refs/heads/branch", None, "none"),
            ("pull_request_target", "refs/heads/main", "prod", "none"),
            ("workflow_run", "refs/heads/main", None, "none"),
            ("workflow_run", "refs/heads/main", "prod", "none"),
        ],
    )
    def test_a_job_is_of_one_kind_or_of_none(self, event: str, ref: str, environment: str | None, kind: str) -> None:
        token = {"event_name": event, "ref": ref} | ({"environment": environment} if environment else {})

        assert evaluate(job_of_token([DEV, PROD]), token) == kind

    def test_each_service_account_takes_the_jobs_of_its_own(self, made: Recorder) -> None:
        mapping = made.named("github-provider").inputs["attributeMapping"]
        assert mapping["attribute.jobs"] == job_of_token([DEV, PROD])

        for stack in (DEV, PROD):
            for identity in IDENTITIES:
                bound = made.named(f"github-{identity}-{stack.name}-jobs").inputs
                kind = jobs(identity, stack)
                assert bound["member"] == f"principalSet://iam.googleapis.com/{POOL}/attribute.jobs/{kind}"
                assert bound["role"] == "roles/iam.workloadIdentityUser"
                assert f"pulumi-{identity}-{stack.name}@" in bound["serviceAccountId"]

    def test_what_is_approved_for_one_stack_is_of_no_use_for_another(self) -> None:
        assert jobs("deploy", DEV) != jobs("deploy", PROD), "dev's job is not approved"
        assert jobs("preview", DEV) != jobs("preview", PROD), "nor is dev's preview"
        assert environment("preview", PROD) == "prod-preview", "it has reviewers of its own"
        assert environment("preview", DEV) is None

    def test_the_mapping_of_many_stacks_is_within_googles_limit(self) -> None:
        stacks = [Stack(name=f"stack-{n:02}-prod", zones=("zone",), production=True) for n in range(20)]
        assert len(job_of_token(stacks)) < 2048

    def test_a_service_accounts_id_has_up_to_30_characters(self) -> None:
        longest = up(stacks=[{"name": "a" * 15, "zones": ["zone"]}])
        for account in longest.of("gcp:serviceaccount/account:Account"):
            assert re.fullmatch(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", account.inputs["accountId"])

    def test_an_audit_log_names_the_run(self, made: Recorder) -> None:
        mapping = made.named("github-provider").inputs["attributeMapping"]
        subject = evaluate(mapping["google.subject"], {"repository_id": "123456", "run_id": "77"})

        assert subject == "123456/actions/runs/77"


class TestWhatEachMayDo:
    @pytest.mark.parametrize("stack", ["dev", "prod"])
    @pytest.mark.parametrize("identity", ["preview", "drift"])
    def test_who_only_looks_writes_nothing(self, made: Recorder, identity: str, stack: str) -> None:
        for permission in permissions_of(made, identity, stack):
            if permission != "roles/cloudkms.cryptoKeyDecrypter":
                assert not WRITES.search(permission), f"{identity} may {permission}"

    def test_every_grant_is_on_what_belongs_to_the_identitys_own_stack(self, made: Recorder) -> None:
        zones = {"dev": {"dev", "internal"}, "prod": {"shop"}}
        for stack in ("dev", "prod"):
            for identity in GRANTS:
                granted = grants_of(made, identity, stack)
                on = {
                    key: {each.inputs[key] for each in granted if key in each.inputs}
                    for key in ("bucket", "cryptoKeyId", "managedZone")
                }
                assert on["bucket"] == {f"platform-pulumi-{stack}"}, f"{identity} of {stack}"
                assert on["cryptoKeyId"] == {f"{stack}-key-id"}, f"{identity} of {stack}: a preview could decrypt it"
                assert on["managedZone"] == zones[stack], f"{identity} of {stack}"

    def test_cert_manager_may_write_proofs_in_one_zone_where_that_is_asked_for(self, made: Recorder) -> None:
        assert not [each for each in made if each.name.startswith("dns01-")], "not by default"
        asked = up(stacks=[STACKS[0] | {"dns01Zone": "internal"}])
        member = asked.named("dns01-dev-zone").inputs

        assert member["managedZone"] == "internal"
        assert member["member"] == (
            "principal://iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/platform.svc.id.goog"
            "/subject/ns/cert-manager/sa/cert-manager"
        )
        role = asked.named("dns01-dev-role").inputs
        assert set(role["permissions"]) < {*READ_ZONE, *WRITE_ZONE}, "less than who deploys"
        assert not [each for each in permissions_of(asked, "deploy", "dev") if "iam." in each.lower()], (
            "who deploys grants nothing"
        )

    def test_records_are_written_by_who_deploys_alone(self, made: Recorder) -> None:
        assert "dns.resourceRecordSets.update" in permissions_of(made, "deploy", "prod")
        assert not [role for role in permissions_of(made, "deploy", "prod") if role.startswith("roles/dns")]

    def test_inside_a_cluster_nobody_may_anything_by_iam(self, made: Recorder) -> None:
        for each in made.of("gcp:projects/iAMMember:IAMMember"):
            assert each.inputs["role"] == "roles/container.clusterViewer", "Kubernetes' own roles say what they may do"

    def test_clusters_and_zones_may_be_in_other_projects(self) -> None:
        other = up(stacks=[{**STACKS[0], "clusterProject": "clusters", "dnsProject": "names"}])

        assert other.named("deploy-dev-cluster").inputs["project"] == "clusters"
        assert other.named("deploy-dev-zone-internal").inputs["project"] == "names"

    def test_every_identity_has_its_roles(self, made: Recorder) -> None:
        assert list(GRANTS) == list(IDENTITIES), "who comes in, and what they may do"
        assert all(grants_of(made, identity, stack) for identity in GRANTS for stack in ("dev", "prod"))


class TestOutputs:
    def test_they_are_the_variables_of_each_stack(self, made: Recorder) -> None:
        assert made.outputs["PULUMI_BACKEND_URL_PROD"] == "gs://platform-pulumi-prod"
        assert made.outputs["PULUMI_SECRETS_PROVIDER_PROD"] == "gcpkms://prod-key-id"
        assert made.outputs["WORKLOAD_IDENTITY_PROVIDER"] == f"{POOL}/providers/github"
        assert made.outputs["PREVIEW_SERVICE_ACCOUNT_DEV"] == "pulumi-preview-dev@platform.iam.gserviceaccount.com"

    def test_a_variable_has_a_name_that_a_shell_takes(self) -> None:
        outputs = up(stacks=[{"name": "prod-eu", "zones": ["zone"]}]).outputs
        assert "DEPLOY_SERVICE_ACCOUNT_PROD_EU" in outputs
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in outputs)


class TestSettings:
    def refused(self, **changes: Any) -> str:
        with pytest.raises(pulumi.RunError) as refused:
            up(**changes)
        return str(refused.value)

    def test_a_bad_config_is_refused_whole(self) -> None:
        stacks = [{"name": "Prod", "zones": []}, {"name": "dev", "zones": ["zone"], "prodution": True}]
        said = self.refused(repositoryId="acme/gateway", location="EU", stacks=stacks, zone="shop")

        keys = ("repositoryId", "location", "stacks[0].name", "stacks[0].zones", "stacks[1].prodution", "zone")
        for key in keys:
            assert f"\n  {key}: " in said, f"{key} is not named in:\n{said}"
        assert f"{len(keys)} problems" in said
        assert 'pulumi config set repositoryId "$(gh api repos/OWNER/NAME --jq .id)"' in said, "with the fix"

    def test_a_stack_is_named_once(self) -> None:
        said = self.refused(stacks=[STACKS[0], STACKS[0]])
        assert "has a name twice" in said

    def test_there_is_a_stack(self) -> None:
        assert "stacks[0].name: not set" in self.refused(stacks=[]), "and what it is made of"

    def test_what_is_missing_is_named_with_the_command(self) -> None:
        with pytest.raises(pulumi.RunError) as refused:
            harness.run(lambda: runpy.run_path(str(ROOT / "deploy/bootstrap/__main__.py")), {}, recorder=Google())

        for key in ("gcp:project", "repositoryId", "location", "stacks[0].name", "stacks[0].zones"):
            assert f"\n  {key}: not set" in str(refused.value), key
