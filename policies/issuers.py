"""Who signs, and who is told: the ACME issuers."""

from collections.abc import Iterable, Iterator

from pulumi_policy import PolicyResource, ResourceValidationArgs

from components.rules import acme as rules
from components.rules.names import email_address
from policies.findings import Resource, in_production, is_kind, object_key, of_kind, resource_policy, stack_policy

GROUP = "cert-manager.io"


def issuer_of(certificate: Resource, resources: Iterable[PolicyResource]) -> PolicyResource | None:
    """Find the Issuer or ClusterIssuer of a Certificate; None where it is not of the stack."""
    reference = certificate.props["spec"]["issuerRef"]
    kind = reference.get("kind") or "Issuer"
    namespace = object_key(certificate)[0] if kind == "Issuer" else ""
    issuers = of_kind(resources, GROUP, kind)
    return next((issuer for issuer in issuers if object_key(issuer) == (namespace, reference["name"])), None)


def wrong_environments(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Yield the Certificates that the wrong one of the CA's two environments signs."""
    for certificate in of_kind(resources, GROUP, "Certificate"):
        signs = _environment(certificate, resources)
        name = certificate.props["spec"]["issuerRef"]["name"]
        if in_production(certificate) and signs != "prod":
            yield certificate, f"{name} is not the production issuer: browsers refuse what it signs."
        elif not in_production(certificate) and signs == "prod":
            yield (
                certificate,
                f"{name} is the production issuer: this stack would spend the CA's weekly limits of prod.",
            )


def _environment(certificate: PolicyResource, resources: list[PolicyResource]) -> str | None:
    """Return whose environment signs, by the ACME directory where that is Let's Encrypt's, by name otherwise."""
    name = certificate.props["spec"]["issuerRef"]["name"]
    issuer = issuer_of(certificate, resources)
    acme = (issuer.props["spec"].get("acme") if issuer else None) or {}
    return rules.environment_of(acme.get("server"), name)


def bad_emails(issuer: ResourceValidationArgs) -> Iterator[str]:
    """Yield why nobody reads the address of an ACME account."""
    acme = issuer.props["spec"].get("acme") if is_kind(issuer, GROUP, "Issuer", "ClusterIssuer") else None
    if acme is None:
        return
    email = acme.get("email") or ""
    try:
        email_address(email)
    except ValueError as reason:
        yield f"The contact of the ACME account, {email!r}, {reason}."


ENVIRONMENT = stack_policy(
    "issuer-fits-stack",
    "A production stack signs with the CA's production environment, and every other stack with staging.",
    "pulumi config set --path acme.issuer prod       # in a production stack\n"
    "pulumi config set --path acme.issuer staging    # in any other",
    wrong_environments,
)

EMAIL = resource_policy(
    "issuer-email-is-real",
    "The contact of an ACME account is an address that someone reads.",
    "pulumi config set --path acme.email platform@YOUR-DOMAIN",
    bad_emails,
)
