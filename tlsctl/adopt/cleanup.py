"""What the stack makes beside objects that were made by hand, and how those are removed without a gap.

Of two Gateways with the same host on port 443, istiod uses the older one and ignores the whole server of the other
(mergeGateways in pilot/pkg/model/gateway.go). So the stack's Gateway serves once the older one names other hosts.
It compares hosts with the namespaces before them: of `HOST` and `./HOST` it takes both, and Envoy then refuses every
change of the port. So the stack's Gateways list hosts as those made by hand do, until these are gone.

With a server on port 443, istiod removes its routes, and Envoy answers 404 on connections that are open. So the server
is first changed in a way that keeps its routes: new connections reach the stack's Gateway, Envoy drains the old ones,
and the objects that are deleted afterwards serve nobody.
"""

import copy
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from components.problem import Problem
from components.specs import apis, gateway_api
from components.specs.istio import ANY_NAMESPACE, split_host
from components.specs.names import ALL_HOSTS, WILDCARD, common_host
from tlsctl.adopt import gateway_api as of_gateway_api
from tlsctl.adopt.ingress_removal import (
    Removal,
    owning_ingresses,
    removal_steps,
    requested_issuers,
    wait_for_resolvers,
)
from tlsctl.adopt.istio import (
    HTTPS,
    exact_hosts,
    https_hosts,
    listener_hosts,
    listeners,
)
from tlsctl.adopt.objects import (
    Inventory,
    Object,
    key,
    kubectl,
    mapping,
    mappings,
    note,
    owners,
    patch,
    qualified,
    text,
    texts,
)
from tlsctl.adopt.serving import Serving
from tlsctl.adopt.signing import Signing, identity, is_acme, reference, secret_of
from tlsctl.own import Key, OwnObjects

WAIT = 60
"""Seconds: one or two for istiod, and 45 in which Envoy drains connections, by the default of drainDuration."""

_TLS_13 = "TLSV1_3"


