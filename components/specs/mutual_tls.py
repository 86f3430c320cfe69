"""Istio's mesh: mutual TLS between its sidecars."""

STRICT = "strict"
MODES = ("permissive", STRICT)

PEER_AUTHENTICATION = "default"
"""The name of a namespace's own. Istio reads one without a selector: the name makes the API server refuse another."""

ROOT_NAMESPACE = "istio-system"
"""Where a PeerAuthentication is for the whole mesh; MeshConfig's `rootNamespace` may say otherwise."""


def refuses_strict(namespace: str, gateway_namespace: str) -> str | None:
    """Return why a namespace cannot be strict, or None."""
    if namespace == gateway_namespace:
        return "is the gateway's own namespace, where the ACME solver runs, which has no sidecar and speaks plain HTTP"
    if namespace == ROOT_NAMESPACE:
        return "is the mesh's root namespace, where strict is for every namespace, the ACME solver's too"
    return None
