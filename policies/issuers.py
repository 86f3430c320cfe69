"""Who signs, and who is told: the ACME issuers."""

from collections.abc import Iterator

from pulumi_policy import PolicyResource

from components.problem import Problem
from components.specs import acme
from components.specs.names import email_address
from policies.certificates import CERT_MANAGER
from policies.findings import Finding, ResourceRule, StackRule, guarded
from policies.objects import KubernetesObject, Resource, Stack, get, matching, own, reading
from policies.stack_config import acme_servers, in_production

KINDS = ("Issuer", "ClusterIssuer")

_ASKING = ((CERT_MANAGER, "Certificate"), (CERT_MANAGER, "CertificateRequest"), ("acme.cert-manager.io", "Order"))
"""What is signed by an issuer: the last two are cert-manager's own, and may be written by hand as well."""

_TRUSTED = (
    f"pulumi config set --path acme.servers.{acme.PROD} URL    # where browsers trust the CA of a server of yours"
)


def issuer_of(certificate: KubernetesObject, stack: Stack) -> KubernetesObject | None:
    """Find the Issuer or ClusterIssuer of a Certificate, by group, kind and name; None where it is not of the stack."""
    if (certificate.get("spec", "issuerRef", "group") or CERT_MANAGER) != CERT_MANAGER:
        return None
    kind, name = _kind(certificate), certificate.get("spec", "issuerRef", "name")
    found = matching(
        stack.of_kind(CERT_MANAGER, kind),
        lambda each: each.name == name and (kind == "ClusterIssuer" or each.namespace == certificate.namespace),
    )
    return found[0] if found else None


def _kind(certificate: KubernetesObject) -> str:
    return certificate.get("spec", "issuerRef", "kind") or "Issuer"


def wrong_environments(resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield the Certificates that the wrong one of the CA's two environments signs, and issuers that are misnamed."""
    for group, kind in _ASKING:
        for certificate in own(resource, group, kind):
            yield from guarded(certificate.where, _wrong_environment(certificate, stack))
    for issuer in own(resource, CERT_MANAGER, *KINDS):
        yield from guarded(issuer.where, _misnamed(issuer))


def _wrong_environment(certificate: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    issuer = issuer_of(certificate, stack)
    server, signs = None, _by_name(certificate)
    if issuer:
        with reading(issuer):
            server, signs = issuer.get("spec", "acme", "server"), _environment(issuer)
    group, name = certificate.get("spec", "issuerRef", "group"), certificate.get("spec", "issuerRef", "name")
    called = f"{_kind(certificate)} {name}" + (f" of {group}" if group not in (None, CERT_MANAGER) else "")
    if in_production() and signs != acme.PROD:
        yield Problem(
            certificate.where,
            f"{called}{f' ({server})' if server else ''} is not the CA's production environment: browsers refuse what"
            " it signs",
            (*ENVIRONMENT.fix, _TRUSTED) if server and signs is None else (),
        )
    elif not in_production() and signs == acme.PROD:
        yield Problem(
            certificate.where,
            f"{called} is the CA's production environment: this stack would spend the weekly limits of production",
        )


def _environment(issuer: KubernetesObject) -> str | None:
    """Return the environment by the ACME directory: Let's Encrypt's, or one that the config names."""
    server = issuer.get("spec", "acme", "server")
    if not server:
        return None
    configured = [environment for environment, url in acme_servers().items() if url == server]
    by_config = configured[0] if len(configured) == 1 else None
    # Where one server plays both, the names are what tells them apart.
    return acme.environment_of(server, issuer.name if len(configured) > 1 else None) or by_config


def _by_name(certificate: KubernetesObject) -> str | None:
    """Return the environment of an issuer of another stack, whose policies hold it to its name."""
    if (certificate.get("spec", "issuerRef", "group") or CERT_MANAGER) != CERT_MANAGER:
        return None
    return (
        acme.environment_of(None, certificate.get("spec", "issuerRef", "name")) if _kind(certificate) in KINDS else None
    )


def _misnamed(issuer: KubernetesObject) -> Iterator[Problem]:
    by_name = acme.environment_of(None, issuer.name)
    by_server = acme.environment_of(issuer.get("spec", "acme", "server"))
    if by_name and by_server not in (None, by_name):
        yield Problem(
            issuer.where,
            f"is called by the name of {by_name}, which other stacks trust, and its server is that of {by_server}",
            (f"server: {acme.DIRECTORIES[by_name]}",),
        )


def bad_emails(resource: Resource) -> Iterator[Finding]:
    """Yield why nobody reads the address of an ACME account."""
    for issuer in own(resource, CERT_MANAGER, *KINDS):
        yield from guarded(issuer.where, _bad_email(issuer))


def _bad_email(issuer: KubernetesObject) -> Iterator[Problem]:
    account = issuer.get("spec", "acme")
    if account is None:
        return
    email = get(account, "email") or ""
    try:
        email_address(email)
    except ValueError as reason:
        yield Problem(issuer.where, f"the contact of the ACME account, {email!r}, {reason}")


ENVIRONMENT = StackRule(
    name="issuer-fits-stack",
    description="A production stack signs with the CA's production environment, and every other stack with staging.",
    fix=(
        f"pulumi config set --path acme.issuer {acme.PROD}    # in a production stack",
        f"pulumi config set --path acme.issuer {acme.STAGING}    # in any other",
    ),
    stops="in production every issuer but one whose ACME server is Let's Encrypt's of production or"
    " `acme.servers.prod`; elsewhere those; also for CertificateRequests and Orders written by hand; an issuer with the"
    " name of one environment and the server of the other",
    cannot_see="the server of an issuer of another stack: it is judged by its group, kind and name",
    find=wrong_environments,
)

EMAIL = ResourceRule(
    name="issuer-email-is-real",
    description="The contact of an ACME account is an address that someone reads.",
    fix=("pulumi config set --path acme.email platform@YOUR-DOMAIN",),
    stops="no address, none that can be one, placeholders, names that are reserved for documentation",
    cannot_see="whether anyone reads it",
    find=bad_emails,
)
