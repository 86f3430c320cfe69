"""What the stack makes beside objects that were made by hand, and how those are removed without a gap.

Of two Gateways with the same host on port 443, istiod uses the older one and ignores the whole server of the other
(mergeGateways in pilot/pkg/model/gateway.go). So the stack's Gateway serves once the older one names other hosts.
cutover.py removes it then; the routes attached to it are deleted after it.
"""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from components.problem import Problem
from tlsctl.adopt import cutover
from tlsctl.adopt.fields import Object, mapping, mappings, text, texts
from tlsctl.adopt.ingress_removal import Removal, owning_ingresses, removal_steps, requested_issuers
from tlsctl.adopt.istio import attached_to, exact_hosts, https_hosts
from tlsctl.adopt.objects import Inventory, key, kubectl, note, patch, qualified
from tlsctl.adopt.serving import Serving
from tlsctl.adopt.signing import Signing, identity, is_acme, reference
from tlsctl.own import Key, OwnObjects

_COPY = "by-hand"
"""The suffix of the name of a copy."""


def copies(inventory: Inventory, served: Serving, own: OwnObjects) -> list[dict[str, Any]]:
    """Return VirtualServices to apply before the `up`.

    A VirtualService with the name that the program uses is taken over, and so detached from the older Gateway, which
    still serves its hosts. A Gateway for all hosts loses requests to the stack's as soon as that exists, before its
    routes do. In both cases a copy keeps the routes, attached to both Gateways.
    """
    taken_over = {own.route(host) for host in served.names}
    broad = {key(gateway) for gateway in served.gateways if any("*" in host for host in https_hosts([gateway]))}
    replaced = {route for routes in served.replaced.values() for route in routes}
    result = []
    for obj in inventory.virtual_services:
        if key(obj) in replaced and (key(obj) in taken_over or broad & set(attached_to(obj))):
            spec = copy.deepcopy(dict(mapping(obj, "spec")))
            spec["gateways"] = [*map(qualified, attached_to(obj)), f"{own.namespace}/{own.tls_gateway}"]
            namespace, name = _copy_of(obj)
            metadata = {"name": name, "namespace": namespace}
            result.append(
                {"apiVersion": inventory.istio_api, "kind": "VirtualService", "metadata": metadata, "spec": spec}
            )
    return result


def _copy_of(route: Object) -> Key:
    namespace, name = key(route)
    return namespace, f"{name[:200]}-{_COPY}"


def steps(
    inventory: Inventory,
    served: Serving,
    signed: Signing,
    own: OwnObjects,
    copied: Sequence[Mapping[str, Any]],
    removal: Removal,
) -> Iterator[Problem]:
    """Yield what to delete after the `up`, in this order; `copied` is the result of `copies`."""
    replaced = _replaced(inventory, served)
    removed: dict[Key, Object] = {}
    for gateway in served.gateways:
        if key(gateway) in own.gateways:
            continue
        attached = [obj for obj in inventory.virtual_services if key(gateway) in attached_to(obj)]
        routes = [qualified(obj) for obj in attached if key(obj) not in replaced]
        if others := routes or sorted(exact_hosts(gateway) - set(served.names)):
            what = f"has {', '.join(others)} too: remove the stack's hosts from it"
            yield note(gateway, what, kubectl("edit", "gateway", gateway))
        else:
            removed[key(gateway)] = gateway
    yield from cutover.steps(served, list(removed.values()))
    yield from _routes(inventory, served, own, replaced, removed, copied)
    unused = _unused_certificates(inventory, served, signed)
    for certificate in unused:
        secret = (served.namespace, text(certificate, "spec", "secretName"))
        fix = kubectl("delete", "certificate", certificate), kubectl("delete", "secret", secret)
        yield note(certificate, "is not presented by any Gateway afterwards", *fix)
    yield from removal_steps(inventory, served, removal)
    yield from _unused_issuers(inventory, signed, removal, [*unused, *removal.certificates])


def _replaced(inventory: Inventory, served: Serving) -> set[Key]:
    """Return the VirtualServices that the stack's replace for all of their hosts."""
    used = {route for routes in served.replaced.values() for route in routes} | set(served.redirects)
    return {
        key(obj)
        for obj in inventory.virtual_services
        if key(obj) in used and {host.lower() for host in texts(obj, "spec", "hosts")} - {"*"} <= set(served.names)
    }


def _routes(
    inventory: Inventory,
    served: Serving,
    own: OwnObjects,
    replaced: Collection[Key],
    removed: Collection[Key],
    copied: Sequence[Mapping[str, Any]],
) -> Iterator[Problem]:
    """Yield the VirtualServices that route nothing any more, and then the copies."""
    taken_over = {own.route(host) for host in served.names}
    unused = {
        key(obj) for obj in inventory.virtual_services if key(obj) in replaced and set(attached_to(obj)) <= set(removed)
    }
    for obj in inventory.virtual_services:
        if key(obj) in unused - taken_over:
            yield _unused_route(key(obj))
    copied_keys = [key(obj) for obj in copied]
    for obj in inventory.virtual_services:
        # The copy of one that was taken over still routes the hosts that stay.
        if _copy_of(obj) in copied_keys and (key(obj) not in taken_over or key(obj) in unused):
            yield _unused_route(_copy_of(obj))


def _unused_route(route: Key) -> Problem:
    what = "is not needed afterwards: the stack's own has the routes"
    return Problem(f"VirtualService {qualified(route)}", what, (kubectl("delete", "virtualservice", route),))


def _unused_certificates(inventory: Inventory, served: Serving, signed: Signing) -> list[Object]:
    """Return the Certificates that Gateways presented, and that none presents afterwards."""
    return [
        certificate
        for certificate in inventory.certificates
        if key(certificate)[0] == served.namespace
        and not signed.owns_certificate(certificate)
        and not owning_ingresses(certificate)  # cert-manager would make it again for its Ingress.
        and set(texts(certificate, "spec", "dnsNames")) <= set(served.names)
        and text(certificate, "spec", "secretName") in served.credentials
    ]


def _unused_issuers(
    inventory: Inventory, signed: Signing, removal: Removal, deleted: Sequence[Object]
) -> Iterator[Problem]:
    used = {
        reference(certificate)
        for certificate in inventory.certificates
        if certificate not in deleted and not signed.owns_certificate(certificate)
    }
    used.update(issuer for ingress in removal.kept for issuer in requested_issuers(ingress))
    for issuer in inventory.issuers:
        if is_acme(issuer) and not signed.owns_issuer(identity(issuer)) and identity(issuer) not in used:
            fix = kubectl("delete", text(issuer, "kind").lower(), issuer)
            yield note(issuer, "has no Certificate afterwards", fix)


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
