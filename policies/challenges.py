"""What HTTP-01 cannot do.

The challenge is read from the stack's issuers. A stack that uses the issuers of another one is judged with that one.
"""

from collections.abc import Iterator

from pulumi_policy import PolicyResource

from policies import gateways, issuers
from policies.findings import of_kind, stack_policy


def _challenges(issuer: PolicyResource) -> set[str]:
    acme = issuer.props["spec"].get("acme") or {}
    return {
        challenge for solver in acme.get("solvers") or [] for challenge in ("http01", "dns01") if challenge in solver
    }


def redirects(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Yield the Gateways that redirect the solver's path along with everything else."""
    if not any("http01" in _challenges(each) for each in of_kind(resources, issuers.GROUP, "Issuer", "ClusterIssuer")):
        return
    for gateway in of_kind(resources, gateways.GROUP, "Gateway"):
        for name, server in gateways.servers(gateway):
            if (server.get("tls") or {}).get("httpsRedirect"):
                yield gateway, f"Server {name} has httpsRedirect, which answers the challenge with 301 too."


def wildcards(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Yield the Certificates with a wildcard whose issuer has no other way than HTTP-01."""
    for certificate in of_kind(resources, issuers.GROUP, "Certificate"):
        names = [name for name in certificate.props["spec"].get("dnsNames") or [] if name.startswith("*.")]
        issuer = issuers.issuer_of(certificate, resources) if names else None
        if issuer and _challenges(issuer) == {"http01"}:
            yield (
                certificate,
                f"{', '.join(names)}: a wildcard, and {issuer.props['metadata']['name']} has HTTP-01 alone.",
            )


NO_REDIRECT = stack_policy(
    "no-https-redirect-with-http01",
    "With HTTP-01, port 80 redirects by a route and not by httpsRedirect, which takes the challenge's path as well.",
    "Use HttpGateway: a VirtualService with `redirect: {scheme: https, redirectCode: 301}` and no match, on a Gateway\n"
    "of port 80 alone (https://github.com/istio/istio/issues/27643).",
    redirects,
)

NO_WILDCARD = stack_policy(
    "no-wildcard-with-http01",
    "A wildcard is proven by DNS-01: no ACME server signs one for HTTP-01.",
    "pulumi config set challenge dns01    # or name each host in full",
    wildcards,
)
