"""The inputs of components that stack config has too, in part: without Pulumi, which takes long to load."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

from .args import Path, with_cross_check
from .fields import (
    COMPONENT_NAME,
    Api,
    CaCertificates,
    Challenge,
    ChartValues,
    ChartVersion,
    CipherSuite,
    ClassField,
    Default,
    Digest,
    Domain,
    Email,
    Environment,
    HostName,
    Hsts,
    Identifier,
    Input,
    Ipv4,
    IssuerKind,
    KeyAlgorithm,
    KeyRotation,
    KubernetesName,
    Labels,
    MacKey,
    NonEmpty,
    Number,
    OneOf,
    Pem,
    Percentage,
    PodSecurity,
    Profile,
    RouteNamespace,
    Seconds,
    Selector,
    Text,
    TlsVersion,
    Wait,
)
from .routes import HostArgs, borrowed_routes
from .specs import acme, addresses, apis, cert_manager, istio, solver_route, tls


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


class ManagedGatewayArgs(TypedDict):
    """A gateway that Istio runs for a Gateway of the Gateway API: its Service, and the Deployment of the same name."""

    annotations: NotRequired[Input[Mapping[str, Input[Text]]] | None]
    """Annotations of the Service, such as those of an internal load balancer."""
    labels: NotRequired[Input[Labels[Input[str]]] | None]
    """Labels of the Service and of the Pods, beside the selector."""
    parameters: NotRequired[Input[KubernetesName] | None]
    """A ConfigMap in the same namespace, with patches of what Istio makes: `service`, `deployment` and others
    (https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/)."""
    address: NotRequired[Input[Ipv4] | None]
    """A reserved address that the load balancer gets. By default, it gets any."""


@with_cross_check(shared_credentials, "credentials")
@with_cross_check(borrowed_routes, "hosts", "routes_from")
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
    api: NotRequired[Annotated[Api, Default(apis.ISTIO)]]
    """The API that the objects are of: `istio`, or `gateway` for the Gateway API of Kubernetes."""
    service: NotRequired[Annotated[Input[KubernetesName], Default(istio.SERVICE)]]
    """The gateway's Service, by which the Gateway API finds the gateway."""
    http_gateway: NotRequired[Input[KubernetesName] | None]
    """Where Istio runs a gateway of the Gateway API: the Gateway of port 80, to which the listeners are added."""
    selector: NotRequired[Annotated[Input[Selector[Input[str]]], Default(istio.SELECTOR)]]
    """Labels of the gateway's Pods, by which Istio's own API finds the gateway."""
    min_version: NotRequired[Annotated[Input[TlsVersion], Default(tls.VERSIONS[0])]]
    """The lowest version of TLS that is offered."""
    cipher_suites: NotRequired[Annotated[Input[NonEmpty[Input[CipherSuite]]], Default(tls.CIPHER_SUITES)]]
    """The suites of TLS 1.2, in Envoy's names; TLS 1.3 has its own. Mozilla's intermediate profile by default."""
    hsts: NotRequired[Annotated[Input[Hsts], Default(0)]]
    """Seconds of Strict-Transport-Security; 0 sends none."""
    routes_from: NotRequired[Annotated[Input[Sequence[Input[RouteNamespace]]], Default(())]]
    """Namespaces whose VirtualServices may have routes for the hosts without an owner, beside the Gateway's own. `*` is
    for all."""
    client_ca: NotRequired[ClientCaArgs]
    """Asks the clients of every host for a certificate of this CA (Istio 1.28 and later). By default, none is asked."""


