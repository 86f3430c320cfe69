"""Why an issuer or a certificate is not Ready, in the ACME server's own words.

The provider's error ends at the awaited object's status. The reason lies further down, in the CertificateRequest,
the Order and the Challenges (https://cert-manager.io/docs/troubleshooting/acme/), which are read here when the
engine says that the wait has failed. Nothing is retried, and an engine without error hooks just says less.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from kubernetes import client
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import monitor_supports_feature

from components.cluster import api_client

Object = Mapping[str, Any]

UNANSWERED = "Order: the ACME server has not taken it; why stands in the log of cert-manager's controller"
"""cert-manager retries what is not an answer, a refused connection or a 5xx, and writes it into no object."""

_DONE = {"", "valid", "pending", "ready"}
_READ_TIMEOUT = 10


def explain_on_failure(
    name: str, kubeconfig: pulumi.Input[str] | None, context: pulumi.Input[str] | None
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that log the reason when the resource they are bound to fails; None where there are no hooks.

    Args:
        name: unique among the program's hooks.
        kubeconfig: a path or content, as the provider has it.
        context: a context of it.
    """
    if not monitor_supports_feature(resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS):
        return None

    async def explain(args: pulumi.ErrorHookArgs) -> bool:
        metadata = (args.new_inputs or {}).get("metadata", {})
        access = await pulumi.Output.all(kubeconfig, context).future() or [None, None]
        try:
            words = await asyncio.to_thread(reasons, api_client(*access), metadata.get("namespace"), metadata["name"])
        except Exception as error:  # whatever it is, it must not hide the failure that is being explained
            words = [f"the reason cannot be read: {error}"]
        if words:
            pulumi.log.error(f"{metadata['name']} is not Ready:\n" + "\n".join(f"  {word}" for word in words))
        return False

    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}-explain", explain)])


def reasons(api: client.ApiClient, namespace: str | None, name: str) -> list[str]:
    """Read what a Certificate waits for, or, without a namespace, a ClusterIssuer; the last line is the deepest."""
    objects = client.CustomObjectsApi(api)
    if namespace is None:
        issuer: Any = objects.get_cluster_custom_object(
            "cert-manager.io", "v1", "clusterissuers", name, _request_timeout=_READ_TIMEOUT
        )
        return list(_conditions("ClusterIssuer", issuer))

    def listed(group: str, plural: str) -> list[Object]:
        found: Any = objects.list_namespaced_custom_object(
            group, "v1", namespace, plural, _request_timeout=_READ_TIMEOUT
        )
        items: list[Object] = found["items"]
        return items

    return chain_of_reasons(
        name,
        listed("cert-manager.io", "certificates"),
        listed("cert-manager.io", "certificaterequests"),
        listed("acme.cert-manager.io", "orders"),
        listed("acme.cert-manager.io", "challenges"),
    )


def chain_of_reasons(
    name: str,
    certificates: list[Object],
    requests: list[Object],
    orders: list[Object],
    challenges: list[Object],
) -> list[str]:
    """Follow a Certificate's owner references down to its Challenges, newest request first, and say what is wrong."""
    words: list[str] = []
    for certificate in certificates:
        if certificate["metadata"]["name"] == name:
            words += _conditions("Certificate", certificate)
    for request in _newest(_owned(requests, "Certificate", name)):
        request_name = request["metadata"]["name"]
        words += _conditions("CertificateRequest", request)
        for order in _owned(orders, "CertificateRequest", request_name):
            words += _state("Order", order) if order.get("status", {}).get("state") else [UNANSWERED]
            for challenge in _owned(challenges, "Order", order["metadata"]["name"]):
                words += _state(f"Challenge for {challenge.get('spec', {}).get('dnsName')}", challenge)
    return words


def _owned(objects: list[Object], kind: str, name: str) -> list[Object]:
    return [
        each
        for each in objects
        if any(
            owner.get("kind") == kind and owner.get("name") == name
            for owner in each["metadata"].get("ownerReferences", [])
        )
    ]


def _newest(objects: list[Object]) -> list[Object]:
    return sorted(objects, key=lambda each: str(each["metadata"].get("creationTimestamp", "")))[-1:]


def _conditions(kind: str, found: Object) -> Iterator[str]:
    for condition in found.get("status", {}).get("conditions", []):
        if condition.get("type") == "Ready" and condition.get("status") != "True":
            yield f"{kind}: {condition.get('message') or condition.get('reason')}"


def _state(kind: str, found: Object) -> Iterator[str]:
    status = found.get("status", {})
    if status.get("reason") or status.get("state", "") not in _DONE:
        yield f"{kind}: {status.get('state', 'waiting')}: {status.get('reason') or 'no reason given'}"
