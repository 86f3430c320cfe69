"""The environment to check, from its stack: the outputs say what is live, the config says what was asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from components.problem import Problem, ProblemsError
from components.shell import word
from components.specs import addresses, apis, gcloud, istio, names
from config.models import Settings
from config.problems import Path
from config.reading import read_printed
from config.traffic import Host
from tlsctl.own import Key, OwnObjects
from tlsctl.verify.checks import CHECKS
from tlsctl.verify.results import Result, failed

Object = Mapping[str, Any]
Objects = Mapping[str, Object]
"""By name, of one kind and one namespace."""


@dataclass(frozen=True)
class Environment:
    """One gateway of a stack, as it is deployed."""

    stack: str
    """The stack's short name, or the name that its objects have kept."""
    ip: str
    issuer: str
    settings: Settings
    """The stack's config, as if the gateway were its only one."""
    kubeconfig: str | None = None
    """A path or content, as the stack's Kubernetes provider has it; None is the ambient one."""
    account: str | None = None
    """The URI of that issuer's ACME account, where the stack knows it."""
    gateway: str = ""
    """The gateway's name; empty for the one of the stack's own keys."""
    path: Path = ()
    """The path of the gateway's section in the config."""
    shares_service: bool = False
    """Whether the Service is that of the stack's own keys."""
    ipv6: str | None = None
    """The gateway's IPv6 address, where its hosts have AAAA records."""
    reserves: bool = False
    """Whether the stack has reserved the address."""
    stack_objects: tuple[OwnObjects, ...] = ()
    """The objects of all gateways of the stack."""

    @property
    def own(self) -> OwnObjects:
        """The objects that the stack makes for this gateway."""
        return own_objects(self.stack, self.gateway, self.settings)

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """The config of each host, in the config's order; `*.` may lead a host."""
        return {host.host: host for host in self.settings.hosts}

    @cached_property
    def certificates(self) -> Mapping[str, tuple[str, ...]]:
        """The hosts of each Certificate; its Secret has the same name."""
        return {name: tuple(hosts) for name, hosts in self.settings.certificates.items()}

    @cached_property
    def certificate_of(self) -> Mapping[str, str]:
        """The Certificate of each host."""
        return {host: name for name, hosts in self.certificates.items() for host in hosts}

    @property
    def addresses(self) -> Mapping[str, str]:
        """The address of each type of record that every host has."""
        by_version = {4: self.ip, 6: self.ipv6 or self.ip}
        versions = addresses.FAMILIES[self.settings.ingress.family]
        return {addresses.RECORD_TYPES[version]: by_version[version] for version in versions}

    @property
    def namespace(self) -> str:
        """The namespace of the gateway and of all objects that the stack makes for it."""
        return str(self.settings.ingress.namespace)

    def route_namespaces(self, host: str, port: int = 443) -> set[str]:
        """Return the namespaces from which a port of the gateway accepts routes for a host, `*` for all."""
        owner = self.settings.owners.get(host)
        if owner:
            return {owner if port == 443 else self.namespace}
        return istio.route_namespaces(self.namespace, self.settings.ingress.routes_from)

    def failed(self, check: str, subject: str, detail: str, **fields: str) -> Result:
        """Return the result of a check that failed, with the check's usual fix and the fields of its own."""
        return failed(check, subject, detail, self.fix(check, subject, **fields))

    def unrouted(self, host: str, gateway: str) -> Result:
        """Return the result for a host whose owner has no route for it on the stack's Gateway."""
        owner, kind = self.settings.owners[host], apis.ROUTES[self.settings.api]
        detail = f"{owner}, the namespace of its owner, has no route for it on {gateway}"
        fix = f"kubectl --namespace {word(owner)} get {kind}    # docs/gateways.md has one that its team can apply"
        return failed("gateway", host, detail, (fix,))

    def fix(self, check: str, subject: str = "", **own_fields: str) -> tuple[str, ...]:
        """Return the usual fix of a failed check; `Stack.address` adds the stack to its commands."""
        fields = {
            "namespace": self.namespace,
            "service": self.settings.ingress.service,
            "gateways": apis.GATEWAYS[self.settings.api],
            "routes": apis.ROUTES[self.settings.api],
            "cert_manager": self.settings.cert_manager.namespace,
            "issuer": self.issuer,
            "issuer_kind": self.settings.acme.issuer_kind.lower(),
            "certificate": subject if subject in self.certificates else self.certificate_of.get(subject, ""),
            "domain": names.without_wildcard(subject),
            **own_fields,
        }
        zone = self.settings.dns.zone_of(subject)
        quoted = {name: word(value) if value else "" for name, value in fields.items()}
        quoted["zone"] = gcloud.zone_name(zone.zone, zone.project)
        return tuple(command.format_map(quoted) for command in CHECKS[check].fix)


