"""Whether the applications' sidecars require mutual TLS as the config says."""

from collections.abc import Mapping

from components.specs import mutual_tls
from tlsctl.verify.environment import Environment, Objects
from tlsctl.verify.results import INGRESS, Result, ok

_NAME = mutual_tls.PEER_AUTHENTICATION


def judge(environment: Environment, policies: Mapping[str, Objects]) -> Result:
    """Judge the PeerAuthentications of each namespace, of which Istio reads only the oldest one."""
    settings = environment.settings
    wrong = [
        f"{namespace}: {reason}"
        for namespace in settings.mesh_namespaces
        if (reason := _problem(policies.get(namespace, {}), settings.mtls.upper()))
    ]
    if wrong:
        return environment.failed("mtls", INGRESS, "; ".join(wrong))
    detail = f"{settings.mtls} in {', '.join(settings.mesh_namespaces) or 'no namespace'}"
    if left_out := sorted(set(settings.application_namespaces) - set(settings.mesh_namespaces)):
        detail += f"; not in {', '.join(left_out)}, the gateway's own"
    return ok("mtls", INGRESS, detail)


def _problem(policies: Objects, mode: str) -> str | None:
    if _NAME not in policies:
        return f"there is no PeerAuthentication {_NAME}"
    of_all_pods = [
        policy for policy in policies.values() if not policy.get("spec", {}).get("selector", {}).get("matchLabels")
    ]
    oldest = min(of_all_pods, key=lambda policy: str(policy["metadata"].get("creationTimestamp", "")), default=None)
    if oldest is None:
        return f"PeerAuthentication {_NAME} has a selector"
    if oldest["metadata"]["name"] != _NAME:
        return f"PeerAuthentication {oldest['metadata']['name']} is older, and Istio reads only that one"
    actual = oldest.get("spec", {}).get("mtls", {}).get("mode", "UNSET")
    return f"PeerAuthentication {_NAME} says {actual}, the config {mode}" if actual != mode else None