@dataclass(frozen=True)
class Cleanup:
    """What to apply before the `up`, and what to delete after it."""

    inventory: Inventory
    served: Serving
    signed: Signing
    own: OwnObjects
    removal: Removal

    @cached_property
    def copies(self) -> dict[Key, dict[str, Any]]:
        """Routes to apply before the `up`, by the originals.

        A route with the name that the program uses is taken over, and so detached from the older Gateway,
        which still serves its hosts. A Gateway for all hosts loses requests to the stack's as soon as that exists,
        before its routes do. In both cases a copy keeps the routes, attached to both Gateways.
        """
        gateways = self.served.gateways
        broad = {key(gateway) for gateway in gateways if any("*" in host for host in https_hosts([gateway]))}
        copies = {}
        for obj in self._all_routes:
            if key(obj) in self._used and (key(obj) in self._taken_over or broad & self._attached_to(obj)):
                metadata = {"name": f"{key(obj)[1][:200]}-by-hand", "namespace": key(obj)[0]}
                kind = {"apiVersion": self.inventory.istio_api, "kind": self.served.reader.ROUTE}
                if self.served.api == apis.GATEWAY:
                    kind["apiVersion"] = gateway_api.VERSION
                spec = self.served.reader.with_parent(obj, self.own.namespace, self.own.tls_gateway)
                copies[key(obj)] = {**kind, "metadata": metadata, "spec": copy.deepcopy(spec)}
        return copies

    @cached_property
    def _all_routes(self) -> Sequence[Object]:
        routes: Sequence[Object] = self.served.reader.routes(self.inventory)
        return routes

    def _attached_to(self, route: Object) -> set[Key]:
        return set(self.served.reader.attached_to(route))

    @cached_property
    def routes_from(self) -> list[str]:
        """The namespaces whose routes the stack's Gateways accept while those that were made by hand exist."""
        listed = (
            split_host(host, key(gateway)[0])
            for gateway in self.served.gateways
            if key(gateway) not in self.own.gateways
            for listener in listeners(gateway, HTTPS)
            for host in texts(listener, "hosts")
        )
        names = self.served.names
        shared = any(
            namespace == ANY_NAMESPACE and any(common_host(host, name) for name in names) for namespace, host in listed
        )
        return [ANY_NAMESPACE] if shared else []

    @cached_property
    def _taken_over(self) -> set[Key]:
        """The routes with the names that the program uses."""
        return {self.own.route(host) for host in self.served.names}

    @cached_property
    def _used(self) -> set[Key]:
        """The routes of hosts of the stack."""
        return {route for routes in self.served.replaced.values() for route in routes}

    @cached_property
    def _replaced(self) -> set[Key]:
        """The routes that the stack's replace for all of their hosts."""
        used, names = self._used | set(self.served.redirects), set(self.served.names)
        return {
            key(obj)
            for obj in self._all_routes
            if key(obj) in used and {host.lower() for host in self.served.reader.route_hosts(obj)} - {"*"} <= names
        }

    def steps(self) -> Iterator[Problem]:
        """Yield what to delete after the `up`, in this order."""
        removed: dict[Key, Object] = {}
        for gateway in (*self.served.gateways, *self.served.own_pods):
            if key(gateway) in self.own.gateways:
                continue
            attached = [obj for obj in self._all_routes if key(gateway) in self._attached_to(obj)]
            routes = [qualified(obj) for obj in attached if key(obj) not in self._replaced]
            if others := routes or sorted(exact_hosts(gateway) - set(self.served.names)):
                what = f"has {', '.join(others)} too: remove the stack's hosts from it"
                yield note(gateway, what, kubectl("edit", self.served.reader.GATEWAYS, gateway))
            else:
                removed[key(gateway)] = gateway
        shared = [gateway for gateway in removed.values() if gateway not in self.served.own_pods]
        yield from gateway_steps(self.served, shared)
        own_pods = [gateway for gateway in removed.values() if gateway in self.served.own_pods]
        if own_pods or self.removal.removed or self.removal.edited:
            yield from wait_for_resolvers(self.inventory, self.served)
        for gateway in own_pods:
            what = "is deleted with its Pods and its load balancer, which the records have left"
            yield note(gateway, what, kubectl("delete", self.served.reader.GATEWAYS, gateway))
        yield from self._routes(removed)
        yield from self._grants(removed)
        unused = self._unused_certificates()
        for certificate in unused:
            # A Certificate by an annotation of a Gateway is deleted with the Gateway, and its Secret is not.
            gone = "--ignore-not-found" if owners(certificate) else ""
            fix = (
                kubectl("delete", "certificate", certificate, gone),
                kubectl("delete", "secret", secret_of(certificate)),
            )
            yield note(certificate, "is not presented by any Gateway afterwards", *fix)
        yield from removal_steps(self.served, self.removal)
        yield from self._unused_issuers([*unused, *self.removal.certificates])
        if self.routes_from:
            what = "accept routes of every namespace, as yours did: take routes of their own namespace alone"
            fix = ("pulumi config rm --path ingress.routesFrom", "pulumi up")
            yield Problem("the stack's Gateways", what, fix)

    def _routes(self, removed: Collection[Key]) -> Iterator[Problem]:
        """Yield the routes that are attached only to removed Gateways, and then the copies."""
        attached = {key(obj): self._attached_to(obj) for obj in self._all_routes}
        unused = [route for route in attached if route in self._replaced and attached[route] <= set(removed)]
        # The copy of a route that was taken over is still needed for hosts that stay.
        copies = [key(obj) for route, obj in self.copies.items() if route not in self._taken_over or route in unused]
        for route in (*(route for route in unused if route not in self._taken_over), *copies):
            what = "is not needed afterwards: the stack's own has the routes"
            reader = self.served.reader
            yield Problem(f"{reader.ROUTE} {qualified(route)}", what, (kubectl("delete", reader.ROUTES, route),))

    def _grants(self, removed: Collection[Key]) -> Iterator[Problem]:
        """Yield the ReferenceGrants for namespaces whose HTTPRoutes are all on removed Gateways."""
        staying = {key(obj)[0] for obj in self._all_routes if not self._attached_to(obj) <= set(removed)}
        going = {key(obj)[0] for obj in self._all_routes} - staying
        for grant in self.inventory.grants if self.served.api == apis.GATEWAY else ():
            allowed = mappings(grant, "spec", "from")
            served = allowed and all(
                text(one, "kind") == "HTTPRoute" and text(one, "namespace") in going for one in allowed
            )
            if served and key(grant)[1] != self.own.tls_gateway:
                what = "is for HTTPRoutes that are gone afterwards: the stack has grants of its own"
                yield note(grant, what, kubectl("delete", of_gateway_api.GRANTS, grant))

    def _unused_certificates(self) -> list[Object]:
        return [
            certificate
            for certificate in self.inventory.certificates
            if secret_of(certificate) in self.served.presented
            and not self.signed.owns_certificate(certificate)
            and not owning_ingresses(certificate)  # cert-manager would make it again for its Ingress.
            and set(texts(certificate, "spec", "dnsNames")) <= set(self.served.names)
        ]

    def _unused_issuers(self, deleted: Sequence[Object]) -> Iterator[Problem]:
        used = {
            reference(certificate)
            for certificate in self.inventory.certificates
            if certificate not in deleted and not self.signed.owns_certificate(certificate)
        }
        used.update(issuer for ingress in self.removal.kept for issuer in requested_issuers(ingress))
        for issuer in self.inventory.issuers:
            if is_acme(issuer) and not self.signed.owns_issuer(identity(issuer)) and identity(issuer) not in used:
                fix = kubectl("delete", text(issuer, "kind").lower(), issuer)
                yield note(issuer, "has no Certificate afterwards", fix)


