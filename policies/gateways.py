"""Listeners of the gateway: those without TLS only redirect, the others terminate TLS with a certificate.

A route is served by every listener of its gateways that has one of its hosts, the listeners without TLS included.
"""

from collections.abc import Iterator

from components.problem import Problem
from components.specs import tls
from components.specs.names import covers
from policies import istio
from policies.certificates import CERTIFICATES, dns_names
from policies.findings import Finding, Rule, Unjudged, guarded
from policies.istio import Listener
from policies.objects import KubernetesObject, Stack, items, matching, of_kind
from policies.stack_config import selectors


def _exposed(service: KubernetesObject, stack: Stack) -> Iterator[Finding]:
    for name in istio.gateway_names(service):
        yield from guarded(service.where, _exposed_on(service, name, stack))


def _exposed_on(service: KubernetesObject, name: tuple[str, str], stack: Stack) -> Iterator[Finding]:
    route = next(istio.application_routes(service, name), None)
    if not route:
        return
    gateways = stack.named(istio.GROUP, "Gateway", *name)
    if not gateways:
        yield Unjudged(service.where, f"is on the Gateway {'/'.join(name)}, which is not of this stack")
    for gateway in gateways:
        for listener in istio.unencrypted_listeners(gateway):
            if istio.attaches(service, listener):
                yield Problem(
                    service.where, f"{route} is served without TLS by server {listener.name} of {gateway.where}"
                )


def _weak_versions(listener: Listener, _stack: Stack) -> Iterator[Problem]:
    if not listener.terminates_tls:
        return
    lowest, highest = listener.tls("minProtocolVersion"), listener.tls("maxProtocolVersion")
    if lowest not in istio.SECURE_VERSIONS:
        yield Problem(listener.where, f"minProtocolVersion is {lowest or 'not set'}")
    if highest and highest not in istio.SECURE_VERSIONS | {istio.NO_MAXIMUM}:
        yield Problem(listener.where, f"maxProtocolVersion is {highest}")


def _weak_cipher_suites(listener: Listener, _stack: Stack) -> Iterator[Problem]:
    for suite in items(listener.tls("cipherSuites")) if listener.terminates_tls else ():
        if suite not in tls.CIPHER_SUITES:
            yield Problem(listener.where, f"the cipher suite {suite} is not one of Mozilla's intermediate profile")


def _other_modes(gateway: KubernetesObject, _stack: Stack) -> Iterator[Finding]:
    if istio.is_of_other_gateways(gateway):
        labels = " or ".join(str(dict(selector)) for selector in selectors())
        yield Unjudged(gateway.where, f"is for other Pods than those with the labels {labels}")
    for listener in istio.listeners_of_gateway(gateway):
        yield from guarded(listener.where, _other_mode(listener))


def _other_mode(listener: Listener) -> Iterator[Problem]:
    if not listener.speaks_tls:
        return
    if not listener.encrypted:
        yield Problem(listener.where, f"has protocol {listener.protocol} and no TLS settings")
    elif not (mode := listener.tls("mode")):
        yield Problem(listener.where, "has no TLS mode, which to Istio is PASSTHROUGH")
    elif mode not in istio.TERMINATING_MODES:
        yield Problem(listener.where, f"has the TLS mode {mode}: no policy sees the certificate clients get")


def _missing_certificates(listener: Listener, stack: Stack) -> Iterator[Problem]:
    if not listener.terminates_tls:
        return
    if not listener.credentials:
        yield Problem(listener.where, "has no credentialName")
    for credential in listener.credentials:
        yield from _uncovered_hosts(listener, credential, stack.of_kind(*CERTIFICATES))


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
        for _, host in listener.hosts:
            if not any(covers(name, host) for name in names):
                yield Problem(listener.where, f"{host} is not in the certificate of Secret {secret}")


NO_PLAIN_HTTP = Rule(
    name="no-plain-http",
    description="No application is served over plain HTTP: a server without TLS only redirects to HTTPS, whatever its"
    " port and protocol.",
    fix=(
        "gateways: [NAMESPACE/TLS-GATEWAY]    # the application's routes, on a Gateway of port 443 alone",
        "redirect: {scheme: https, redirectCode: 301}    # all that the Gateway of port 80 serves; or use HttpGateway",
    ),
    cannot_see="VirtualServices on Gateways of other stacks (reported as an advisory); Services of type LoadBalancer or"
    " NodePort, which bypass the gateway; what a Helm release installs",
    subjects=of_kind(istio.GROUP, "VirtualService"),
    find=_exposed,
)

TLS_VERSION = Rule(
    name="tls-1.2-or-later",
    description="Every server that terminates TLS sets a minimum version of 1.2 or later, and no maximum below: Istio"
    " hardens nothing by itself.",
    fix=(
        "pulumi config set --path tls.minVersion 1.2",
        "minProtocolVersion: TLSV1_2    # or TLSV1_3, on the server of a Gateway of your own",
    ),
    cannot_see="what MeshConfig sets for the whole mesh",
    subjects=istio.listeners_of,
    find=_weak_versions,
    needs_stack=False,
)

CIPHER_SUITES = Rule(
    name="strong-cipher-suites",
    description="The cipher suites of every server that terminates TLS are of Mozilla's intermediate profile.",
    fix=(
        "pulumi config rm --path tls.cipherSuites    # the default is the whole profile",
        f"cipherSuites: [{', '.join(tls.CIPHER_SUITES)}]",
    ),
    cannot_see="the suites of a server that lists none: Envoy's default applies, which has no weak one",
    subjects=istio.listeners_of,
    find=_weak_cipher_suites,
    needs_stack=False,
)

MODE = Rule(
    name="tls-ends-at-the-gateway",
    description="Every HTTPS or TLS server of the ingress gateway terminates TLS itself: its mode is set to SIMPLE,"
    " MUTUAL or OPTIONAL_MUTUAL.",
    fix=("mode: SIMPLE    # on the server, with credentialName and minProtocolVersion; or use TlsGateway",),
    cannot_see="Gateways for other Pods than the stack's gateways (egress, east-west, another team's): they are"
    " reported as an advisory, and no policy judges them",
    subjects=istio.gateways_of,
    find=_other_modes,
    needs_stack=False,
)

CERTIFICATE = Rule(
    name="https-server-has-certificate",
    description="Every HTTPS server names a Secret in its namespace that a Certificate of the stack fills for all its"
    " hosts.",
    fix=(
        "give the same credentials to GatewayCertificate and to TlsGateway",
        "by hand: a Certificate with this secretName in the gateway's namespace, and every host in its dnsNames",
    ),
    cannot_see="whether the Certificate becomes ready: `up` waits for that",
    subjects=istio.listeners_of,
    find=_missing_certificates,
)
