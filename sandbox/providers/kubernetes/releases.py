"""The operations on `helm.sh/v3:Release`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from sandbox.providers import rpc
from sandbox.providers.kubernetes import diff
from sandbox.providers.kubernetes.apiserver import ApiServer, Object
from sandbox.providers.kubernetes.helm import DEFAULT_SECONDS, INSTALL_FLAGS, UPGRADE_FLAGS, Helm, HelmError
from sandbox.providers.kubernetes.kubeconfig import Kubeconfig
from sandbox.providers.kubernetes.objects import INPUTS, masked, unique_name
from sandbox.providers.rpc import InitializationError
from sandbox.providers.values import UNKNOWN, Secret, Unknown, contains, from_struct, reveal, to_struct

_INPUTS: Final = frozenset(
    {*INSTALL_FLAGS, *UPGRADE_FLAGS}
    | {"chart", "description", "keyring", "maxHistory", "name", "namespace", "repositoryOpts", "skipAwait"}
    | {"timeout", "values", "version", "waitForJobs"}
)


class Releases:
    """The operations on Helm releases."""

    def __init__(
        self, kubeconfig: Kubeconfig | None, server: ApiServer, engine: rpc.Engine, cancelled: threading.Event
    ) -> None:
        """Take what the operations need.

        Args:
            kubeconfig: Where helm finds the cluster, if anywhere.
            server: Told which CRDs the charts bring.
            engine: The engine's log.
            cancelled: Set when helm must end.
        """
        self._helm = Helm(kubeconfig, cancelled)
        self._namespace = kubeconfig.namespace if kubeconfig else "default"
        self._server = server
        self._engine = engine

    def check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Name the release, set its defaults, and resolve the chart to one version."""
        old, new = from_struct(request.olds), from_struct(request.news)
        inputs: Object = reveal(new)
        if not inputs.get("name"):
            resource = request.urn.rpartition("::")[2]
            inputs["name"] = reveal(old.get("name")) or unique_name(f"{resource}-", request.randomSeed)
        inputs["namespace"] = inputs.get("namespace") or self._namespace
        if not inputs.get("skipAwait"):
            inputs.setdefault("timeout", DEFAULT_SECONDS)
        inputs["values"] = _merged_values(inputs)
        failures = []
        if not contains(inputs, Unknown):
            try:
                inputs["version"] = self._helm.chart_version(inputs)
                # A preview then knows the scope of kinds whose CRDs are not there yet.
                for definition in self._helm.definitions(inputs):
                    self._server.promise(definition)
            except HelmError as error:
                reason = f"{error}; check the chart name and repository configuration."
                failures.append(pb.CheckFailure(property="chart", reason=reason))
        kept = {key: value for key, value in inputs.items() if key in _INPUTS and _is_set(key, value)}
        return pb.CheckResponse(inputs=to_struct(masked(kept, new)), failures=failures)

    def diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Compare the new inputs with the release as it is."""
        current: Object = reveal(from_struct(request.olds))
        inputs = current.pop(INPUTS, {})
        wanted: Object = reveal(from_struct(request.news))
        if "version" in request.ignoreChanges:
            wanted["version"] = current.get("version")
        patch = diff.three_way_patch(inputs, wanted, current)
        changes = diff.detailed_diff(patch, current, wanted, inputs, ("name", "namespace"))
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if patch else pb.DiffResponse.DIFF_NONE,
            replaces=diff.replaces(changes),
            diffs=list(patch),
            detailedDiff=changes,
            hasDetailedDiff=bool(changes),
        )

    def create(self, request: pb.CreateRequest) -> pb.CreateResponse:
        """Install the chart."""
        given = from_struct(request.properties)
        if request.preview:
            return pb.CreateResponse(properties=to_struct(_planned(given)))
        release: Object = reveal(given)
        try:
            self._helm.install(release)
        except HelmError as error:
            if self._helm.find(release) is None:
                raise
            self._engine.log(
                f'Helm release "{release["name"]}" was created but has a failed status. Use the `helm` command '
                f"to investigate the error, correct it, then retry. Reason: {error}",
                request.urn,
                severity=rpc.WARNING,
            )
            text = f'Helm release "{_id(release)}" was created, but failed to initialize completely.'
            raise self._incomplete(text, release, given, error) from None
        return pb.CreateResponse(id=_id(release), properties=to_struct(self._state(release, given)))

    def update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Upgrade the release."""
        given = from_struct(request.news)
        if request.preview:
            return pb.UpdateResponse(properties=to_struct(_planned(given)))
        release: Object = reveal(given)
        try:
            self._helm.upgrade(release)
        except HelmError as error:
            if self._helm.find(release) is None:
                raise
            text = f'Helm release "{_id(release)}" failed to initialize completely.'
            raise self._incomplete(text, release, given, error) from None
        return pb.UpdateResponse(properties=to_struct(self._state(release, given)))

    def read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        """Read the release that helm has."""
        state = from_struct(request.properties)
        namespace, _, name = request.id.rpartition("/")
        release: Object = reveal(state) or {"namespace": namespace or "default", "name": name}
        release.pop(INPUTS, None)
        live = self._helm.find(release)
        if live is None:
            return pb.ReadResponse()
        inputs = _inputs(state)
        if not inputs:
            inputs = {key: live[key] for key in ("chart", "name", "namespace", "values", "version")}
            inputs["timeout"] = DEFAULT_SECONDS
        outputs = masked({**release, **live, "chart": release.get("chart", live["chart"])}, inputs)
        return pb.ReadResponse(
            id=request.id,
            properties=to_struct({**outputs, INPUTS: Secret(inputs)}),
            inputs=to_struct(inputs),
        )

    def delete(self, request: pb.DeleteRequest) -> empty_pb2.Empty:
        """Uninstall the release."""
        self._helm.uninstall(reveal(from_struct(request.properties)))
        return empty_pb2.Empty()

    def _incomplete(self, text: str, release: Object, given: dict[str, Any], error: HelmError) -> InitializationError:
        message = (
            f"{text} Use Helm CLI to investigate: failed to become available within allocated timeout. "
            f"Error: Helm Release {_id(release)}: {error}"
        )
        return InitializationError(message, _id(release), self._state(release, given), [message])

    def _state(self, release: Object, given: dict[str, Any]) -> dict[str, Any]:
        outputs = {**release, **(self._helm.find(release) or {}), "chart": release["chart"]}
        return {**masked(outputs, given), INPUTS: Secret(given)}


def _id(release: Object) -> str:
    return f"{release['namespace']}/{release['name']}"


def _inputs(state: Mapping[str, Any]) -> dict[str, Any]:
    given = state.get(INPUTS, {})
    return dict(given.value if isinstance(given, Secret) else given)


def _planned(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, INPUTS: Secret(given), "resourceNames": UNKNOWN, "status": UNKNOWN}


def _merged_values(inputs: Object) -> Object:
    """Return the values: those of the files in their order, then the given ones."""
    merged: Object = {}
    for asset in inputs.get("valueYamlFiles") or []:
        text = asset.get("text") or Path(asset["path"]).read_text()
        merged = _deep_merge(merged, yaml.safe_load(text) or {})
    return _deep_merge(merged, inputs.get("values") or {})


def _deep_merge(base: Object, over: Object) -> Object:
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        merged[key] = _deep_merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _is_set(key: str, value: Any) -> bool:
    return value is UNKNOWN or (key == "maxHistory" and value is not None) or bool(value)
