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

from bootstrap.grants import GRANTS
from bootstrap.identities import DESCRIPTIONS, identity_of_job
from tests.unit import harness
from tests.unit.harness import Recorder, Registered

# pulumi_gcp.storage warns of a function of its own when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProject:DeprecationWarning")

ROOT = Path(__file__).parents[2]
POOL = "projects/42/locations/global/workloadIdentityPools/github"
WRITES = re.compile(r"admin|objectUser|[eE]ncrypter|\.(create|update|delete|patch)\b")


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
        "zones": ["shop", "internal"],
        **changes,
    }


def up(**changes: Any) -> Recorder:
    recorder = Google()

    def program() -> None:
        runpy.run_path(str(ROOT / "bootstrap/__main__.py"), run_name="__main__")

    return harness.run(program, config(**changes), stack="bootstrap", recorder=recorder)


@pytest.fixture(scope="module")
def made() -> Recorder:
    return up()


def evaluate(expression: str, token: dict[str, str]) -> str:
    """Evaluate a mapping as Google does, of the claims of GitHub's token."""
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression))
    return str(program.evaluate({"assertion": json_to_cel(token)}))


def grants_of(made: Recorder, identity: str) -> list[Registered]:
    member = f"serviceAccount:pulumi-{identity}@platform.iam.gserviceaccount.com"
    return [each for each in made if each.inputs.get("member") == member]


def permissions_of(made: Recorder, identity: str) -> list[str]:
    """Every role, and the permissions of those that are our own."""
    roles = [each.inputs["role"] for each in grants_of(made, identity)]
    own = {
        f"projects/platform/roles/{each.inputs['roleId']}": each.inputs["permissions"]
        for each in made.of("gcp:projects/iAMCustomRole:IAMCustomRole")
    }
    return [word for role in roles for word in own.get(role, [role])]


class TestState:
    def test_an_earlier_state_can_be_restored_and_nobody_is_let_in_by_an_object(self, made: Recorder) -> None:
        bucket = made.named("state-bucket").inputs

        assert bucket["name"] == "platform-pulumi-state"
        assert bucket["versioning"] == {"enabled": True}
        assert bucket["uniformBucketLevelAccess"] is True
        assert bucket["publicAccessPrevention"] == "enforced"

    def test_what_the_stacks_would_be_lost_with_is_protected(self, made: Recorder) -> None:
        protected = {each.name for each in made if each.protect}
        assert protected == {"state-bucket", "state-ring", "state-key"}

    def test_the_key_is_rotated(self, made: Recorder) -> None:
        assert made.named("state-key").inputs["rotationPeriod"] == "7776000s", "90 days"


class TestWhoComesIn:
    def test_tokens_of_one_repository_are_taken_by_its_number(self, made: Recorder) -> None:
        provider = made.named("github-provider").inputs

        assert provider["attributeCondition"] == "assertion.repository_id == '123456'", "a name can be taken over"
        assert provider["oidc"]["issuerUri"] == "https://token.actions.githubusercontent.com"

    @pytest.mark.parametrize(
        ("event", "ref", "environment", "identity"),
        [
            ("pull_request", "refs/pull/5/merge", None, "preview"),
            ("pull_request", "refs/pull/5/merge", "prod", "preview"),
            ("push", "refs/heads/main", "dev", "deploy"),
            ("push", "refs/heads/main", "prod", "deploy"),
            ("push", "refs/heads/main", None, "none"),
            ("push", "refs/heads/main", "other", "none"),
            ("push", "refs/heads/branch", "prod", "none"),
            ("push", "refs/tags/main", "prod", "none"),
            ("schedule", "refs/heads/main", None, "drift"),
            ("workflow_dispatch", "refs/heads/main", None, "drift"),
            ("workflow_dispatch", "refs/heads/branch", None, "none"),
            ("pull_request_target", "refs/heads/main", "prod", "none"),
        ],
    )
    @pytest.mark.parametrize("repository", ["acme/gateway", "acme@1/gateway@123456"], ids=["by name", "by number"])
    def test_a_job_is_one_identity_or_none(
        self, repository: str, event: str, ref: str, environment: str | None, identity: str
    ) -> None:
        of = f"environment:{environment}" if environment else "pull_request" if "pull" in event else f"ref:{ref}"
        token = {"sub": f"repo:{repository}:{of}", "event_name": event, "ref": ref}

        assert evaluate(identity_of_job(["dev", "prod"]), token) == identity

    def test_each_service_account_takes_the_jobs_of_its_name(self, made: Recorder) -> None:
        mapping = made.named("github-provider").inputs["attributeMapping"]
        assert mapping["attribute.identity"] == identity_of_job(["dev", "prod"])

        for identity in DESCRIPTIONS:
            bound = made.named(f"github-{identity}-jobs").inputs
            assert bound["member"] == f"principalSet://iam.googleapis.com/{POOL}/attribute.identity/{identity}"
            assert bound["role"] == "roles/iam.workloadIdentityUser"
            assert f"pulumi-{identity}@" in bound["serviceAccountId"]

    def test_an_audit_log_names_the_run(self, made: Recorder) -> None:
        mapping = made.named("github-provider").inputs["attributeMapping"]
        subject = evaluate(mapping["google.subject"], {"repository_id": "123456", "run_id": "77"})

        assert subject == "123456/actions/runs/77"


