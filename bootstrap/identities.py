"""Who comes in from GitHub Actions, without a key: three service accounts, each for some of the repository's jobs.

A job shows GitHub's token, which says the repository, the event, the branch and the environment. The provider takes
tokens of one repository only; a service account is bound to what the token says of the job.
https://docs.github.com/actions/reference/security/oidc
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

    repository: str
    """`OWNER/NAME`."""
    repository_id: str
    """Its number: a name can be taken over after a repository is renamed or deleted."""
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
                "google.subject": "assertion.sub",
                "attribute.job": "assertion.sub + ':' + assertion.ref",
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
        for identity, principals in principals_of(args["repository"], args["environments"]).items():
            for number, principal in enumerate(principals):
                gcp.serviceaccount.IAMMember(
                    f"{name}-{identity}-{number}",
                    service_account_id=accounts[identity].name,
                    role="roles/iam.workloadIdentityUser",
                    member=pulumi.Output.format("{}//iam.googleapis.com/{}/{}", principal[0], pool.name, principal[1]),
                    opts=child,
                )
        self.provider = provider.name
        self.emails = {identity: account.email for identity, account in accounts.items()}
        self.members = {
            identity: pulumi.Output.format("serviceAccount:{}", email) for identity, email in self.emails.items()
        }
        self.register_outputs({"provider": self.provider})


def principals_of(repository: str, environments: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Return which jobs may act as which identity, as the scheme and the tail of IAM's principal identifiers.

    A job with an environment names it in its subject, in place of the branch; so the branch is asked for as well, and
    a branch that is not main does not deploy even where the environment would let it.
    """
    subject = f"repo:{repository}"
    return {
        "preview": [("principal:", f"subject/{subject}:pull_request")],
        "drift": [("principal:", f"subject/{subject}:ref:{MAIN}")],
        "deploy": [
            ("principalSet:", f"attribute.job/{subject}:environment:{environment}:{MAIN}")
            for environment in environments
        ],
    }
