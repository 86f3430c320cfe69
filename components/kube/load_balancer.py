"""Whether the gateway's Service is fit for TLS, and its addresses.

The provider cannot tell: `Service.get` never waits (pulumi-kubernetes, since 3.26), a missing Service is only "does
not exist", and a ServicePatch that waits would write into an object that belongs to another team. So the Service is
read, and then watched, with the Kubernetes client.
"""

import ipaddress
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kubernetes import client, watch
from urllib3.exceptions import HTTPError

from ..problem import Problem, ProblemsError, set_input
from ..shell import word
from ..specs import addresses

CONNECT_TIMEOUT = 5
"""Seconds to wait for the API server to answer."""

Commands = Mapping[str, str]
"""What sets an input, without its value: see `set_input`."""


class UnreachableError(Exception):
    """The cluster does not answer, or there are no credentials for it."""


@dataclass(frozen=True)
class Wanted:
    """What a Service is read for."""

    family: str = addresses.IPV4
    """Of the external addresses: one of `addresses.FAMILIES`."""
    plain: bool = True
    """Whether port 80 is needed."""
    managed: bool = False
    """Whether Istio makes the Service, and its port 443 with the first host."""
    commands: Commands = field(default_factory=dict)
    """Without any, a fix names the inputs of the component."""


def find_address(
    api: client.ApiClient, namespace: str, service: str, timeout: float, wanted: Wanted
) -> Sequence[str] | None:
    """Return the Service's external addresses, one of each IP version that is wanted, waiting for them.

    None when it has not all of them after the timeout in seconds; 0 reads once.

    Raises:
        ProblemsError: the Service cannot carry TLS, and waiting would not help.
        UnreachableError: the cluster does not answer.
    """
    services = client.CoreV1Api(api)
    deadline = time.monotonic() + timeout
    try:
        while True:
            listed = _list(services, namespace, service)
            if not listed.items and not wanted.managed:
                raise _missing(namespace, service, wanted.commands)
            address = _external_ips(listed.items[0], wanted) if listed.items else None
            left = math.ceil(deadline - time.monotonic())
            if address is None and left > 0:
                address = _watched_address(services, namespace, service, listed.metadata, left, wanted)
            if address is not None or left <= 0:
                return address
    except client.ApiException as error:
        raise UnreachableError(f"the API server answers {error.status} {error.reason}") from error
    except HTTPError as error:
        raise UnreachableError(str(error)) from error


def read_service(api: client.ApiClient, namespace: str, service: str) -> client.V1Service | None:
    """Return the Service, or None where there is none.

    Raises:
        kubernetes.client.ApiException, urllib3.exceptions.HTTPError: it cannot be read.
    """
    services = _list(client.CoreV1Api(api), namespace, service).items
    return services[0] if services else None


def _list(services: client.CoreV1Api, namespace: str, service: str) -> client.V1ServiceList:
    # Listed, not read, since only a list has the version of the cluster that a watch can go on from. A watch from
    # nowhere in particular is refused by an API server whose cache is behind its store.
    return services.list_namespaced_service(
        namespace, field_selector=f"metadata.name={service}", _request_timeout=(CONNECT_TIMEOUT, CONNECT_TIMEOUT)
    )


def _watched_address(
    services: client.CoreV1Api,
    namespace: str,
    service: str,
    listed: client.V1ListMeta | None,
    seconds: int,
    wanted: Wanted,
) -> Sequence[str] | None:
    changes = watch.Watch()
    for event in changes.stream(
        services.list_namespaced_service,
        namespace,
        field_selector=f"metadata.name={service}",
        resource_version=listed.resource_version if listed else None,
        timeout_seconds=seconds,
        _request_timeout=(CONNECT_TIMEOUT, seconds + CONNECT_TIMEOUT),
    ):
        if event["type"] == "DELETED":
            raise _missing(namespace, service, wanted.commands)
        if address := _external_ips(event["object"], wanted):
            changes.stop()
            return address
    return None


def _external_ips(service: client.V1Service, wanted: Wanted) -> Sequence[str] | None:
    """Return a Service's addresses of the wanted IP versions, in the order of the family; None until it has all."""
    if problems := list(_problems(service, wanted)):
        raise ProblemsError(*problems)
    ips = _by_version(service)
    versions = addresses.FAMILIES[wanted.family]
    return [ips[version] for version in versions] if all(version in ips for version in versions) else None


