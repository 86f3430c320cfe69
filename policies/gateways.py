"""Istio's Gateways: their servers, and what a server that ends TLS must offer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UnknownValueError

from components.problem import Problem
from components.specs import tls as rules
from components.specs.names import covers
from policies.certificates import CERT_MANAGER
from policies.findings import Finding, ResourceRule, StackRule, Unjudged, guarded
from policies.objects import KubernetesObject, Resource, Stack, get, items, matching, own
from policies.stack_config import selectors

ISTIO = "networking.istio.io"

_ENCRYPTED = {"HTTPS", "TLS"}
_HTTP = {"HTTP", "HTTP2", "GRPC", "GRPC-WEB"}
_ENDS_TLS = {"SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"}
"""The modes in which the gateway presents a certificate of its own."""

_SECURE = {rules.istio_version(version) for version in rules.VERSIONS}
_OPEN = {"TLS_AUTO"}
"""The maxProtocolVersion that sets no maximum."""


@dataclass(frozen=True)
class Server:
    """A port of a Gateway, for some hosts."""

    gateway: KubernetesObject
    position: int
    spec: Any

    @property
    def where(self) -> str:
        """What a finding calls it."""
        return f"{self.gateway.where}, server {self.name}"

    @property
    def name(self) -> str:
        """Its port's name, its port's number without one, its place without either."""
        try:
            # Numbers arrive as floats.
            return get(self.spec, "port", "name") or f"{get(self.spec, 'port', 'number'):.0f}"
        except (UnknownValueError, ValueError, TypeError):
            return f"number {self.position}"

    @property
    def protocol(self) -> str:
        """Its port's protocol, in capitals: Istio takes it in any case."""
        return str(get(self.spec, "port", "protocol") or "").upper()

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS; a protocol of TLS without any TLS settings does not."""
        return self.protocol in _ENCRYPTED and bool(get(self.spec, "tls"))

    @property
    def ends_tls(self) -> bool:
        """Whether it presents a certificate.

        To Istio no mode is PASSTHROUGH, which is hardly meant: what there is of it is judged as SIMPLE.
        """
        return self.protocol in _ENCRYPTED and (self.tls("mode") or "SIMPLE") in _ENDS_TLS

    @property
    def redirects(self) -> bool:
        """Whether it answers every request with a redirect to HTTPS."""
        return self.protocol in _HTTP and self.tls("httpsRedirect") is True

    def tls(self, field: str) -> Any:
        """Return one of its TLS settings."""
        return get(self.spec, "tls", field)


def servers(gateway: KubernetesObject) -> Iterator[Server]:
    """Yield the servers of a Gateway."""
    for position, spec in enumerate(gateway.items("spec", "servers"), start=1):
        yield Server(gateway, position, spec)


def is_foreign(labels: Any) -> bool:
    """Tell whether a selector is for other Pods than an ingress gateway's: a Pod has one value for a label."""
    return all(any(get(labels, key) not in (None, value) for key, value in ours.items()) for ours in selectors())


def _each_server(resource: Resource, judge: Any) -> Iterator[Finding]:
    """Judge the servers of the Gateways for the ingress gateway, each for itself."""
    for gateway in own(resource, ISTIO, "Gateway"):
        if is_foreign(gateway.get("spec", "selector")):
            # The policy of modes says so for all of them.
            continue
        for server in servers(gateway):
            yield from guarded(gateway.where, judge(server))


def _versions(server: Server) -> Iterator[Problem]:
    if not server.ends_tls:
        return
    lowest, highest = server.tls("minProtocolVersion") or "not set", server.tls("maxProtocolVersion")
    if lowest not in _SECURE:
        yield Problem(server.where, f"minProtocolVersion is {lowest}")
    if highest and highest not in _SECURE | _OPEN:
        yield Problem(server.where, f"maxProtocolVersion is {highest}")


def weak_versions(resource: Resource) -> Iterator[Finding]:
    """Yield the servers that would speak less than TLS 1.2."""
    return _each_server(resource, _versions)


def _suites(server: Server) -> Iterator[Problem]:
    for suite in items(server.tls("cipherSuites")) if server.ends_tls else ():
        try:
            rules.cipher_suite(suite)
        except ValueError as reason:
            yield Problem(server.where, f"the cipher suite {suite} {reason}")


def weak_cipher_suites(resource: Resource) -> Iterator[Finding]:
    """Yield the cipher suites that are not Mozilla's; where none is given, Istio's default has no weak one."""
    return _each_server(resource, _suites)


def _modes(server: Server) -> Iterator[Problem]:
    mode = server.tls("mode")
    if server.protocol not in _ENCRYPTED:
        return
    if not server.encrypted:
        yield Problem(server.where, f"has protocol {server.protocol} and no TLS settings")
    elif not mode:
        yield Problem(server.where, "has no TLS mode, which to Istio is PASSTHROUGH")
    elif mode not in _ENDS_TLS:
        yield Problem(server.where, f"has the TLS mode {mode}: no policy sees the certificate that clients get")