def _wrong_size(key: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    sizes = tls.KEY_SIZES[key["algorithm"]]
    if key["size"] is not None and key["size"] not in sizes:
        yield ("size",), f"is {key['size']}; accepted for {key['algorithm']}: {', '.join(map(str, sizes))}"


@with_cross_check(_wrong_size)
class KeyArgs(TypedDict):
    """The private key of a certificate."""

    algorithm: NotRequired[Annotated[KeyAlgorithm, Default("ECDSA")]]
    """The algorithm of the key."""
    size: NotRequired[Number | None]
    """The size in bits: for ECDSA 256 (the default) or 384; for RSA 2048 (the default), 3072 or 4096."""
    rotation: NotRequired[Annotated[KeyRotation, Default(tls.ROTATIONS[0])]]
    """Whether a renewal makes a new key."""


class GatewayCertificateArgs(TypedDict):
    """The inputs of `GatewayCertificate`."""

    issuer: Input[Text]
    """The name of the issuer. When it changes, every certificate is issued again, in place."""
    credentials: NonEmpty[CredentialArgs]
    """The certificates to make, the same as `TlsGateway` presents."""
    issuer_kind: NotRequired[Annotated[Input[IssuerKind], Default(acme.CLUSTER_ISSUER)]]
    """The kind of the issuer. An `Issuer` is in the namespace of the Certificates."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the gateway's Pods."""
    http_gateway: NotRequired[Input[KubernetesName] | None]
    """The Gateway of port 80 on which HTTP-01 challenges are answered, where that is one of the Gateway API."""
    managed: NotRequired[Annotated[bool, Default(False)]]
    """Whether Istio runs that gateway."""
    key: NotRequired[Annotated[KeyArgs, Default({})]]
    """The private key of each certificate."""
    timeout: NotRequired[Annotated[Seconds, Default(600)]]
    """Seconds to wait for each certificate to be Ready."""
    profile: NotRequired[Profile | None]
    """The ACME profile. Some profiles exclude a common name."""
    renew_before_percentage: NotRequired[Input[Percentage] | None]
    """Per cent of the lifetime that is left when a certificate is renewed. cert-manager's default is a third."""


class SolverArgs(TypedDict):
    """How control of names is proven."""

    challenge: NotRequired[Annotated[Challenge, Default(acme.HTTP01)]]
    """The challenge: `http01` through port 80 of the gateway, or `dns01` in the managed zone."""
    class_field: NotRequired[Annotated[ClassField, Default("class")]]
    """HTTP-01: the field of an Ingress that names the ingress class `istio`."""
    api: NotRequired[Annotated[Api, Default(apis.ISTIO)]]
    """HTTP-01: `istio` routes challenges by an Ingress. `gateway` routes them by an HTTPRoute, whose Gateway each
    Certificate names: `GatewayCertificate` does so by its `http_gateway`."""
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
    wait_instead_of_self_check: NotRequired[Wait | None]
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


class CertManagerArgs(TypedDict):
    """The inputs of `CertManager`."""

    install: NotRequired[Annotated[bool, Default(True)]]
    """False uses the cert-manager that the cluster has, and creates nothing."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default("cert-manager")]]
    """The namespace of cert-manager, in which leader election stays too."""
    create_namespace: NotRequired[Annotated[bool, Default(True)]]
    """Whether the namespace is created with the release. False before the first installation uses a namespace that is
    there. Label it `istio-injection: disabled`, since a sidecar would keep the chart's Job from ending."""
    chart: NotRequired[Annotated[Input[Identifier], Default(cert_manager.CHART)]]
    """An OCI reference, or the path of a packaged chart or of a folder on this machine."""
    version: NotRequired[Annotated[Input[ChartVersion], Default(cert_manager.VERSION)]]
    """The version of the chart."""
    digest: NotRequired[Input[Digest] | None]
    """The digest of the chart's manifest for an OCI reference, of the file for a `.tgz`. The digest of the official
    chart at the default version is built in. Without a digest, a version is whatever its registry serves."""
    keyring: NotRequired[Input[Identifier] | None]
    """The path of a keyring, with which the chart's signature (`.prov`) is verified."""
    pod_security: NotRequired[Annotated[Input[PodSecurity], Default(cert_manager.POD_SECURITY[0])]]
    """The Pod Security Standard that the namespace enforces, if it is created."""
    gateway_api: NotRequired[Annotated[bool, Default(False)]]
    """Whether cert-manager reads the Gateway API, whose CRDs have to be there before it starts; 1.21.2 and later."""
    values: NotRequired[Annotated[Input[ChartValues], Default({})]]
    """Values of the chart, merged over the component's own."""


class Http01Args(TypedDict):
    """What the Ingress of an HTTP-01 solver has to lead to."""

    selector: NotRequired[Annotated[Input[Selector[Input[str]]], Default(istio.SELECTOR)]]
    """Labels of the gateway's Pods."""
    class_field: NotRequired[Annotated[Input[ClassField], Default("class")]]
    """The field of the Ingress that names the ingress class `istio`. Istio always reads `class`, an annotation;
    `ingressClassName` needs an IngressClass `istio` with the controller istio.io/ingress-controller."""
    control_plane: NotRequired[Annotated[Input[KubernetesName], Default(solver_route.CONTROL_PLANE)]]
    """The namespace of istiod and of the mesh config, which routes HTTP-01."""
    revision: NotRequired[Input[KubernetesName]]
    """The revision of Istio that the gateway belongs to. Defaults to its Deployment's label istio.io/rev."""


class IngressGatewayArgs(TypedDict):
    """The inputs of `IngressGateway`."""

    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the Service."""
    service: NotRequired[Annotated[Input[KubernetesName], Default(istio.SERVICE)]]
    """The name of the Service."""
    timeout: NotRequired[Annotated[Seconds, Default(300)]]
    """Seconds that `up` waits for the external IP."""
    plain: NotRequired[Annotated[bool, Default(True)]]
    """Whether the Service has to have port 80, for HTTP-01 and the redirect."""
    managed: NotRequired[Annotated[bool, Default(False)]]
    """Whether Istio makes the Service, for a Gateway: a preview may be without it, and its port 443 comes with the
    first host."""
    family: NotRequired[Annotated[str, OneOf(*addresses.FAMILIES), Default(addresses.IPV4)]]
    """The external addresses of the Service, which the hosts' records hold; `dual` is one of each."""
    selector: NotRequired[Input[Selector[Input[str]]]]
    """The labels by which Gateways select the gateway's Pods. A Service that leads to others is refused."""
    public_ca: NotRequired[Annotated[bool, Default(False)]]
    """Whether a CA on the internet connects to port 80, by HTTP-01. A Service that it cannot reach is refused."""
    api: NotRequired[Annotated[Api, Default(apis.ISTIO)]]
    """The API of the Gateways. With `gateway`, a solver has an HTTPRoute in place of an Ingress."""
    http01: NotRequired[Http01Args]
    """Set it where HTTP-01 is used. A gateway to which Istio routes no Ingress of a solver is then refused."""
