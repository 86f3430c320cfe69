"""Names of the cluster's Services (https://github.com/kubernetes/dns/blob/master/docs/specification.md).

Answers what Pods ask for: the address records of Services, headless ones and ExternalName included. It does
not answer SRV, PTR and the names of Pods by their address.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

import dns.name
from dns.name import Name
from dns.rdatatype import RdataType
from kubernetes import config

from sandbox.googlecloud.records import RecordSet
from sandbox.googlecloud.static import StaticZone, record_set
from sandbox.watch import EventType, Informer, Json

ORIGIN = dns.name.from_text("cluster.local.")
_TTL = 5  # seconds, as kube-dns
_SERVICE_LABEL = "kubernetes.io/service-name"


class ServiceZone:
    """The zone `cluster.local.`, kept up to date by watching Services and EndpointSlices.

    Until the API server answers, and while it is away, the zone is as it was seen last.
    """

    origin = ORIGIN

    def __init__(self, kubeconfig: str) -> None:
        client = config.new_client_from_config(kubeconfig)
        self._lock = threading.Lock()
        self._services = Informer(client, "/api/v1/services", self._changed)
        self._slices = Informer(client, "/apis/discovery.k8s.io/v1/endpointslices", self._changed)
        self._zone = StaticZone.of(ORIGIN, [], _TTL)

    @property
    def record_sets(self) -> Mapping[tuple[Name, RdataType], RecordSet]:
        """The record sets as of the last event."""
        return self._zone.record_sets

    def start(self) -> None:
        """Watch, in threads of their own."""
        self._services.start()
        self._slices.start()

    def _changed(self, _event: EventType, _item: Json) -> None:
        with self._lock:
            found = service_record_sets(self._services.list(), self._slices.list())
            self._zone = StaticZone.of(ORIGIN, found, _TTL)


def service_record_sets(services: Iterable[Json], slices: Iterable[Json]) -> list[RecordSet]:
    """Return the record sets of Services, those of the headless ones by their EndpointSlices."""
    endpoints: dict[tuple[str, str], list[Json]] = {}
    for each in slices:
        metadata = each["metadata"]
        service = (metadata.get("labels") or {}).get(_SERVICE_LABEL, "")
        endpoints.setdefault((metadata["namespace"], service), []).extend(each.get("endpoints") or [])
    found: list[RecordSet] = []
    for each in services:
        metadata, spec = each["metadata"], each["spec"]
        name = dns.name.from_text(f"{metadata['name']}.{metadata['namespace']}.svc", ORIGIN)
        if spec.get("type") == "ExternalName":
            target = dns.name.from_text(spec["externalName"])
            found.append(record_set(name, RdataType.CNAME, [str(target)], _TTL, ORIGIN))
        elif spec.get("clusterIP") == "None":
            ready = [
                endpoint
                for endpoint in endpoints.get((metadata["namespace"], metadata["name"]), [])
                if spec.get("publishNotReadyAddresses") or (endpoint.get("conditions") or {}).get("ready", True)
            ]
            found += _addresses(name, [address for endpoint in ready for address in endpoint["addresses"]])
            for endpoint in ready:
                if endpoint.get("hostname"):
                    found += _addresses(dns.name.from_text(endpoint["hostname"], name), endpoint["addresses"])
        elif spec.get("clusterIP"):
            found += _addresses(name, spec.get("clusterIPs") or [spec["clusterIP"]])
    return found


def _addresses(name: Name, addresses: Iterable[str]) -> list[RecordSet]:
    by_type: dict[RdataType, list[str]] = {RdataType.A: [], RdataType.AAAA: []}
    for address in addresses:
        by_type[RdataType.AAAA if ":" in address else RdataType.A].append(address)
    return [record_set(name, rdtype, texts, _TTL, ORIGIN) for rdtype, texts in by_type.items() if texts]
