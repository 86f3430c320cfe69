"""Protection from deletion: without cert-manager, its CRDs or its issuers, no certificate is renewed."""

from collections.abc import Iterator

from components.problem import Problem
from policies import cert_manager
from policies.certificates import CERT_MANAGER
from policies.findings import StackRule
from policies.issuers import ISSUERS
from policies.objects import KubernetesObject, Stack, matching, objects
from policies.stack_config import in_production


def _unprotected(obj: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    if not in_production() or obj.resource.opts.protect or obj.patch:
        return
    needed = (
        cert_manager.installs(obj)
        or obj.is_a(*ISSUERS)
        or (obj.is_a("apiextensions.k8s.io", "CustomResourceDefinition") and obj.name.endswith(CERT_MANAGER))
        or (obj.is_a("core", "Namespace") and _contains_cert_manager(obj, stack))
    )
    if needed:
        yield Problem(obj.where, "is not protected")


def _contains_cert_manager(namespace: KubernetesObject, stack: Stack) -> bool:
    return bool(
        matching(stack.objects, lambda obj: cert_manager.installs(obj) and obj.get("namespace") == namespace.name)
    )


PROTECT = StackRule(
    name="protected-in-production",
    description="In a production stack, cert-manager, its namespace, its CRDs and the issuers are protected from"
    " deletion.",
    fix=("pulumi config set protect true",),
    stops="a release or chart of cert-manager, its Namespace, a CRD of cert-manager.io, an Issuer or ClusterIssuer"
    " without `protect`, in a stack whose config says `production: true`",
    cannot_see="deletion by other programs than Pulumi",
    subjects=objects,
    find=_unprotected,
)
