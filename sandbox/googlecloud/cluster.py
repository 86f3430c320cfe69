"""What the emulator reads from the cluster: the names of Services, and which ServiceAccount a Pod runs as."""

from collections.abc import Iterable, Mapping

import dns.name
from dns.name import Name
from dns.rdatatype import RdataType
from kubernetes import config

from sandbox.api import Json
from sandbox.googlecloud.iam import Identity
from sandbox.googlecloud.records import RecordSet
from sandbox.googlecloud.zones import StaticZone, address_record_sets
from sandbox.watch import EventType, Informer

ORIGIN = dns.name.from_text("cluster.local.")
_TTL = 5  # seconds, as kube-dns


class Pods:
    """A live copy of the cluster's Pods and their ServiceAccounts."""

    def __init__(self, kubeconfig: str) -> None:
        client = config.new_client_from_config(kubeconfig)
        self._pods = Informer(client, "/api/v1/pods", lambda *_: None)
        self._accounts = Informer(client, "/api/v1/serviceaccounts", lambda *_: None)

    def start(self) -> None:
        """Begin to copy."""
        self._pods.start()
        self._accounts.start()

    def identity(self, address: str) -> Identity | None:
        """Return the ServiceAccount of the Pod that has this address."""
        for pod in self._pods.list():
            if pod.get("status", {}).get("podIP") == address:
                namespace, name = pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "default")
                account = self._accounts.get(namespace, name)
                return Identity(namespace, name, account["metadata"]["uid"]) if account else None
        return None


class ServiceZone:
    """The zone `cluster.local.`, kept up to date by watching Services.

    It has the address records of Services with a cluster IP, as those of the charts here are, and nothing else
    (https://github.com/kubernetes/dns/blob/master/docs/specification.md).
    """

    origin = ORIGIN

    def __init__(self, kubeconfig: str) -> None:
        client = config.new_client_from_config(kubeconfig)
        self._services = Informer(client, "/api/v1/services", self._update)
        self.start = self._services.start
        self._zone = StaticZone.of(ORIGIN, [], _TTL)

    @property
    def record_sets(self) -> Mapping[tuple[Name, RdataType], RecordSet]:
        """The record sets as of the last event."""
        return self._zone.record_sets

    def _update(self, _event: EventType, _item: Json) -> None:
        self._zone = StaticZone.of(ORIGIN, service_record_sets(self._services.list()), _TTL)


def service_record_sets(services: Iterable[Json]) -> list[RecordSet]:
    """Return the record sets of Services that have a cluster IP."""
    record_sets: list[RecordSet] = []
    for service in services:
        metadata, address = service["metadata"], service["spec"].get("clusterIP", "None")
        name = dns.name.from_text(f"{metadata['name']}.{metadata['namespace']}.svc", ORIGIN)
        if address != "None":
            record_sets += address_record_sets(name, [address], _TTL, ORIGIN)
    return record_sets
