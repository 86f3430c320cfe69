"""The inputs of `TlsGateway`, without Pulumi: the stack config has some of these fields."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NotRequired, TypedDict

from .args import Path, with_cross_check
from .fields import (
    COMPONENT_NAME,
    CaCertificates,
    CipherSuite,
    Default,
    HostName,
    Hsts,
    Input,
    KubernetesName,
    NonEmpty,
    Selector,
    Text,
    TlsVersion,
)
from .routes import HostArgs
from .specs import istio, tls


class CredentialArgs(TypedDict):
    """A certificate and the names that it is served for."""

    secret_name: Input[Text]
    """The Secret, in the namespace of the gateway's Pods (istio#27740)."""
    hosts: NonEmpty[Input[HostName]]
    """The names."""


class ClientCaArgs(TypedDict):
    """The CA whose client certificates are asked for."""

    secret_name: Input[KubernetesName]
    """The Secret with the CA's certificates (`ca.crt` or `cacert`), in the namespace of the gateway's Pods."""
    certificates: NotRequired[Input[CaCertificates]]
    """The CA's certificates in PEM, which are put into the Secret. Without them, the Secret has to exist."""


def shared_credentials(args: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the credentials that a browser or Istio would reject.

    A browser asks for every name of a certificate over one connection, and Envoy knows the routes of one server there
    (istio#13589). Istio ignores a server with a host that an earlier server has. A wildcard's server has the routes of
    the exact hosts that it covers as well, since Istio binds routes to Gateways: those may have other certificates.
    """
    secrets: set[str] = set()
    seen: set[str] = set()
    for position, credential in enumerate(args["credentials"]):
        if credential["secret_name"] in secrets:
            what = "is the Secret of earlier credentials: one certificate is one server, or browsers get 404 (HTTP/2)"
            yield ("credentials", position, "secret_name"), what
        secrets.add(credential["secret_name"])
        for number, host in enumerate(credential["hosts"]):
            if host in seen:
                yield ("credentials", position, "hosts", number), "has another certificate already"
            seen.add(host)


@with_cross_check(shared_credentials, "credentials")
class TlsGatewayArgs(TypedDict):
    """The inputs of `TlsGateway`."""

    credentials: NonEmpty[CredentialArgs]
    """The certificates."""
    hosts: NonEmpty[HostArgs]
    """What is served."""
    gateway: NotRequired[Annotated[Input[KubernetesName], COMPONENT_NAME]]
    """The Gateway's name, unique in the namespace."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the gateway's Pods."""
    selector: NotRequired[Annotated[Input[Selector[Input[str]]], Default(istio.SELECTOR)]]
    """Labels of the gateway's Pods."""
    min_version: NotRequired[Annotated[Input[TlsVersion], Default(tls.VERSIONS[0])]]
    """The lowest version of TLS that is offered."""
    cipher_suites: NotRequired[Annotated[Input[NonEmpty[Input[CipherSuite]]], Default(tls.CIPHER_SUITES)]]
    """The suites of TLS 1.2, in Envoy's names; TLS 1.3 has its own. Mozilla's intermediate profile by default."""
    hsts: NotRequired[Annotated[Input[Hsts], Default(0)]]
    """Seconds of Strict-Transport-Security; 0 sends none."""
    client_ca: NotRequired[ClientCaArgs]
    """Asks the clients of every host for a certificate of this CA (Istio 1.28 and later). By default, none is asked."""
