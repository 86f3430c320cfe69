"""Certificates: one for each Secret, and each written out."""

from collections.abc import Iterator

from pulumi_policy import PolicyResource

from components.problem import Problem
from policies.findings import Finding, ResourceRule, StackRule, guarded
from policies.objects import KubernetesObject, Resource, Stack, matching, objects, own

CERT_MANAGER = "cert-manager.io"

_SHIMMED = {
    ("networking.k8s.io", "Ingress"),
    ("extensions", "Ingress"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "ListenerSet"),
    ("gateway.networking.x-k8s.io", "XListenerSet"),
}
"""What cert-manager makes Certificates for, when it is annotated (https://cert-manager.io/docs/usage/ingress/)."""

_ANNOTATIONS = ("cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "kubernetes.io/tls-acme")


def shared_secrets(resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield the Certificates whose Secret another one fills too."""
    for certificate in own(resource, CERT_MANAGER, "Certificate"):
        yield from guarded(certificate.where, _shared(certificate, stack.of_kind(CERT_MANAGER, "Certificate")))


def _shared(certificate: KubernetesObject, all_of_them: list[KubernetesObject]) -> Iterator[Problem]:
    secret = certificate.get("spec", "secretName")
    others = matching(
        (each for each in all_of_them if each.props is not certificate.props),
        lambda each: each.get("spec", "secretName") == secret and each.namespace == certificate.namespace,
    )
    if others:
        yield Problem(certificate.where, f"has the Secret {secret}, which {others[0].where} fills too")


def annotated(resource: Resource) -> Iterator[Finding]:
    """Yield the objects that an annotation makes cert-manager write a Certificate for."""
    for each in objects(resource):
        if (each.group, each.kind) in _SHIMMED:
            yield from guarded(each.where, _annotated(each))


def _annotated(each: KubernetesObject) -> Iterator[Problem]:
    for annotation in _ANNOTATIONS:
        value = each.get("metadata", "annotations", annotation)
        if value and (annotation != "kubernetes.io/tls-acme" or value == "true"):
            yield Problem(each.where, f"has the annotation {annotation}: cert-manager writes a Certificate for it")


ONE_PER_SECRET = StackRule(
    name="one-certificate-per-secret",
    description="No two Certificates fill the same Secret: each would replace what the other one was issued, for ever.",
    fix=("give each Certificate a secretName of its own",),
    stops="two Certificates with one `secretName` in a namespace",
    cannot_see="Certificates of other stacks",
    find=shared_secrets,
)

WRITTEN_OUT = ResourceRule(
    name="no-certificate-by-annotation",
    description="Certificates are written out, so that the policies see who signs and which names: none is made from"
    " an annotation.",
    fix=("write a Certificate with the hosts as dnsNames, and remove the annotation; or use GatewayCertificate",),
    stops="the annotations `cert-manager.io/issuer`, `cert-manager.io/cluster-issuer` and `kubernetes.io/tls-acme` on"
    " Ingresses and on Gateways and ListenerSets of the Gateway API",
    cannot_see="annotations that something else puts on the object later",
    find=annotated,
)
