"""Who comes in from GitHub Actions, without a key: for each stack three service accounts, each for some jobs.

A job shows GitHub's token, which says the repository, the event, the branch and the environment. The provider takes
tokens of one repository only, and `jobs` says what kind of job each is. It reads no name of the repository: somebody
else can take a name over.
https://docs.github.com/actions/reference/security/oidc
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
import pulumi_gcp as gcp

from deploy.bootstrap.settings import Stack

ISSUER = "https://token.actions.githubusercontent.com"
MAIN = "refs/heads/main"

_ENVIRONMENT = "(has(assertion.environment) ? assertion.environment : '')"
"""The claim is there only where a job names an environment."""

IDENTITIES: Mapping[str, str] = {
    "preview": "Previews of pull requests: reads, except for Secrets",
    "drift": "The nightly look for drift: reads, Helm's and the gateway's Secrets included",
    "deploy": "pulumi up after a merge to main",
}
"""What each service account of a stack is for."""


class GithubIdentitiesArgs(TypedDict):
    """What `GithubIdentities` takes."""

    repository_id: str
    """The repository's number."""
    stacks: Sequence[Stack]
    """The stacks that have identities."""


class GithubIdentities(pulumi.ComponentResource):
    """A Workload Identity pool for one repository, and the service accounts."""

    provider: pulumi.Output[str]
    """What google-github-actions/auth takes as `workload_identity_provider`."""
    emails: Mapping[tuple[str, str], pulumi.Output[str]]
    """What it takes as `service_account`, by identity and stack."""
    members: Mapping[tuple[str, str], pulumi.Output[str]]
    """The same, as IAM takes them."""

    def __init__(self, name: str, args: GithubIdentitiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:GithubIdentities", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        pool = gcp.iam.WorkloadIdentityPool(f"{name}-pool", workload_identity_pool_id="github", opts=child)
        provider = gcp.iam.WorkloadIdentityPoolProvider(
            f"{name}-provider",
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="github",
            oidc={"issuer_uri": ISSUER},
            attribute_mapping={
                # What Google's audit log shows, in at most 127 characters.
                "google.subject": "assertion.repository_id + '/actions/runs/' + assertion.run_id",
                "attribute.jobs": job_of_token(args["stacks"]),
            },
            attribute_condition=f"assertion.repository_id == '{args['repository_id']}'",
            opts=child,
        )
        emails: dict[tuple[str, str], pulumi.Output[str]] = {}
        for stack in args["stacks"]:
            for identity, description in IDENTITIES.items():
                account = gcp.serviceaccount.Account(
                    f"{name}-{identity}-{stack.name}",
                    account_id=account_id(identity, stack.name),
                    display_name=f"Pulumi: {identity} {stack.name}",
                    description=description,
                    opts=child,
                )
                gcp.serviceaccount.IAMMember(
                    f"{name}-{identity}-{stack.name}-jobs",
                    service_account_id=account.name,
                    role="roles/iam.workloadIdentityUser",
                    member=pulumi.Output.format(
                        "principalSet://iam.googleapis.com/{}/attribute.jobs/{}", pool.name, jobs(identity, stack)
                    ),
                    opts=child,
                )
                emails[identity, stack.name] = account.email
        self.provider = provider.name
        self.emails = emails
        self.members = {key: pulumi.Output.format("serviceAccount:{}", email) for key, email in emails.items()}
        self.register_outputs({"provider": self.provider})


def account_id(identity: str, stack: str) -> str:
    """Return a service account's id; Google takes 30 characters."""
    return f"pulumi-{identity}-{stack}"


def environment(identity: str, stack: Stack) -> str | None:
    """Return the GitHub environment whose jobs alone may be an identity; None where the jobs have none.

    An environment is what GitHub's approvals are bound to. What needs none has none, so that pull requests are not
    full of deployments.
    """
    if identity == "deploy":
        return stack.name
    if identity == "preview" and stack.production:
        return f"{stack.name}-preview"
    return None


def jobs(identity: str, stack: Stack) -> str:
    """Return the jobs that may be an identity, as `job_of_token` names them.

    The nightly jobs of all stacks run the same code of main, and the previews that nobody approves the same code of a
    pull request, so that to tell them apart would keep nothing from that code.
    """
    named = environment(identity, stack)
    return f"{identity}-{named}" if named else identity


def job_of_token(stacks: Sequence[Stack]) -> str:
    """Return, in CEL, what kind of job a token is of: a value of `jobs`, or `none`.

    Every kind is bound to one environment, or to none, so a job that names another one is nobody: not even a pull
    request's that names an environment which asks for no approval.
    """

    def kind(identity: str) -> str:
        named = [environment(identity, stack) for stack in stacks]
        alone = f"{_ENVIRONMENT} == '' ? '{identity}'" if None in named else ""
        bound = ", ".join(f"'{each}'" for each in named if each)
        among = f"{_ENVIRONMENT} in [{bound}] ? '{identity}-' + assertion.environment" if bound else ""
        return "(" + " : ".join([*filter(None, (alone, among)), "'none'"]) + ")"

    return (
        f"assertion.event_name == 'pull_request' ? {kind('preview')}"
        f" : assertion.ref != '{MAIN}' ? 'none'"
        f" : assertion.event_name in ['schedule', 'workflow_dispatch'] ? {kind('drift')}"
        f" : assertion.event_name == 'push' ? {kind('deploy')}"
        " : 'none'"
    )