def _labels() -> str:
    return " or ".join(str(dict(each)) for each in selectors())


def other_modes(resource: Resource) -> Iterator[Finding]:
    """Yield the servers that leave TLS to someone else."""
    for gateway in own(resource, ISTIO, "Gateway"):
        if is_foreign(gateway.get("spec", "selector")):
            yield Unjudged(gateway.where, f"is for other Pods than those with the labels {_labels()}")
    yield from _each_server(resource, _modes)


def unfilled_credentials(resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield the HTTPS servers without a certificate for each of their hosts."""
    certificates = stack.of_kind(CERT_MANAGER, "Certificate")
    return _each_server(resource, lambda server: _unfilled(server, certificates))


def _unfilled(server: Server, certificates: list[KubernetesObject]) -> Iterator[Problem]:
    if not server.ends_tls:
        return
    several = items(server.tls("credentialNames"))
    credentials = several or ([server.tls("credentialName")] if server.tls("credentialName") else [])
    if not credentials:
        yield Problem(server.where, "has no credentialName")
    for credential in credentials:
        yield from _uncovered(server, credential, certificates)


def _uncovered(server: Server, credential: str, certificates: list[KubernetesObject]) -> Iterator[Problem]:
    """Yield the hosts that the certificate of one Secret is not for; a server may present several, of other keys."""
    namespace = server.gateway.namespace
    filling = matching(certificates, lambda each: each.get("spec", "secretName") == credential)
    here = [each for each in filling if each.namespace == namespace]
    if not filling:
        yield Problem(server.where, f"no Certificate of the stack fills the Secret {credential}")
    elif not here:
        yield Problem(
            server.where,
            f"the Certificate of Secret {credential} is in namespace {filling[0].namespace},"
            f" and the gateway in {namespace}",
        )
    else:
        names = [name for each in here for name in dns_names(each)]
        for host in items(get(server.spec, "hosts")):
            if not any(covers(name, host.rpartition("/")[2]) for name in names):
                yield Problem(server.where, f"{host} is not in the certificate of Secret {credential}")


def dns_names(certificate: KubernetesObject) -> Iterable[str]:
    """Return the names of a Certificate; cert-manager adds the common name to them."""
    common = certificate.get("spec", "commonName")
    return [*certificate.items("spec", "dnsNames"), *([common] if common else [])]


TLS_VERSION = ResourceRule(
    name="tls-1.2-or-later",
    description="Every server that ends TLS says that it speaks 1.2 or later: Istio hardens nothing that is not"
    " written.",
    fix=(
        "pulumi config set --path tls.minVersion 1.2",
        "minProtocolVersion: TLSV1_2    # or TLSV1_3, on the server of a Gateway of your own",
    ),
    stops="`minProtocolVersion` below TLS 1.2 or not written, `maxProtocolVersion` below it",
    cannot_see="what MeshConfig sets for the whole mesh",
    find=weak_versions,
)

CIPHER_SUITES = ResourceRule(
    name="strong-cipher-suites",
    description="The cipher suites of every server that ends TLS are of Mozilla's intermediate profile.",
    fix=(
        "pulumi config rm --path tls.cipherSuites    # the default is the whole profile",
        f"cipherSuites: [{', '.join(rules.CIPHER_SUITES)}]",
    ),
    stops="a suite without forward secrecy or AEAD in `cipherSuites`",
    cannot_see="the suites of a server that lists none: they are Envoy's default, which has no weak one",
    find=weak_cipher_suites,
)

MODE = ResourceRule(
    name="tls-ends-at-the-gateway",
    description="Every HTTPS or TLS server of the ingress gateway ends TLS itself: mode SIMPLE, MUTUAL or"
    " OPTIONAL_MUTUAL.",
    fix=("mode: SIMPLE    # on the server, with credentialName and minProtocolVersion; or use TlsGateway",),
    stops="PASSTHROUGH (which no mode is, too), AUTO_PASSTHROUGH, ISTIO_MUTUAL; HTTPS or TLS without TLS settings",
    cannot_see="Gateways for other Pods than the stack's gateways' (egress, east-west, another team's): they are named"
    " as an advice, and no policy judges them",
    find=other_modes,
)

CERTIFICATE = StackRule(
    name="https-server-has-certificate",
    description="Every HTTPS server names a Secret that a Certificate of the stack fills for all its hosts, in its"
    " namespace.",
    fix=(
        "give the same credentials to GatewayCertificate and to TlsGateway",
        "by hand: a Certificate with this secretName in the gateway's namespace, and each host in its dnsNames",
    ),
    stops="a server without `credentialName` or `credentialNames`, and one whose Secret is filled in another namespace,"
    " for other hosts or by nothing",
    cannot_see="whether the Certificate gets ready: `up` waits for that",
    find=unfilled_credentials,
)
