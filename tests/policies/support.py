"""Resources as the engine hands them to policies, and what policies report about them."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

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

from components.specs.cert_manager import CHART
from policies import RULES
from policies.findings import Rule, unjudged_policy

PROJECT = "istio-gateway-tls"


@contextmanager
def configured(**config: Any) -> Iterator[None]:
    """Set the stack config as the engine hands it to the pack."""
    values = {
        f"{PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }
    with mock.patch.dict(os.environ, PULUMI_CONFIG=json.dumps(values)):
        yield


def resource(
    type_: str, props: Mapping[str, Any], *, name: str = "it", stack: str = "dev", protect: bool = False
) -> PolicyResource:
    """A resource whose unknown properties raise when they are read, like those of the SDK."""
    options = PolicyResourceOptions(protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    urn = f"urn:pulumi:{stack}::{PROJECT}::{type_}::{name}"
    return PolicyResource(type_, unknown_checking_proxy(dict(props)), urn, name, options, None, None, [], {})


def findings(policy: Policy, *resources: PolicyResource) -> list[str]:
    """What a policy reports about a stack of these resources."""
    reported: list[str] = []

    def report(message: str, _urn: str | None = None) -> None:
        reported.append(message)

    if isinstance(policy, StackValidationPolicy):
        policy.validate(StackValidationArgs(list(resources)), report)
        return reported
    assert isinstance(policy, ResourceValidationPolicy), "there is no third kind"
    for item in resources:
        args = ResourceValidationArgs(item.resource_type, item.props, item.urn, item.name, item.opts, item.provider)
        policy.validate(args, report)
    return reported


def holds(rule: Rule[Any], *resources: PolicyResource) -> None:
    """Require that a rule reports nothing and leaves nothing unjudged."""
    assert findings(rule.policy(), *resources) == [], "the stack keeps the rule"
    assert advice(*resources, rule=rule) == [], "and the rule has judged everything"


def breaks(rule: Rule[Any], *resources: PolicyResource, saying: str, times: int = 1) -> None:
    """Require that a rule reports a problem and its fix."""
    reported = findings(rule.policy(), *resources)
    assert len(reported) == times, f"{rule.name} should report {times} findings, and reported {reported}"
    assert saying in reported[0], "the finding names the problem"
    assert reported[0].count("\n    "), "and the fix is printed with it"


def advice(*resources: PolicyResource, rule: Rule[Any] | None = None) -> list[str]:
    """What the rules could not judge and only report as an advisory."""
    return findings(unjudged_policy([rule] if rule else RULES), *resources)


def kubernetes(type_: str, name: str = "it", namespace: str | None = "shop", **props: Any) -> PolicyResource:
    """A Kubernetes object, by its type without prefix: `networking.istio.io/v1:Gateway`."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **props.pop("metadata", {})}
    return resource(f"kubernetes:{type_}", {"metadata": metadata, **props}, name=f"{type_.rpartition(':')[2]}-{name}")


def issuer(
    challenge: str = "http01",
    *,
    environment: str = "staging",
    email: Any = "platform@sandbox.test",
    server: Any = "",
    kind: str = "ClusterIssuer",
    **spec: Any,
) -> PolicyResource:
    """An issuer with one solver; `spec` replaces the ACME one."""
    acme = {"email": email, "server": server or f"https://acme-{environment}.sandbox.test/dir"}
    return kubernetes(
        f"cert-manager.io/v1:{kind}",
        f"letsencrypt-{environment}-istio",
        namespace=None if kind == "ClusterIssuer" else "istio-system",
        spec=spec or {"acme": {**acme, "solvers": [{challenge: {}}]}},
    )


def certificate(
    *names: str,
    issuer: Any = "letsencrypt-staging-istio",
    namespace: str = "istio-system",
    secret: Any = "certs",  # noqa: S107 (a name)
    name: str = "certs",
    request: str = "Certificate",
    **reference: Any,
) -> PolicyResource:
    """A Certificate, or another request, that a ClusterIssuer signs."""
    group = "acme.cert-manager.io" if request == "Order" else "cert-manager.io"
    spec = {
        "secretName": secret,
        "dnsNames": list(names or ("shop.sandbox.test",)),
        "issuerRef": {"kind": "ClusterIssuer", "name": issuer, **reference},
    }
    return kubernetes(f"{group}/v1:{request}", name, namespace, spec=spec)


def gateway(
    *servers: Any, name: str = "tls", namespace: str = "istio-system", selector: Mapping[str, Any] | None = None
) -> PolicyResource:
    """An Istio Gateway in istio-system."""
    spec = {"selector": {"istio": "ingressgateway"} if selector is None else dict(selector), "servers": list(servers)}
    return kubernetes("networking.istio.io/v1:Gateway", name, namespace, spec=spec)


def https(*hosts: str, protocol: str = "HTTPS", **tls: Any) -> dict[str, Any]:
    """A server on port 443; a field of `tls` that is None is left out."""
    settings = {"mode": "SIMPLE", "minProtocolVersion": "TLSV1_2", "credentialName": "certs", **tls}
    return {
        "port": {"number": 443.0, "name": "https", "protocol": protocol},
        "hosts": list(hosts or ("shop.sandbox.test",)),
        "tls": {key: value for key, value in settings.items() if value is not None},
    }


