"""Names of the cluster's Services (https://github.com/kubernetes/dns/blob/master/docs/specification.md).

Answers what Pods ask for: the address records of Services, headless ones and ExternalName included. It does
not answer SRV, PTR and the names of Pods by their address.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dns.name
import urllib3.exceptions
from dns.name import Name
from dns.rdatatype import RdataType
from kubernetes import client, config, watch

from sandbox.clouddns.records import RecordSet
from sandbox.clouddns.static import StaticZone, record_set

log = logging.getLogger(__name__)

ORIGIN = dns.name.from_text("cluster.local.")
_TTL = 5  # seconds, as kube-dns
_RETRY = 0.5  # seconds; the API server starts after this server, which it needs
_WATCH = 300  # seconds until a watch is made anew
_SERVICE_LABEL = "kubernetes.io/service-name"
_TRANSIENT = (client.ApiException, config.ConfigException, urllib3.exceptions.HTTPError, OSError)


class ClusterZone:
    """The zone `cluster.local.`, kept up to date by watching Services and EndpointSlices.

    Until the API server answers, and while it is away, the zone is as it was seen last.
    """

    origin = ORIGIN

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig
        self._lock = threading.Lock()
        self._objects: dict[str, dict[str, Any]] = {"services": {}, "slices": {}}
        self._zone = StaticZone.of(ORIGIN, [], _TTL)

    @property
    def record_sets(self) -> Mapping[tuple[Name, RdataType], RecordSet]:
        """The record sets as of the last event."""
        return self._zone.record_sets

    def start(self) -> None:
        """Watches, in threads of their own."""
        for kind in self._objects:
            threading.Thread(target=self._follow, args=(kind,), name=kind, daemon=True).start()

    def _follow(self, kind: str) -> None:
        pause = threading.Event()
        complained = ""
        while True:
            try:
                self._watch(kind, self._list_function(kind))
                complained = ""
            except _TRANSIENT as error:
                if type(error).__name__ != complained:
                    complained = type(error).__name__
                    log.info("cluster names: no %s yet (%s), trying on", kind, complained)
            except Exception:  # names that go stale for good would be worse than a noisy log
                log.exception("cluster names: %s", kind)
            pause.wait(_RETRY)

    def _list_function(self, kind: str) -> Callable[..., Any]:
        api = config.new_client_from_config(config_file=self._kubeconfig)
        if kind == "services":
            return client.CoreV1Api(api).list_service_for_all_namespaces
        return client.DiscoveryV1Api(api).list_endpoint_slice_for_all_namespaces

    def _watch(self, kind: str, list_function: Callable[..., Any]) -> None:
        listed = list_function(_request_timeout=10)
        self._store(kind, {item.metadata.uid: item for item in listed.items})
        version = listed.metadata.resource_version
        watcher: Any = watch.Watch()
        for event in watcher.stream(list_function, resource_version=version, timeout_seconds=_WATCH):
            item = event["object"]
            objects = {**self._objects[kind], item.metadata.uid: item}
            if event["type"] == "DELETED":
                del objects[item.metadata.uid]
            self._store(kind, objects)

    def _store(self, kind: str, objects: dict[str, Any]) -> None:
        with self._lock:
            self._objects[kind] = objects
            found = service_record_sets(self._objects["services"].values(), self._objects["slices"].values())
            self._zone = StaticZone.of(ORIGIN, found, _TTL)


def service_record_sets(services: Iterable[Any], slices: Iterable[Any]) -> list[RecordSet]:
    """The record sets of Services, those of the headless ones by their EndpointSlices."""
    endpoints: dict[tuple[str, str], list[Any]] = {}
    for each in slices:
        service = (each.metadata.labels or {}).get(_SERVICE_LABEL, "")
        endpoints.setdefault((each.metadata.namespace, service), []).extend(each.endpoints or [])
    found: list[RecordSet] = []
    for service in services:
        meta, spec = service.metadata, service.spec
        name = dns.name.from_text(f"{meta.name}.{meta.namespace}.svc", ORIGIN)
        if spec.type == "ExternalName":
            target = dns.name.from_text(spec.external_name)
            found.append(record_set(name, RdataType.CNAME, [str(target)], _TTL, ORIGIN))
        elif spec.cluster_ip == "None":
            ready = [
                endpoint
                for endpoint in endpoints.get((meta.namespace, meta.name), [])
                if spec.publish_not_ready_addresses or not endpoint.conditions or endpoint.conditions.ready
            ]
            found += _addresses(name, [address for endpoint in ready for address in endpoint.addresses])
            for endpoint in ready:
                if endpoint.hostname:
                    found += _addresses(dns.name.from_text(endpoint.hostname, name), endpoint.addresses)
        elif spec.cluster_ip:
            found += _addresses(name, spec.cluster_ips or [spec.cluster_ip])
    return found


def _addresses(name: Name, addresses: Iterable[str]) -> list[RecordSet]:
    by_type: dict[RdataType, list[str]] = {RdataType.A: [], RdataType.AAAA: []}
    for address in addresses:
        by_type[RdataType.AAAA if ":" in address else RdataType.A].append(address)
    return [record_set(name, rdtype, texts, _TTL, ORIGIN) for rdtype, texts in by_type.items() if texts]
