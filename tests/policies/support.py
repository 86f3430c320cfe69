"""Resources as the engine hands them to policies, and what a policy says of them."""

from collections.abc import Mapping
from typing import Any

from pulumi_policy import (
    Policy,
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import unknown_checking_proxy

PROJECT = "istio-gateway-tls"


def resource(
    type_: str, props: Mapping[str, Any], *, name: str = "it", stack: str = "dev", protect: bool = False
) -> PolicyResource:
    """A resource of a stack; its properties refuse to be read where they are unknown, as the SDK's do."""
    options = PolicyResourceOptions(protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    urn = f"urn:pulumi:{stack}::{PROJECT}::{type_}::{name}"
    return PolicyResource(type_, unknown_checking_proxy(dict(props)), urn, name, options, None, None, [], {})


def findings(policy: Policy, *resources: PolicyResource) -> list[str]:
    """What the policy reports of a stack that is made of these resources."""
    reported: list[str] = []

    def report(message: str, _urn: str | None = None) -> None:
        reported.append(message)

    if isinstance(policy, StackValidationPolicy):
        policy.validate(StackValidationArgs(list(resources)), report)
        return reported
    assert isinstance(policy, ResourceValidationPolicy), "there is no third kind"
    for each in resources:
        args = ResourceValidationArgs(each.resource_type, each.props, each.urn, each.name, each.opts, each.provider)
        policy.validate(args, report)
    return reported


def issuer(
    challenge: str = "http01", *, environment: str = "staging", email: str = "platform@sandbox.test", server: str = ""
) -> PolicyResource:
    """A ClusterIssuer with one solver."""
    acme = {"email": email, "server": server or f"https://acme-{environment}.sandbox.test/dir"}
    return resource(
        "kubernetes:cert-manager.io/v1:ClusterIssuer",
        {
            "metadata": {"name": f"letsencrypt-{environment}-istio"},
            "spec": {"acme": {**acme, "solvers": [{challenge: {}}]}},
        },
        name=f"issuer-{environment}",
    )


def certificate(
    *names: str,
    issuer: str = "letsencrypt-staging-istio",
    namespace: str = "istio-system",
    secret: str = "certs",  # noqa: S107 - a name
    stack: str = "dev",
) -> PolicyResource:
    """A Certificate that a ClusterIssuer signs."""
    return resource(
        "kubernetes:cert-manager.io/v1:Certificate",
        {
            "metadata": {"name": secret, "namespace": namespace},
            "spec": {
                "secretName": secret,
                "dnsNames": list(names or ("shop.sandbox.test",)),
                "issuerRef": {"kind": "ClusterIssuer", "name": issuer},
            },
        },
        stack=stack,
    )


def gateway(*servers: Mapping[str, Any], version: str = "v1") -> PolicyResource:
    """An Istio Gateway in istio-system."""
    return resource(
        f"kubernetes:networking.istio.io/{version}:Gateway",
        {"metadata": {"name": "tls", "namespace": "istio-system"}, "spec": {"servers": list(servers)}},
    )


def https(*hosts: str, **tls: Any) -> dict[str, Any]:
    """A server on port 443; a field of `tls` that is None is left out."""
    given = {"mode": "SIMPLE", "minProtocolVersion": "TLSV1_2", "credentialName": "certs", **tls}
    return {
        "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
        "hosts": list(hosts or ("shop.sandbox.test",)),
        "tls": {key: value for key, value in given.items() if value is not None},
    }


def http(**tls: Any) -> dict[str, Any]:
    """A server on port 80."""
    return {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["shop.sandbox.test"], "tls": tls}


def record(name: str = "shop.sandbox.test.", ttl: float | None = 300, zone: str = "sandbox") -> PolicyResource:
    """An A record."""
    props = {"name": name, "managedZone": zone, "type": "A", "rrdatas": ["203.0.113.10"]}
    return resource(
        "gcp:dns/recordSet:RecordSet", props if ttl is None else {**props, "ttl": ttl}, name=f"{zone}-{name}"
    )


def release(version: str | None, chart: str = "oci://quay.io/jetstack/charts/cert-manager") -> PolicyResource:
    """A Helm release."""
    props = {"chart": chart, "version": version} if version else {"chart": chart}
    return resource("kubernetes:helm.sh/v3:Release", props)
