"""Listeners of the gateway: those without TLS only redirect, the others terminate TLS with a certificate.

A route is served by every listener of its gateways that has one of its hosts, the listeners without TLS included.
"""

from collections.abc import Iterator

from components.problem import Problem
from components.specs import tls
from components.specs.gateway_api import CIPHER_SUITES as CIPHER_OPTION
from components.specs.names import covers
from policies import gateway_api, istio
from policies.certificates import CERTIFICATES, dns_names
from policies.findings import Finding, Rule, Unjudged, guarded
from policies.listeners import Listener, Parent, Route
from policies.objects import KubernetesObject, Resource, Stack, matching, objects, reading
from policies.stack_config import selectors


def _gateways_of(resource: Resource) -> Iterator[KubernetesObject]:
    for obj in objects(resource):
        if obj.is_a(istio.GROUP, "Gateway") or obj.is_a(gateway_api.GROUP, *gateway_api.PARENTS):
            yield obj


def listeners_of(resource: Resource) -> Iterator[Listener]:
    """Yield the listeners of a resource's gateways, of either API."""
    for gateway in _gateways_of(resource):
        yield from _listeners(gateway)


def _listeners(gateway: KubernetesObject) -> Iterator[Listener]:
    if gateway.is_a(istio.GROUP, "Gateway"):
        yield from istio.servers(gateway)
    else:
        yield from gateway_api.listeners(gateway)


def _routes_of(resource: Resource) -> Iterator[Route]:
    for obj in objects(resource):
        if obj.is_a(istio.GROUP, "VirtualService"):
            yield istio.VirtualService(obj)
        elif obj.is_a(gateway_api.GROUP, "HTTPRoute"):
            yield gateway_api.HttpRoute(obj)


def _exposed(route: Route, stack: Stack) -> Iterator[Finding]:
    for parent in route.parents():
        yield from guarded(route.where, _exposed_on(route, parent, stack))


def _exposed_on(route: Route, parent: Parent, stack: Stack) -> Iterator[Finding]:
    application = next(route.applications(parent), None)
    if not application:
        return
    gateways = stack.named(parent.group, parent.kind, parent.namespace, parent.name)
    if not gateways:
        what = f"is on the {parent.kind} {parent.namespace}/{parent.name}, which is not of this stack"
        yield Unjudged(route.where, what)
    for gateway in gateways:
        for listener in _unencrypted_listeners(gateway, parent):
            if route.attaches(listener):
                what = f"{application} is served without TLS by {listener.word} {listener.label} of {gateway.where}"
                yield Problem(route.where, what)


def _unencrypted_listeners(gateway: KubernetesObject, parent: Parent) -> list[Listener]:
    """Return a gateway's listeners that serve routes without TLS, as far as the route's parent names them."""
    with reading(gateway):
        return [
            listener
            for listener in _listeners(gateway)
            if not listener.encrypted and not listener.redirects_to_https and parent.includes(listener)
        ]


def _weak_versions(listener: Listener, _stack: Stack) -> Iterator[Problem]:
    if listener.terminates_tls:
        yield from (Problem(listener.where, problem) for problem in listener.weak_versions())


def _weak_cipher_suites(listener: Listener, _stack: Stack) -> Iterator[Problem]:
    for suite in listener.cipher_suites if listener.terminates_tls else ():
        if suite not in tls.CIPHER_SUITES:
            yield Problem(listener.where, f"the cipher suite {suite} is not one of Mozilla's intermediate profile")


def _other_modes(gateway: KubernetesObject, _stack: Stack) -> Iterator[Finding]:
    if gateway.is_a(istio.GROUP, "Gateway") and istio.is_of_other_gateways(gateway):
        labels = " or ".join(str(dict(selector)) for selector in selectors())
        yield Unjudged(gateway.where, f"is for other Pods than those with the labels {labels}")
    for listener in _listeners(gateway):
        yield from guarded(listener.where, _other_mode(listener))


def _other_mode(listener: Listener) -> Iterator[Problem]:
    if not listener.speaks_tls:
        return
    if not listener.encrypted:
        yield Problem(listener.where, f"has protocol {listener.protocol} and no TLS settings")
    elif not listener.mode:
        yield Problem(listener.where, "has no TLS mode, which to Istio is PASSTHROUGH")
    elif not listener.presents_certificate:
        yield Problem(listener.where, f"has the TLS mode {listener.mode}: no policy sees the certificate clients get")


def _missing_certificates(listener: Listener, stack: Stack) -> Iterator[Problem]:
    if not listener.terminates_tls:
        return
    if not listener.credentials:
        yield Problem(listener.where, f"has no {listener.certificate_key}")
    for namespace, secret in listener.credentials:
        if namespace != listener.gateway.namespace:
            what = f"the Secret {secret} is in namespace {namespace}, and the gateway in {listener.gateway.namespace}"
            yield Problem(listener.where, what)
        else:
            yield from _uncovered_hosts(listener, secret, stack.of_kind(*CERTIFICATES))


