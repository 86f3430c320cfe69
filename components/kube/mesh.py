"""Reads what Istio does with the Ingress of a solver and the requests of a CA.

That is MeshConfig, the labels of the gateway's Pods and namespace, and the AuthorizationPolicies of both namespaces.
Nothing depends on it: where it cannot be read, as with an Istio that Google manages, nothing is known and nothing said.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import yaml
from kubernetes import client
from urllib3.exceptions import HTTPError

from ..preflight.mesh import Mesh, Object
from . import solver_route

TIMEOUT = (5, 5)
"""Seconds to connect and to answer."""

_POLICIES = ("security.istio.io", "v1")

T = TypeVar("T")


def read(
    api: client.ApiClient, namespace: str, service: str, http01: Mapping[str, Any], commands: Mapping[str, str]
) -> Mesh:
    """Return a gateway, as Istio sees it.

    Istio's chart gives the Deployment the name of the Service. `http01` is a `Http01Args` with all its fields.
    """
    labels = {**_deployment_labels(api, namespace, service), **http01["selector"]}
    revision = solver_route.revision_of(labels) if http01["revision"] is None else http01["revision"]
    plane = solver_route.ControlPlane(http01["control_plane"], revision)
    config = _mesh_config(api, plane)
    root = str((config or {}).get("rootNamespace") or plane.namespace)
    return Mesh(
        namespace,
        labels,
        config,
        plane,
        class_field=http01["class_field"],
        ingress_class=_controller(api) if http01["class_field"] != "class" else None,
        namespace_labels=_namespace_labels(api, namespace) if (config or {}).get("discoverySelectors") else None,
        policies=[policy for place in dict.fromkeys((namespace, root)) for policy in _policies(api, place)],
        commands=commands,
    )


def _policies(api: client.ApiClient, namespace: str) -> list[Object]:
    objects = client.CustomObjectsApi(api)
    listed: Any = _read(
        lambda: objects.list_namespaced_custom_object(
            *_POLICIES, namespace, "authorizationpolicies", _request_timeout=TIMEOUT
        )
    )
    return list((listed or {}).get("items") or ())


def _namespace_labels(api: client.ApiClient, name: str) -> Mapping[str, str] | None:
    core = client.CoreV1Api(api)
    namespace = _read(lambda: core.read_namespace(name, _request_timeout=TIMEOUT))
    return (namespace.metadata.labels or {}) if namespace and namespace.metadata else None


def _deployment_labels(api: client.ApiClient, namespace: str, name: str) -> Mapping[str, str]:
    apps = client.AppsV1Api(api)
    deployment = _read(lambda: apps.read_namespaced_deployment(name, namespace, _request_timeout=TIMEOUT))
    template = deployment.spec.template.metadata if deployment and deployment.spec else None
    return (template.labels if template else None) or {}


def _mesh_config(api: client.ApiClient, plane: solver_route.ControlPlane) -> Mapping[str, Any] | None:
    core = client.CoreV1Api(api)
    config_map = _read(
        lambda: core.read_namespaced_config_map(plane.config_map, plane.namespace, _request_timeout=TIMEOUT)
    )
    try:
        config = yaml.safe_load((config_map.data or {}).get("mesh") or "{}") if config_map else None
    except (yaml.YAMLError, RecursionError, ValueError):
        # The last is of a tag that its value does not fit: `!!int x`.
        return None
    return config if isinstance(config, Mapping) else None


def _controller(api: client.ApiClient) -> str | None:
    """Return the controller of the IngressClass; empty where there is none, None where it cannot be read."""
    networking = client.NetworkingV1Api(api)
    try:
        ingress_class = networking.read_ingress_class(solver_route.CLASS, _request_timeout=TIMEOUT)
    except client.ApiException as error:
        return "" if error.status == 404 else None
    except HTTPError:
        return None
    return (ingress_class.spec.controller if ingress_class.spec else None) or ""


def _read(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (client.ApiException, HTTPError):
        return None