class TestWhatEachMayDo:
    @pytest.mark.parametrize("identity", ["preview", "drift"])
    def test_who_only_looks_writes_nothing(self, made: Recorder, identity: str) -> None:
        for permission in permissions_of(made, identity):
            if permission != "roles/cloudkms.cryptoKeyDecrypter":
                assert not WRITES.search(permission), f"{identity} may {permission}"

    def test_a_pull_request_reads_no_secret_of_the_cluster(self, made: Recorder) -> None:
        preview, drift = (permissions_of(made, identity) for identity in ("preview", "drift"))

        assert "container.secrets.get" not in preview, "the code of a branch could print an ACME account's key"
        assert set(drift) - set(preview) == {"container.secrets.get", "container.secrets.list"}, "Helm's releases"

    def test_records_are_written_in_the_named_zones_only(self, made: Recorder) -> None:
        zones = {
            each.inputs["managedZone"]
            for each in grants_of(made, "deploy")
            if each.type == "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember"
        }
        assert zones == {"shop", "internal"}
        assert "dns.resourceRecordSets.update" in permissions_of(made, "deploy")
        assert not [role for role in permissions_of(made, "deploy") if role.startswith("roles/dns")]

    def test_nothing_is_granted_on_the_whole_project_but_the_clusters(self, made: Recorder) -> None:
        for each in made.of("gcp:projects/iAMMember:IAMMember"):
            assert "-cluster" in each.name, f"{each.name} reaches more than it needs"

    def test_clusters_and_zones_may_be_in_other_projects(self) -> None:
        other = up(clusterProject="clusters", dnsProject="names")

        assert other.named("deploy-cluster").inputs["project"] == "clusters"
        assert other.named("deploy-zone-shop").inputs["project"] == "names"

    def test_every_identity_has_its_roles(self, made: Recorder) -> None:
        assert list(GRANTS) == list(DESCRIPTIONS), "who comes in, and what they may do"
        assert all(grants_of(made, identity) for identity in GRANTS)


class TestOutputs:
    def test_they_are_the_variables_that_the_workflows_read(self, made: Recorder) -> None:
        workflows = "".join(file.read_text() for file in (ROOT / ".github").rglob("*.yml"))
        read = set(re.findall(r"vars\.(\w+)", workflows))

        assert set(made.outputs) == read | {"PULUMI_SECRETS_PROVIDER"}, "the last is for `pulumi stack init`"
        assert made.outputs["PULUMI_BACKEND_URL"] == "gs://platform-pulumi-state"
        assert made.outputs["PULUMI_SECRETS_PROVIDER"] == "gcpkms://state-key-id"
        assert made.outputs["WORKLOAD_IDENTITY_PROVIDER"] == f"{POOL}/providers/github"
        assert made.outputs["PREVIEW_SERVICE_ACCOUNT"] == "pulumi-preview@platform.iam.gserviceaccount.com"


class TestSettings:
    def refused(self, **changes: Any) -> str:
        with pytest.raises(pulumi.RunError) as refused:
            up(**changes)
        return str(refused.value)

    def test_a_bad_config_is_refused_whole(self) -> None:
        said = self.refused(repositoryId="acme/gateway", location="EU", zones=[], zone="shop")

        for key in ("repositoryId", "location", "zones", "zone"):
            assert f"\n  {key}: " in said, f"{key} is not named in:\n{said}"
        assert "4 problems" in said
        assert 'pulumi config set repositoryId "$(gh api repos/OWNER/NAME --jq .id)"' in said, "with what mends it"

    def test_what_is_missing_is_named_with_the_command(self) -> None:
        with pytest.raises(pulumi.RunError) as refused:
            harness.run(lambda: runpy.run_path(str(ROOT / "bootstrap/__main__.py")), {}, recorder=Google())

        for key in ("gcp:project", "repositoryId", "location", "zones"):
            assert f"\n  {key}: not set" in str(refused.value), key
