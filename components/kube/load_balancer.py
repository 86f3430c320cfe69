"""Whether the gateway's Service is fit for TLS, and its addresses.

The provider cannot tell: `Service.get` never waits (pulumi-kubernetes, since 3.26), a missing Service is only "does
not exist", and a ServicePatch that waits would write into an object that belongs to another team. So the Service is
read, and then watched, with the Kubernetes client.
"""

import math
import time
from collections.abc import Sequence

from kubernetes import client, watch
from urllib3.exceptions import HTTPError

from .. import preflight
from ..preflight.service import Commands, Wanted, addresses_of, service_name
from ..problem import Problem, ProblemsError, set_input
from ..specs import addresses

CONNECT_TIMEOUT = 5
"""Seconds to wait for the API server to answer."""


class UnreachableError(Exception):
    """The cluster does not answer, or there are no credentials for it."""


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
    if problems := list(preflight.find(preflight.SERVICE, service, wanted)):
        raise ProblemsError(*problems)
    ips = addresses_of(service)
    versions = addresses.FAMILIES[wanted.family]
    return [ips[version] for version in versions] if all(version in ips for version in versions) else None


def asks_for_address(service: client.V1Service) -> bool:
    """Tell whether a Service names the address that it wants, and so gets it again after a re-creation."""
    annotations = (service.metadata.annotations if service.metadata else None) or {}
    return bool((service.spec and service.spec.load_balancer_ip) or annotations.get(addresses.ANNOTATION))


def _missing(namespace: str, service: str, commands: Commands) -> ProblemsError:
    fix = (
        "kubectl get services --all-namespaces --selector istio=ingressgateway",
        set_input(commands, "namespace", "NAMESPACE"),
        set_input(commands, "service", "NAME"),
    )
    return ProblemsError(Problem(service_name(namespace, service), "does not exist", fix))