def _uncovered_hosts(listener: Listener, secret: str, certificates: list[KubernetesObject]) -> Iterator[Problem]:
    """Yield the hosts that the certificate in a Secret does not cover; each of several Secrets must cover them all."""
    namespace = listener.gateway.namespace
    filling = matching(certificates, lambda certificate: certificate.get("spec", "secretName") == secret)
    in_namespace = [certificate for certificate in filling if certificate.namespace == namespace]
    if not filling:
        yield Problem(listener.where, f"no Certificate of the stack fills the Secret {secret}")
    elif not in_namespace:
        yield Problem(
            listener.where,
            f"the Certificate of Secret {secret} is in namespace {filling[0].namespace}, and the gateway in"
            f" {namespace}",
        )
    else:
        names = [name for certificate in in_namespace for name in dns_names(certificate)]
        for host in dict.fromkeys(host for _, host in listener.hosts):
            if not any(covers(name, host) for name in names):
                yield Problem(listener.where, f"{host} is not in the certificate of Secret {secret}")


NO_PLAIN_HTTP = Rule(
    name="no-plain-http",
    description="No application is served over plain HTTP: a server or listener without TLS only redirects to HTTPS,"
    " whatever its port and protocol.",
    fix=(
        "gateways: [NAMESPACE/TLS-GATEWAY]    # the application's routes, on a Gateway of port 443 alone",
        "parentRefs: [{name: TLS-GATEWAY}]    # the same in the Gateway API",
        "redirect: {scheme: https, redirectCode: 301}    # all that the Gateway of port 80 serves; or use HttpGateway",
    ),
    cannot_see="VirtualServices and HTTPRoutes on Gateways of other stacks (reported as an advisory); Services of type"
    " LoadBalancer or NodePort, which bypass the gateway; what a Helm release installs",
    subjects=_routes_of,
    find=_exposed,
)

TLS_VERSION = Rule(
    name="tls-1.2-or-later",
    description="Every server that terminates TLS sets a minimum version of 1.2 or later, and no maximum below. A"
    " listener of the Gateway API cannot set one: Envoy's minimum is 1.2.",
    fix=(
        "pulumi config set --path tls.minVersion 1.2",
        "minProtocolVersion: TLSV1_2    # or TLSV1_3, on the server of a Gateway of your own",
    ),
    cannot_see="what MeshConfig sets for the whole mesh: it can only raise the minimum, in both APIs",
    subjects=listeners_of,
    find=_weak_versions,
    needs_stack=False,
)

CIPHER_SUITES = Rule(
    name="strong-cipher-suites",
    description="The cipher suites of every server or listener that terminates TLS are of Mozilla's intermediate"
    " profile.",
    fix=(
        "pulumi config rm --path tls.cipherSuites    # the default is the whole profile",
        f"cipherSuites: [{', '.join(tls.CIPHER_SUITES)}]",
        f"{CIPHER_OPTION}: {','.join(tls.CIPHER_SUITES)}    # in the options of a listener of the Gateway API",
    ),
    cannot_see="the suites of a server or listener that lists none: those of MeshConfig apply, or Envoy's default,"
    " which has no weak one",
    subjects=listeners_of,
    find=_weak_cipher_suites,
    needs_stack=False,
)

MODE = Rule(
    name="tls-ends-at-the-gateway",
    description="Every HTTPS or TLS server of the ingress gateway terminates TLS itself: its mode is set to SIMPLE,"
    " MUTUAL or OPTIONAL_MUTUAL. In the Gateway API, that of a listener is Terminate, by a certificate of its own.",
    fix=(
        "mode: SIMPLE    # on the server, with credentialName and minProtocolVersion; or use TlsGateway",
        "mode: Terminate    # on the listener of the Gateway API, with certificateRefs; or use TlsGateway",
    ),
    cannot_see="Istio's Gateways for other Pods than the stack's gateways (egress, east-west, another team's): they are"
    " reported as an advisory, and no policy judges them. Those of the Gateway API are judged whatever Service they are"
    " bound to, and ListenerSets whatever the class of their Gateway",
    subjects=_gateways_of,
    find=_other_modes,
    needs_stack=False,
)

CERTIFICATE = Rule(
    name="https-server-has-certificate",
    description="Every HTTPS server or listener names a Secret in its namespace that a Certificate of the stack fills"
    " for all its hosts.",
    fix=(
        "give the same credentials to GatewayCertificate and to TlsGateway",
        "by hand: a Certificate with this secretName in the gateway's namespace, and every host in its dnsNames",
    ),
    cannot_see="whether the Certificate becomes ready: `up` waits for that",
    subjects=listeners_of,
    find=_missing_certificates,
)
