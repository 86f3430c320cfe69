"""Load balancers: an address for every Service of type LoadBalancer, as a cloud's controller gives one.

kube-proxy forwards the address (`ipMode: VIP`) once it is in the Service's status. A Service with a
`loadBalancerClass` belongs to another controller and stays pending.
"""

import logging
from ipaddress import IPv4Network

from sandbox.api import ApiError, Json
from sandbox.network import LOAD_BALANCER_CIDR
from sandbox.node.api import Api
from sandbox.watch import EventType, Informer

_NETWORK = IPv4Network(LOAD_BALANCER_CIDR)
FIRST_ADDRESS = _NETWORK[10]

log = logging.getLogger(__name__)


def keep_addresses(api: Api) -> None:
    """Start to keep the addresses of all Services, in a thread."""

    def reconcile(event: EventType, service: Json) -> None:
        if event == "DELETED":
            return
        wanted, current = address_for(service, services.list()), addresses_of(service)
        if wanted is None and current and service["spec"]["type"] != "LoadBalancer":
            _write(api, service, [])
        elif wanted is not None and current != [wanted]:
            _write(api, service, [{"ip": wanted, "ipMode": "VIP"}])

    services = Informer(api.client, "/api/v1/services", reconcile)
    services.start()


def _write(api: Api, service: Json, ingress: list[Json]) -> None:
    metadata = service["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}/status"
    body = {"metadata": {"uid": metadata["uid"]}, "status": {"loadBalancer": {"ingress": ingress or None}}}
    try:
        service["status"] = api.patch(path, body)["status"]  # the next Service sees at once that the address is in use
    except ApiError as error:  # the next change of the Service, or the next list, tries again
        log.warning("load balancer of %s/%s: %s", metadata["namespace"], metadata["name"], error)


def addresses_of(service: Json) -> list[str]:
    """Return the load-balancer addresses in a Service's status."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return [entry["ip"] for entry in ingress if "ip" in entry]


def address_for(service: Json, services: list[Json]) -> str | None:
    """Return the address for a Service: the requested one, its current one, or the first free one.

    None if it has another type or another controller's class, or requests an address that is in use or not the
    sandbox's.
    """
    spec = service["spec"]
    if spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass"):
        return None
    own = service["metadata"].get("uid")
    in_use = {ip for other in services if other["metadata"].get("uid") != own for ip in addresses_of(other)}
    if requested := spec.get("loadBalancerIP"):
        return requested if requested not in in_use and requested in map(str, _NETWORK.hosts()) else None
    if current := addresses_of(service):
        return current[0]
    free = (str(address) for address in _NETWORK.hosts() if address >= FIRST_ADDRESS and str(address) not in in_use)
    return next(free, None)
