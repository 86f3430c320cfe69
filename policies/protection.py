"""What hurts when it is deleted: with cert-manager or its issuers, no certificate of the cluster is renewed."""

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from policies import issuers
from policies.findings import in_production, is_kind, resource_policy


def unprotected(resource: ResourceValidationArgs) -> Iterator[str]:
    """Yield a resource of a production stack that `destroy` would take with it."""
    hurts = (
        is_kind(resource, "core", "Namespace")
        or is_kind(resource, "helm.sh", "Release")
        or is_kind(resource, issuers.GROUP, "ClusterIssuer")
    )
    if hurts and in_production(resource) and not resource.opts.protect:
        yield f"{resource.name} is not protected."


PROTECT = resource_policy(
    "protected-in-production",
    "In a production stack, cert-manager, its namespace and the cluster's issuers are protected from deletion.",
    "pulumi config set protect true",
    unprotected,
)
