"""The operations on `helm.sh/v3:Release`."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Final

from sandbox.providers import diff
from sandbox.providers.kubernetes.apiserver import ApiServer, Object
from sandbox.providers.kubernetes.cluster import Kubeconfig
from sandbox.providers.kubernetes.helm import DEFAULT_SECONDS, Helm, HelmError, stored
from sandbox.providers.kubernetes.objects import INPUTS
from sandbox.providers.rpc import WARNING, Engine, InitializationError, ResourceType, pb, unique_name
from sandbox.providers.values import UNKNOWN, Properties, Secret, Unknown, contains, mask, reveal

_OPTIONS: Final = frozenset(
    {"chart", "keyring", "name", "namespace", "replace", "timeout", "values", "verify", "version"}
)
_CONSTANT: Final = "compat"
"""An input that the SDK sends with every release."""


class Releases(ResourceType):
    """The operations on Helm releases."""

    def __init__(
        self, kubeconfig: Kubeconfig | None, server: ApiServer, engine: Engine, cancelled: threading.Event
    ) -> None:
        self._helm = Helm(kubeconfig, cancelled)
        self._namespace = kubeconfig.namespace if kubeconfig else "default"
        self._server = server
        self._engine = engine

    def check(self, urn: str, old: Properties, inputs: Properties) -> tuple[Properties, dict[str, str]]:
        """Name the release, set its defaults, and resolve the chart to one version."""
        release: Object = {key: value for key, value in reveal(inputs).items() if value and key != _CONSTANT}
        missing = sorted(release.keys() - _OPTIONS)
        problems = dict.fromkeys(missing, "The sandbox's stand-in of the kubernetes provider does not have this input.")
        release.setdefault("name", reveal(old.get("name")) or unique_name(f"{urn.rpartition('::')[2]}-"))
        release = {"namespace": self._namespace, "timeout": DEFAULT_SECONDS, "values": {}} | release
        if not contains(release, Unknown):
            try:
                release["version"] = self._helm.chart_version(release)
            except HelmError as error:
                problems["chart"] = f"{error}; check the chart name and repository configuration."
            else:
                # A preview then knows the scope of kinds whose CRDs are not there yet.
                self._server.promise(partial(self._definitions, dict(release)))
        return mask({key: value for key, value in release.items() if value}, inputs), problems

    def diff(self, state: Properties, inputs: Properties) -> pb.DiffResponse:
        """Compare the new inputs with what the release has of them and of the old inputs."""
        current: Object = reveal(state)
        old: Object = current.pop(INPUTS, {})
        new: Object = reveal(inputs)
        return diff.response(diff.changes(_named(current, old, new), new, ("name", "namespace")))

    def create(self, urn: str, inputs: Properties, _seconds: float, *, preview: bool) -> tuple[str, Properties]:
        """Install the chart."""
        release: Object = reveal(inputs)
        if preview:
            return "", _planned(inputs)
        self._server.version()
        try:
            self._helm.install(release)
        except HelmError as error:
            if self._find(release) is None:
                raise
            self._engine.log(
                f'Helm release "{release["name"]}" was created but has a failed status. Use the `helm` command '
                f"to investigate the error, correct it, then retry. Reason: {error}",
                urn,
                severity=WARNING,
            )
            raise self._incomplete("was created, but failed to initialize completely.", inputs, error) from None
        return _id(release), self._state(inputs)

    def update(
        self, _urn: str, _state: Properties, inputs: Properties, _seconds: float, *, preview: bool
    ) -> Properties:
        """Upgrade the release."""
        if preview:
            return _planned(inputs)
        self._server.version()
        try:
            self._helm.upgrade(reveal(inputs))
        except HelmError as error:
            if self._find(reveal(inputs)) is None:
                raise
            raise self._incomplete("failed to initialize completely.", inputs, error) from None
        return self._state(inputs)

    def read(
        self, _urn: str, resource_id: str, state: Properties, inputs: Properties
    ) -> tuple[Properties, Properties] | None:
        """Read the release that helm has."""
        self._server.version()
        namespace, _, name = resource_id.rpartition("/")
        release: Object = reveal(state) or {"namespace": namespace or "default", "name": name}
        release.pop(INPUTS, None)
        live = self._find(release)
        if live is None:
            return None
        if not inputs:
            inputs = {key: live[key] for key in ("chart", "name", "namespace", "values", "version")}
            inputs["timeout"] = DEFAULT_SECONDS
        outputs = mask({**release, **live, "chart": release.get("chart", live["chart"])}, inputs)
        return outputs | {INPUTS: Secret(inputs)}, inputs

    def delete(self, _urn: str, state: Properties, _seconds: float) -> None:
        """Uninstall the release."""
        self._server.version()
        self._helm.uninstall(reveal(state))

    def _find(self, release: Object) -> Object | None:
        """Return a release as Helm has it. To run `helm get` for each part of it would take a second."""
        path = f"/api/v1/namespaces/{release['namespace']}/secrets"
        selector = {"labelSelector": f"owner=helm,name={release['name']}"}
        return stored(self._server.request("GET", path, query=selector)["items"])

    def _definitions(self, release: Object) -> list[Object]:
        """Return the CRDs of the chart; none if it cannot be rendered, which its installation reports."""
        try:
            return list(self._helm.definitions(release))
        except HelmError:
            return []

    def _incomplete(self, what: str, inputs: Properties, error: HelmError) -> InitializationError:
        name = _id(reveal(inputs))
        return InitializationError(
            f'Helm release "{name}" {what} Use Helm CLI to investigate: failed to become available within allocated '
            f"timeout. Error: Helm Release {name}: {error}",
            name,
            self._state(inputs),
        )

    def _state(self, inputs: Properties) -> Properties:
        release: Object = reveal(inputs)
        outputs = {**release, **(self._find(release) or {}), "chart": release["chart"]}
        return mask(outputs, inputs) | {INPUTS: Secret(inputs)}


def _id(release: Object) -> str:
    return f"{release['namespace']}/{release['name']}"


def _planned(inputs: Properties) -> Properties:
    return inputs | {INPUTS: Secret(inputs), "resourceNames": UNKNOWN, "status": UNKNOWN}


def _named(current: Any, *inputs: Any) -> Any:
    """Return the part of a release's state that any of the inputs names: the rest is helm's."""
    maps = [wanted for wanted in inputs if isinstance(wanted, dict)]
    if not isinstance(current, dict) or not maps:
        return current
    named = {key for wanted in maps for key in wanted}
    return {key: _named(value, *(wanted.get(key) for wanted in maps)) for key, value in current.items() if key in named}
