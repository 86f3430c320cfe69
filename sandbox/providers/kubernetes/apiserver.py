"""The Kubernetes API server as the provider needs it: discovery, requests and watches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config
from kubernetes.config.config_exception import ConfigException

from sandbox import api
from sandbox.providers.kubernetes.cluster import Kubeconfig
from sandbox.providers.rpc import ProviderError
from sandbox.watch import Informer, Watch

Object = dict[str, Any]

APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
WATCH_ATTEMPTS: Final = 5  # failures in a row until a wait gives up


class UnreachableError(ProviderError):
    """The API server did not answer."""


class NoMatchError(ProviderError):
    """The API server has no such kind, for instance because its CRD is not there yet."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f'no matches for kind "{kind}" in version "{api_version}"')


class ApiError(ProviderError):
    """The API server refused a request.

    Attributes:
        code: HTTP status.
        reason: Reason in the API's own words, for instance `AlreadyExists`.
        kind: Resource that it is about, for instance `namespaces`.
    """

    def __init__(self, error: api.ApiError) -> None:
        super().__init__(str(error))
        self.code = error.code
        self.reason: str = error.status.get("reason", "")
        self.kind: str = (error.status.get("details") or {}).get("kind", "")


@dataclass(frozen=True)
class Kind:
    """A kind as the API server serves it."""

    prefix: str
    plural: str
    namespaced: bool

    def path(self, metadata: Mapping[str, Any], *, named: bool = True) -> str:
        """Return the URL path of an object, or of the collection it belongs to."""
        scope = f"/namespaces/{metadata.get('namespace') or 'default'}" if self.namespaced else ""
        return f"{self.prefix}{scope}/{self.plural}" + (f"/{metadata['name']}" if named else "")


