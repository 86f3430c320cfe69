"""What HTTP-01 cannot do.

The challenge is read from the stack's issuers. A stack that uses the issuers of another one is judged with that one.
"""

from collections.abc import Iterator

from pulumi_policy import PolicyResource

from components.problem import Problem
from components.specs.names import is_wildcard
from policies.certificates import CERT_MANAGER
from policies.findings import Finding, StackRule, guarded
from policies.gateways import ISTIO, dns_names, servers
from policies.issuers import KINDS, issuer_of
from policies.objects import KubernetesObject, Stack, get, items, matching, own, reading


def _challenges(issuer: KubernetesObject) -> set[str]:
    solvers = items(issuer.get("spec", "acme", "solvers"))
    return {challenge for solver in solvers for challenge in ("http01", "dns01") if get(solver, challenge) is not None}


def redirects(resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield the Gateways that redirect the solver's path along with everything else."""
    for gateway in own(resource, ISTIO, "Gateway"):
        yield from guarded(gateway.where, _redirects(gateway, stack.of_kind(CERT_MANAGER, *KINDS)))


def _redirects(gateway: KubernetesObject, issuers: list[KubernetesObject]) -> Iterator[Problem]:
    redirecting = [server for server in servers(gateway) if server.redirects]
    if redirecting and matching(issuers, lambda each: "http01" in _challenges(each)):
        for server in redirecting:
            yield Problem(server.where, "has httpsRedirect, which answers the challenge with 301 too")


def wildcards(resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield the Certificates with a wildcard whose issuer has no other way than HTTP-01."""
    for certificate in own(resource, CERT_MANAGER, "Certificate"):
        yield from guarded(certificate.where, _wildcards(certificate, stack))


def _wildcards(certificate: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    names = [name for name in dns_names(certificate) if is_wildcard(name)]
    issuer = issuer_of(certificate, stack) if names else None
    if not issuer:
        return
    with reading(issuer):
        challenges = _challenges(issuer)
    if challenges == {"http01"}:
        yield Problem(certificate.where, f"{', '.join(names)} is a wildcard, and {issuer.where} has HTTP-01 alone")


NO_REDIRECT = StackRule(
    name="no-https-redirect-with-http01",
    description="With HTTP-01, port 80 redirects by a route and not by httpsRedirect, which takes the challenge's path"
    " as well.",
    fix=(
        "use HttpGateway: a VirtualService with `redirect: {scheme: https, redirectCode: 301}` and no match, on a"
        " Gateway of port 80 alone (https://github.com/istio/istio/issues/27643)",
    ),
    stops="`httpsRedirect` on a plain server, beside an issuer with an HTTP-01 solver",
    cannot_see="the solvers of another stack's issuers",
    find=redirects,
)

NO_WILDCARD = StackRule(
    name="no-wildcard-with-http01",
    description="A wildcard is proven by DNS-01: no ACME server signs one for HTTP-01.",
    fix=("pulumi config set challenge dns01    # or name each host in full",),
    stops="a wildcard among `dnsNames`, or as `commonName`, where every solver of the issuer is HTTP-01",
    cannot_see="the solvers of another stack's issuers, and which of several solvers a name selects",
    find=wildcards,
)
