"""The sections about certificates: who signs them, their keys and renewal, and what the gateway offers."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from components.fields import (
    CipherSuite,
    Domain,
    Email,
    HostName,
    Hsts,
    KubernetesName,
    MacKey,
    Percentage,
    Seconds,
    Wait,
)
from components.shell import Expression
from components.specs import acme, client_ca, istio, tls
from components.specs.names import kubernetes_name
from config.fields import Identifier, Section, Url, pem
from config.limits import LETS_ENCRYPT, NONE, Limits, parse


def client_ca_of(value: str) -> str:
    """Return PEM certificates of a CA, or the name of a Secret."""
    return client_ca.certificates(value) if client_ca.is_pem(value) else kubernetes_name(value)


def _directory(environment: str) -> Any:
    url = acme.DIRECTORIES[environment]
    return Field(url, description="an https:// ACME directory", examples=[url])


class Servers(Section):
    """ACME directories, if not Let's Encrypt's."""

    staging: Url = _directory(acme.STAGING)
    prod: Url = _directory(acme.PROD)


class ExternalAccount(Section):
    """An account at the CA that the ACME account is bound to (external account binding)."""

    key_id: Identifier = Field(description="the identifier of the key, as the CA gives it", examples=["KEY_ID"])
    # A report does not show what `repr` does not.
    key_secret: MacKey | None = Field(
        None, repr=False, description="the HMAC key, base64url, as a secret; or secretName", examples=["HMAC_KEY"]
    )
    secret_name: KubernetesName | None = Field(
        None,
        description="a Secret that has the HMAC key in `secret`, beside the account keys; or keySecret",
        examples=["NAME"],
    )


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


class Acme(Section):
    """The CA, and the issuers that ask it."""

    email: Email = Field(description="an e-mail address that someone reads", examples=["YOU@YOUR-DOMAIN"])
    issuer: Literal["staging", "prod"] = Field(description="staging or prod", examples=["staging"])
    servers: Servers = Servers()
    ca_bundle: Annotated[str, AfterValidator(pem)] | None = Field(
        None,
        description="PEM certificates that the ACME servers' own TLS chains to",
        examples=[Expression('"$(cat ca.pem)"')],
    )
    profile: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = Field(
        None,
        description="a profile of the ACME server (Let's Encrypt: classic, tlsserver, shortlived)",
        examples=["classic"],
    )
    external_account: ExternalAccounts = ExternalAccounts()
    limits: CaLimits = Field(
        CaLimits(),
        description="the limits of the CA that signs, where they are not those that Let's Encrypt documents",
    )
    wait_instead_of_self_check: Wait | None = Field(
        None,
        description="seconds to wait instead of cert-manager's own check of a challenge, 0 to 3600 (cert-manager 1.21.2"
        " and later)",
        examples=[60],
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
    timeout: Seconds = Field(
        600, description="seconds to wait for an issuer or a certificate to be Ready, 1 to 3600", examples=[600]
    )

    @property
    def ca_limits(self) -> Limits | None:
        """Rate limits of the selected CA; None where they are unknown."""
        environment = acme.environment_of(getattr(self.servers, self.issuer))
        configured = {key: parse(value) for key, value in self.limits if value is not None}
        if environment is None and not configured:
            return None
        known = LETS_ENCRYPT[environment] if environment else NONE
        return replace(known, **configured)


class Certificate(Section):
    """The key and the renewal of the gateway's certificates."""

    secret_name: KubernetesName = Field(istio.CREDENTIAL, description="a Secret's name", examples=[istio.CREDENTIAL])
    grouping: Literal["shared", "perHost"] = Field(
        "shared", description="shared (one certificate for all hosts) or perHost", examples=["shared"]
    )
    algorithm: Literal["ECDSA", "RSA"] = Field("ECDSA", description="ECDSA or RSA", examples=["ECDSA"])
    size: int | None = Field(
        None,
        description="256 (the default) or 384 with ECDSA; 2048 (the default), 3072 or 4096 with RSA",
        examples=[256],
    )
    rotation: Literal["Always", "Never"] = Field(
        "Always", description="Always (a new key at each renewal) or Never", examples=["Always"]
    )
    renew_before_percentage: Percentage | None = Field(
        None, description="per cent of the lifetime left at renewal, 1 to 99", examples=[33]
    )


class Tls(Section):
    """The TLS that the gateway offers to clients."""

    min_version: Annotated[Literal["1.2", "1.3"], BeforeValidator(str)] = Field(
        "1.2", description='"1.2" or "1.3"', examples=["1.2"]
    )
    cipher_suites: tuple[CipherSuite, ...] = Field(
        tls.CIPHER_SUITES,
        min_length=1,
        description="TLS 1.2 cipher suites among " + ", ".join(tls.CIPHER_SUITES),
        examples=[tls.CIPHER_SUITES[0]],
    )
    client_ca: Annotated[str, AfterValidator(client_ca_of)] | None = Field(
        None,
        description="PEM certificates of the CA whose client certificates are asked for, or the name of a Secret in the"
        " gateway's namespace that has them as ca.crt (Istio 1.28 and later)",
        examples=[Expression('"$(cat client-ca.pem)"')],
    )
    hsts: Hsts = Field(0, description=f"seconds of Strict-Transport-Security, 0 to {tls.MAX_HSTS}", examples=[0])
