"""The table of contents: state and key, identities, what each may do, and the repository's variables."""

import sys
from pathlib import Path

import pulumi

# The engine puts this folder on the path; the packages are beside it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bootstrap.grants import GRANTS, Grants
from bootstrap.identities import GithubIdentities
from bootstrap.settings import load
from bootstrap.state import StateBackend

settings = load()

state = StateBackend("state", {"project": settings.project, "location": settings.location})
github = GithubIdentities(
    "github",
    {"repository_id": settings.repository_id, "environments": settings.environments},
)
for identity, roles in GRANTS.items():
    Grants(
        identity,
        {
            "roles": roles,
            "member": github.members[identity],
            "bucket": state.bucket,
            "key": state.key,
            "cluster_project": settings.cluster_project or settings.project,
            "dns_project": settings.dns_project or settings.project,
            "zones": settings.zones,
        },
    )

# Named as the workflows read them: `pulumi stack output --shell | gh variable set --env-file -`.
pulumi.export("PULUMI_BACKEND_URL", state.url)
pulumi.export("PULUMI_SECRETS_PROVIDER", state.secrets_provider)
pulumi.export("WORKLOAD_IDENTITY_PROVIDER", github.provider)
for identity, email in github.emails.items():
    pulumi.export(f"{identity.upper()}_SERVICE_ACCOUNT", email)
