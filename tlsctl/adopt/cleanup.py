"""What the stack makes beside the objects that were made by hand, and how those go without a gap.

Of two Gateways with the same host on port 443 istiod takes the older one, and leaves the whole server of the other
out (mergeGateways in pilot/pkg/model/gateway.go). So the stack's Gateway serves from the moment at which the older one
names other hosts. cutover.py says how it then goes; the routes on it are deleted after it.
"""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from components.problem import Problem
from components.shell import word
from components.specs import istio, names
from tlsctl.adopt import cutover, ingress_removal
from tlsctl.adopt.cutover import kubectl
from tlsctl.adopt.ingress_removal import Departing
from tlsctl.adopt.objects import Found, Key, Object, key, mapping, mappings, qualified, text, texts
from tlsctl.adopt.serving import Serving, bound, server_hosts, servers
from tlsctl.adopt.signing import Signing, identity, is_acme, is_taken_over, reference

COPY = "by-hand"
"""What is added to the name of a copy."""


def copies(found: Found, served: Serving, stack: str) -> list[dict[str, Any]]:
    """Return VirtualServices to apply before the `up`.

    A VirtualService of the name that the program uses is taken over, and so leaves the older Gateway, which still
    serves its hosts. A Gateway for all hosts gives way to the stack's as soon as that is there, before its routes are.
    In both cases a copy goes on routing, on both Gateways.
    """
    own = {(served.namespace, names.object_name(host)) for host in served.names}
    broad = {key(each) for each in served.gateways if _is_broad(each)}
    mine = f"{served.namespace}/{istio.tls_gateway_name(stack)}"
    moved = {each for used in served.moved.values() for each in used}
    found_copies = []
    for obj in found.virtual_services:
        if key(obj) not in moved or not (key(obj) in own or broad & set(bound(obj))):
            continue
        spec = copy.deepcopy(dict(mapping(obj, "spec")))
        spec["gateways"] = [*(qualified(each) for each in bound(obj)), mine]
        namespace, name = _copy_of(key(obj))
        metadata = {"name": name, "namespace": namespace}
        found_copies.append(
            {"apiVersion": found.istio_api, "kind": "VirtualService", "metadata": metadata, "spec": spec}
        )
    return found_copies


def _is_broad(gateway: Object) -> bool:
    return any("*" in host for server in servers(gateway, 443) for host in server_hosts(server))


def redirects_in_the_way(served: Serving) -> Iterator[Problem]:
    """Yield the Gateways whose `httpsRedirect` answers a challenge as well (istio#27643)."""
    for gateway in served.gateways:
        for position, server in enumerate(mappings(gateway, "spec", "servers")):
            if mapping(server, "tls").get("httpsRedirect") is True:
                where = f"Gateway {qualified(key(gateway))}"
                what = (
                    "has httpsRedirect, which answers HTTP-01's challenges with a redirect: no certificate can be"
                    " signed until it is gone. The stack redirects without it"
                )
                patch = f'[{{"op":"remove","path":"/spec/servers/{position}/tls"}}]'
                yield Problem(
                    where, what, (kubectl("patch", "gateway", key(gateway), f"--type json --patch {word(patch)}"),)
                )


def leftovers(
    found: Found,
    served: Serving,
    signed: Signing,
    stack: str,
    copied: Sequence[Mapping[str, Any]],
    departed: Departing,
) -> Iterator[Problem]:
    """Yield what to delete after the `up`, in this order.

    Args:
        found: the cluster and the zone.
        served: what of it the stack serves.
        signed: what of it the stack has signed.
        stack: the stack's name.
        copied: what `copies` returned.
        departed: the Ingresses that go.
    """
    own = {istio.tls_gateway_name(stack), istio.http_gateway_name(stack)}
    moved = _moved(found, served)
    gone: dict[Key, Object] = {}
    for gateway in served.gateways:
        if key(gateway)[0] == served.namespace and key(gateway)[1] in own:
            continue
        left = [
            qualified(key(each))
            for each in found.virtual_services
            if key(gateway) in bound(each) and key(each) not in moved
        ]
        strange = sorted(_hosts(gateway) - set(served.names))
        if left or strange:
            what = f"has {', '.join(left or strange)} too: take the stack's hosts out of it by hand"
            yield Problem(_named("Gateway", key(gateway)), what, (kubectl("edit", "gateway", key(gateway)),))
            continue
        gone[key(gateway)] = gateway
    yield from cutover.steps(served, list(gone.values()))
    yield from _routes(found, served, moved, gone, copied)
    needless = _certificates(found, served, signed)
    for each in needless:
        secret = (served.namespace, text(each, "spec", "secretName"))
        fix = (kubectl("delete", "certificate", key(each)), kubectl("delete", "secret", secret))
        yield Problem(_named("Certificate", key(each)), "is presented by no Gateway any more", fix)
    yield from ingress_removal.leftovers(found, served, departed)
    yield from _issuers(found, signed, departed, [*needless, *departed.certificates])


