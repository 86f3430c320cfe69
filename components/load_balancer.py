"""Whether the gateway's Service is fit for TLS, and its address.

The provider cannot tell: `Service.get` never waits (pulumi-kubernetes, since 3.26), a missing Service is only "does
not exist", and a ServicePatch that waits would write into an object that belongs to another team. So the Service is
read, and then watched, with the Kubernetes client.
"""

import ipaddress
import math
import time
from collections.abc import Iterator, Mapping

from kubernetes import client, watch
from urllib3.exceptions import HTTPError

from .rules.problem import Problem, ProblemsError, setting

CONNECT_TIMEOUT = 5
"""Seconds to wait for the API server to answer."""

Commands = Mapping[str, str]
"""What sets an input, without its value: see `setting`."""

_INPUTS: Commands = {}
"""No commands: a fix names the inputs of the component."""


class GatewayProblemsError(ProblemsError):
    """The Service cannot carry TLS."""


class UnreachableError(Exception):
    """The cluster does not answer, or there are no credentials for it."""


def find_address(
    api: client.ApiClient, namespace: str, service: str, timeout: float, commands: Commands = _INPUTS
) -> str | None:
    """Return the Service's external IPv4 address, waiting for it.

    Args:
        api: of the cluster.
        namespace: of the Service.
        service: its name.
        timeout: seconds; 0 reads once.
        commands: what sets an input of the component.

    Returns:
        None when it has none yet, after the timeout.

    Raises:
        GatewayProblemsError: when waiting would not help.
        UnreachableError: when the cluster does not answer.
    """
    services = client.CoreV1Api(api)
    deadline = time.monotonic() + timeout
    try:
        while True:
            # Listed, not read, since only a list has the version of the cluster that a watch can go on from. A watch
            # from nowhere in particular is refused by an API server whose cache is behind its store.
            listed = services.list_namespaced_service(
                namespace,
                field_selector=f"metadata.name={service}",
                _request_timeout=(CONNECT_TIMEOUT, CONNECT_TIMEOUT),
            )
            if not listed.items:
                raise _missing(namespace, service, commands)
            address = external_ip(listed.items[0], commands)
            left = math.ceil(deadline - time.monotonic())
            if address is not None or left <= 0:
                return address
            address = _watched_address(services, namespace, service, listed.metadata, left, commands)
            if address is not None:
                return address
    except client.ApiException as error:
        raise UnreachableError(f"the API server answers {error.status} {error.reason}") from error
    except HTTPError as error:
        raise UnreachableError(str(error)) from error


def _watched_address(
    services: client.CoreV1Api,
    namespace: str,
    service: str,
    listed: client.V1ListMeta | None,
    seconds: int,
    commands: Commands,
) -> str | None:
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
            raise _missing(namespace, service, commands)
        if address := external_ip(event["object"], commands):
            changes.stop()
            return address
    return None


def external_ip(service: client.V1Service, commands: Commands = _INPUTS) -> str | None:
    """Return a Service's external IPv4 address, or None while the load balancer is being made.

    Raises:
        GatewayProblemsError: with everything that is wrong with the Service.
    """
    if problems := list(_problems(service, commands)):
        raise GatewayProblemsError(*problems)
    return next((point.ip for point in _points(service) if _is_ipv4(point.ip)), None)


def _points(service: client.V1Service) -> list[client.V1LoadBalancerIngress]:
    balancer = service.status.load_balancer if service.status else None
    return (balancer.ingress if balancer else None) or []


def _is_ipv4(address: str | None) -> bool:
    return address is not None and ipaddress.ip_address(address).version == 4


def _problems(service: client.V1Service, commands: Commands) -> Iterator[Problem]:
    metadata, spec = service.metadata or client.V1ObjectMeta(), service.spec or client.V1ServiceSpec()
    where = service_name(str(metadata.namespace), str(metadata.name))
    patch = f"kubectl --namespace {metadata.namespace} patch service {metadata.name}"
    ports = {port.port: port for port in spec.ports or []}
    if spec.type != "LoadBalancer":
        yield Problem(
            where,
            f"is of type {spec.type}; only a LoadBalancer gets an external IP",
            (f'{patch} --type merge --patch \'{{"spec":{{"type":"LoadBalancer"}}}}\'',),
        )
    # A gateway that listens on unprivileged ports does so for both.
    unprivileged = any(port.target_port in (8080, 8443) for port in ports.values())
    for number, protocol, high in ((80, "http", 8080), (443, "https", 8443)):
        if number not in ports:
            target = high if unprivileged else number
            port = f'{{"name":"{protocol}","port":{number},"targetPort":{target}}}'
            yield Problem(
                where,
                f"has no port {number} ({protocol})",
                (f'{patch} --type json --patch \'[{{"op":"add","path":"/spec/ports/-","value":{port}}}]\'',),
            )
    points = _points(service)
    if points and not any(point.ip for point in points):
        yield Problem(
            where,
            f"has the hostname {points[0].hostname} and no IP; an A record needs an IP",
            (setting(commands, "service", "NAME", "a Service whose load balancer has an IP"),),
        )
    elif points and not any(_is_ipv4(point.ip) for point in points):
        yield Problem(
            where,
            f"has only the IPv6 address {points[0].ip}; an A record needs IPv4",
            (f'{patch} --type merge --patch \'{{"spec":{{"ipFamilies":["IPv4"]}}}}\'',),
        )


def service_name(namespace: str, service: str) -> str:
    """Return the `where` of a Service's problem."""
    return f"Service {namespace}/{service}"


def _missing(namespace: str, service: str, commands: Commands) -> GatewayProblemsError:
    return GatewayProblemsError(
        Problem(
            service_name(namespace, service),
            "does not exist",
            (
                "kubectl get services --all-namespaces --selector istio=ingressgateway",
                setting(commands, "namespace", "NAMESPACE"),
                setting(commands, "service", "NAME"),
            ),
        )
    )
