"""The gateway's certificates, awaited until the ACME server has signed them.

The Secrets lie in the namespace of the gateway's Pods, where istiod may read them. They outlive their Certificates:
deleting one would spend the CA's weekly limit of identical certificates.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NotRequired, TypedDict

import pulumi

from components.awaiting import WAIT_FOR_READY, bounded
from components.diagnosis import explain_on_failure
from components.tls_gateway import CredentialArgs, object_name

MAX_COMMON_NAME = 64
"""Characters (RFC 5280, ub-common-name); longer names stand in dnsNames alone."""

MAX_NAMES = 100
SHORT_PROFILES = {"tlsserver": 25, "shortlived": 25}
"""Let's Encrypt's profiles without a common name, and how many names each signs (letsencrypt.org/docs/profiles)."""


class KeyArgs(TypedDict):
    """The private key."""

    algorithm: Literal["ECDSA", "RSA"]
    """The kind of key."""
    size: int
    """Bits."""
    rotation: Literal["Always", "Never"]
    """Whether a renewal makes a new key."""


class GatewayCertificateArgs(TypedDict):
    """What `GatewayCertificate` takes."""

    namespace: str
    """The namespace of the gateway's Pods."""
    issuer: pulumi.Input[str]
    """The ClusterIssuer."""
    groups: Sequence[CredentialArgs]
    """The certificates to make: `certificate_groups` says which."""
    key: KeyArgs
    """The private key of each."""
    timeout: int
    """Seconds to wait for each to be Ready."""
    profile: NotRequired[str | None]
    """The ACME profile, which may rule out a common name."""
    renew_before_percentage: NotRequired[int | None]
    """Per cent of the lifetime left at renewal; cert-manager's own third otherwise."""
    kubeconfig: NotRequired[pulumi.Input[str] | None]
    """Where to read the reason of a failure; a path or content."""
    context: NotRequired[str | None]
    """The kubeconfig's context, if not its current one."""


class Certificate(pulumi.CustomResource):
    """A cert-manager Certificate with its status, which pulumi_kubernetes' own CustomResource does not show."""

    status: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, metadata: Any, spec: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": metadata,
            "spec": spec,
            "status": None,
        }
        super().__init__("kubernetes:cert-manager.io/v1:Certificate", name, props, opts)


class GatewayCertificate(pulumi.ComponentResource):
    """One Certificate per group of names, each Ready when this component is."""

    secret: pulumi.Output[str]
    """The first certificate's Secret."""
    not_after: pulumi.Output[str]
    """When the first of them expires, RFC 3339."""
    renewal_time: pulumi.Output[str]
    """When the first of them is renewed, RFC 3339."""

    def __init__(self, name: str, args: GatewayCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:GatewayCertificate", name, {}, opts)
        certificates = [
            Certificate(
                f"{name}-{group['secret_name']}",
                metadata={
                    "name": group["secret_name"],
                    "namespace": args["namespace"],
                    "annotations": WAIT_FOR_READY,
                },
                spec=certificate_spec(group, args),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    custom_timeouts=bounded(args["timeout"]),
                    hooks=explain_on_failure(
                        f"{name}-{group['secret_name']}", args.get("kubeconfig"), args.get("context")
                    ),
                ),
            )
            for group in args["groups"]
        ]
        statuses = pulumi.Output.all(*(certificate.status for certificate in certificates))
        self.secret = pulumi.Output.from_input(args["groups"][0]["secret_name"])
        self.not_after = statuses.apply(lambda all_of_them: earliest(all_of_them, "notAfter"))
        self.renewal_time = statuses.apply(lambda all_of_them: earliest(all_of_them, "renewalTime"))
        self.register_outputs({"secret": self.secret, "notAfter": self.not_after, "renewalTime": self.renewal_time})


def earliest(statuses: Iterable[dict[str, Any] | None], field: str) -> str:
    """Return the first time among the Certificates' statuses; times of one zone and format sort as text."""
    return min((str(status[field]) for status in statuses if status and status.get(field)), default="")


def certificate_groups(
    hosts: Sequence[str], grouping: Literal["shared", "perHost"], secret_name: str, profile: str | None = None
) -> list[CredentialArgs]:
    """Divide the hosts among certificates.

    Shared: all in one; past the CA's limit of names in several, filled in the hosts' order, so that appending a host
    touches the last one or begins the next. Per host: named after the host, so that no other is touched.
    """
    if grouping == "perHost":
        return [{"secret_name": f"{secret_name}-{object_name(host)}", "hosts": [host]} for host in hosts]
    limit = SHORT_PROFILES.get(profile or "", MAX_NAMES)
    return [
        {
            "secret_name": f"{secret_name}-{start // limit + 1}" if start else secret_name,
            "hosts": list(hosts[start : start + limit]),
        }
        for start in range(0, len(hosts), limit)
    ]


def certificate_spec(group: CredentialArgs, args: GatewayCertificateArgs) -> dict[str, Any]:
    """Return a Certificate's spec (https://cert-manager.io/docs/reference/api-docs/)."""
    key = args["key"]
    first = group["hosts"][0]
    spec: dict[str, Any] = {
        "secretName": group["secret_name"],
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": args["issuer"]},
        "dnsNames": list(group["hosts"]),
        "privateKey": {
            "algorithm": key["algorithm"],
            "size": key["size"],
            "rotationPolicy": key["rotation"],
        },
    }
    if len(first) <= MAX_COMMON_NAME and args.get("profile") not in SHORT_PROFILES:
        spec["commonName"] = first
    if percentage := args.get("renew_before_percentage"):
        spec["renewBeforePercentage"] = percentage
    return spec