class Promises:
    """The scopes of kinds whose CRDs are not installed yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[Callable[[], Iterable[Object]]] = []
        self._scopes: dict[tuple[str, str], str] = {}

    def add(self, definitions: Callable[[], Iterable[Object]]) -> None:
        """Take what returns the CRDs: to render a chart takes longer than to preview the other resources."""
        with self._lock:
            self._pending.append(definitions)

    def namespaced(self, group: str, kind: str) -> bool:
        """Say whether a kind has namespaces; an unknown kind is assumed to have them."""
        with self._lock:
            while self._pending:
                for spec in (definition["spec"] for definition in self._pending.pop()()):
                    self._scopes[spec["group"], spec["names"]["kind"]] = spec["scope"]
            return self._scopes.get((group, kind), "Namespaced") == "Namespaced"


class ApiServer:
    """One API server, seen through one kubeconfig."""

    def __init__(self, kubeconfig: Kubeconfig) -> None:
        try:
            self._api: ApiClient = new_client_from_config(kubeconfig.path, kubeconfig.context, persist_config=False)
        except ConfigException as error:
            raise ProviderError(str(error)) from None
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._promises = Promises()

    def version(self) -> str:
        """Return the server's version.

        Raises:
            UnreachableError: No answer.
        """
        return str(self.request("GET", "/version")["gitVersion"])

    def find(self, api_version: str, kind: str) -> Kind | None:
        """Return how the server serves a kind, or nothing if it does not."""
        key = (api_version, kind)
        if key not in self._kinds:
            prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                resources = self.request("GET", prefix)["resources"]
            except ApiError as error:
                if error.code == 404:
                    return None
                raise
            for resource in resources:
                if "/" not in resource["name"]:
                    served = Kind(prefix, resource["name"], resource["namespaced"])
                    self._kinds[api_version, resource["kind"]] = served
        return self._kinds.get(key)

    def promise(self, definitions: Callable[[], Iterable[Object]]) -> None:
        """Take the CRDs that this deployment is going to install; they are asked for if the server lacks a kind."""
        self._promises.add(definitions)

    def namespaced(self, api_version: str, kind: str) -> bool:
        """Say whether a kind has namespaces; an unknown kind is assumed to have them."""
        served = self.find(api_version, kind)
        if served is not None:
            return served.namespaced
        return self._promises.namespaced(api_version.rpartition("/")[0], kind)

    def get(self, obj: Object) -> Object:
        """Return the object as it is on the server."""
        return self.request("GET", self._path(obj))

    def create(self, obj: Object, *, manager: str, dry_run: bool) -> Object:
        """Create an object; one that exists is an error."""
        query = {"fieldManager": manager} | _dry(run=dry_run)
        return self.request("POST", self._path(obj, named=False), obj, query)

    def apply(self, obj: Object, *, manager: str, force: bool, dry_run: bool) -> Object:
        """Apply an object on the server."""
        query = {"fieldManager": manager, "force": str(force).lower()} | _dry(run=dry_run)
        return self.request("PATCH", self._path(obj), obj, query, APPLY)

    def patch(self, obj: Object, operations: list[Object]) -> Object:
        """Apply a JSON patch to an object."""
        return self.request("PATCH", self._path(obj), operations, None, JSON_PATCH)

    def delete(self, obj: Object) -> None:
        """Ask for the deletion of an object, after that of its dependents."""
        self.request("DELETE", self._path(obj), {"propagationPolicy": "Foreground"})

    def versions(self, obj: Object, seconds: float, cancelled: threading.Event) -> Iterator[Object | None]:
        """Yield an object as it is, and again whenever it changes, until the time is up.

        Yields nothing (`None`) while there is no such object.

        Raises:
            ApiError: The server refused to list or watch it.
            UnreachableError: No answer, several times in a row.
        """
        selector = f"metadata.name={obj['metadata']['name']}"
        watch = Watch(self._api, self._path(obj, named=False), field_selector=selector, attempts=WATCH_ATTEMPTS)
        try:
            for _ in watch.changes(cancelled, seconds):
                yield next(iter(watch.objects.values()), None)
        except api.ApiError as error:
            raise _provider_error(error) from None

    @contextmanager
    def warnings(self, obj: Object, report: Callable[[str], None]) -> Iterator[None]:
        """Report what controllers complain about an object, from its events, while the block runs."""
        metadata = obj["metadata"]
        informer = Informer(
            self._api,
            f"/api/v1/namespaces/{metadata.get('namespace') or 'default'}/events",
            lambda _, event: report(f"{event['reason']}: {event['message']}"),
            field_selector=f"involvedObject.uid={metadata['uid']},type=Warning",
        )
        informer.start()
        try:
            yield
        finally:
            informer.stop()

    def request(
        self,
        method: str,
        path: str,
        body: Object | list[Object] | None = None,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send a request and return the answer.

        Raises:
            ApiError: The server refused it.
            UnreachableError: No answer.
        """
        try:
            return api.request(self._api, method, path, body, query=query, content_type=content_type)
        except api.ApiError as error:
            raise _provider_error(error) from None

    def _path(self, obj: Object, *, named: bool = True) -> str:
        api_version, kind = obj["apiVersion"], obj["kind"]
        served = self.find(api_version, kind)
        if served is None:
            raise NoMatchError(api_version, kind)
        return served.path(obj["metadata"], named=named)


class UnreachableServer(ApiServer):
    """Takes the place of an API server that does not answer: previews do without it, all else fails."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._promises = Promises()

    def find(self, _api_version: str, _kind: str) -> Kind | None:
        """Return nothing."""
        return None

    def request(self, *_: Any, **__: Any) -> Object:
        """Raise the reason as an `UnreachableError`."""
        raise UnreachableError(
            "configured Kubernetes cluster is unreachable: unable to load schema information from the API server: "
            f"{self._reason}"
        )

    def _path(self, _obj: Object, *, named: bool = True) -> str:  # noqa: ARG002 - no path leads to it
        return ""


def _provider_error(error: api.ApiError) -> ProviderError:
    return ApiError(error) if error.code else UnreachableError(str(error))


def _dry(*, run: bool) -> Object:
    return {"dryRun": "All"} if run else {}
