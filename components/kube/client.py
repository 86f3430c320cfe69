"""A Kubernetes client that chooses its cluster as Pulumi's provider does, and reads objects as plain mappings.

The official client's generated classes are not used. CoreV1Api alone has 63,000 lines, and takes as long to load as the
rest of the program.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .kubeconfig import is_content, parse

if TYPE_CHECKING:
    from kubernetes import client

Object = Mapping[str, Any]
"""An object as the API server writes it in JSON."""

CONNECT_TIMEOUT = 5
"""Seconds to wait for a connection to the API server."""

ANSWER_TIMEOUT = 10
"""Seconds to wait for an answer."""

_PAGE = 100
"""Objects in one answer. An HTTPRoute with many parents has 50 KB, and a thousand of them would not arrive in time."""


class ClusterError(Exception):
    """The cluster cannot be read: there are no credentials for it, it does not answer, or it refuses."""


class RefusedError(ClusterError):
    """The API server answers with an error."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the API server answers {status} {reason}")
        self.status = status


class Client:
    """One cluster. The methods raise `ClusterError`; only `get` and `resources` have an answer for 404, None."""

    def __init__(
        self, kubeconfig: str | None = None, context: str | None = None, *, timeout: float = ANSWER_TIMEOUT
    ) -> None:
        """Choose the cluster of a path or content; without either of KUBECONFIG, ~/.kube/config or the Pod's account.

        Args:
            kubeconfig: A path, or the content.
            context: One of its contexts, if not the current one.
            timeout: Seconds to wait for each answer.

        Raises:
            ClusterError: there is no such kubeconfig or context, or it cannot be read. The text quotes no value of it.
        """
        # It takes half a second to load, and most commands and programs that end early need no cluster.
        from kubernetes.dynamic import DynamicClient

        api = _api_client(kubeconfig, context)
        self.host = str(api.configuration.host)
        self._timeout = timeout
        # Kinds are asked for by their plural names, so that nothing has to be discovered before.
        self._dynamic = DynamicClient(api, discoverer=lambda *_: None)

    def get(self, version: str, plural: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object of an API version such as `v1` or `apps/v1`; None where there is none."""
        return self._get(_path(version, plural, namespace, name), namespace=namespace or "", name=name)

    def get_if_allowed(self, version: str, plural: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, an empty one where there is none, and None where the API server refuses to answer."""
        try:
            return self.get(version, plural, name, namespace) or {}
        except RefusedError:
            return None

    def items(self, version: str, plural: str, namespace: str | None = None, **selectors: str) -> list[Object]:
        """Return the objects of a namespace, or of all of them, by `label_selector` or `field_selector`."""
        return list(self.listed(version, plural, namespace, **selectors)["items"])

    def listed(self, version: str, plural: str, namespace: str | None = None, **selectors: Any) -> Object:
        """Return a list with its metadata; see `items`."""
        path, options = _path(version, plural, namespace), {"path_params": {"namespace": namespace or ""}, **selectors}
        page = self._request("get", path, limit=_PAGE, **options)
        items = list(page.get("items") or ())
        while following := page.get("metadata", {}).get("continue"):
            page = self._request("get", path, limit=_PAGE, _continue=following, **options)
            items += page["items"]
        return {**page, "items": items}

    def resources(self, version: str) -> list[Object] | None:
        """Return the kinds of an API version; None where the cluster does not serve it. Any account may read them."""
        answer = self._get(_path(version))
        return None if answer is None else list(answer["resources"])

    def ask_version(self) -> None:
        """Ask for the server's version, to know that it answers."""
        self._request("get", "/version/")

    def create(self, version: str, plural: str, namespace: str, body: Object) -> None:
        """Create an object."""
        self._request("post", _path(version, plural, namespace), body, path_params={"namespace": namespace})

    def merge(self, version: str, plural: str, namespace: str, name: str, patch: Object) -> None:
        """Merge a patch into an object (RFC 7386)."""
        names = {"namespace": namespace, "name": name}
        media_type = "application/merge-patch+json"
        path = _path(version, plural, namespace, name)
        self._request("patch", path, patch, path_params=names, content_type=media_type)

    def watch(
        self, version: str, plural: str, namespace: str, listed: Object, seconds: int, **selectors: str
    ) -> Iterator[tuple[str, Object]]:
        """Yield the type and the object of each change after a list, for some seconds."""
        from kubernetes.watch import Watch

        changes = Watch().stream(
            self._dynamic.request,
            "get",
            _path(version, plural, namespace),
            path_params={"namespace": namespace},
            serialize=False,
            resource_version=listed["metadata"].get("resourceVersion"),
            timeout_seconds=seconds,
            _request_timeout=(CONNECT_TIMEOUT, seconds + CONNECT_TIMEOUT),
            **selectors,
        )
        with self._errors():
            for change in changes:
                yield change["type"], change["object"]

    def _get(self, path: str, **names: str) -> Object | None:
        try:
            return self._request("get", path, path_params=names)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def _request(self, method: str, path: str, body: Object | None = None, **options: Any) -> Object:
        timeout = (CONNECT_TIMEOUT, self._timeout)
        with self._errors():
            response: Any = self._dynamic.request(
                method, path, body, serialize=False, _request_timeout=timeout, **options
            )
            answer: Object = json.loads(response.data)
        return answer

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            if error.status:
                raise RefusedError(error.status, error.reason) from error
            # A certificate that is not trusted, for one.
            raise ClusterError(f"{self.host} does not answer: {error.reason}") from error
        except HTTPError as error:
            cause = getattr(error, "reason", None) or error
            raise ClusterError(f"{self.host} does not answer: {type(cause).__name__}") from error
        except ValueError as error:
            # A page of a proxy, for one.
            raise ClusterError(f"{self.host} answers with something else than JSON") from error


def _path(version: str, plural: str = "", namespace: str | None = None, name: str = "") -> str:
    """Return a path whose names stand for themselves: the client quotes them."""
    parts = ["", "apis" if "/" in version else "api", version]
    parts += ["namespaces", "{namespace}"] if namespace else []
    return "/".join([*parts, *filter(None, (plural, name and "{name}"))])


def _api_client(kubeconfig: str | None, context: str | None) -> "client.ApiClient":
    from kubernetes import client
    from kubernetes.config import ConfigException

    settings = client.Configuration()
    try:
        _load(settings, kubeconfig, context)
    except ConfigException as error:
        # Its words name keys, contexts and users of the kubeconfig, and none of its values.
        raise ClusterError(str(error)) from None
    except OSError as error:
        raise ClusterError(f"the kubeconfig cannot be read: {error}") from None
    except Exception as error:
        # The parsers' words quote what they cannot read, which may be a key.
        raise ClusterError(f"the kubeconfig cannot be read: {type(error).__name__}") from None
    settings.retries = False
    return client.ApiClient(settings)


def _load(settings: "client.Configuration", kubeconfig: str | None, context: str | None) -> None:
    from kubernetes.config import (
        ConfigException,
        load_incluster_config,
        load_kube_config,
        load_kube_config_from_dict,
    )

    options = {"context": context or None, "client_configuration": settings, "persist_config": False}
    if kubeconfig and is_content(kubeconfig):
        try:
            parsed = parse(kubeconfig)
        except ValueError as error:
            raise ConfigException(f"the kubeconfig {error}") from None
        load_kube_config_from_dict(parsed, **options)
    elif kubeconfig:
        load_kube_config(str(Path(kubeconfig).expanduser()), **options)
    else:
        try:
            load_kube_config(**options)
        except ConfigException:
            load_incluster_config(settings)
