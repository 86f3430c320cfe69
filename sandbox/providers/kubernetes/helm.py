"""`helm.sh/v3:Release` through the helm binary on PATH."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from sandbox.providers import rpc
from sandbox.providers.kubernetes import diff
from sandbox.providers.kubernetes.cluster import Object
from sandbox.providers.kubernetes.kubeconfig import Kubeconfig
from sandbox.providers.kubernetes.objects import INPUTS, masked, unique_name
from sandbox.providers.rpc import (
    UNKNOWN,
    InitializationError,
    ProviderError,
    Secret,
    Unknown,
    contains,
    from_struct,
    reveal,
    to_struct,
)

DEFAULT_SECONDS: Final = 300

# Inputs that are flags of helm, by input, for the commands that take them.
_INSTALL: Final = {
    "atomic": "--atomic",
    "createNamespace": "--create-namespace",
    "dependencyUpdate": "--dependency-update",
    "devel": "--devel",
    "disableOpenapiValidation": "--disable-openapi-validation",
    "disableWebhooks": "--no-hooks",
    "renderSubchartNotes": "--render-subchart-notes",
    "replace": "--replace",
    "skipCrds": "--skip-crds",
    "takeOwnership": "--take-ownership",
    "verify": "--verify",
}
_UPGRADE: Final = {
    "atomic": "--atomic",
    "cleanupOnFail": "--cleanup-on-fail",
    "dependencyUpdate": "--dependency-update",
    "devel": "--devel",
    "disableCRDHooks": "--no-hooks",
    "renderSubchartNotes": "--render-subchart-notes",
    "resetValues": "--reset-values",
    "reuseValues": "--reuse-values",
    "takeOwnership": "--take-ownership",
    "verify": "--verify",
}
_OPTIONS: Final = (
    "chart",
    "description",
    "keyring",
    "maxHistory",
    "name",
    "namespace",
    "repositoryOpts",
    "timeout",
    "values",
    "version",
    "skipAwait",
    "waitForJobs",
    "lint",
    "forceUpdate",
    "recreatePods",
    "postrender",
    "allowNullValues",
)
_REPOSITORY: Final = {
    "caFile": "--ca-file",
    "certFile": "--cert-file",
    "keyFile": "--key-file",
    "password": "--password",
    "username": "--username",
}  # fmt: skip
_ASSET_PATH: Final = "path"
_ASSET_TEXT: Final = "text"
_YAML: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the CRDs of a chart are large


class HelmError(ProviderError):
    """Helm failed; the text is its own."""


class Releases:
    """The operations on `helm.sh/v3:Release`."""

    def __init__(
        self,
        kubeconfig: Kubeconfig | None,
        promise: Callable[[Object], None],
        engine: rpc.Engine,
        cancelled: threading.Event,
    ) -> None:
        """Take what the operations need.

        Args:
            kubeconfig: The cluster, if there is one.
            promise: Told of each CRD that a chart brings.
            engine: The engine's log.
            cancelled: Set when helm must stop.
        """
        self._kubeconfig = kubeconfig
        self._promise = promise
        self._engine = engine
        self._cancelled = cancelled

    def check(self, urn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> pb.CheckResponse:
        """Name the release, set its defaults, and resolve the chart to one version."""
        inputs: Object = reveal(new)
        if not inputs.get("name"):
            inputs["name"] = reveal(old.get("name")) or unique_name(urn.rpartition("::")[2] + "-")
        if not inputs.get("namespace"):
            inputs["namespace"] = self._kubeconfig.namespace if self._kubeconfig else "default"
        if not inputs.get("skipAwait"):
            inputs.setdefault("timeout", DEFAULT_SECONDS)
        inputs["values"] = _merged_values(inputs)
        failures = []
        if not contains(inputs, Unknown):
            try:
                chart = yaml.load(self._helm("show", "chart", *_chart(inputs)), _YAML)  # noqa: S506 - a safe one
                inputs["version"] = chart["version"]
                self._promise_definitions(inputs)
            except HelmError as error:
                reason = f"{error}; check the chart name and repository configuration."
                failures.append(pb.CheckFailure(property="chart", reason=reason))
        known = {*_INSTALL, *_UPGRADE, *_OPTIONS}
        kept = {key: value for key, value in inputs.items() if key in known and _is_set(key, value)}
        return pb.CheckResponse(inputs=to_struct(masked(kept, new)), failures=failures)

    def diff(self, state: Mapping[str, Any], new: dict[str, Any], ignored: list[str]) -> pb.DiffResponse:
        """Compare the new inputs with the release as it is."""
        current: Object = reveal(state)
        inputs = current.pop(INPUTS, {})
        wanted: Object = reveal(new)
        if "version" in ignored:
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
        name = f"{release['namespace']}/{release['name']}"
        try:
            self._run("install", release, _INSTALL)
        except HelmError as error:
            if self._cancelled.is_set() or self._live(release) is None:
                raise
            text = f'Helm release "{release["name"]}" was created but has a failed status.'
            self._engine.log(
                f"{text} Use the `helm` command to investigate the error, correct it, then retry. Reason: {error}",
                request.urn,
                severity=rpc.WARNING,
            )
            raise self._incomplete(
                f'Helm release "{name}" was created, but failed to initialize completely.',
                release,
                given,
                error,
            ) from None
        return pb.CreateResponse(id=name, properties=to_struct(self._state(release, given)))

    def update(self, given: dict[str, Any], *, preview: bool) -> pb.UpdateResponse:
        """Upgrade the release."""
        if preview:
            return pb.UpdateResponse(properties=to_struct(_planned(given)))
        release: Object = reveal(given)
        name = f"{release['namespace']}/{release['name']}"
        try:
            history = ("--history-max", str(release.get("maxHistory", 0)))
            self._run("upgrade", release, _UPGRADE, *history)
        except HelmError as error:
            if self._cancelled.is_set() or self._live(release) is None:
                raise
            raise self._incomplete(
                f'Helm release "{name}" failed to initialize completely.', release, given, error
            ) from None
        return pb.UpdateResponse(properties=to_struct(self._state(release, given)))

    def read(self, resource_id: str, state: Mapping[str, Any]) -> pb.ReadResponse:
        """Read the release that helm has, for a refresh or an import."""
        release: Object = reveal(state)
        release.pop(INPUTS, None)
        if not release:
            namespace, _, name = resource_id.rpartition("/")
            release = {"namespace": namespace or "default", "name": name}
        live = self._live(release)
        if live is None:
            return pb.ReadResponse()
        given = state.get(INPUTS)
        inputs: dict[str, Any] = given.value if isinstance(given, Secret) else dict(given or {})
        if not inputs:
            inputs = {key: live[key] for key in ("chart", "name", "namespace", "values", "version")}
            inputs["timeout"] = DEFAULT_SECONDS
        outputs = masked({**release, **live, "chart": release.get("chart", live["chart"])}, inputs)
        return pb.ReadResponse(
            id=resource_id,
            properties=to_struct({**outputs, INPUTS: Secret(inputs)}),
            inputs=to_struct(inputs),
        )

    def delete(self, state: Mapping[str, Any]) -> empty_pb2.Empty:
        """Uninstall the release."""
        release: Object = reveal(state)
        waits = [] if release.get("skipAwait") and not release.get("atomic") else ["--wait"]
        self._helm("uninstall", release["name"], *_place(release), *waits, *_timeout(release))
        return empty_pb2.Empty()

    def _run(self, command: str, release: Object, flags: Mapping[str, str], *more: str) -> None:
        arguments = [command, release["name"], *_chart(release), *_place(release), *_timeout(release), *more]
        arguments += [flag for key, flag in flags.items() if release.get(key)]
        if not release.get("skipAwait"):
            arguments += ["--wait", *(["--wait-for-jobs"] if release.get("waitForJobs") else [])]
        if release.get("description"):
            arguments += ["--description", release["description"]]
        self._helm(*arguments, "--values", "-", stdin=json.dumps(release.get("values", {})))

    def _incomplete(
        self, text: str, release: Object, given: dict[str, Any], error: HelmError
    ) -> InitializationError:
        name = f"{release['namespace']}/{release['name']}"
        message = (
            f"{text} Use Helm CLI to investigate: failed to become available within allocated timeout. "
            f"Error: Helm Release {name}: {error}"
        )
        return InitializationError(message, name, self._state(release, given), [message])

    def _state(self, release: Object, given: dict[str, Any]) -> dict[str, Any]:
        live = self._live(release) or {}
        outputs = {**release, **live, "chart": release["chart"]}
        return {**masked(outputs, given), INPUTS: Secret(given)}

    def _live(self, release: Object) -> Object | None:
        """Return a release as helm has it, in the words of the outputs; nothing if there is none."""
        where = (release["name"], *_place(release))
        try:
            found = json.loads(self._helm("get", "metadata", *where, "--output", "json"))
        except HelmError as error:
            if "not found" in str(error):
                return None
            raise
        values = json.loads(self._helm("get", "values", *where, "--output", "json")) or {}
        return {
            "name": found["name"],
            "namespace": found["namespace"],
            "chart": found["chart"],
            "version": found["version"],
            "values": values,
            "resourceNames": _resource_names(self._helm("get", "manifest", *where)),
            "status": {
                "appVersion": found.get("appVersion", ""),
                "chart": found["chart"],
                "name": found["name"],
                "namespace": found["namespace"],
                "revision": found["revision"],
                "status": found["status"],
                "version": found["version"],
            },
        }

    def _promise_definitions(self, release: Object) -> None:
        """Tell which CRDs the chart brings, so that the scope of their kinds is known before they are there."""
        values = json.dumps(release["values"])
        arguments = ("template", release["name"], *_chart(release), *_place(release), "--include-crds")
        for document in re.split(
            r"^---\s*$", self._helm(*arguments, "--values", "-", stdin=values), flags=re.M
        ):
            if re.search(r"^kind: CustomResourceDefinition\s*$", document, re.M):
                self._promise(yaml.load(document, _YAML))  # noqa: S506 - a safe one

    def _helm(self, *arguments: str, stdin: str = "") -> str:
        """Run helm and return its output; end it when the engine cancels.

        Raises:
            HelmError: It failed.
        """
        command = ["helm", *arguments]
        if self._kubeconfig:
            command += ["--kubeconfig", self._kubeconfig.path, "--kube-context", self._kubeconfig.context]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except FileNotFoundError:
            raise HelmError("helm is not on PATH") from None
        given: str | None = stdin
        while True:
            try:
                output, errors = process.communicate(given, timeout=1)
                break
            except subprocess.TimeoutExpired:
                given = None  # it is under way
                if self._cancelled.is_set():
                    process.terminate()
        if process.returncode:
            raise HelmError(re.sub(r"^(WARNING:.*\n)*Error: ([A-Z ]+ FAILED: )?", "", errors.strip()))
        return output


def _planned(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, INPUTS: Secret(given), "resourceNames": UNKNOWN, "status": UNKNOWN}


def _chart(release: Object) -> list[str]:
    """Return the arguments that say which chart is meant."""
    chart, options = release["chart"], release.get("repositoryOpts") or {}
    repository = options.get("repo", "")
    version = ["--version", release["version"]] if release.get("version") else []
    if chart.startswith("oci://") or not repository:
        arguments = [chart, *version]
    elif "://" in repository:
        arguments = [chart, *version, "--repo", repository]
    else:
        arguments = [chart if "/" in chart else f"{repository}/{chart}", *version]
    for key, flag in _REPOSITORY.items():
        if options.get(key):
            arguments += [flag, options[key]]
    if release.get("keyring"):
        arguments += ["--keyring", release["keyring"]]
    return arguments


def _place(release: Object) -> list[str]:
    return ["--namespace", release["namespace"]]


def _timeout(release: Object) -> list[str]:
    return ["--timeout", f"{release.get('timeout') or DEFAULT_SECONDS}s"]


def _merged_values(inputs: Object) -> Object:
    """Return the values: those of the files in their order, then the given ones."""
    merged: Object = {}
    for asset in inputs.get("valueYamlFiles") or []:
        text = asset[_ASSET_TEXT] if asset.get(_ASSET_TEXT) else Path(asset[_ASSET_PATH]).read_text()
        merged = _deep_merge(merged, yaml.safe_load(text) or {})
    return _deep_merge(merged, inputs.get("values") or {})


def _deep_merge(base: Object, over: Object) -> Object:
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        merged[key] = _deep_merge(before, value) if both else value
    return merged


def _is_set(key: str, value: Any) -> bool:
    return value is UNKNOWN or (key == "maxHistory" and value is not None) or bool(value)


def _resource_names(manifest: str) -> dict[str, list[str]]:
    """Return the names of a manifest's objects, by `Kind.group/apiVersion`."""
    names: dict[str, set[str]] = {}
    for obj in yaml.load_all(manifest, _YAML):  # noqa: S506 - a safe one
        if not obj or "kind" not in obj:
            continue
        group = obj["apiVersion"].rpartition("/")[0]
        kind = f"{obj['kind']}.{group}" if group else obj["kind"]
        metadata = obj["metadata"]
        qualified = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
        names.setdefault(f"{kind}/{obj['apiVersion']}", set()).add(qualified)
    return {kind: sorted(found) for kind, found in sorted(names.items())}
