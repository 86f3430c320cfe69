"""Identities for GitHub's jobs, each stack's state and key, the identities' rights, and the repository's variables."""

import sys
from pathlib import Path

import pulumi
import pulumi_gcp as gcp

# The engine puts only this folder on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.bootstrap.grants import GRANTS, Grants, SolverAccess
from deploy.bootstrap.identities import GithubIdentities
from deploy.bootstrap.settings import load
from deploy.bootstrap.state import APIS, StateBackend

settings = load()

# Not disabled on destroy: others in the project may use them.
apis = [gcp.projects.Service(f"api-{api}", service=f"{api}.googleapis.com", disable_on_destroy=False) for api in APIS]
enabled = pulumi.ResourceOptions(depends_on=apis)
ring = gcp.kms.KeyRing(
    "ring",
    name="pulumi",
    location=settings.location,
    opts=pulumi.ResourceOptions.merge(enabled, pulumi.ResourceOptions(protect=True)),
)
github = GithubIdentities("github", settings.repository_id, settings.stacks, opts=enabled)

# The workflows read the outputs as variables: `pulumi stack output --shell | gh variable set --env-file -`.
pulumi.export("WORKLOAD_IDENTITY_PROVIDER", github.provider)
for stack in settings.stacks:
    state = StateBackend(stack.name, settings.project, settings.location, ring.id, opts=enabled)
    variable = stack.name.upper().replace("-", "_")
    pulumi.export(f"PULUMI_BACKEND_URL_{variable}", state.url)
    pulumi.export(f"PULUMI_SECRETS_PROVIDER_{variable}", state.secrets_provider)
    cluster_project, dns_project = stack.cluster_project or settings.project, stack.dns_project or settings.project
    suffix = stack.role_suffix
    if stack.dns01_zone:
        SolverAccess(f"dns01-{stack.name}", stack.dns01_zone, dns_project, cluster_project, stack.dns01_account, suffix)
    for identity, roles in GRANTS.items():
        member = github.members[identity, stack.name]
        Grants(f"{identity}-{stack.name}", roles, member, state, cluster_project, dns_project, stack.zones, suffix)
        pulumi.export(f"{identity.upper()}_SERVICE_ACCOUNT_{variable}", github.emails[identity, stack.name])
