"""Port 443: the TLS versions on offer, and a certificate behind every name."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import PolicyResource, ResourceValidationArgs

from components.rules import tls as rules
from components.rules.names import covers
from policies import issuers
from policies.findings import Resource, is_kind, object_key, of_kind, resource_policy, stack_policy

GROUP = "networking.istio.io"

_TERMINATING = {"SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"}
_SECURE = {rules.istio_version(version) for version in rules.VERSIONS}


def servers(gateway: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the spec of each server of a Gateway."""
    for server in gateway.props["spec"].get("servers") or []:
        port = server["port"]
        yield port.get("name") or str(port["number"]), server


def _https_servers(gateway: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the servers that present a certificate; a passed-through connection is another party's."""
    for name, server in servers(gateway):
        tls = server.get("tls") or {}
        encrypted = str(server["port"].get("protocol")).upper() in {"HTTPS", "TLS"}
        # To Istio no mode is PASSTHROUGH, which is hardly meant: it is judged as SIMPLE.
        if encrypted and (tls.get("mode") or "SIMPLE") in _TERMINATING:
            yield name, server


def weak_versions(gateway: ResourceValidationArgs) -> Iterator[str]:
    """Yield the servers that would speak less than TLS 1.2."""
    if not is_kind(gateway, GROUP, "Gateway"):
        return
    for name, server in _https_servers(gateway):
        tls = server.get("tls") or {}
        version = tls.get("minProtocolVersion") or "not set"
        if version not in _SECURE:
            yield f"Server {name}: minProtocolVersion is {version}."


def unfilled_credentials(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Yield the HTTPS servers without a certificate for each of their hosts."""
    certificates = list(of_kind(resources, issuers.GROUP, "Certificate"))
    for gateway in of_kind(resources, GROUP, "Gateway"):
        namespace = object_key(gateway)[0]
        for name, server in _https_servers(gateway):
            credential = (server.get("tls") or {}).get("credentialName")
            if not credential:
                yield gateway, f"Server {name} has no credentialName."
                continue
            filling = [each for each in certificates if each.props["spec"]["secretName"] == credential]
            here = [each for each in filling if object_key(each)[0] == namespace]
            if not here:
                yield gateway, f"Server {name}: {_unfilled(credential, namespace, filling)}"
                continue
            names = [name for each in here for name in each.props["spec"].get("dnsNames") or []]
            for host in server["hosts"]:
                if not any(covers(name, host.rpartition("/")[2]) for name in names):
                    yield gateway, f"Server {name}: {host} is not in the certificate of Secret {credential}."


def _unfilled(credential: str, namespace: str, elsewhere: list[PolicyResource]) -> str:
    if elsewhere:
        place = object_key(elsewhere[0])[0]
        return f"the Certificate of Secret {credential} is in namespace {place}, and the gateway in {namespace}."
    return f"no Certificate of the stack fills the Secret {credential}."


TLS_VERSION = resource_policy(
    "tls-1.2-or-later",
    "Every server that ends TLS says that it speaks 1.2 or later: Istio hardens nothing that is not written.",
    "pulumi config set --path tls.minVersion 1.2    # minProtocolVersion: TLSV1_2 or TLSV1_3 on the server",
    weak_versions,
)

CERTIFICATE = stack_policy(
    "https-server-has-certificate",
    "Every HTTPS server names a Secret that a Certificate of the stack fills for all its hosts, in its namespace.",
    "Let `certificate_groups` divide the hosts, and give its groups to GatewayCertificate and to TlsGateway alike;\n"
    "by hand: a Certificate with this secretName in the gateway's namespace, and each host in its dnsNames.",
    unfilled_credentials,
)
