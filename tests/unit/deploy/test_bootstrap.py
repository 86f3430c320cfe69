"""The bootstrap program: which jobs get which identity, what each may do, and errors of a bad config."""

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
from deploy.bootstrap.identities import IDENTITIES, job_of_token, jobs
from deploy.bootstrap.settings import Stack
from tests.unit import harness
from tests.unit.harness import Recorder, Registered

# pulumi_gcp.storage warns of a function of its own when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProject:DeprecationWarning")

ROOT = Path(__file__).parents[3]
POOL = "projects/42/locations/global/workloadIdentityPools/github"
STACKS: list[dict[str, Any]] = [
    {"name": "dev", "zones": ["dev", "internal"]},
    {"name": "prod", "zones": ["shop"], "production": True, "approvedPreviews": True},
]
UID = "6f0e3f2c-8d2f-4a51-9d5e-0c5f3b8b9d11"
DEV, PROD = map(Stack.model_validate, STACKS)


class Google(Recorder):
    """Adds the outputs that Google computes."""

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


def up(**changes: Any) -> Recorder:
    config = {"gcp:project": "platform", "repositoryId": "123456", "location": "europe-west1", "stacks": STACKS}

    def program() -> None:
        runpy.run_path(str(ROOT / "deploy/bootstrap/__main__.py"), run_name="__main__")

    return harness.run(program, config | changes, stack="bootstrap", recorder=Google())


@pytest.fixture(scope="module")
def made() -> Recorder:
    return up()


def evaluate(expression: str, token: dict[str, str]) -> str:
    """Evaluate a CEL expression for the claims of GitHub's token, as Google does."""
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression))
    return str(program.evaluate({"assertion": json_to_cel(token)}))


def grants_of(made: Recorder, identity: str, stack: str) -> list[Registered]:
    member = f"serviceAccount:pulumi-{identity}-{stack}@platform.iam.gserviceaccount.com"
    return [grant for grant in made if grant.inputs.get("member") == member]


def permissions_of(made: Recorder, identity: str, stack: str) -> list[str]:
    """Every role, custom ones as their permissions."""
    roles = [grant.inputs["role"] for grant in grants_of(made, identity, stack)]
    custom = {
        f"projects/platform/roles/{role.inputs['roleId']}": role.inputs["permissions"]
        for role in made.of("gcp:projects/iAMCustomRole:IAMCustomRole")
    }
    return [permission for role in roles for permission in custom.get(role, [role])]


class TestState:
    @pytest.mark.parametrize("stack", ["dev", "prod"])
    def test_earlier_states_can_be_restored_and_objects_have_no_own_access(self, made: Recorder, stack: str) -> None:
        bucket = made.named(f"{stack}-bucket").inputs

        assert bucket["name"] == f"platform-pulumi-{stack}"
        assert bucket["versioning"] == {"enabled": True}
        assert bucket["softDeletePolicy"] == {"retentionDurationSeconds": 90 * 86400}, "versions can be deleted too"
        assert bucket["uniformBucketLevelAccess"] is True
        assert bucket["publicAccessPrevention"] == "enforced"
        assert made.named(f"{stack}-key").inputs["rotationPeriod"] == "7776000s", "90 days"

    def test_state_and_keys_are_protected(self, made: Recorder) -> None:
        protected = {resource.name for resource in made if resource.protect}
        assert protected == {"ring", "dev-bucket", "dev-key", "prod-bucket", "prod-key"}


