"""The args of the components that serve one gateway."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from components.challenge_delegations import ChallengeDelegationsArgs
from components.dns_records import DnsRecordsArgs
from components.http_gateway import HttpGatewayArgs
from components.reserved_address import ReservedAddressArgs
from components.shared_args import (
    CredentialArgs,
    GatewayCertificateArgs,
    Http01Args,
    IngressGatewayArgs,
    KeyArgs,
    ManagedGatewayArgs,
    TlsGatewayArgs,
)
from components.specs import addresses, apis, client_ca, istio, names
from config.fields import Section
from config.models import Settings, View, ZonePart


@dataclass(frozen=True)
class GatewayComposition:
    """The components' args for one gateway of a stack."""

    view: View
    stack: str
    """The stack's name tells its Gateways from those of another one on the cluster."""
    secret_tls: bool
    """Whether the config holds the section `tls` as a secret."""
    challenge_domain: str | None
    """The domain of the zone that DNS-01 is proven in, if that is not the zone of the hosts."""
    delegated_hosts: Set[str]
    """The hosts that a CNAME to that zone is for."""

    @property
    def settings(self) -> Settings:
        """The settings as if the gateway were the only one."""
        return self.view.settings

    @property
    def has_ipv6(self) -> bool:
        """Whether the hosts have AAAA records."""
        return 6 in addresses.FAMILIES[self.settings.ingress.family]

    @property
    def promotes(self) -> bool:
        """Whether the gateway's address is reserved, which is done once for each Service."""
        return self.settings.ingress.address == addresses.PROMOTE and not self.view.shares_service

    def resource_name(self, name: str) -> str:
        """Return what a component of the gateway is called."""
        return f"{self.view.name}-{name}" if self.view.name else name

    def zone_resource(self, name: str, part: ZonePart) -> str:
        """Return what a component of the gateway's part in a managed zone is called."""
        return self.resource_name(f"{name}-{part.settings.dns.zone}" if part.domain else name)

    def ingress(self, service: pulumi.Input[str]) -> IngressGatewayArgs:
        """The Service, which exists or which Istio makes for the Gateway of port 80."""
        by_http = self.settings.proves_over_http
        section = shared_fields(self.settings.ingress, IngressGatewayArgs)
        args = {**section, "service": service, "plain": by_http, "managed": self.settings.ingress.managed}
        args["public_ca"] = by_http and self.settings.acme.public
        if self.settings.api == apis.ISTIO:
            args["selector"] = self.settings.ingress.selector
        args["api"] = self.settings.api
        if by_http:
            args["http01"] = shared_fields(self.settings.ingress, Http01Args)
        return cast(IngressGatewayArgs, args)

    def address(self, ip: pulumi.Input[str]) -> ReservedAddressArgs:
        """The address that the Service has."""
        gke = self.settings.gke
        return {
            "ip": ip,
            "region": self.settings.region,
            "object_name": self.resource_name(f"gateway-{names.stack_suffix(self.stack)}"),
            "project": gke.project if gke else None,
        }

    def records(self, ip: pulumi.Input[str], ipv6: pulumi.Input[str | None]) -> dict[str, DnsRecordsArgs]:
        """Every host, at the gateway's addresses; by the component's name, one for each zone."""
        return {self.zone_resource("dns", part): self._records(part, ip, ipv6) for part in self.settings.zone_parts}

    def _records(self, part: ZonePart, ip: pulumi.Input[str], ipv6: pulumi.Input[str | None]) -> DnsRecordsArgs:
        versions = addresses.FAMILIES[self.settings.ingress.family]
        args = {
            **shared_fields(part.settings.dns, DnsRecordsArgs),
            "hosts": [host.host for host in part.settings.hosts],
            # The stack's own CAA records are closer than any others.
            "caa_identities": [] if self.settings.dns.caa else self.settings.caa_identities or [],
        }
        if 4 in versions:
            args["ip"] = ip
        if 6 in versions:
            args["ipv6"] = pulumi.Output.from_input(ipv6).apply(str)
        return cast(DnsRecordsArgs, args)

    @property
    def delegations(self) -> dict[str, ChallengeDelegationsArgs]:
        """The delegated hosts; by the component's name, one for each zone that has some."""
        delegations: dict[str, ChallengeDelegationsArgs] = {}
        for part in self.settings.zone_parts:
            if hosts := [host for host in part.settings.challenges if host in self.delegated_hosts]:
                delegations[self.zone_resource("delegations", part)] = {
                    **cast(ChallengeDelegationsArgs, shared_fields(part.settings.dns, ChallengeDelegationsArgs)),
                    "hosts": hosts,
                    "domain": self.challenge_domain or "",
                    "former_parent": self.resource_name("dns"),
                }
        return delegations

    @property
    def http(self) -> HttpGatewayArgs:
        """Port 80."""
        return {
            "api": self.settings.api,
            "gateway": self._http_gateway,
            "namespace": self.settings.ingress.namespace,
            "service": self.settings.ingress.service,
            "selector": self.settings.ingress.selector,
            "managed": self._managed,
            "hosts": self._hosts,
            "routes_from": self.settings.ingress.routes_from,
            "owned_hosts": list(self.settings.owners),
        }

    def certificate(self, issuer: pulumi.Input[str]) -> GatewayCertificateArgs:
        """The certificates, signed by `issuer`."""
        section, acme = self.settings.certificate, self.settings.acme
        by_route = self.settings.api == apis.GATEWAY and self.settings.proves_over_http
        return {
            "namespace": self.settings.ingress.namespace,
            "issuer": issuer,
            "issuer_kind": acme.issuer_kind,
            "credentials": self._credentials,
            "http_gateway": self._http_gateway if by_route else None,
            "managed": self.settings.ingress.managed,
            "key": cast(KeyArgs, shared_fields(section, KeyArgs)),
            "timeout": acme.timeout,
            "profile": acme.profile,
            "renew_before_percentage": section.renew_before_percentage,
        }

    @property
    def tls(self) -> TlsGatewayArgs:
        """Port 443."""
        section = shared_fields(self.settings.tls, TlsGatewayArgs)
        name_or_pem, secret = section.pop("client_ca", ""), self.settings.client_ca_secret
        args = {
            **{key: self._secret_if_encrypted(value) for key, value in section.items()},
            "api": self.settings.api,
            "gateway": istio.tls_gateway_name(self.stack, self.view.name),
            "namespace": self.settings.ingress.namespace,
            "service": self.settings.ingress.service,
            "selector": self.settings.ingress.selector,
            "http_gateway": self._http_gateway if self.settings.ingress.managed else None,
            "credentials": self._credentials,
            "hosts": [host.served for host in self.settings.hosts],
            "routes_from": self.settings.ingress.routes_from,
        }
        if secret is not None:
            args["client_ca"] = {"secret_name": secret}
            if client_ca.is_pem(name_or_pem):
                args["client_ca"]["certificates"] = self._secret_if_encrypted(name_or_pem)
        return cast(TlsGatewayArgs, args)

    def _secret_if_encrypted(self, value: Any) -> Any:
        """Return a value of the section `tls` as an input, which is a secret where the config has it as one."""
        return pulumi.Output.secret(value) if self.secret_tls else value

    @property
    def _http_gateway(self) -> str:
        return istio.http_gateway_name(self.stack, self.view.name)

    @property
    def _managed(self) -> ManagedGatewayArgs | None:
        ingress = self.settings.ingress
        if not ingress.managed:
            return None
        return cast(ManagedGatewayArgs, shared_fields(ingress.infrastructure, ManagedGatewayArgs))

    @property
    def _hosts(self) -> list[str]:
        return [host.host for host in self.settings.hosts]

    @property
    def _credentials(self) -> list[CredentialArgs]:
        return [{"secret_name": secret, "hosts": hosts} for secret, hosts in self.settings.certificates.items()]


def shared_fields(section: Section, args: Any) -> dict[str, Any]:
    """Return the fields of a section that an args class has as well; they have the same names and meaning."""
    return section.model_dump(include=set(args.__annotations__), exclude_none=True)


def merged(parts: Iterable[pulumi.Output[Mapping[str, str]]]) -> pulumi.Output[dict[str, str]]:
    """Return several mappings as one."""
    return pulumi.Output.all(*parts).apply(lambda known: {key: value for part in known for key, value in part.items()})