def gateway_steps(served: Serving, removed: Sequence[Object]) -> Iterator[Problem]:
    """Yield how Gateways are removed whose hosts are all the stack's, in this order."""
    drains = False
    taken = set(served.names) | https_hosts(removed)
    staying = https_hosts(gateway for gateway in served.gateways if gateway not in removed)
    for gateway in removed:
        changes: list[dict[str, Any]] = []
        secure = listeners(gateway, HTTPS)
        for index, listener in enumerate(mappings(gateway, "spec", "servers")):
            if listener not in secure:
                continue
            if change := _change(served.api, index, listener, taken, staying):
                changes.append(change.operation)
                taken.update(change.hosts)
        if changes:
            drains = True
            what = "is changed first, so that its connections end and new ones reach the stack's Gateway"
            yield note(gateway, what, patch(served.reader.GATEWAYS, gateway, *changes))
        if len(changes) < len(secure):
            what = (
                "has a server on port 443 that cannot be changed without taking requests from other Gateways: while it"
                " is deleted, requests may be answered 404"
            )
            yield note(gateway, what)
    if drains:
        what = (
            "Envoy drains connections for 45 s, or for meshConfig's drainDuration: wait until"
            " envoy_listener_manager_total_filter_chains_draining is 0 at each of the gateway's Pods, or simply"
        )
        yield Problem("the gateway", what, (f"sleep {WAIT}",))
    for gateway in removed:
        what = "no longer receives traffic; the stack's Gateway does"
        yield note(gateway, what, kubectl("delete", served.reader.GATEWAYS, gateway))


class _Change(NamedTuple):
    """How a listener is changed: an operation of a JSON patch, and the hosts that it has then."""

    operation: dict[str, Any]
    hosts: Sequence[str] = ()


def _change(api: str, index: int, listener: Object, taken: Collection[str], staying: Collection[str]) -> _Change | None:
    """Return a change that gives Envoy another filter chain for a listener, with the same routes.

    A listener that names hosts gets wider ones, so that requests for the stack's hosts reach the stack's Gateway. For a
    listener of all hosts, a setting of TLS is changed to the one that applies anyway. None if there is no such change.
    """
    hosts = list(dict.fromkeys(listener_hosts(listener)))
    if hosts == [ALL_HOSTS]:
        return _Change(
            of_gateway_api.other_chain(index, listener) if api == apis.GATEWAY else _version(index, listener)
        )
    wider = [ALL_HOSTS] if ALL_HOSTS in hosts else [_wider(host, taken, staying) for host in hosts]
    if not wider or "" in wider:
        return None
    if api != apis.GATEWAY:
        value = list(dict.fromkeys(wider))
        return _Change({"op": "replace", "path": f"/spec/servers/{index}/hosts", "value": value}, value)
    path = f"/spec/listeners/{index}/hostname"
    if wider == [ALL_HOSTS]:
        return _Change({"op": "remove", "path": path}, wider)
    return _Change({"op": "replace", "path": path, "value": wider[0]}, wider)


def _version(index: int, listener: Object) -> dict[str, Any]:
    path = f"/spec/servers/{index}/tls/maxProtocolVersion"
    if text(listener, "tls", "maxProtocolVersion") == _TLS_13:
        return {"op": "remove", "path": path}
    return {"op": "add", "path": path, "value": _TLS_13}


def _wider(host: str, taken: Collection[str], staying: Collection[str]) -> str:
    """Return the widest free wildcard above a host that takes no requests from Gateways that stay."""
    labels = host.removeprefix(WILDCARD).split(".")
    wildcards = [ALL_HOSTS, *(WILDCARD + ".".join(labels[-count:]) for count in range(1, len(labels)))]
    for wildcard in wildcards:
        if wildcard not in taken and not any(common_host(wildcard, other) == wildcard for other in staying):
            return wildcard
    return ""


def mounted_secrets(deployment: Object) -> Iterator[Problem]:
    """Yield the Secrets that are mounted into the gateway's Pods below /etc/istio."""
    pod = mapping(deployment, "spec", "template", "spec")
    volumes = [text(volume, "name") for volume in mappings(pod, "volumes")]
    secrets = {text(volume, "name"): text(volume, "secret", "secretName") for volume in mappings(pod, "volumes")}
    for container_index, container in enumerate(mappings(pod, "containers")):
        for index, mount in enumerate(mappings(container, "volumeMounts")):
            name, path = text(mount, "name"), text(mount, "mountPath")
            if not secrets.get(name) or not path.startswith("/etc/istio/"):
                continue
            what = (
                f"has the Secret {secrets[name]} mounted at {path}: Istio delivers it by SDS, and the mount can be"
                " removed once no Gateway reads files. That restarts the gateway's Pods"
            )
            paths = (f"containers/{container_index}/volumeMounts/{index}", f"volumes/{volumes.index(name)}")
            operations = ({"op": "remove", "path": f"/spec/template/spec/{part}"} for part in paths)
            yield note(deployment, what, patch("deployment", deployment, *operations))
