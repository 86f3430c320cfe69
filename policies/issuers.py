"""ACME issuers: which CA signs, who receives its mail, and what its challenges cannot do.

A stack that uses another stack's issuers is judged by their names.
"""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from components.problem import Problem
from components.specs import acme
from components.specs.cert_manager import ACME_GROUP
from components.specs.cert_manager import GROUP as CERT_MANAGER
from components.specs.names import dns_name, email_address, is_wildcard
from config.registered import registered_domain
from policies.certificates import CERTIFICATES, dns_names
from policies.findings import Finding, Rule, Unjudged
from policies.gateways import listeners_of
from policies.listeners import Listener
from policies.objects import KubernetesObject, Stack, get, matching, objects, of_kind, reading
from policies.stack_config import acme_servers, in_production

ISSUERS = (CERT_MANAGER, "Issuer", "ClusterIssuer")

_REQUESTS = ((CERT_MANAGER, "Certificate", "CertificateRequest"), (ACME_GROUP, "Order"))
"""Kinds that an issuer signs. cert-manager makes the last two, but a program can write them too."""

_FIX_PRIVATE_CA = (
    f"pulumi config set --path acme.servers.{acme.PROD} URL    # for an ACME server of your own that browsers trust"
)


def _issuer_of(request: KubernetesObject, stack: Stack) -> KubernetesObject | None:
    """Return the stack's Issuer or ClusterIssuer that signs a request, None if another stack has it."""
    group, kind, name = _issuer_reference(request)
    if group != CERT_MANAGER:
        return None
    issuers = matching(
        stack.of_kind(CERT_MANAGER, kind),
        lambda issuer: issuer.name == name and (kind == "ClusterIssuer" or issuer.namespace == request.namespace),
    )
    return issuers[0] if issuers else None


def _issuer_reference(request: KubernetesObject) -> tuple[str, str, str]:
    """Return group, kind and name of the issuer that a request names."""
    reference = request.get("spec", "issuerRef")
    return get(reference, "group") or CERT_MANAGER, get(reference, "kind") or "Issuer", get(reference, "name")


def _wrong_environment(obj: KubernetesObject, stack: Stack) -> Iterator[Finding]:
    return _misleading_issuer(obj) if obj.is_a(*ISSUERS) else _wrong_issuer(obj, stack)


