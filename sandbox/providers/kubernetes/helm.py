"""Runs the helm binary on PATH."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from sandbox.providers.kubernetes.apiserver import Object
from sandbox.providers.kubernetes.kubeconfig import Kubeconfig
from sandbox.providers.rpc import ProviderError

DEFAULT_SECONDS: Final = 300

# Inputs of a Release that are flags of helm, for each command that takes them.
INSTALL_FLAGS: Final = {
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
}
UPGRADE_FLAGS: Final = {
    "atomic": "--atomic",
    "cleanupOnFail": "--cleanup-on-fail",
    "dependencyUpdate": "--dependency-update",
    "devel": "--devel",
    "disableCRDHooks": "--no-hooks",
    "renderSubchartNotes": "--render-subchart-notes",
    "resetValues": "--reset-values",
    "reuseValues": "--reuse-values",
    "takeOwnership": "--take-ownership",
}
_REPOSITORY_FLAGS: Final = {
    "caFile": "--ca-file",
    "certFile": "--cert-file",
    "keyFile": "--key-file",
    "password": "--password",
    "username": "--username",
}
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the CRDs of a chart are large


class HelmError(ProviderError):
    """Helm failed; the text is its own."""


class Helm:
    """Helm, pointed at one cluster. A release is given as the inputs of a `helm.sh/v3:Release`."""

    def __init__(self, kubeconfig: Kubeconfig | None, cancelled: threading.Event) -> None:
        self._kubeconfig = kubeconfig
        self._cancelled = cancelled

    def chart_version(self, release: Object) -> str:
        """Return the version of the chart that the release's chart and version resolve to."""
        return str(_load(self._run("show", "chart", *_chart(release)))["version"])

    def definitions(self, release: Object) -> Iterator[Object]:
        """Yield the CRDs that the release brings, without asking the cluster."""
        arguments = ("template", release["name"], *_chart(release), *_place(release), "--include-crds")
        manifest = self._run(*arguments, "--values", "-", values=release["values"])
        for document in re.split(r"^---\s*$", manifest, flags=re.M):
            if re.search(r"^kind: CustomResourceDefinition\s*$", document, re.M):
                yield _load(document)

    def install(self, release: Object) -> None:
        """Install the release and wait until it is ready, unless `skipAwait`."""
        self._change("install", release, INSTALL_FLAGS)

    def upgrade(self, release: Object) -> None:
        """Upgrade the release and wait until it is ready, unless `skipAwait`."""
        self._change("upgrade", release, UPGRADE_FLAGS, "--history-max", str(release.get("maxHistory", 0)))

    def uninstall(self, release: Object) -> None:
        """Uninstall the release and wait until it is gone, unless `skipAwait`."""
        wait = [] if release.get("skipAwait") and not release.get("atomic") else ["--wait"]
        self._run("uninstall", release["name"], *_place(release), *_timeout(release), *wait)

    def find(self, release: Object) -> Object | None:
        """Return a release as helm has it, in the words of the resource's outputs; nothing if there is none."""
        where = (release["name"], *_place(release))
        try:
            found = json.loads(self._run("get", "metadata", *where, "--output", "json"))
        except HelmError as error:
            if "not found" in str(error):
                return None
            raise
        return {
            "name": found["name"],
            "namespace": found["namespace"],
            "chart": found["chart"],
            "version": found["version"],
            "values": json.loads(self._run("get", "values", *where, "--output", "json")) or {},
            "resourceNames": _resource_names(self._run("get", "manifest", *where)),
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

    def _change(self, command: str, release: Object, flags: Mapping[str, str], *more: str) -> None:
        arguments = [command, release["name"], *_chart(release), *_place(release), *_timeout(release), *more]
        arguments += [flag for key, flag in flags.items() if release.get(key)]
        if not release.get("skipAwait"):
            arguments += ["--wait", *(["--wait-for-jobs"] if release.get("waitForJobs") else [])]
        if release.get("description"):
            arguments += ["--description", release["description"]]
        self._run(*arguments, "--values", "-", values=release.get("values", {}))

    def _run(self, *arguments: str, values: Object | None = None) -> str:
        """Run helm and return its output; end it when the engine cancels.

        A command that is started after the cancellation runs to its end: it reads what became of the release.

        Raises:
            HelmError: It failed.
        """
        command = ["helm", *arguments]
        if self._kubeconfig:
            command += ["--kubeconfig", self._kubeconfig.path, "--kube-context", self._kubeconfig.context]
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        except FileNotFoundError:
            raise HelmError("helm is not on PATH") from None
        given: str | None = json.dumps(values or {})
        ends = not self._cancelled.is_set()
        while True:
            try:
                output, errors = process.communicate(given, timeout=1)
                break
            except subprocess.TimeoutExpired:
                given = None  # it is on its way
                if ends and self._cancelled.is_set():
                    process.terminate()
        if process.returncode:
            told = [line for line in errors.splitlines() if not line.startswith(("WARNING:", "Flag --", "level="))]
            raise HelmError(re.sub(r"^Error: ([A-Z ]+ FAILED: )?", "", "\n".join(told).strip()))
        return output


def _chart(release: Object) -> list[str]:
    """Return the arguments that say which chart is meant."""
    chart, options = release["chart"], release.get("repositoryOpts") or {}
    repository = options.get("repo", "")
    arguments = ["--version", release["version"]] if release.get("version") else []
    if "://" in repository and not chart.startswith("oci://"):
        arguments += ["--repo", repository]
    elif repository and "/" not in chart:
        chart = f"{repository}/{chart}"
    arguments += [word for key, flag in _REPOSITORY_FLAGS.items() if options.get(key) for word in (flag, options[key])]
    if release.get("keyring"):
        arguments += ["--keyring", release["keyring"]]
    if release.get("verify"):
        # Whatever is done with the chart, a look at it in a preview included.
        arguments += ["--verify"]
    return [chart, *arguments]


def _place(release: Object) -> list[str]:
    return ["--namespace", release["namespace"]]


def _timeout(release: Object) -> list[str]:
    return ["--timeout", f"{release.get('timeout') or DEFAULT_SECONDS}s"]


def _load(document: str) -> Any:
    return yaml.load(document, _LOADER)  # noqa: S506 - both loaders are safe ones


def _resource_names(manifest: str) -> dict[str, list[str]]:
    """Return the names of a manifest's objects, by `Kind.group/apiVersion`."""
    names: dict[str, set[str]] = {}
    for obj in yaml.load_all(manifest, _LOADER):
        if not obj or "kind" not in obj:
            continue
        group = obj["apiVersion"].rpartition("/")[0]
        kind = f"{obj['kind']}.{group}" if group else obj["kind"]
        metadata = obj["metadata"]
        qualified = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
        names.setdefault(f"{kind}/{obj['apiVersion']}", set()).add(qualified)
    return {kind: sorted(found) for kind, found in sorted(names.items())}
