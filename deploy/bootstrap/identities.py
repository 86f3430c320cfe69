"""Identities for GitHub Actions without keys: three service accounts per stack, each for certain jobs.

A job authenticates with a token of GitHub, whose claims are the repository, the event, the branch and the environment.
The provider accepts tokens of one repository by its number, since somebody else can take over its name, and
`job_of_token` maps the claims to a kind of job.
https://docs.github.com/actions/reference/security/oidc
"""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_gcp as gcp

from deploy.bootstrap.settings import Stack

ISSUER = "https://token.actions.githubusercontent.com"
MAIN = "refs/heads/main"

_ENVIRONMENT = "(has(assertion.environment) ? assertion.environment : '')"
"""The claim is missing if the job has no environment."""

IDENTITIES: Mapping[str, str] = {
    "preview": "Previews of pull requests: reads, except for Secrets",
    "drift": "The nightly look for drift: reads, Helm's and the gateway's Secrets included",
    "deploy": "pulumi up after a merge to main",
}
"""Description of each service account of a stack."""


class GithubIdentities(pulumi.ComponentResource):
    """A Workload Identity pool for one repository, and the service accounts."""

    provider: pulumi.Output[str]
    """The `workload_identity_provider` of google-github-actions/auth."""
    emails: Mapping[tuple[str, str], pulumi.Output[str]]
    """The `service_account` of google-github-actions/auth, by identity and stack."""
    members: Mapping[tuple[str, str], pulumi.Output[str]]
    """The service accounts as IAM members, by identity and stack."""

    def __init__(self, name: str, repository_id: str, stacks: Sequence[Stack], opts: pulumi.ResourceOptions) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:GithubIdentities", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        pool = gcp.iam.WorkloadIdentityPool(f"{name}-pool", workload_identity_pool_id="github", opts=child)
        provider = gcp.iam.WorkloadIdentityPoolProvider(
            f"{name}-provider",
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="github",
            oidc={"issuer_uri": ISSUER},
            attribute_mapping={
                # Appears in Google's audit log; at most 127 characters.
                "google.subject": "assertion.repository_id + '/actions/runs/' + assertion.run_id",
                "attribute.jobs": job_of_token(stacks),
            },
            attribute_condition=f"assertion.repository_id == '{repository_id}'",
            opts=child,
        )
        emails: dict[tuple[str, str], pulumi.Output[str]] = {}
        for stack in stacks:
            for identity, description in IDENTITIES.items():
                account = gcp.serviceaccount.Account(
                    f"{name}-{identity}-{stack.name}",
                    # At most 30 characters.
                    account_id=f"pulumi-{identity}-{stack.name}",
                    display_name=f"Pulumi: {identity} {stack.name}",
                    description=description,
                    opts=child,
                )
                emails[identity, stack.name] = account.email
                # GitHub makes an environment that is missing, without reviewers, for any job that names it.
                if identity == "preview" and stack.production and not stack.approved_previews:
                    continue
                gcp.serviceaccount.IAMMember(
                    f"{name}-{identity}-{stack.name}-jobs",
                    service_account_id=account.name,
                    role="roles/iam.workloadIdentityUser",
                    member=pulumi.Output.format(
                        "principalSet://iam.googleapis.com/{}/attribute.jobs/{}", pool.name, jobs(identity, stack)
                    ),
                    opts=child,
                )
        self.provider = provider.name
        self.emails = emails
        self.members = {key: pulumi.Output.format("serviceAccount:{}", email) for key, email in emails.items()}
        self.register_outputs({"provider": self.provider})


def environment(identity: str, stack: Stack) -> str | None:
    """Return the GitHub environment that an identity's jobs must have, None if they must have none.

    GitHub's approvals are bound to environments. Jobs without approval have none, because GitHub shows a deployment in
    the pull request for every job with an environment.
    """
    if identity == "deploy":
        return stack.name
    if identity == "preview" and (stack.production or stack.approved_previews):
        return f"{stack.name}-preview"
    return None


def jobs(identity: str, stack: Stack) -> str:
    """Return the kind of job that may use an identity, one of the values of `job_of_token`.

    The nightly jobs of all stacks share a kind, and so do the previews without approval: they run the same code, so
    separate kinds would not restrict it.
    """
    required = environment(identity, stack)
    return f"{identity}-{required}" if required else identity


def job_of_token(stacks: Sequence[Stack]) -> str:
    """Return the CEL expression that maps a token to its kind of job: a value of `jobs`, or `none`.

    Every kind requires a certain environment, or none, so a job with any other one gets no identity. A pull request
    gains nothing from an environment without approval.
    """

    def kind(identity: str) -> str:
        required = [environment(identity, stack) for stack in stacks]
        without = f"{_ENVIRONMENT} == '' ? '{identity}'" if None in required else ""
        names = ", ".join(f"'{name}'" for name in required if name)
        within = f"{_ENVIRONMENT} in [{names}] ? '{identity}-' + assertion.environment" if names else ""
        return "(" + " : ".join([*filter(None, (without, within)), "'none'"]) + ")"

    return (
        f"assertion.event_name == 'pull_request' ? {kind('preview')}"
        f" : assertion.ref != '{MAIN}' ? 'none'"
        f" : assertion.event_name in ['schedule', 'workflow_dispatch'] ? {kind('drift')}"
        f" : assertion.event_name == 'push' ? {kind('deploy')}"
        " : 'none'"
    )
