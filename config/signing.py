"""The sections about certificates: who signs them, their keys and renewal, and what the gateway offers."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.fields import Domain, HostName, KubernetesName, Seconds
from components.shared_args import (
    AcmeIssuersArgs,
    ExternalAccountArgs,
    GatewayCertificateArgs,
    KeyArgs,
    SolverArgs,
    TlsGatewayArgs,
)
from components.shell import Expression
from components.specs import acme, client_ca, istio
from components.specs.names import kubernetes_name
from config.fields import Section, Url, section_of
from config.limits import LETS_ENCRYPT, NONE, Limits, parse


def client_ca_of(value: str) -> str:
    """Return PEM certificates of a CA, or the name of a Secret."""
    return client_ca.certificates(value) if client_ca.is_pem(value) else kubernetes_name(value)


class Servers(Section):
    """ACME directories, if not Let's Encrypt's."""

    staging: Url = Field(acme.DIRECTORIES[acme.STAGING], description="an https:// ACME directory")
    prod: Url = Field(acme.DIRECTORIES[acme.PROD], description="an https:// ACME directory")


class ExternalAccount(section_of(ExternalAccountArgs)):  # type: ignore[misc]
    """An account at the CA that the ACME account is bound to (external account binding)."""


class ExternalAccounts(Section):
    """The external account of each environment."""

    staging: ExternalAccount | None = Field(None)
    prod: ExternalAccount | None = Field(None)


def limit(value: str) -> str:
    """Return a limit as it is written."""
    parse(value)
    return value


CaLimit = Annotated[str, AfterValidator(limit)] | None


class CaLimits(Section):
    """Rate limits of the CA, where they are not those that Let's Encrypt documents."""

    orders: CaLimit = Field(
        None, description="new orders of an ACME account, as NUMBER/TIME with s, m, h or d", examples=["300/3h"]
    )
    certificates: CaLimit = Field(
        None, description="new certificates for a registered domain, as NUMBER/TIME", examples=["50/7d"]
    )
    same_names: CaLimit = Field(
        None, description="certificates for exactly the same names, as NUMBER/TIME", examples=["5/7d"]
    )


class Acme(
    section_of(SolverArgs, "wait_instead_of_self_check"),  # type: ignore[misc]
    section_of(AcmeIssuersArgs, "email", "ca_bundle", "profile"),  # type: ignore[misc]
):
    """The CA, and the issuers that ask it."""

    issuer: Literal["staging", "prod"] = Field(description="staging or prod", examples=["staging"])
    servers: Servers = Servers()
    external_account: ExternalAccounts = ExternalAccounts()
    limits: CaLimits = Field(
        CaLimits(),
        description="the limits of the CA that signs, where they are not those that Let's Encrypt documents",
    )
    create_issuers: bool | None = Field(
        None,
        description="true to make the issuers, false to use those of another stack"
        " (default: what certManager.install says)",
        examples=[True],
    )
    issuer_kind: Literal["ClusterIssuer", "Issuer"] = Field(
        "ClusterIssuer",
        description="ClusterIssuer (any namespace may ask it for the stack's names) or Issuer (only the gateway's"
        " namespace; with http01)",
        examples=[acme.ISSUER],
    )
    dns_names: tuple[HostName, ...] = Field(
        (),
        description="names of other stacks that the ClusterIssuers sign for, beside this stack's hosts",
        examples=["blog.YOUR-DOMAIN"],
    )
    dns_zones: tuple[Domain, ...] = Field(
        (),
        description="domains that the ClusterIssuers sign for, with every name below them",
        examples=["YOUR-DOMAIN"],
    )
    timeout: Seconds = Field(600, description="seconds to wait for an issuer or a certificate to be Ready, 1 to 3600")

    @property
    def public(self) -> bool:
        """Whether the selected CA is on the internet; one of another server may be inside of a network."""
        return acme.is_public(getattr(self.servers, self.issuer))

    @property
    def ca_limits(self) -> Limits | None:
        """Rate limits of the selected CA; None where they are unknown."""
        environment = acme.environment_of(getattr(self.servers, self.issuer))
        configured = {key: parse(value) for key, value in self.limits if value is not None}
        if environment is None and not configured:
            return None
        known = LETS_ENCRYPT[environment] if environment else NONE
        return replace(known, **configured)


class Certificate(
    section_of(GatewayCertificateArgs, "renew_before_percentage"),  # type: ignore[misc]
    section_of(KeyArgs),  # type: ignore[misc]
):
    """The key and the renewal of the gateway's certificates."""

    secret_name: KubernetesName = Field(istio.CREDENTIAL, description="a Secret's name")
    grouping: Literal["shared", "perHost"] = Field(
        "shared", description="shared (one certificate for all hosts) or perHost"
    )


class Tls(section_of(TlsGatewayArgs, "min_version", "cipher_suites", "hsts")):  # type: ignore[misc]
    """The TLS that the gateway offers to clients."""

    # A private key may have been put here.
    client_ca: Annotated[str, AfterValidator(client_ca_of)] | None = Field(
        None,
        repr=False,
        description="PEM certificates of the CA whose client certificates are asked for, or the name of a Secret in the"
        " gateway's namespace that has them as ca.crt (Istio 1.28 and later)",
        examples=[Expression('"$(cat client-ca.pem)"')],
    )
