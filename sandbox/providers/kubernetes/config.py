"""What a change of the provider's configuration means: an update, or another cluster.

A provider that points at another cluster is replaced, and every resource with it. Clusters have no identity of their
own, so the real provider goes by what the kubeconfig says of the active one (server, CA and so on), unless the user
names the cluster by `clusterIdentifier`: then only another name is another cluster. Adding or removing the name
replaces nothing by itself (`DiffConfig` in provider/pkg/provider/provider.go).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.providers.kubernetes import kubeconfig
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import Unknown

IDENTIFIER: Final = "clusterIdentifier"
_POINTERS: Final = ("kubeconfig", "context", "cluster")


@dataclass(frozen=True)
class ConfigDiff:
    """A change of the provider's configuration.

    Attributes:
        changed: Keys whose values differ.
        replaces: Those of them because of which the provider is replaced.
    """

    changed: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> ConfigDiff:
    """Compare two configurations, both without secret wrappers.

    Raises:
        ProviderError: A kubeconfig cannot be read.
    """
    old, new = _given(old), _given(new)
    changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    if not changed:
        return ConfigDiff()
    named = IDENTIFIER in old and IDENTIFIER in new
    replaces = [IDENTIFIER] if named and IDENTIFIER in changed else []
    unknown = [key for key in _POINTERS if isinstance(new.get(key), Unknown)]
    if unknown:  # it may be another cluster
        changed = unknown[:1]
        replaces += changed
    else:
        before, after = _active_cluster(old), _active_cluster(new)
        if before is not None and after is not None and before != after:
            replaces += [key for key in _POINTERS if key in changed]
    same_name = named and old[IDENTIFIER] == new[IDENTIFIER]
    return ConfigDiff(changed, [] if same_name else replaces)


def _given(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if value is not None}


def _active_cluster(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a configuration's own kubeconfig says of the active cluster; an ambient one is not looked at."""
    given = config.get("kubeconfig", "")
    if isinstance(given, Mapping):
        given = json.dumps(given)
    if not isinstance(given, str):
        raise ProviderError(f"unexpected kubeconfig format, type: {type(given).__name__}")
    if not given:
        return None
    return kubeconfig.active_cluster(kubeconfig.parse(given), config.get("context"), config.get("cluster"))
