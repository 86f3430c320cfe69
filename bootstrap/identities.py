"""Who comes in from GitHub Actions, without a key: three service accounts, each for some of the repository's jobs.

A job shows GitHub's token, which says the repository, the event and the branch. The provider takes tokens of one
repository only, and `identity_of_job` says which identity each may be. It reads no name of the repository: somebody
else can take a name over, and new repositories write their numbers beside it.
https://docs.github.com/actions/reference/security/oidc
https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
import pulumi_gcp as gcp

ISSUER = "https://token.actions.githubusercontent.com"
MAIN = "refs/heads/main"

DESCRIPTIONS = {
    "preview": "Previews of pull requests: reads, except for Secrets",
    "drift": "The nightly look for drift: reads, Helm's Secrets included",
    "deploy": "pulumi up after a merge to main",
}


class GithubIdentitiesArgs(TypedDict):
    """What `GithubIdentities` takes."""

    repository_id: str
    """The repository's number."""
    environments: Sequence[str]
    """GitHub environments whose jobs deploy."""


class GithubIdentities(pulumi.ComponentResource):
    """A Workload Identity pool for one repository, and the service accounts."""

    provider: pulumi.Output[str]
    """What google-github-actions/auth takes as `workload_identity_provider`."""
    emails: Mapping[str, pulumi.Output[str]]
    """What it takes as `service_account`, by identity."""
    members: Mapping[str, pulumi.Output[str]]
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
                "attribute.identity": identity_of_job(args["environments"]),
            },
            attribute_condition=f"assertion.repository_id == '{args['repository_id']}'",
            opts=child,
        )
        accounts = {
            identity: gcp.serviceaccount.Account(
                f"{name}-{identity}",
                account_id=f"pulumi-{identity}",
                display_name=f"Pulumi: {identity}",
                description=description,
                opts=child,
            )
            for identity, description in DESCRIPTIONS.items()
        }
        for identity, account in accounts.items():
            gcp.serviceaccount.IAMMember(
                f"{name}-{identity}-jobs",
                service_account_id=account.name,
                role="roles/iam.workloadIdentityUser",
                member=pulumi.Output.format(
                    "principalSet://iam.googleapis.com/{}/attribute.identity/{}", pool.name, identity
                ),
                opts=child,
            )
        self.provider = provider.name
        self.emails = {identity: account.email for identity, account in accounts.items()}
        self.members = {
            identity: pulumi.Output.format("serviceAccount:{}", email) for identity, email in self.emails.items()
        }
        self.register_outputs({"provider": self.provider})


def identity_of_job(environments: Sequence[str]) -> str:
    """Return, in CEL, which identity the job of a token may be; `none` is nobody.

    A pull request is the preview identity whatever environment it names. On main, an environment's job deploys, which
    the subject ends with; the environment itself may ask for an approval first.
    """
    deploys = " || ".join(f"assertion.sub.endsWith(':environment:{environment}')" for environment in environments)
    return (
        "assertion.event_name == 'pull_request' ? 'preview'"
        f" : assertion.ref != '{MAIN}' ? 'none'"
        " : assertion.event_name in ['schedule', 'workflow_dispatch'] ? 'drift'"
        f" : assertion.event_name == 'push' && ({deploys}) ? 'deploy'"
        " : 'none'"
    )
