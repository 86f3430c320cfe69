"""What hurts when it is deleted: without cert-manager, its CRDs or its issuers, no certificate is renewed."""

from collections.abc import Iterator

from pulumi_policy import PolicyResource

from components.problem import Problem
from policies import cert_manager
from policies.certificates import CERT_MANAGER
from policies.findings import Finding, StackRule, guarded
from policies.issuers import KINDS
from policies.objects import KubernetesObject, Stack, matching, objects
from policies.stack_config import in_production

_CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


def unprotected(resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield a resource of a production stack that `destroy` would take with it."""
    if in_production() and not resource.opts.protect:
        for each in objects(resource):
            yield from guarded(each.where, _unprotected(each, stack))


def _unprotected(each: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    hurts = (
        cert_manager.installs(each)
        or (each.group == CERT_MANAGER and each.kind in KINDS)
        or ((each.group, each.kind) == _CRD and each.name.endswith(CERT_MANAGER))
        or ((each.group, each.kind) == ("core", "Namespace") and _holds_cert_manager(each, stack))
    )
    if hurts and not each.patch:
        yield Problem(each.where, "is not protected")


def _holds_cert_manager(namespace: KubernetesObject, stack: Stack) -> bool:
    return bool(
        matching(stack.objects, lambda each: cert_manager.installs(each) and each.get("namespace") == namespace.name)
    )


PROTECT = StackRule(
    name="protected-in-production",
    description="In a production stack, cert-manager, its namespace, its CRDs and the issuers are protected from"
    " deletion.",
    fix=("pulumi config set protect true",),
    stops="a release or chart of cert-manager, the Namespace that it is in, a CRD of cert-manager.io, an Issuer or"
    " ClusterIssuer without `protect`, in a stack whose config says `production: true`",
    cannot_see="deletion by other programs than Pulumi",
    find=unprotected,
)