class TestAuthentication:
    def test_only_tokens_of_the_repositorys_number_are_accepted(self, made: Recorder) -> None:
        provider = made.named("github-provider").inputs

        assert provider["attributeCondition"] == "assertion.repository_id == '123456'", (
            "somebody else can take over a name"
        )
        assert provider["oidc"]["issuerUri"] == "https://token.actions.githubusercontent.com"

    @pytest.mark.parametrize(
        ("event", "ref", "environment", "kind"),
        [
            ("pull_request", "refs/pull/5/merge", None, "preview"),
            ("pull_request", "refs/pull/5/merge", "prod-preview", "preview-prod-preview"),
            ("pull_request", "refs/pull/5/merge", "dev", "none"),
            ("pull_request", "refs/pull/5/merge", "prod", "none"),
            ("pull_request", "refs/pull/5/merge", "x:environment:prod-preview", "none"),
            ("push", "refs/heads/main", "dev", "deploy-dev"),
            ("push", "refs/heads/main", "prod", "deploy-prod"),
            ("push", "refs/heads/main", "prod-preview", "none"),
            ("push", "refs/heads/main", None, "none"),
            ("push", "refs/heads/branch", "prod", "none"),
            ("push", "refs/tags/main", "prod", "none"),
            ("schedule", "refs/heads/main", None, "drift"),
            ("schedule", "refs/heads/main", "prod", "none"),
            ("workflow_dispatch", "refs/heads/main", None, "drift"),
            ("workflow_dispatch", "refs/heads/main", "prod", "none"),
            ("workflow_dispatch", "refs/heads/branch", None, "none"),
            ("pull_request_target", "refs/heads/main", "prod", "none"),
            ("workflow_run", "refs/heads/main", "prod", "none"),
        ],
    )
    def test_a_job_has_one_kind_or_none(self, event: str, ref: str, environment: str | None, kind: str) -> None:
        token = {"event_name": event, "ref": ref} | ({"environment": environment} if environment else {})

        assert evaluate(job_of_token([DEV, PROD]), token) == kind

    def test_each_service_account_is_bound_to_its_jobs(self, made: Recorder) -> None:
        mapping = made.named("github-provider").inputs["attributeMapping"]
        assert mapping["attribute.jobs"] == job_of_token([DEV, PROD])

        for stack in (DEV, PROD):
            for identity in IDENTITIES:
                binding = made.named(f"github-{identity}-{stack.name}-jobs").inputs
                kind = jobs(identity, stack)
                assert binding["member"] == f"principalSet://iam.googleapis.com/{POOL}/attribute.jobs/{kind}"
                assert binding["role"] == "roles/iam.workloadIdentityUser"
                assert f"pulumi-{identity}-{stack.name}@" in binding["serviceAccountId"]

    def test_no_pull_request_previews_production_before_its_environment_has_reviewers(self) -> None:
        made = up(stacks=[STACKS[0], STACKS[1] | {"approvedPreviews": False}])
        bindings = {member.name for member in made.of("gcp:serviceaccount/iAMMember:IAMMember")}
        assert bindings == {
            *(f"github-{identity}-dev-jobs" for identity in IDENTITIES),
            "github-drift-prod-jobs",
            "github-deploy-prod-jobs",
        }

    def test_the_mapping_of_twenty_stacks_is_within_googles_limit(self) -> None:
        stacks = [Stack(name=f"stack-{n:02}-prod", zones=("zone",), production=True) for n in range(20)]
        assert len(job_of_token(stacks)) < 2048

    def test_a_service_accounts_id_has_at_most_30_characters(self) -> None:
        longest = up(stacks=[{"name": "a" * 15, "zones": ["zone"]}])
        for account in longest.of("gcp:serviceaccount/account:Account"):
            assert re.fullmatch(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", account.inputs["accountId"])


READ = {
    "roles/storage.objectViewer",
    "roles/cloudkms.cryptoKeyDecrypter",
    "roles/container.clusterViewer",
    *READ_ZONE,
}
WRITE = {
    "roles/storage.objectUser",
    "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    "roles/container.clusterViewer",
    *READ_ZONE,
    *WRITE_ZONE,
}


class TestGrants:
    @pytest.mark.parametrize("stack", ["dev", "prod"])
    @pytest.mark.parametrize(("identity", "rights"), [("preview", READ), ("drift", READ), ("deploy", WRITE)])
    def test_an_identity_has_exactly_these_rights(
        self, made: Recorder, identity: str, stack: str, rights: set[str]
    ) -> None:
        assert set(permissions_of(made, identity, stack)) == rights
        assert all(permission.endswith((".get", ".list")) for permission in READ_ZONE)

    def test_every_grant_is_on_resources_of_the_identitys_own_stack(self, made: Recorder) -> None:
        zones = {"dev": {"dev", "internal"}, "prod": {"shop"}}
        for stack in ("dev", "prod"):
            for identity in GRANTS:
                grants = grants_of(made, identity, stack)
                targets = {
                    key: {grant.inputs[key] for grant in grants if key in grant.inputs}
                    for key in ("bucket", "cryptoKeyId", "managedZone")
                }
                assert targets["bucket"] == {f"platform-pulumi-{stack}"}, f"{identity} of {stack}"
                assert targets["cryptoKeyId"] == {f"{stack}-key-id"}, f"{identity} of {stack}"
                assert targets["managedZone"] == zones[stack], f"{identity} of {stack}"

    def test_cert_manager_gets_access_to_the_configured_zone_only(self, made: Recorder) -> None:
        assert not [resource for resource in made if resource.name.startswith("dns01-")], "none by default"
        configured = up(stacks=[STACKS[0] | {"dns01Zone": "internal"}])
        member = configured.named("dns01-dev-zone").inputs

        assert member["managedZone"] == "internal"
        assert member["member"] == (
            "principal://iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/platform.svc.id.goog"
            "/subject/ns/cert-manager/sa/cert-manager"
        )
        role = configured.named("dns01-dev-role").inputs
        assert set(role["permissions"]) < {*READ_ZONE, *WRITE_ZONE}, "less than the deploy identity"

    @pytest.mark.parametrize(
        ("dev", "prod"),
        [({}, {}), ({"clusterProject": "platform"}, {}), ({"dns01Zone": "dev"}, {"dns01Account": UID})],
        ids=["default project", "the same project by name", "the other stack"],
    )
    def test_the_cluster_of_another_stack_gets_no_access_to_a_zone(self, dev: Any, prod: Any) -> None:
        with pytest.raises(pulumi.RunError, match=r"could write the zone (dev|shop);") as error:
            up(stacks=[STACKS[0] | dev, STACKS[1] | {"dns01Zone": "shop"} | prod])
        assert "has a problem" in str(error.value)
        assert ".metadata.uid" in str(error.value), "with the fix"

    @pytest.mark.parametrize(
        ("dev", "prod", "selector"),
        [
            ({"clusterProject": "other"}, {}, "/subject/ns/cert-manager/sa/cert-manager"),
            ({}, {"dns01Account": UID}, f"/kubernetes.serviceaccount.uid/{UID}"),
        ],
        ids=["another project", "one ServiceAccount"],
    )
    def test_stacks_are_apart_by_project_or_by_uid(self, dev: Any, prod: Any, selector: str) -> None:
        made = up(stacks=[STACKS[0] | dev, STACKS[1] | {"dns01Zone": "shop"} | prod])
        assert made.named("dns01-prod-zone").inputs["member"].endswith(f"/platform.svc.id.goog{selector}")

    def test_clusters_and_zones_may_be_in_other_projects(self) -> None:
        other = up(stacks=[{**STACKS[0], "clusterProject": "clusters", "dnsProject": "names"}])

        assert other.named("deploy-dev-cluster").inputs["project"] == "clusters"
        assert other.named("deploy-dev-zone-internal").inputs["project"] == "names"


def test_outputs_are_the_variables_of_each_stack() -> None:
    outputs = up(stacks=[{"name": "prod-eu", "zones": ["zone"]}]).outputs
    assert outputs["PULUMI_BACKEND_URL_PROD_EU"] == "gs://platform-pulumi-prod-eu"
    assert outputs["PULUMI_SECRETS_PROVIDER_PROD_EU"] == "gcpkms://prod-eu-key-id"
    assert outputs["WORKLOAD_IDENTITY_PROVIDER"] == f"{POOL}/providers/github"
    assert outputs["PREVIEW_SERVICE_ACCOUNT_PROD_EU"] == "pulumi-preview-prod-eu@platform.iam.gserviceaccount.com"


class TestSettings:
    def refused(self, **changes: Any) -> str:
        with pytest.raises(pulumi.RunError) as refused:
            up(**changes)
        return str(refused.value)

    def test_every_problem_of_a_config_is_reported(self) -> None:
        stacks = [{"name": "Prod", "zones": []}, {"name": "dev", "zones": ["zone"], "prodution": True}]
        error = self.refused(repositoryId="acme/gateway", location="EU", stacks=stacks, zone="shop")

        keys = ("repositoryId", "location", "stacks[0].name", "stacks[0].zones", "stacks[1].prodution", "zone")
        for key in keys:
            assert f"\n  {key}: " in error, f"{key} is not named in:\n{error}"
        assert f"{len(keys)} problems" in error
        assert 'pulumi config set repositoryId "$(gh api repos/OWNER/NAME --jq .id)"' in error, "with the fix"

    def test_a_stack_is_named_once(self) -> None:
        assert "has a name twice" in self.refused(stacks=[STACKS[0], STACKS[0]])
