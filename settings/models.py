"""The shape of the stack config.

Each field says with `description` what is accepted and with `examples` what the command that fixes it sets; the report
of a bad config is made from both. A key that is not here is an error, so nothing is accepted and then ignored.
"""

import json
import re
from typing import Annotated, Any, Literal

from cryptography import x509
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from components.rules import acme, cert_manager, routes, tls
from components.rules.acme import group_names
from components.rules.names import dns_name, domain, email_address, kubernetes_name, refuse_placeholder


def _pem(value: str) -> str:
    try:
        x509.load_pem_x509_certificates(value.encode())
    except ValueError:
        raise ValueError("is not PEM") from None
    return value


def _https(value: str) -> str:
    if not re.fullmatch(r"https://[^\s/]+\S*", value):
        raise ValueError("is not an https:// URL")
    return value


def _text(value: Any) -> Any:
    """Return a kubeconfig as text: a stack file may hold its content as an object."""
    return json.dumps(value) if isinstance(value, dict) else value


CipherSuite = Annotated[str, AfterValidator(tls.cipher_suite)]
Digest = Annotated[str, AfterValidator(cert_manager.check_digest)]
Domain = Annotated[str, AfterValidator(domain)]
Identifier = Annotated[str, Field(min_length=1), AfterValidator(refuse_placeholder)]
HostName = Annotated[str, AfterValidator(dns_name)]
KubernetesName = Annotated[str, AfterValidator(kubernetes_name)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
Url = Annotated[str, AfterValidator(_https)]

_PORT = Field(description="the Service's port, 1 to 65535", examples=[80])
_SERVICE = Field(description="a Service's name", examples=["NAME"])
_NAMESPACE = Field(description="a namespace's name", examples=["NAME"])
_PATH = Field("/", pattern=r"^/\S*$", description="a path prefix that begins with /", examples=["/"])


def _directory(environment: str) -> Any:
    url = acme.DIRECTORIES[environment]
    return Field(url, description="an https:// ACME directory", examples=[url])


class Section(BaseModel):
    """What every part of the config has in common: camelCase keys, no unknown ones, frozen."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, validate_default=True)


class Gke(Section):
    """A GKE cluster, found through the gcp provider and entered with gke-gcloud-auth-plugin."""

    cluster: Identifier = Field(description="the name of a GKE cluster", examples=["NAME"])
    location: Identifier = Field(description="the cluster's region or zone", examples=["LOCATION"])
    project: Identifier | None = Field(
        None, description="the cluster's project, if not gcp:project", examples=["PROJECT"]
    )


class Servers(Section):
    """ACME directories, if not Let's Encrypt's."""

    staging: Url = _directory(acme.STAGING)
    prod: Url = _directory(acme.PROD)


class Acme(Section):
    """Who signs."""

    email: Annotated[str, AfterValidator(email_address)] = Field(
        description="an e-mail address that someone reads", examples=["YOU@YOUR-DOMAIN"]
    )
    issuer: Literal["staging", "prod"] = Field(description="staging or prod", examples=["staging"])
    servers: Servers = Field(Servers(), description="an object with the keys staging, prod")
    ca_bundle: Annotated[str, AfterValidator(_pem)] | None = Field(
        None, description="PEM certificates that the ACME servers' own TLS chains to", examples=['"$(cat ca.pem)"']
    )
    profile: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = Field(
        None,
        description="a profile of the ACME server (Let's Encrypt: classic, tlsserver, shortlived)",
        examples=["classic"],
    )
    create_issuers: bool | None = Field(
        None,
        description="true to make the issuers, false to use those of another stack"
        " (default: what certManager.install says)",
        examples=[True],
    )
    issuer_kind: Literal["ClusterIssuer", "Issuer"] = Field(
        "ClusterIssuer",
        description="ClusterIssuer (any namespace may ask it for the stack's names) or Issuer (the gateway's namespace"
        " alone; with http01)",
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


class Route(Section):
    """Where requests whose path begins with `path` go."""

    path: str = _PATH
    service: KubernetesName = _SERVICE
    namespace: KubernetesName = _NAMESPACE
    port: Port = _PORT


class Host(Section):
    """A name that is served, with one destination (inline) or several (`routes`)."""

    host: HostName = Field(description="a DNS name in the managed zone", examples=["shop.YOUR-DOMAIN"])
    service: KubernetesName | None = Field(None, description="a Service's name", examples=["NAME"])
    namespace: KubernetesName | None = Field(None, description="a namespace's name", examples=["NAME"])
    port: Port | None = Field(None, description="the Service's port, 1 to 65535", examples=[80])
    path: str = _PATH
    routes: tuple[Route, ...] = Field((), description="a list of {path, service, namespace, port}")

    @property
    def destinations(self) -> tuple[Route, ...]:
        """The routes, in the config's order; the inline destination is the only one where there is no list."""
        inline = {"path": self.path, "service": self.service, "namespace": self.namespace, "port": self.port}
        return self.routes or (Route.model_validate(inline),)


class Dns(Section):
    """The Cloud DNS managed zone that the A records go to."""

    zone: Identifier = Field(description="the name of a Cloud DNS managed zone", examples=["NAME"])
    project: Identifier | None = Field(None, description="the zone's project, if not gcp:project", examples=["PROJECT"])
    ttl: int = Field(300, ge=1, le=86400, description="seconds, 1 to 86400", examples=[300])


class Ingress(Section):
    """The gateway that is there already: its Service, and the label its Pods carry."""

    namespace: KubernetesName = Field("istio-system", description="a namespace's name", examples=["istio-system"])
    service: KubernetesName = Field(
        "istio-ingressgateway", description="a Service's name", examples=["istio-ingressgateway"]
    )
    selector: dict[str, str] = Field(
        routes.SELECTOR,
        min_length=1,
        description="labels of the gateway's Pods",
        examples=['\'{"istio":"ingressgateway"}\''],
    )
    class_field: Literal["class", "ingressClassName"] = Field(
        "class",
        description="class (an annotation, which Istio always reads) or ingressClassName (needs an IngressClass"
        " `istio` with controller istio.io/ingress-controller)",
        examples=["class"],
    )
    timeout: Seconds = Field(
        300, description="seconds to wait for the Service's external IP, 1 to 3600", examples=[300]
    )


class CertManager(Section):
    """cert-manager's chart."""

    install: bool = Field(True, description="true, or false to use the cert-manager that is there", examples=[True])
    namespace: KubernetesName = Field("cert-manager", description="a namespace's name", examples=["cert-manager"])
    version: Annotated[str, AfterValidator(cert_manager.check_version)] = Field(
        cert_manager.VERSION,
        description=cert_manager.ACCEPTED,
        examples=[cert_manager.VERSION],
    )
    chart: Identifier = Field(
        cert_manager.CHART,
        description="an OCI reference, or the path of a packaged chart or of a folder",
        examples=[cert_manager.CHART],
    )
    digest: Digest | None = Field(
        None,
        description="sha256:…, of the chart's manifest in its registry, or of the .tgz that `chart` is the path of",
        examples=["sha256:DIGEST"],
    )
    keyring: str | None = Field(
        None, description="the path of a keyring, to verify the chart's signature with", examples=["KEYRING"]
    )
    pod_security: Literal["restricted", "baseline", "privileged"] = Field(
        "restricted",
        description="the Pod Security Standard that cert-manager's namespace enforces: restricted, baseline or"
        " privileged",
        examples=["restricted"],
    )
    values: dict[str, Any] = Field({}, description="values of the chart, merged over the program's own")


class Certificate(Section):
    """The key and the renewal of the gateway's certificates."""

    secret_name: KubernetesName = Field(
        "istio-ingressgateway-certs", description="a Secret's name", examples=["istio-ingressgateway-certs"]
    )
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
    renew_before_percentage: int | None = Field(
        None, ge=1, le=99, description="per cent of the lifetime left at renewal, 1 to 99", examples=[33]
    )


class Tls(Section):
    """What the gateway offers to clients."""

    min_version: Annotated[Literal["1.2", "1.3"], BeforeValidator(str)] = Field(
        "1.2", description='"1.2" or "1.3"', examples=["1.2"]
    )
    cipher_suites: tuple[CipherSuite, ...] = Field(
        tls.CIPHER_SUITES,
        min_length=1,
        description="TLS 1.2 cipher suites among " + ", ".join(tls.CIPHER_SUITES),
        examples=[tls.CIPHER_SUITES[0]],
    )
    hsts: int = Field(
        0, ge=0, le=tls.MAX_HSTS, description="seconds of Strict-Transport-Security, 0 to 63072000", examples=[0]
    )


class Settings(Section):
    """The whole config of a stack."""

    gcp_project: Identifier = Field(
        alias="gcp:project", description="the project of the DNS zone", examples=["PROJECT"]
    )
    production: bool = Field(
        False,
        description="true where users depend on it: the policies then ask for protection and trusted certificates",
        examples=[True],
    )
    # What is not in `repr` is not in a report either: it may hold credentials.
    kubeconfig: Annotated[str, BeforeValidator(_text)] | None = Field(
        None, repr=False, description="a path or the content of a kubeconfig", examples=["PATH"]
    )
    context: str | None = Field(None, description="a context of the kubeconfig")
    cluster_identifier: str | None = Field(
        None,
        description="a name of the cluster, by which it stays the same one when its endpoint or CA changes"
        " (default with gke: its project, location and name)",
    )
    gke: Gke | None = Field(None, description="an object with the keys cluster, location")
    acme: Acme = Field(description="an object with the keys email, issuer")
    challenge: Literal["http01", "dns01"] = Field("http01", description="http01 or dns01", examples=["http01"])
    hosts: tuple[Host, ...] = Field(min_length=1, description="a list of at least one {host, service, namespace, port}")
    dns: Dns = Field(description="an object with the keys zone, project, ttl")
    ingress: Ingress = Field(Ingress(), description="an object with the keys namespace, service, selector")
    cert_manager: CertManager = Field(CertManager(), description="an object with the keys install, version, values")
    certificate: Certificate = Field(Certificate(), description="an object with the keys grouping, algorithm, size")
    tls: Tls = Field(Tls(), description="an object with the keys minVersion, cipherSuites, hsts")
    alerts: Literal["off", "prometheus", "gmp"] = Field(
        "off",
        description="off, prometheus (the Prometheus Operator) or gmp (Google Cloud Managed Service for Prometheus)",
        examples=["gmp"],
    )
    alert_labels: dict[str, str] = Field(
        {},
        description="labels by which a Prometheus selects rules and monitors",
        examples=['\'{"release":"kube-prometheus-stack"}\''],
    )
    protect: bool = Field(False, description="true or false", examples=[True])

    @property
    def creates_issuers(self) -> bool:
        """Whether this stack makes the issuers; by default they come with cert-manager."""
        create = self.acme.create_issuers
        return self.cert_manager.install if create is None else create

    @property
    def certificates(self) -> dict[str, list[str]]:
        """The hosts of each certificate, by its Secret, which the Certificate is named after."""
        given = self.certificate
        hosts = [host.host for host in self.hosts]
        return group_names(hosts, given.grouping, given.secret_name, self.acme.profile)