def _moved(found: Found, served: Serving) -> set[Key]:
    """Return the VirtualServices that the stack's do the work of, for each of their hosts."""
    used = {each for some in served.moved.values() for each in some} | set(served.redirects)
    return {
        key(each)
        for each in found.virtual_services
        if key(each) in used and {host.lower() for host in texts(each, "spec", "hosts")} - {"*"} <= set(served.names)
    }


def _hosts(gateway: Object) -> set[str]:
    return {
        host
        for port in (80, 443)
        for server in servers(gateway, port)
        for host in server_hosts(server)
        if not host.startswith("*")
    }


def _routes(
    found: Found, served: Serving, moved: Collection[Key], gone: Collection[Key], copied: Sequence[Mapping[str, Any]]
) -> Iterator[Problem]:
    own = {(served.namespace, names.object_name(host)) for host in served.names}
    for obj in found.virtual_services:
        if key(obj) in moved and key(obj) not in own and set(bound(obj)) <= set(gone):
            yield _unbound(key(obj))
    for obj in found.virtual_services:
        namespace, name = _copy_of(key(obj))
        # The copy of one that was taken over goes on routing the hosts that stay.
        needless = key(obj) not in own or (key(obj) in moved and set(bound(obj)) <= set(gone))
        if needless and (namespace, name) in [key(each) for each in copied]:
            yield _unbound((namespace, name))


def _unbound(of: Key) -> Problem:
    what = "is not needed any more: the stack's own has the routes"
    return Problem(_named("VirtualService", of), what, (kubectl("delete", "virtualservice", of),))


def _copy_of(of: Key) -> Key:
    return of[0], f"{of[1][:200]}-{COPY}"


def _certificates(found: Found, served: Serving, signed: Signing) -> list[Object]:
    """Return the Certificates that were presented by Gateways, and are not any more."""
    return [
        each
        for each in found.certificates
        if key(each)[0] == served.namespace
        and each is not signed.chosen
        and key(each)[1] != signed.secret_name
        and not ingress_removal.owners(each)  # Its Ingress would have it made anew.
        and set(texts(each, "spec", "dnsNames")) <= set(served.names)
        and text(each, "spec", "secretName") in served.credentials
    ]


def _issuers(found: Found, signed: Signing, departed: Departing, gone: Sequence[Object]) -> Iterator[Problem]:
    asked = {reference(each) for each in found.certificates if each is not signed.chosen and each not in gone}
    asked.update(of for each in departed.staying for of in ingress_removal.annotated(each))
    for each in found.issuers:
        if not is_acme(each) or is_taken_over(each, signed) or identity(each) in asked:
            continue
        fix = (kubectl("delete", text(each, "kind").lower(), key(each)),)
        yield Problem(_named(text(each, "kind"), key(each)), "has no Certificate any more", fix)


def mounted(deployment: Object) -> Iterator[Problem]:
    """Yield the Secrets that are mounted into the gateway's Pods below /etc/istio."""
    pod = mapping(deployment, "spec", "template", "spec")
    secrets = {text(each, "name"): text(each, "secret", "secretName") for each in mappings(pod, "volumes")}
    for position, container in enumerate(mappings(pod, "containers")):
        for index, mount in enumerate(mappings(container, "volumeMounts")):
            secret = secrets.get(text(mount, "name"))
            if not secret or not text(mount, "mountPath").startswith("/etc/istio/"):
                continue
            volume = [text(each, "name") for each in mappings(pod, "volumes")].index(text(mount, "name"))
            base = "/spec/template/spec"
            patch = (
                f'[{{"op":"remove","path":"{base}/containers/{position}/volumeMounts/{index}"}},'
                f'{{"op":"remove","path":"{base}/volumes/{volume}"}}]'
            )
            what = (
                f"has the Secret {secret} mounted at {text(mount, 'mountPath')}: Istio delivers it by SDS, and the"
                " mount may go once the Gateways that read files are gone. It restarts the gateway's Pods"
            )
            fix = (kubectl("patch", "deployment", key(deployment), f"--type json --patch {word(patch)}"),)
            yield Problem(_named("Deployment", key(deployment)), what, fix)


def _named(kind: str, of: Key) -> str:
    return f"{kind} {qualified(of)}"
