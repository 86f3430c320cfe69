"""What the emulator reads from the cluster: the names of Services, and which ServiceAccount a Pod runs as."""

import threading
from collections.abc import Iterable, Mapping

import dns.name
from dns.name import Name
from dns.rdatatype import RdataType
from kubernetes import config

from sandbox.api import Json
from sandbox.googlecloud.records import RecordSet
from sandbox.googlecloud.zones import StaticZone, address_record_sets, record_set
from sandbox.watch import EventType, Informer

ORIGIN = dns.name.from_text("cluster.local.")
_TTL = 5  # seconds, as kube-dns
_SERVICE_LABEL = "kubernetes.io/service-name"


class Pods:
    """A live copy of the cluster's Pods."""

    def __init__(self, kubeconfig: str) -> None:
        self._pods = Informer(config.new_client_from_config(kubeconfig), "/api/v1/pods", lambda *_: None)
        self.start = self._pods.start

    def identity(self, address: str) -> tuple[str, str] | None:
        """Return namespace and name of the ServiceAccount of the Pod that has this address."""
        for pod in self._pods.list():
            if pod.get("status", {}).get("podIP") == address:
                return pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "default")
        return None


class ServiceZone:
    """The zone `cluster.local.`, kept up to date by watching Services and EndpointSlices.

    It has the address records of Services, headless ones and ExternalName included, but no SRV, no PTR and no Pods
    (https://github.com/kubernetes/dns/blob/master/docs/specification.md).
    """

    origin = ORIGIN

    def __init__(self, kubeconfig: str) -> None:
        client = config.new_client_from_config(kubeconfig)
        self._lock = threading.Lock()
        self._services = Informer(client, "/api/v1/services", self._update)
        self._slices = Informer(client, "/apis/discovery.k8s.io/v1/endpointslices", self._update)
        self._zone = StaticZone.of(ORIGIN, [], _TTL)

    @property
    def record_sets(self) -> Mapping[tuple[Name, RdataType], RecordSet]:
        """The record sets as of the last event."""
        return self._zone.record_sets

    def start(self) -> None:
        """Watch, in two threads."""
        self._services.start()
        self._slices.start()

    def _update(self, _event: EventType, _item: Json) -> None:
        with self._lock:
            self._zone = StaticZone.of(ORIGIN, service_record_sets(self._services.list(), self._slices.list()), _TTL)


def service_record_sets(services: Iterable[Json], slices: Iterable[Json]) -> list[RecordSet]:
    """Return the record sets of Services; those of headless Services come from EndpointSlices."""
    endpoints: dict[tuple[str, str], list[Json]] = {}
    for endpoint_slice in slices:
        metadata = endpoint_slice["metadata"]
        service_name = (metadata.get("labels") or {}).get(_SERVICE_LABEL, "")
        endpoints.setdefault((metadata["namespace"], service_name), []).extend(endpoint_slice.get("endpoints") or [])
    record_sets: list[RecordSet] = []
    for service in services:
        metadata, spec = service["metadata"], service["spec"]
        name = dns.name.from_text(f"{metadata['name']}.{metadata['namespace']}.svc", ORIGIN)
        if spec.get("type") == "ExternalName":
            target = dns.name.from_text(spec["externalName"])
            record_sets.append(record_set(name, RdataType.CNAME, [str(target)], _TTL, ORIGIN))
        elif spec.get("clusterIP") == "None":
            ready = [
                endpoint
                for endpoint in endpoints.get((metadata["namespace"], metadata["name"]), [])
                if spec.get("publishNotReadyAddresses") or (endpoint.get("conditions") or {}).get("ready", True)
            ]
            every_address = [address for endpoint in ready for address in endpoint["addresses"]]
            record_sets += address_record_sets(name, every_address, _TTL, ORIGIN)
            for endpoint in ready:
                if hostname := endpoint.get("hostname"):
                    host = dns.name.from_text(hostname, name)
                    record_sets += address_record_sets(host, endpoint["addresses"], _TTL, ORIGIN)
        elif spec.get("clusterIP"):
            record_sets += address_record_sets(name, spec.get("clusterIPs") or [spec["clusterIP"]], _TTL, ORIGIN)
    return record_sets
