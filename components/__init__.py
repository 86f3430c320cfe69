"""TLS on an Istio ingress gateway, as Pulumi components. Use one, or all of them in the order of `__main__.py`.

Installed, the package is called `istio_gateway_tls`. The components are loaded when they are asked for, so that the
rules, a leaf of the package, stay quick to load.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .acme_issuers import AcmeIssuers, AcmeIssuersArgs, ExternalAccountArgs, SolverArgs
    from .caa_records import CaaHostArgs, CaaRecords, CaaRecordsArgs
    from .cert_manager import CertManager, CertManagerArgs
    from .certificate_alerts import CertificateAlerts, CertificateAlertsArgs
    from .certificate_dashboard import CertificateDashboard, CertificateDashboardArgs
    from .dns01_identity import Dns01Identity, Dns01IdentityArgs
    from .dns_records import DnsRecords, DnsRecordsArgs
    from .gateway_certificate import GatewayCertificate, GatewayCertificateArgs, KeyArgs
    from .http_gateway import HttpGateway, HttpGatewayArgs
    from .ingress_gateway import Http01Args, IngressGateway, IngressGatewayArgs
    from .mutual_tls import MutualTls, MutualTlsArgs
    from .reserved_address import ReservedAddress, ReservedAddressArgs
    from .tls_gateway import (
        ClientCaArgs,
        CredentialArgs,
        HeaderMatchArgs,
        HostArgs,
        RouteArgs,
        TlsGateway,
        TlsGatewayArgs,
    )

_MODULES = {
    "acme_issuers": ("AcmeIssuers", "AcmeIssuersArgs", "ExternalAccountArgs", "SolverArgs"),
    "caa_records": ("CaaHostArgs", "CaaRecords", "CaaRecordsArgs"),
    "cert_manager": ("CertManager", "CertManagerArgs"),
    "certificate_alerts": ("CertificateAlerts", "CertificateAlertsArgs"),
    "certificate_dashboard": ("CertificateDashboard", "CertificateDashboardArgs"),
    "dns01_identity": ("Dns01Identity", "Dns01IdentityArgs"),
    "dns_records": ("DnsRecords", "DnsRecordsArgs"),
    "gateway_certificate": ("GatewayCertificate", "GatewayCertificateArgs", "KeyArgs"),
    "http_gateway": ("HttpGateway", "HttpGatewayArgs"),
    "ingress_gateway": ("Http01Args", "IngressGateway", "IngressGatewayArgs"),
    "mutual_tls": ("MutualTls", "MutualTlsArgs"),
    "reserved_address": ("ReservedAddress", "ReservedAddressArgs"),
    "tls_gateway": (
        "ClientCaArgs",
        "CredentialArgs",
        "HeaderMatchArgs",
        "HostArgs",
        "RouteArgs",
        "TlsGateway",
        "TlsGatewayArgs",
    ),
}

__all__ = [
    "AcmeIssuers",
    "AcmeIssuersArgs",
    "CaaHostArgs",
    "CaaRecords",
    "CaaRecordsArgs",
    "CertManager",
    "CertManagerArgs",
    "CertificateAlerts",
    "CertificateAlertsArgs",
    "CertificateDashboard",
    "CertificateDashboardArgs",
    "ClientCaArgs",
    "CredentialArgs",
    "Dns01Identity",
    "Dns01IdentityArgs",
    "DnsRecords",
    "DnsRecordsArgs",
    "ExternalAccountArgs",
    "GatewayCertificate",
    "GatewayCertificateArgs",
    "HeaderMatchArgs",
    "HostArgs",
    "Http01Args",
    "HttpGateway",
    "HttpGatewayArgs",
    "IngressGateway",
    "IngressGatewayArgs",
    "KeyArgs",
    "MutualTls",
    "MutualTlsArgs",
    "ReservedAddress",
    "ReservedAddressArgs",
    "RouteArgs",
    "SolverArgs",
    "TlsGateway",
    "TlsGatewayArgs",
]


def __getattr__(name: str) -> Any:
    """Load the module of a component when the component is first asked for (PEP 562)."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
