"""How Gateways that were made by hand go, so that no request fails.

Each server on port 443 has a route configuration of its own in Envoy, and istiod drops it with the server: Envoy then
answers 404, for a moment on new connections, and on those that are kept for as long as they last. So the server is
changed first, in a way that leaves its routes. New connections come to the stack's Gateway, Envoy lets the old ones
end, and what is deleted after that serves nobody.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from components.problem import Problem
from components.shell import word
from components.specs.names import WILDCARD
from tlsctl.adopt.objects import Key, Object, key, mappings, qualified, text
from tlsctl.adopt.serving import Serving, server_hosts, servers, shared

WAIT = 60
"""Seconds: one or two for istiod, and Envoy lets connections end for 45, unless meshConfig's drainDuration differs."""

ALL = "*"
_PORT = 443
_TLS_13 = "TLSV1_3"


def steps(served: Serving, going: Sequence[Object]) -> Iterator[Problem]:
    """Yield how Gateways go, in this order.

    Args:
        served: what is served.
        going: the Gateways that serve nothing but the stack's hosts.
    """
    patched = False
    taken = set(served.names) | _hosts(going)
    staying = _hosts(each for each in served.gateways if each not in going)
    for gateway in going:
        patch: list[dict[str, Any]] = []
        tls = servers(gateway, _PORT)
        for position, server in enumerate(mappings(gateway, "spec", "servers")):
            if server in tls:
                change = _change(position, server, taken, staying)
                taken.update(change["value"] if change.get("op") == "replace" else ())
                patch += [change] if change else []
        where = f"Gateway {qualified(key(gateway))}"
        if patch:
            patched = True
            what = "is changed first, so that its connections end and new ones come to the stack's"
            command = f"--type json --patch '{json.dumps(patch, separators=(',', ':'))}'"
            yield Problem(where, what, (kubectl("patch", "gateway", key(gateway), command),))
        if len(patch) < len(tls):
            what = (
                "has a server on port 443 that cannot be changed without taking requests from other Gateways: while it"
                " is deleted, requests may be answered 404"
            )
            yield Problem(where, what)
    if patched:
        what = (
            "Envoy lets connections end for 45 s, or what meshConfig's drainDuration says: wait until"
            " envoy_listener_manager_total_filter_chains_draining is 0 at each of the gateway's Pods, or simply"
        )
        yield Problem("the gateway", what, (f"sleep {WAIT}",))
    for gateway in going:
        what = "is used by nobody any more: the stack's serves"
        yield Problem(f"Gateway {qualified(key(gateway))}", what, (kubectl("delete", "gateway", key(gateway)),))


def _change(position: int, server: Object, taken: Collection[str], staying: Collection[str]) -> dict[str, Any]:
    """Return an operation of a JSON patch that gives Envoy another filter chain for a server, with the same routes.

    A server that names hosts gets wider ones: requests for the stack's then come to the stack's Gateway. Of one for all
    hosts the version of TLS is changed, to what it is without being named. Empty if there is no such change.
    """
    hosts = server_hosts(server)
    path = f"/spec/servers/{position}"
    if hosts == [ALL]:
        path = f"{path}/tls/maxProtocolVersion"
        if text(server, "tls", "maxProtocolVersion") == _TLS_13:
            return {"op": "remove", "path": path}
        return {"op": "add", "path": path, "value": _TLS_13}
    wider = [ALL] if ALL in hosts else [_wider(host, taken, staying) for host in hosts]
    if not wider or "" in wider:
        return {}
    return {"op": "replace", "path": f"{path}/hosts", "value": list(dict.fromkeys(wider))}


def _wider(host: str, taken: Collection[str], staying: Collection[str]) -> str:
    """Return the widest wildcard over a host that is free, and takes no requests from Gateways that stay."""
    labels = host.removeprefix(WILDCARD).split(".")
    wildcards = [ALL, *(WILDCARD + ".".join(labels[-count:]) for count in range(1, len(labels)))]
    free = (each for each in wildcards if each not in taken and not any(shared(each, of) == each for of in staying))
    return next(free, "")


def _hosts(gateways: Iterable[Object]) -> set[str]:
    return {host for each in gateways for server in servers(each, _PORT) for host in server_hosts(server)}


def kubectl(verb: str, kind: str, of: Key, more: str = "") -> str:
    """Return a command on an object; other APIs have kinds of these names as well, so those are written in full."""
    full = {"gateway": "gateways.networking.istio.io", "certificate": "certificates.cert-manager.io"}.get(kind, kind)
    namespace = f"--namespace {word(of[0])} " if of[0] else ""
    return f"kubectl {namespace}{verb} {full} {word(of[1])} {more}".strip()