def own_objects(stack: str, gateway: str, settings: Settings) -> OwnObjects:
    """Return the objects of one gateway of a stack; `settings` are as if it was the only one."""
    listeners = len(settings.hosts) if settings.api == apis.GATEWAY else 1
    return OwnObjects(stack, settings.ingress.namespace, gateway, listeners)


def key(obj: Object) -> Key:
    """Return the namespace and name of an object."""
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def probe_name(host: str) -> str:
    """Return the name to send requests to: for a wildcard, a name that it covers."""
    return host.replace("*", "verify", 1) if names.is_wildcard(host) else host


def environments(state: Mapping[str, Any], config: Mapping[str, Any], stack: str) -> list[Environment]:
    """Return the environment of each gateway, that of the stack's own keys first; pulumi prints state and config.

    Raises:
        ProblemsError: the stack is not deployed, or its config is not valid.
    """
    resources = state["deployment"].get("resources") or []
    root: Mapping[str, Any] = _first(resources, "pulumi:pulumi:Stack")
    outputs = root.get("outputs", {})
    where = f"stack {stack}"
    if not outputs.get("ingressIp") or not outputs.get("dnsRecords"):
        raise ProblemsError(Problem(where, "is not deployed: it has no outputs", ("pulumi up",)))
    # Objects are named after the short name, without organization and project.
    name = str(root["urn"].split(":")[2])
    settings = read_printed(config, name)
    name = settings.stack_name or name
    views = settings.views
    live = [outputs.get("gateways", {}).get(view.name, {}) if view.name else outputs for view in views]
    missing = [
        host.host
        for deployed, view in zip(live, views, strict=True)
        for host in view.settings.hosts
        if host.host not in deployed.get("dnsRecords", {})
    ]
    if missing:
        raise ProblemsError(Problem(where, f"has hosts that are not deployed: {', '.join(missing)}", ("pulumi up",)))
    return [
        Environment(
            name,
            deployed.get("ingressIp", ""),
            outputs["issuer"],
            view.settings,
            _kubeconfig(resources),
            (outputs.get("acmeAccounts") or {}).get(settings.acme.issuer),
            view.name,
            view.path,
            shares_service=view.shares_service,
            ipv6=deployed.get("ingressIpv6"),
            reserves="ingressChartValue" in (outputs if view.shares_service else deployed),
            stack_objects=tuple(own_objects(name, view.name, view.settings) for view in views),
        )
        for deployed, view in zip(live, views, strict=True)
    ]


def _kubeconfig(resources: list[Mapping[str, Any]]) -> str | None:
    """Return the kubeconfig of the stack's Kubernetes provider, from its state; None is the ambient one."""
    value = _first(resources, "pulumi:providers:kubernetes").get("inputs", {}).get("kubeconfig")
    # The engine writes a secret as an object with the value as JSON.
    kubeconfig: str | None = json.loads(value["plaintext"]) if isinstance(value, Mapping) else value
    return kubeconfig


def _first(resources: list[Mapping[str, Any]], type_: str) -> Mapping[str, Any]:
    return next((resource for resource in resources if resource["type"] == type_), {})
