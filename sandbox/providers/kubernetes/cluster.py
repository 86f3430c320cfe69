"""The cluster that a provider is configured with: its kubeconfig, and whether a change means another cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import Unknown

_DEFAULT_PATH: Final = "~/.kube/config"
_IDENTIFIER: Final = "clusterIdentifier"
_POINTERS: Final = ("kubeconfig", "context")


@dataclass(frozen=True)
class Kubeconfig:
    """A resolved kubeconfig.

    Attributes:
        path: File that clients and helm can read.
        context: Name of the context to use.
        namespace: Namespace of objects that name none.
    """

    path: str
    context: str
    namespace: str


def resolve(config: Mapping[str, str]) -> Kubeconfig:
    """Return the kubeconfig that `kubeconfig`, `context` and `namespace` of a configuration mean.

    Raises:
        ProviderError: It cannot be read or lacks the context.
    """
    source = config.get("kubeconfig") or os.environ.get("KUBECONFIG") or _DEFAULT_PATH
    document = _parse(source)
    name = config.get("context") or document.get("current-context", "")
    context = _entry(document, "context", name)
    if context is None:
        raise ProviderError(f'context "{name}" does not exist')
    path = Path(source).expanduser()
    return Kubeconfig(
        path=str(path) if _is_file(path) else _in_memory(document),
        context=name,
        namespace=config.get("namespace") or context.get("namespace") or "default",
    )


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the keys of the configuration that changed, and those of them because of which the provider is replaced.

    A provider that points at another cluster is replaced, and every resource with it. Clusters have no identity of
    their own, so the real provider compares the kubeconfig's entry of the active one (server, CA and so on). A user
    can give the cluster an identity by `clusterIdentifier`: while it stays the same, nothing is replaced; when it
    changes, everything is. Adding or removing it replaces nothing by itself (`DiffConfig` in provider.go).

    Raises:
        ProviderError: A kubeconfig cannot be read.
    """
    old, new = ({key: value for key, value in config.items() if value is not None} for config in (old, new))
    changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    if not changed:
        return [], []
    named = _IDENTIFIER in old and _IDENTIFIER in new
    replaces = [_IDENTIFIER] if named and _IDENTIFIER in changed else []
    unknown = [key for key in _POINTERS if isinstance(new.get(key), Unknown)]
    if unknown:  # it may be another cluster
        changed = unknown[:1]
        replaces += changed
    else:
        before, after = _active_cluster(old), _active_cluster(new)
        if before is not None and after is not None and before != after:
            replaces += [key for key in _POINTERS if key in changed]
    same_name = named and old[_IDENTIFIER] == new[_IDENTIFIER]
    return changed, [] if same_name else replaces


def _active_cluster(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a configuration's own kubeconfig says of the active cluster, without what is empty in it.

    An ambient kubeconfig is not read.
    """
    source = config.get("kubeconfig", "")
    if isinstance(source, Mapping):
        source = json.dumps(source)
    if not isinstance(source, str):
        raise ProviderError(f"unexpected kubeconfig format, type: {type(source).__name__}")
    if not source:
        return None
    document = _parse(source)
    context = _entry(document, "context", config.get("context", document.get("current-context", "")))
    entry = context and _entry(document, "cluster", context.get("cluster", ""))
    return entry and {key: value for key, value in entry.items() if value}


def _parse(path_or_contents: str) -> dict[str, Any]:
    """Return the kubeconfig in a file or in the text itself (YAML or JSON)."""
    path = Path(path_or_contents).expanduser()
    try:
        document = yaml.safe_load(path.read_text() if _is_file(path) else path_or_contents)
    except OSError as error:
        raise ProviderError(f"failed to load kubeconfig: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        # The error's own text quotes the line, which may hold credentials.
        raise ProviderError(f"failed to parse kubeconfig: neither YAML nor JSON{where}") from None
    if not isinstance(document, dict):
        path_only = f", and there is no file {path_or_contents}" if path_or_contents.startswith(("/", "~")) else ""
        raise ProviderError(f"failed to parse kubeconfig: not the contents of one{path_only}")
    return document


def _entry(document: Mapping[str, Any], kind: str, name: str) -> dict[str, Any] | None:
    """Return a named `context` or `cluster` of a kubeconfig."""
    return next((entry[kind] for entry in document.get(f"{kind}s") or [] if entry.get("name") == name), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # contents are too long for the name of a file
        return False


def _in_memory(document: Mapping[str, Any]) -> str:
    """Return a path to the document that ends with this process: credentials are left on no disk."""
    descriptor = os.memfd_create("kubeconfig")
    os.write(descriptor, yaml.safe_dump(document).encode())
    return f"/proc/{os.getpid()}/fd/{descriptor}"
