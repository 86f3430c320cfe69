"""Reads what Istio does with the Ingress of a solver and the requests of a CA.

That is MeshConfig, the labels of the gateway's Pods and namespace, and the AuthorizationPolicies of both namespaces.
Nothing depends on it: parts that the API server refuses, as with an Istio that Google manages, are not checked.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from ..preflight.mesh import Mesh
from ..specs import solver_route
from .client import Client, Object, RefusedError

_POLICIES = ("security.istio.io/v1", "authorizationpolicies")
"""The API version and the plural."""


def read(
    client: Client,
    namespace: str,
    service: str,
    http01: Mapping[str, Any],
    commands: Mapping[str, str],
    *,
    by_route: bool = False,
) -> Mesh:
    """Return a gateway, as Istio sees it.

    Istio's chart gives the Deployment the name of the Service. `http01` is a `Http01Args` with all its fields,
    and `by_route` tells whether solvers have HTTPRoutes in place of Ingresses.

    Raises:
        ClusterError: the cluster does not answer.
    """
    labels = {**_deployment_labels(client, namespace, service), **http01["selector"]}
    revision = solver_route.revision_of(labels) if http01["revision"] is None else http01["revision"]
    plane = solver_route.ControlPlane(http01["control_plane"], revision)
    config = _mesh_config(client, plane)
    root = str((config or {}).get("rootNamespace") or plane.namespace)
    return Mesh(
        namespace,
        labels,
        config,
        plane,
        by_route=by_route,
        class_field=http01["class_field"],
        ingress_class=_controller(client) if http01["class_field"] != "class" and not by_route else None,
        namespace_labels=_namespace_labels(client, namespace) if (config or {}).get("discoverySelectors") else None,
        policies=[policy for place in dict.fromkeys((namespace, root)) for policy in _policies(client, place)],
        commands=commands,
    )


def _policies(client: Client, namespace: str) -> list[Object]:
    try:
        return client.items(*_POLICIES, namespace)
    except RefusedError:
        return []


def _namespace_labels(client: Client, name: str) -> Mapping[str, str] | None:
    namespace = client.get_if_allowed("v1", "namespaces", name)
    return (namespace["metadata"].get("labels") or {}) if namespace else None


def _deployment_labels(client: Client, namespace: str, name: str) -> Mapping[str, str]:
    deployment = client.get_if_allowed("apps/v1", "deployments", name, namespace)
    template: Object = deployment["spec"]["template"].get("metadata", {}) if deployment else {}
    return template.get("labels") or {}


def _mesh_config(client: Client, plane: solver_route.ControlPlane) -> Mapping[str, Any] | None:
    config_map = client.get_if_allowed("v1", "configmaps", plane.config_map, plane.namespace)
    try:
        config = yaml.safe_load((config_map.get("data") or {}).get("mesh") or "{}") if config_map else None
    except (yaml.YAMLError, RecursionError, ValueError):
        # The last is of a tag that its value does not fit: `!!int x`.
        return None
    return config if isinstance(config, Mapping) else None


def _controller(client: Client) -> str | None:
    """Return the controller of the IngressClass; empty where there is none, None where it may not be read."""
    ingress_class = client.get_if_allowed("networking.k8s.io/v1", "ingressclasses", solver_route.CLASS)
    return None if ingress_class is None else (ingress_class.get("spec") or {}).get("controller") or ""