def asks_for_address(service: client.V1Service) -> bool:
    """Tell whether a Service names the address that it wants, and so gets it again after a re-creation."""
    annotations = (service.metadata.annotations if service.metadata else None) or {}
    return bool((service.spec and service.spec.load_balancer_ip) or annotations.get(addresses.ANNOTATION))


def _points(service: client.V1Service) -> list[client.V1LoadBalancerIngress]:
    balancer = service.status.load_balancer if service.status else None
    return (balancer.ingress if balancer else None) or []


def _by_version(service: client.V1Service) -> dict[int, str]:
    """Return the first address of each IP version."""
    ips: dict[int, str] = {}
    for point in _points(service):
        if point.ip:
            ips.setdefault(ipaddress.ip_address(point.ip).version, point.ip)
    return ips


def _problems(service: client.V1Service, wanted: Wanted) -> Iterator[Problem]:
    metadata, spec = service.metadata or client.V1ObjectMeta(), service.spec or client.V1ServiceSpec()
    where = service_name(str(metadata.namespace), str(metadata.name))
    patch = partial(_patch, str(metadata.namespace), str(metadata.name))
    ports = {port.port: port for port in spec.ports or []}
    if spec.type != "LoadBalancer":
        fix = patch({"spec": {"type": "LoadBalancer"}})
        yield Problem(where, f"is of type {spec.type}; only a LoadBalancer gets an external IP", (fix,))
    # A gateway that listens on unprivileged ports does so for both.
    unprivileged = any(port.target_port in (8080, 8443) for port in ports.values())
    for number, protocol, high in ((80, "http", 8080), (443, "https", 8443)):
        needed = wanted.plain if number == 80 else not wanted.managed
        if number not in ports and needed:
            target = high if unprivileged else number
            port = {"name": protocol, "port": number, "targetPort": target}
            fix = patch([{"op": "add", "path": "/spec/ports/-", "value": port}])
            yield Problem(where, f"has no port {number} ({protocol})", (fix,))
    points, ips = _points(service), _by_version(service)
    if points and not ips:
        what = f"has the hostname {points[0].hostname} and no IP; an A record needs an IP"
        fix = set_input(wanted.commands, "service", "NAME", "a Service whose load balancer has an IP")
        yield Problem(where, what, (fix,))
    elif points:
        yield from _wrong_versions(where, patch, ips, spec.ip_families or [], wanted)


def _wrong_versions(
    where: str, patch: Callable[[Any], str], ips: Mapping[int, str], families: Sequence[str], wanted: Wanted
) -> Iterator[Problem]:
    versions = addresses.FAMILIES[wanted.family]
    lacking = [version for version in versions if version not in ips]
    if not lacking or (all(f"IPv{version}" in families for version in versions) and len(versions) > 1):
        # With both, the second address may still be on its way.
        return
    has = ", ".join(f"the IPv{version} address {address}" for version, address in ips.items())
    record = addresses.RECORD_TYPES[lacking[0]]
    dual = {"ipFamilyPolicy": "RequireDualStack"}
    change = dual if len(versions) > 1 else {"ipFamilies": [f"IPv{lacking[0]}"]}
    other = next(name for name, family in addresses.FAMILIES.items() if family == tuple(sorted(ips)))
    fix = (
        patch({"spec": change}),
        set_input(wanted.commands, "family", other, "in place of the above"),
    )
    yield Problem(where, f"has only {has}; an {record} record needs IPv{lacking[0]}", fix)


def _patch(namespace: str, name: str, change: Any) -> str:
    """Return the command that changes a Service: by the operations of a JSON patch, or by an object to merge."""
    kind, patch = "json" if isinstance(change, list) else "merge", json.dumps(change, separators=(",", ":"))
    return f"kubectl --namespace {word(namespace)} patch service {word(name)} --type {kind} --patch {word(patch)}"


def service_name(namespace: str, service: str) -> str:
    """Return the `where` of a Service's problem."""
    return f"Service {namespace}/{service}"


def _missing(namespace: str, service: str, commands: Commands) -> ProblemsError:
    fix = (
        "kubectl get services --all-namespaces --selector istio=ingressgateway",
        set_input(commands, "namespace", "NAMESPACE"),
        set_input(commands, "service", "NAME"),
    )
    return ProblemsError(Problem(service_name(namespace, service), "does not exist", fix))
