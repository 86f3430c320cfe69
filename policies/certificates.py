"""Certificates: one for each Secret, and none from an annotation."""

from collections.abc import Iterable, Iterator

from components.problem import Problem
from components.specs import gateway_api
from components.specs.cert_manager import GROUP as CERT_MANAGER
from policies.findings import Rule
from policies.objects import KubernetesObject, Stack, matching, objects, of_kind

CERTIFICATES = (CERT_MANAGER, "Certificate")

_ANNOTATED = {
    ("networking.k8s.io", "Ingress"),
    ("extensions", "Ingress"),
    (gateway_api.GROUP, gateway_api.GATEWAY),
    (gateway_api.GROUP, gateway_api.LISTENER_SET),
    ("gateway.networking.x-k8s.io", "XListenerSet"),
}
"""Kinds whose annotations make cert-manager create Certificates (https://cert-manager.io/docs/usage/ingress/)."""

_ANNOTATIONS = ("cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "kubernetes.io/tls-acme")


def dns_names(certificate: KubernetesObject) -> Iterable[str]:
    """Return the names of a Certificate. cert-manager adds the common name to them."""
    common_name = certificate.get("spec", "commonName")
    return [*certificate.items("spec", "dnsNames"), *([common_name] if common_name else [])]


def _shared_secret(certificate: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    secret = certificate.get("spec", "secretName")
    others = matching(
        (other for other in stack.of_kind(*CERTIFICATES) if other.props is not certificate.props),
        lambda other: other.get("spec", "secretName") == secret and other.namespace == certificate.namespace,
    )
    if others:
        yield Problem(certificate.where, f"has the Secret {secret}, which {others[0].where} fills too")


def _annotations(obj: KubernetesObject, _stack: Stack) -> Iterator[Problem]:
    for annotation in _ANNOTATIONS:
        value = obj.get("metadata", "annotations", annotation)
        if value and (annotation != "kubernetes.io/tls-acme" or value == "true"):
            yield Problem(obj.where, f"has the annotation {annotation}: cert-manager creates a Certificate for it")


ONE_PER_SECRET = Rule(
    name="one-certificate-per-secret",
    description="No two Certificates fill the same Secret: they would replace each other's contents forever.",
    fix=("give each Certificate a secretName of its own",),
    cannot_see="Certificates of other stacks",
    subjects=of_kind(*CERTIFICATES),
    find=_shared_secret,
)

WRITTEN_OUT = Rule(
    name="no-certificate-by-annotation",
    description="Every Certificate is a resource of the program, so that the policies see its issuer and its names:"
    " none comes from an annotation of an Ingress, or of a Gateway or ListenerSet of the Gateway API.",
    fix=("write a Certificate with the hosts as dnsNames, and remove the annotation; or use GatewayCertificate",),
    cannot_see="annotations that something else puts on the object later",
    subjects=lambda resource: (obj for obj in objects(resource) if (obj.group, obj.kind) in _ANNOTATED),
    find=_annotations,
    needs_stack=False,
)
