"""Whether the gateway's Service is fit for TLS, and its addresses.

The provider cannot tell: `Service.get` never waits (pulumi-kubernetes, since 3.26), a missing Service is only "does
not exist", and a ServicePatch that waits would write into an object that belongs to another team. So the Service is
read, and then watched, with the Kubernetes client.
"""

import math
import time
from collections.abc import Sequence

from .. import preflight
from ..preflight.service import Commands, Wanted, addresses_of, service_name
from ..problem import Problem, ProblemsError, set_input
from ..specs import addresses
from .client import Client, Object


def find_address(client: Client, namespace: str, service: str, timeout: float, wanted: Wanted) -> Sequence[str] | None:
    """Return the Service's external addresses, one of each IP version that is wanted, waiting for them.

    None when it has not all of them after the timeout in seconds; 0 reads once.

    Raises:
        ProblemsError: the Service cannot carry TLS, and waiting would not help.
        ClusterError: it cannot be read.
    """
    deadline = time.monotonic() + timeout
    while True:
        # Listed, not read, since only a list has the version of the cluster that a watch can go on from. A watch from
        # nowhere in particular is refused by an API server whose cache is behind its store.
        listed = client.listed("v1", "services", namespace, field_selector=_only(service))
        if not listed["items"] and not wanted.managed:
            raise _missing(namespace, service, wanted.commands)
        address = _external_ips(listed["items"][0], wanted) if listed["items"] else None
        left = math.ceil(deadline - time.monotonic())
        if address is None and left > 0:
            address = _watched_address(client, namespace, service, listed, left, wanted)
        if address is not None or left <= 0:
            return address


def read_service(client: Client, namespace: str, service: str) -> Object | None:
    """Return the Service, or None where there is none. It is listed: the roles of the identities have no more rights.

    Raises:
        ClusterError: it cannot be read.
    """
    return next(iter(client.items("v1", "services", namespace, field_selector=_only(service))), None)


def _only(service: str) -> str:
    return f"metadata.name={service}"


def _watched_address(
    client: Client, namespace: str, service: str, listed: Object, seconds: int, wanted: Wanted
) -> Sequence[str] | None:
    changes = client.watch("v1", "services", namespace, listed, seconds, field_selector=_only(service))
    for change, changed in changes:
        if change == "DELETED":
            raise _missing(namespace, service, wanted.commands)
        if address := _external_ips(changed, wanted):
            return address
    return None


def _external_ips(service: Object, wanted: Wanted) -> Sequence[str] | None:
    """Return a Service's addresses of the wanted IP versions, in the order of the family; None until it has all."""
    if problems := list(preflight.find(preflight.SERVICE, service, wanted)):
        raise ProblemsError(*problems)
    ips = addresses_of(service)
    versions = addresses.FAMILIES[wanted.family]
    return [ips[version] for version in versions] if all(version in ips for version in versions) else None


def asks_for_address(service: Object) -> bool:
    """Tell whether a Service names the address that it wants, and so gets it again after a re-creation."""
    annotations = service["metadata"].get("annotations") or {}
    return bool(service["spec"].get("loadBalancerIP") or annotations.get(addresses.ANNOTATION))


def _missing(namespace: str, service: str, commands: Commands) -> ProblemsError:
    fix = (
        "kubectl get services --all-namespaces --selector istio=ingressgateway",
        set_input(commands, "namespace", "NAMESPACE"),
        set_input(commands, "service", "NAME"),
    )
    return ProblemsError(Problem(service_name(namespace, service), "does not exist", fix))