def http(*hosts: str, protocol: Any = "HTTP", number: float = 80.0, **tls: Any) -> dict[str, Any]:
    """A server without TLS."""
    port = {"number": number, "name": "http", "protocol": protocol}
    return {"port": port, "hosts": list(hosts or ("shop.sandbox.test",)), **({"tls": tls} if tls else {})}


def virtual_service(*gateways: Any, host: str = "shop.sandbox.test", name: str = "it", **routes: Any) -> PolicyResource:
    """A VirtualService in namespace shop, by default with a route to an application."""
    routes = routes or {"http": [{"route": [{"destination": {"host": "shop"}}]}]}
    return kubernetes(
        "networking.istio.io/v1:VirtualService", name, spec={"hosts": [host], "gateways": list(gateways), **routes}
    )


def ingress(class_name: Any = None, name: str = "it", group: str = "networking.k8s.io", **notes: Any) -> PolicyResource:
    """An Ingress; `notes` are its annotations."""
    spec = {"ingressClassName": class_name} if class_name else {}
    return kubernetes(f"{group}/v1:Ingress", name, metadata={"annotations": notes} if notes else {}, spec=spec)


def api_gateway(
    class_name: Any = "istio", namespace: str = "shop", listeners: Sequence[Any] = (), name: str = "api", **spec: Any
) -> PolicyResource:
    """A Gateway of the Gateway API."""
    spec = {"gatewayClassName": class_name, "listeners": list(listeners), **spec}
    return kubernetes("gateway.networking.k8s.io/v1:Gateway", name, namespace, spec=spec)


def api_class(name: str, controller: Any) -> PolicyResource:
    """A GatewayClass."""
    return kubernetes("gateway.networking.k8s.io/v1:GatewayClass", name, None, spec={"controllerName": controller})


def api_route(
    kind_: str = "HTTPRoute", group: str = "gateway.networking.k8s.io", rules: Sequence[Any] = ({},), **parent: Any
) -> PolicyResource:
    """A route, or an experimental ListenerSet, on a Gateway of the Gateway API."""
    reference = {"name": "api", **parent}
    refers = {"parentRef": reference} if "ListenerSet" in kind_ else {"parentRefs": [reference]}
    spec = {**refers, "hostnames": ["shop.sandbox.test"], "rules": list(rules)}
    return kubernetes(f"{group}/v1:{kind_}", "route", spec=spec)


def listener_set(*listeners: Any, namespace: str = "istio-system", name: str = "web") -> PolicyResource:
    """A ListenerSet on a Gateway that may be of another stack."""
    spec = {"parentRef": {"name": "shared"}, "listeners": list(listeners)}
    return kubernetes("gateway.networking.k8s.io/v1:ListenerSet", name, namespace, spec=spec)


def listener(
    host: Any = "shop.sandbox.test", protocol: str = "HTTP", routes: Mapping[str, Any] | None = None, **tls: Any
) -> dict[str, Any]:
    """A listener of the Gateway API for routes of every namespace; a field of `tls` that is None is left out."""
    settings = {key: value for key, value in tls.items() if value is not None}
    return {
        "name": "web",
        **({"hostname": host} if host else {}),
        "port": 443.0 if protocol == "HTTPS" else 80.0,
        "protocol": protocol,
        "allowedRoutes": {"namespaces": {"from": "All"} if routes is None else dict(routes)},
        **({"tls": settings} if settings else {}),
    }


def api_https(host: Any = "shop.sandbox.test", **tls: Any) -> dict[str, Any]:
    """A listener that terminates TLS with the Secret certs."""
    return listener(host, "HTTPS", **{"mode": "Terminate", "certificateRefs": [{"name": "certs"}], **tls})


def record(
    name: Any = "shop.sandbox.test.", ttl: Any = 300, zone: Any = "sandbox", type_: Any = "A", **more: Any
) -> PolicyResource:
    """A record set."""
    props = {"name": name, "managedZone": zone, "type": type_, "rrdatas": ["203.0.113.10"], **more}
    label = f"{zone}-{name}-{type_}-{more}"
    return resource("gcp:dns/recordSet:RecordSet", props if ttl is None else {**props, "ttl": ttl}, name=label)


def zone(name: Any = "sandbox", **more: Any) -> PolicyResource:
    """A managed zone with the domain sandbox.test."""
    return resource("gcp:dns/managedZone:ManagedZone", {"name": name, "dnsName": "sandbox.test.", **more})


def release(
    version: Any = "v1.21.2", chart: Any = CHART, *, kind: str = "v3:Release", protect: bool = False, **props: Any
) -> PolicyResource:
    """A Helm release, or a chart."""
    props = {"chart": chart, **({"version": version} if version else {}), **props}
    return resource(f"kubernetes:helm.sh/{kind}", props, protect=protect)
