"""What HTTP-01 cannot do.

The challenge is read from the stack's issuers. A stack that uses another stack's issuers is judged together with that
one.
"""

from collections.abc import Iterator

from components.problem import Problem
from components.specs.acme import HTTP01
from components.specs.names import is_wildcard
from policies import istio
from policies.certificates import CERTIFICATES, dns_names
from policies.findings import StackRule
from policies.issuers import ISSUERS, issuer_of
from policies.objects import KubernetesObject, Stack, get, matching, of_kind, reading


def _challenges(issuer: KubernetesObject) -> set[str]:
    solvers = issuer.items("spec", "acme", "solvers")
    return {challenge for solver in solvers for challenge in ("http01", "dns01") if get(solver, challenge) is not None}


def _redirects(listener: istio.Listener, stack: Stack) -> Iterator[Problem]:
    if listener.redirects_to_https and matching(stack.of_kind(*ISSUERS), lambda issuer: HTTP01 in _challenges(issuer)):
        yield Problem(listener.where, "has httpsRedirect, which answers the challenge with 301 too")


def _wildcards(certificate: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    wildcards = [name for name in dns_names(certificate) if is_wildcard(name)]
    issuer = issuer_of(certificate, stack) if wildcards else None
    if not issuer:
        return
    with reading(issuer):
        challenges = _challenges(issuer)
    if challenges == {HTTP01}:
        yield Problem(certificate.where, f"{', '.join(wildcards)} is a wildcard, and {issuer.where} has HTTP-01 alone")


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
    subjects=istio.listeners_of,
    find=_redirects,
)

NO_WILDCARD = StackRule(
    name="no-wildcard-with-http01",
    description="A wildcard is proven by DNS-01: no ACME server signs one for HTTP-01.",
    fix=("pulumi config set challenge dns01    # or name each host in full",),
    stops="a wildcard among `dnsNames`, or as `commonName`, where every solver of the issuer is HTTP-01",
    cannot_see="the solvers of another stack's issuers, and which of several solvers a name selects",
    subjects=of_kind(*CERTIFICATES),
    find=_wildcards,
)
