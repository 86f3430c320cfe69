"""The kubeconfig that a provider is configured with: a path, contents, or what the environment names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.providers.rpc import ProviderError

DEFAULT_PATH = "~/.kube/config"


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
    """Return the kubeconfig that a provider's configuration means.

    Args:
        config: The configuration, by key (`kubeconfig`, `context`, `cluster`, `namespace`).

    Raises:
        ProviderError: It cannot be read or lacks the context.
    """
    given = config.get("kubeconfig") or os.environ.get("KUBECONFIG") or DEFAULT_PATH
    document = parse(given)
    name = config.get("context") or document.get("current-context", "")
    context = _named(document, "contexts", "context", name)
    if context is None:
        raise ProviderError(f'context "{name}" does not exist')
    path = Path(given).expanduser()
    if config.get("cluster"):
        context["cluster"] = config["cluster"]
    in_file = _is_file(path) and not config.get("cluster")
    return Kubeconfig(
        path=str(path) if in_file else _in_memory(document),
        context=name,
        namespace=config.get("namespace") or context.get("namespace") or "default",
    )


def parse(path_or_contents: str) -> dict[str, Any]:
    """Return the kubeconfig in a file or in the text itself (YAML or JSON).

    Raises:
        ProviderError: It is neither.
    """
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


def active_cluster(document: Mapping[str, Any], context: str | None, cluster: str | None) -> dict[str, Any] | None:
    """Return the entry of a kubeconfig's active cluster without what is empty in it, or nothing.

    Args:
        document: The kubeconfig.
        context: Name of the context, if not the current one.
        cluster: Name of the cluster, if not the context's.
    """
    found = _named(document, "contexts", "context", document.get("current-context", "") if context is None else context)
    if found is None:
        return None
    entry = _named(document, "clusters", "cluster", found.get("cluster", "") if cluster is None else cluster)
    return None if entry is None else {key: value for key, value in entry.items() if value}


def _named(document: Mapping[str, Any], plural: str, singular: str, name: str) -> dict[str, Any] | None:
    for entry in document.get(plural) or []:
        if entry.get("name") == name:
            found: dict[str, Any] = entry[singular]
            return found
    return None


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
