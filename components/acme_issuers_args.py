"""The inputs of `AcmeIssuers`, without Pulumi: the stack config has some of these fields."""

from collections.abc import Mapping, Sequence
from typing import Annotated, NotRequired, TypedDict

from .fields import (
    Challenge,
    ClassField,
    Default,
    Domain,
    Email,
    Environment,
    HostName,
    Identifier,
    Input,
    IssuerKind,
    KubernetesName,
    MacKey,
    NonEmpty,
    Pem,
    Profile,
    Seconds,
    Text,
    Wait,
)
from .specs import acme, istio


class SolverArgs(TypedDict):
    """How control of names is proven."""

    challenge: NotRequired[Annotated[Challenge, Default(acme.HTTP01)]]
    """The challenge: `http01` through port 80 of the gateway, or `dns01` in the managed zone."""
    class_field: NotRequired[Annotated[ClassField, Default("class")]]
    """HTTP-01: the field of an Ingress that names the ingress class `istio`."""
    project: NotRequired[Input[Text]]
    """DNS-01: the project of the managed zone."""
    zone: NotRequired[Input[Text]]
    """DNS-01: the name of the managed zone. cert-manager then lists no zones, and needs a role on this one only."""
    follow_cname: NotRequired[Annotated[bool, Default(False)]]
    """DNS-01: whether `_acme-challenge.HOST` is a CNAME into the managed zone."""
    dns_names: NotRequired[Annotated[Sequence[Input[HostName]], Default(())]]
    """The names to solve for. Defaults to every name, unless `dns_zones` lists some. A wildcard matches only itself."""
    dns_zones: NotRequired[Annotated[Sequence[Input[Domain]], Default(())]]
    """Domains to solve for, with every name below them."""
    wait_instead_of_self_check: NotRequired[Wait]
    """Seconds to wait instead of cert-manager's own check of a challenge; cert-manager 1.21.2 and later."""


class ExternalAccountArgs(TypedDict):
    """An account at the CA that the ACME account is bound to (RFC 8555, section 7.3.4)."""

    key_id: Input[Identifier]
    """The key's identifier, which the CA assigns."""
    key_secret: NotRequired[Input[MacKey]]
    """The HMAC key, in base64url; it is put into a Secret."""
    secret_name: NotRequired[Input[KubernetesName]]
    """An existing Secret with the HMAC key in its entry `secret`, instead of the key itself. It is in the namespace of
    the Issuers, or for ClusterIssuers in cert-manager's."""


class AcmeIssuersArgs(TypedDict):
    """The inputs of `AcmeIssuers`."""

    email: Input[Email]
    """The contact of the ACME accounts."""
    create: NotRequired[Annotated[bool, Default(True)]]
    """False uses the issuers that another program has made."""
    read_accounts: NotRequired[Annotated[bool, Default(False)]]
    """Whether the accounts of another program's issuers are read. The issuers then have to exist."""
    kind: NotRequired[Annotated[IssuerKind, Default(acme.CLUSTER_ISSUER)]]
    """The kind of the issuers. Another kind is another issuer, with an account of its own."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of Issuers and of their account keys, which is that of the Certificates."""
    servers: NotRequired[Annotated[Mapping[Environment, Input[Text]], Default({})]]
    """The ACME directory of each environment, `staging` and `prod`. Let's Encrypt's by default."""
    solvers: NotRequired[Annotated[NonEmpty[SolverArgs], Default([{}])]]
    """How control of names is proven. The most specific matching solver wins. HTTP-01 for every name by default."""
    timeout: NotRequired[Annotated[Seconds, Default(600)]]
    """Seconds to wait for each issuer to be Ready, which it is when it has an account."""
    ca_bundle: NotRequired[Input[Pem] | None]
    """PEM certificates of the CA that has signed the ACME servers' own certificates."""
    profile: NotRequired[Input[Profile] | None]
    """The ACME server's profile for certificates (Let's Encrypt: classic, tlsserver, shortlived)."""
    external_accounts: NotRequired[Annotated[Mapping[Environment, ExternalAccountArgs], Default({})]]
    """The external account of each environment, `staging` and `prod`, where the CA asks for one."""
    cluster_namespace: NotRequired[Annotated[Input[KubernetesName], Default("cert-manager")]]
    """The namespace of the Secrets of ClusterIssuers, which is cert-manager's own."""
