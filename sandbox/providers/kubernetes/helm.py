"""Runs the helm binary on PATH."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import threading
from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml

from sandbox.providers.kubernetes.apiserver import Object
from sandbox.providers.kubernetes.cluster import Kubeconfig
from sandbox.providers.rpc import ProviderError

DEFAULT_SECONDS: Final = 300
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the CRDs of a chart are large


class HelmError(ProviderError):
    """Helm failed; the text is its own."""


class Helm:
    """Helm, pointed at one cluster. A release is described by the inputs of a `helm.sh/v3:Release`."""

    def __init__(self, kubeconfig: Kubeconfig | None, cancelled: threading.Event) -> None:
        self._kubeconfig = kubeconfig
        self._cancelled = cancelled

    def chart_version(self, release: Object) -> str:
        """Return the version of the chart that the release's chart and version resolve to."""
        return str(_load(self._run("show", "chart", *_chart(release)))["version"])

    def definitions(self, release: Object) -> Iterator[Object]:
        """Yield the CRDs that the release brings, without asking the cluster."""
        arguments = ("template", *_name(release), *_chart(release), "--include-crds")
        manifest = self._run(*arguments, "--values", "-", values=release["values"])
        for document in re.split(r"^---\s*$", manifest, flags=re.M):
            if re.search(r"^kind: CustomResourceDefinition\s*$", document, re.M):
                yield _load(document)

    def install(self, release: Object) -> None:
        """Install the release and wait until it is ready."""
        self._change("install", release, *(["--replace"] if release.get("replace") else []))

    def upgrade(self, release: Object) -> None:
        """Upgrade the release and wait until it is ready."""
        self._change("upgrade", release, "--history-max", "0")

    def uninstall(self, release: Object) -> None:
        """Uninstall the release and wait until it is gone."""
        self._run("uninstall", *_name(release), *_wait(release))

    def _change(self, command: str, release: Object, *options: str) -> None:
        arguments = (*_name(release), *_chart(release), *_wait(release), *options)
        self._run(command, *arguments, "--values", "-", values=release.get("values", {}))

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
        standard_input: str | None = json.dumps(values or {})
        ends = not self._cancelled.is_set()
        while True:
            try:
                output, errors = process.communicate(standard_input, timeout=1)
                break
            except subprocess.TimeoutExpired:
                standard_input = None  # the first call has taken it
                if ends and self._cancelled.is_set():
                    process.terminate()
        if process.returncode:
            lines = [line for line in errors.splitlines() if not line.startswith(("WARNING:", "Flag --", "level="))]
            raise HelmError(re.sub(r"^Error: ([A-Z ]+ FAILED: )?", "", "\n".join(lines).strip()))
        return output


def stored(secrets: Iterable[Object]) -> Object | None:
    """Return the latest revision of a release as the outputs of the resource have it; None if there is none.

    Args:
        secrets: those in which Helm keeps the revisions, gzipped JSON in base64
            (https://helm.sh/docs/topics/advanced/#storage-backends).
    """
    secret = max(secrets, key=lambda secret: int(secret["metadata"]["labels"]["version"]), default=None)
    if secret is None:
        return None
    latest = json.loads(gzip.decompress(b64decode(b64decode(secret["data"]["release"]))))
    about = latest["chart"]["metadata"]
    chart = {
        "name": latest["name"],
        "namespace": latest["namespace"],
        "chart": about["name"],
        "version": about["version"],
    }
    status = {
        "appVersion": about.get("appVersion", ""),
        "revision": latest["version"],
        "status": latest["info"]["status"],
    }
    return chart | {
        "values": latest.get("config") or {},
        "resourceNames": _resource_names(latest["manifest"]),
        "status": chart | status,
    }


def _name(release: Object) -> list[str]:
    return [release["name"], "--namespace", release["namespace"]]


def _chart(release: Object) -> list[str]:
    """Return the arguments that say which chart is meant, also for a mere look at it in a preview."""
    version = ["--version", release["version"]] if release.get("version") else []
    keyring = ["--keyring", release["keyring"]] if release.get("keyring") else []
    return [release["chart"], *version, *keyring, *(["--verify"] if release.get("verify") else [])]


def _wait(release: Object) -> list[str]:
    return ["--wait", "--timeout", f"{release.get('timeout') or DEFAULT_SECONDS}s"]


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
    return {kind: sorted(qualified) for kind, qualified in sorted(names.items())}
