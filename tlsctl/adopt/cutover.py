"""How Gateways that were made by hand are removed without a failed request.

In Envoy, each server on port 443 has a route configuration of its own, which istiod removes together with the server.
Envoy then answers 404: for a moment on new connections, and on open ones until they end. So the server is first changed
in a way that keeps its routes. New connections then reach the stack's Gateway, Envoy drains the old ones, and the
objects that are deleted afterwards serve nobody.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from components.problem import Problem
from components.specs.names import WILDCARD
from tlsctl.adopt.istio import ALL_HOSTS, HTTPS, common_host, https_hosts, listener_hosts, listeners
from tlsctl.adopt.objects import Object, kubectl, mappings, note, patch, text
from tlsctl.adopt.serving import Serving

WAIT = 60
"""Seconds: one or two for istiod, and 45 in which Envoy drains connections, by the default of drainDuration."""

_TLS_13 = "TLSV1_3"


def steps(served: Serving, removed: Sequence[Object]) -> Iterator[Problem]:
    """Yield how Gateways are removed whose hosts are all the stack's, in this order."""
    drains = False
    taken = set(served.names) | https_hosts(removed)
    staying = https_hosts(gateway for gateway in served.gateways if gateway not in removed)
    for gateway in removed:
        changes: list[dict[str, Any]] = []
        secure = listeners(gateway, HTTPS)
        for index, listener in enumerate(mappings(gateway, "spec", "servers")):
            change = _change(index, listener, taken, staying) if listener in secure else {}
            if change:
                changes.append(change)
                taken.update(change["value"] if change["op"] == "replace" else ())
        if changes:
            drains = True
            what = "is changed first, so that its connections end and new ones reach the stack's Gateway"
            yield note(gateway, what, patch("gateway", gateway, *changes))
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
        yield note(gateway, what, kubectl("delete", "gateway", gateway))


def _change(index: int, listener: Object, taken: Collection[str], staying: Collection[str]) -> dict[str, Any]:
    """Return a JSON patch operation that gives Envoy another filter chain for a listener, with the same routes.

    A listener that names hosts gets wider ones, so that requests for the stack's hosts reach the stack's Gateway. For a
    listener of all hosts, the TLS version is changed to the one that applies anyway. Empty if there is no such change.
    """
    hosts = listener_hosts(listener)
    path = f"/spec/servers/{index}"
    if hosts == [ALL_HOSTS]:
        path = f"{path}/tls/maxProtocolVersion"
        if text(listener, "tls", "maxProtocolVersion") == _TLS_13:
            return {"op": "remove", "path": path}
        return {"op": "add", "path": path, "value": _TLS_13}
    wider = [ALL_HOSTS] if ALL_HOSTS in hosts else [_wider(host, taken, staying) for host in hosts]
    if not wider or "" in wider:
        return {}
    return {"op": "replace", "path": f"{path}/hosts", "value": list(dict.fromkeys(wider))}


def _wider(host: str, taken: Collection[str], staying: Collection[str]) -> str:
    """Return the widest free wildcard above a host that takes no requests from Gateways that stay."""
    labels = host.removeprefix(WILDCARD).split(".")
    wildcards = [ALL_HOSTS, *(WILDCARD + ".".join(labels[-count:]) for count in range(1, len(labels)))]
    for wildcard in wildcards:
        if wildcard not in taken and not any(common_host(wildcard, other) == wildcard for other in staying):
            return wildcard
    return ""
