"""Reads lists and single objects of the cluster, with cluster-wide rights to read."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kubernetes.config import ConfigException, list_kube_config_contexts

from components.kube.client import Client, ClusterError, RefusedError
from components.preflight.cert_manager import DEFINITION
from components.problem import Problem, ProblemsError
from components.specs import cert_manager, gateway_api, istio
from tlsctl.adopt.objects import Object, Release, applications, mapping, text

TIMEOUT = 30
"""Seconds to wait for an answer: lists of a whole cluster are long."""

_ISTIO = ("v1", "v1beta1", "v1alpha3")
"""The versions of Istio's API, the newest first."""

_DEFINITIONS = ("apiextensions.k8s.io/v1", "customresourcedefinitions")
_RELEASE_NAME = "meta.helm.sh/release-name"


class Cluster:
    """The cluster behind a kubeconfig; its methods raise `ProblemsError` where it does not answer, or refuses."""

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        """Choose the cluster that Pulumi's provider would choose.

        Raises:
            ProblemsError: the kubeconfig or the context does not exist.
        """
        try:
            self._client = Client(kubeconfig, context, timeout=TIMEOUT)
        except ClusterError as error:
            fix = ("kubectl config get-contexts", "kubectl cluster-info")
            raise ProblemsError(Problem("the cluster", f"cannot be read: {error}", fix)) from None
        self._plurals: dict[tuple[str, str], str | None] = {}
        self.current_context = _current_context(kubeconfig)
        """The current context of the operator's own kubeconfig; empty where another one is named."""

    def read(self) -> dict[str, Any]:
        """Return the fields of `Inventory` that come from the cluster."""
        version = next((api for api in _ISTIO if self._resources(f"{istio.GROUP}/{api}") is not None), _ISTIO[0])
        networking = f"{istio.GROUP}/{version}"
        deployments = self._list("apps/v1", "deployments")
        definition = self._get(*_DEFINITIONS, DEFINITION)
        return {
            "issuers": self._list(cert_manager.API, "clusterissuers") + self._list(cert_manager.API, "issuers"),
            "certificates": self._list(cert_manager.API, "certificates"),
            "gateways": self._list(networking, "gateways"),
            "virtual_services": self._list(networking, "virtualservices"),
            "api_gateways": self._list(gateway_api.VERSION, "gateways"),
            "http_routes": self._list(gateway_api.VERSION, "httproutes"),
            "grants": self._list(gateway_api.GRANT_VERSION, "referencegrants"),
            "ingresses": self._list("networking.k8s.io/v1", "ingresses"),
            "services": self._list("v1", "services"),
            "deployments": deployments,
            "istio_api": networking,
            "definitions_by_helm": _RELEASE_NAME in mapping(definition, "metadata", "annotations"),
            "release": self._release(deployments),
        }

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object, or None where it does not exist."""
        plural = self._plural(api_version, kind)
        return self._get(api_version, plural, name, namespace) if plural else None

    def has_release(self, namespace: str, name: str) -> bool:
        """Tell whether a Deployment belongs to a Helm release."""
        deployments = self._list("apps/v1", "deployments", namespace)
        return any(mapping(obj, "metadata", "annotations").get(_RELEASE_NAME) == name for obj in deployments)

    def _plural(self, api_version: str, kind: str) -> str | None:
        if (api_version, kind) not in self._plurals:
            resources = self._resources(api_version) or ()
            plurals = (item["name"] for item in resources if item["kind"] == kind and "/" not in item["name"])
            self._plurals[api_version, kind] = next(plurals, None)
        return self._plurals[api_version, kind]

    def _resources(self, api_version: str) -> list[Object] | None:
        with _explained(api_version):
            return self._client.resources(api_version)

    def _get(self, api_version: str, plural: str, name: str, namespace: str = "") -> Object | None:
        with _explained(f"{plural} of {api_version}"):
            return self._client.get(api_version, plural, name, namespace)

    def _list(self, api_version: str, plural: str, namespace: str = "", **selectors: str) -> list[Object]:
        """Return the objects of a kind; none where the cluster does not know it."""
        with _explained(f"{plural} of {api_version}"):
            try:
                answer = self._client.listed(api_version, plural, namespace, **selectors)
            except RefusedError as error:
                if error.status == 404:
                    return []
                raise
        kind = str(answer.get("kind", "")).removesuffix("List")
        # The items of a list have neither.
        return [{"apiVersion": api_version, "kind": kind, **item} for item in answer["items"]]

    def _release(self, deployments: list[Object]) -> Release | None:
        """Return cert-manager's release, with its values where its Secret may be read."""
        installed = (
            mapping(obj, "metadata", "annotations") for obj in deployments if "cert-manager" in applications(obj)
        )
        annotations = next((marks for marks in installed if _RELEASE_NAME in marks), None)
        if annotations is None:
            return None
        name, namespace = str(annotations[_RELEASE_NAME]), str(annotations.get("meta.helm.sh/release-namespace", ""))
        try:
            secrets = self._list("v1", "secrets", namespace, label_selector=f"owner=helm,status=deployed,name={name}")
        except ProblemsError:
            return Release(name)
        for secret in secrets:
            if text(secret, "type") == "helm.sh/release.v1":
                return decode_release(secret, name)
        return Release(name)


def _current_context(kubeconfig: str | None) -> str:
    if kubeconfig:
        return ""
    try:
        return str(list_kube_config_contexts()[1]["name"])
    except (ConfigException, KeyError, TypeError):
        return ""


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        reason = f"cannot be read, and adopt needs the right to: {error}"
        raise ProblemsError(Problem(what, reason, ("kubectl auth can-i --list",))) from None
    except ClusterError as error:
        raise ProblemsError(Problem("the cluster", f"cannot be read: {error}", ("kubectl cluster-info",))) from None


def decode_release(secret: Mapping[str, Any], name: str) -> Release:
    """Return the release that a Secret of Helm holds: JSON, compressed, and encoded twice in base64."""
    try:
        release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(text(secret, "data", "release")))))
    except (ValueError, OSError, EOFError):
        return Release(name)
    return Release(name, text(release, "chart", "metadata", "version") or None, mapping(release, "config"))
