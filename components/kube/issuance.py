"""Reads how far an issuer or a certificate has come: its own conditions, its requests, Orders and Challenges."""

from typing import Any

from kubernetes import client

from ..problem import Problem
from ..shell import word
from .causes import Object, chain_of_problems, condition_problems

READ_TIMEOUT = 10
"""Seconds for each read."""


_PLURALS = {"Certificate": "certificates", "ClusterIssuer": "clusterissuers", "Issuer": "issuers"}


def problems_of(api: client.ApiClient, kind: str, namespace: str | None, name: str) -> list[Problem] | None:
    """Read what an object of cert-manager waits for.

    Args:
        api: of its cluster.
        kind: `Certificate`, `Issuer` or `ClusterIssuer`.
        namespace: where it is; None for a ClusterIssuer.
        name: its name.

    Returns:
        The deepest problem last; empty while nothing is said; None when the object does not exist, or is Ready.
    """
    objects = client.CustomObjectsApi(api)
    try:
        if namespace is None:
            found: Any = objects.get_cluster_custom_object(
                "cert-manager.io", "v1", _PLURALS[kind], name, _request_timeout=READ_TIMEOUT
            )
        else:
            found = objects.get_namespaced_custom_object(
                "cert-manager.io", "v1", namespace, _PLURALS[kind], name, _request_timeout=READ_TIMEOUT
            )
    except client.ApiException as error:
        if error.status == 404:
            return None
        raise
    if _is_ready(found):
        return None
    if namespace is None or kind != "Certificate":
        return list(condition_problems(kind, found))

    def listed(group: str, plural: str) -> list[Object]:
        answer: Any = objects.list_namespaced_custom_object(
            group, "v1", namespace, plural, _request_timeout=READ_TIMEOUT
        )
        items: list[Object] = answer["items"]
        return items

    return chain_of_problems(
        name,
        [found],
        listed("cert-manager.io", "certificaterequests"),
        listed("acme.cert-manager.io", "orders"),
        listed("acme.cert-manager.io", "challenges"),
    )


def _is_ready(found: Object) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def silence(kind: str, namespace: str | None, name: str) -> Problem:
    """Return the problem of an object about which cert-manager says nothing."""
    where = f"--namespace {word(namespace)} " if namespace else ""
    return Problem(
        name,
        "cert-manager has not said anything about it yet",
        (
            f"kubectl {where}describe {kind.lower()} {word(name)}",
            "kubectl --namespace cert-manager logs deployment/cert-manager",
        ),
    )