def _wrong_issuer(request: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    group, kind, name = _issuer_reference(request)
    label = f"{kind} {name}" if group == CERT_MANAGER else f"{kind} {name} of {group}"
    server = environment = None
    if issuer := _issuer_of(request, stack):
        with reading(issuer):
            server, environment = issuer.get("spec", "acme", "server"), _environment_by_server(issuer)
    elif group == CERT_MANAGER and kind in ISSUERS:
        # The policies of the other stack keep the name honest.
        environment = acme.environment_of(None, name)
    if in_production() and environment != acme.PROD:
        yield Problem(
            request.where,
            f"{label}{f' ({server})' if server else ''} is not the CA's production environment: browsers reject its"
            " certificates",
            (*ENVIRONMENT.fix, _FIX_PRIVATE_CA) if server and environment is None else (),
        )
    elif not in_production() and environment == acme.PROD:
        yield Problem(
            request.where,
            f"{label} is the CA's production environment: this stack would spend the weekly limits of production",
        )


def _environment_by_server(issuer: KubernetesObject) -> str | None:
    """Return the environment whose ACME directory an issuer uses: Let's Encrypt's, or one from the config."""
    server = str(issuer.get("spec", "acme", "server") or "")
    if not server:
        return None
    configured = [environment for environment, url in acme_servers().items() if url == server]
    # If one server is configured for both environments, only the issuer's name tells them apart.
    by_server = acme.environment_of(server, issuer.name if len(configured) > 1 else None)
    exact = by_server or (configured[0] if len(configured) == 1 else None)
    # A production stack needs the exact URL; any other one must avoid production's host, however it is written.
    return exact if exact or in_production() else _environment_by_host(server)


def _environment_by_host(server: str) -> str | None:
    host = _host(server)
    for environment in (acme.PROD, acme.STAGING):
        urls = (acme.DIRECTORIES[environment], acme_servers().get(environment))
        if any(url and _host(url) == host for url in urls):
            return environment
    return acme.PROD if _is_lets_encrypts(server) else None


def _is_lets_encrypts(server: str) -> bool:
    return registered_domain(_host(server)) == registered_domain(_host(acme.DIRECTORIES[acme.PROD]))


def _host(url: str) -> str:
    """Return the host of a URL as Go's client looks it up: its case, its dot and the forms of a letter do not count."""
    host = url
    with contextlib.suppress(ValueError):
        host = urlsplit(url).hostname or url
        host = dns_name(host)
    return host


def _misleading_issuer(issuer: KubernetesObject) -> Iterator[Finding]:
    account = issuer.get("spec", "acme")
    server = str(get(account, "server") or "")
    if not server:
        return
    known = server in acme_servers().values()
    by_name, by_server = acme.environment_of(None, issuer.name), None if known else _environment_by_host(server)
    if by_name and by_server not in (None, by_name):
        yield Problem(
            issuer.where,
            f"has the name that other stacks expect of {by_name}, but the server of {by_server}",
            (f"server: {acme.DIRECTORIES[by_name]}",),
        )
    if not in_production():
        if not known and not by_server:
            what = f"has the server {server}, which acme.servers does not name: it may lead to production"
            yield Unjudged(issuer.where, what)
    elif get(account, "skipTLSVerify"):
        yield Problem(issuer.where, "has skipTLSVerify: any server can answer for the CA", ("skipTLSVerify: false",))
    elif get(account, "caBundle") and _is_lets_encrypts(server):
        fix = "pulumi config rm --path acme.caBundle"
        yield Problem(issuer.where, "has a caBundle, whose owner can answer for Let's Encrypt", (fix,))


def _bad_email(issuer: KubernetesObject, _stack: Stack) -> Iterator[Problem]:
    account = issuer.get("spec", "acme")
    if account is None:
        return
    email = get(account, "email") or ""
    try:
        email_address(email)
    except ValueError as error:
        yield Problem(issuer.where, f"the contact of the ACME account, {email!r}, {error}")


def _challenges(issuer: KubernetesObject) -> set[str]:
    solvers = issuer.items("spec", "acme", "solvers")
    return {challenge for solver in solvers for challenge in ("http01", "dns01") if get(solver, challenge) is not None}


def _redirects(listener: Listener, stack: Stack) -> Iterator[Problem]:
    if listener.redirects_to_https and matching(
        stack.of_kind(*ISSUERS), lambda issuer: acme.HTTP01 in _challenges(issuer)
    ):
        yield Problem(listener.where, "has httpsRedirect, which answers the challenge with 301 too")


def _wildcards(certificate: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    wildcards = [name for name in dns_names(certificate) if is_wildcard(name)]
    issuer = _issuer_of(certificate, stack) if wildcards else None
    if not issuer:
        return
    with reading(issuer):
        challenges = _challenges(issuer)
    if challenges == {acme.HTTP01}:
        yield Problem(certificate.where, f"{', '.join(wildcards)} is a wildcard, and {issuer.where} has HTTP-01 alone")


ENVIRONMENT = Rule(
    name="issuer-fits-stack",
    description="A production stack uses the CA's production environment, and every other stack uses staging: that of"
    " Let's Encrypt, or of `acme.servers`. An issuer has the name and the server of one environment.",
    fix=(
        f"pulumi config set --path acme.issuer {acme.PROD}    # in a production stack",
        f"pulumi config set --path acme.issuer {acme.STAGING}    # in any other",
    ),
    cannot_see="the server of another stack's issuer: it is judged by its group, kind and name; where a server that the"
    " config does not name leads to (outside production an advisory)",
    subjects=lambda resource: (
        obj for obj in objects(resource) if any(obj.is_a(*kinds) for kinds in (*_REQUESTS, ISSUERS))
    ),
    find=_wrong_environment,
)

EMAIL = Rule(
    name="issuer-email-is-real",
    description="The contact of an ACME account is an address that someone reads: no placeholder, and none in a domain"
    " that is reserved for documentation.",
    fix=("pulumi config set --path acme.email platform@YOUR-DOMAIN",),
    cannot_see="whether anyone reads it",
    subjects=of_kind(*ISSUERS),
    find=_bad_email,
    needs_stack=False,
)

NO_REDIRECT = Rule(
    name="no-https-redirect-with-http01",
    description="With HTTP-01, port 80 redirects by a route and not by httpsRedirect, which takes the challenge's path"
    " as well. In the Gateway API only routes redirect, and the exact path of a challenge precedes theirs.",
    fix=(
        "use HttpGateway: a VirtualService with `redirect: {scheme: https, redirectCode: 301}` and no match, on a"
        " Gateway of port 80 alone (https://github.com/istio/istio/issues/27643)",
    ),
    cannot_see="the solvers of another stack's issuers",
    subjects=listeners_of,
    find=_redirects,
)

NO_WILDCARD = Rule(
    name="no-wildcard-with-http01",
    description="A wildcard is proven by DNS-01: no ACME server signs one for HTTP-01.",
    fix=("pulumi config set challenge dns01    # or name each host in full",),
    cannot_see="the solvers of another stack's issuers, and which of several solvers a name selects",
    subjects=of_kind(*CERTIFICATES),
    find=_wildcards,
)
