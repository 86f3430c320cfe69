"""Load balancers: an address for every Service of type LoadBalancer, as a cloud's controller gives one.

kube-proxy forwards the address (`ipMode: VIP`) once it stands in the Service's status. A Service with a
`loadBalancerClass` is somebody else's and stays pending.
"""

from __future__ import annotations

import logging
from ipaddress import IPv4Network

from sandbox.network import LOAD_BALANCER_CIDR
from sandbox.node.api import Api, ApiError
from sandbox.watch import EventType, Informer, Json

_NETWORK = IPv4Network(LOAD_BALANCER_CIDR)
FIRST_ADDRESS = _NETWORK[10]

log = logging.getLogger(__name__)


class LoadBalancers:
    """Keeps the addresses of all Services."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._services = Informer(api.client, "/api/v1/services", self._reconcile)

    def start(self) -> None:
        """Start to watch Services."""
        self._services.start()

    def _reconcile(self, event: EventType, service: Json) -> None:
        if event == "DELETED":
            return
        wanted = address_for(service, self._services.list())
        present = addresses_of(service)
        if wanted is None and present and service["spec"]["type"] != "LoadBalancer":
            self._write(service, [])
        elif wanted is not None and present != [wanted]:
            self._write(service, [{"ip": wanted, "ipMode": "VIP"}])

    def _write(self, service: Json, ingress: list[Json]) -> None:
        metadata = service["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}/status"
        status = {"loadBalancer": {"ingress": ingress or None}}
        try:
            changed = self._api.patch(path, {"metadata": {"uid": metadata["uid"]}, "status": status})
        except ApiError as error:  # the next change of the Service, or the next list, tries again
            log.warning("load balancer of %s/%s: %s", metadata["namespace"], metadata["name"], error)
            return
        service["status"] = changed["status"]  # so that the next Service sees the address taken at once


def addresses_of(service: Json) -> list[str]:
    """Return the load-balancer addresses in a Service's status."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return [each["ip"] for each in ingress if "ip" in each]


def address_for(service: Json, services: list[Json]) -> str | None:
    """Return the address a Service is to have: the one asked for, the one it has, or the first free one.

    None where it is to have none: another type, another controller's class, or an address asked for that is not the
    sandbox's or is another Service's.
    """
    spec = service["spec"]
    if spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass"):
        return None
    own = service["metadata"].get("uid")
    taken = {ip for each in services if each["metadata"].get("uid") != own for ip in addresses_of(each)}
    if asked := spec.get("loadBalancerIP"):
        return asked if asked not in taken and asked in map(str, _NETWORK.hosts()) else None
    if present := addresses_of(service):
        return present[0]
    free = (str(address) for address in _NETWORK.hosts() if address >= FIRST_ADDRESS and str(address) not in taken)
    return next(free, None)
