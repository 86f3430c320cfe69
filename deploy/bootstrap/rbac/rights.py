"""Kubernetes rights, one by one: what rules grant, and what a user asked for according to the API server's audit log.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/ at the level Metadata.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

EVERYWHERE = ""
"""The namespace of cluster-wide objects, and of rights in all namespaces."""

ANY = ""
"""The name in a request without a name, and in a right for every name."""

_DISCOVERY = re.compile(r"/(api|apis|openapi)(/[^?]*)?|/(version|healthz|livez|readyz)(/[^?]*)?")
"""Paths that system:discovery and system:public-info-viewer let every client read."""

_SELF_REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}
"""Resources that system:basic-user lets every client create."""


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one kind of object."""

    group: str
    """The API group, empty for the core one."""
    resource: str
    """The plural, with a subresource as in `pods/log`."""
    verb: str
    namespace: str = EVERYWHERE
    name: str = ANY

    def covers(self, needed: "Right") -> bool:
        """Tell whether this right allows what a request needs."""
        return (
            (self.group, self.resource, self.verb) == (needed.group, needed.resource, needed.verb)
            and self.namespace in (EVERYWHERE, needed.namespace)
            and self.name in (ANY, needed.name)
        )

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        name = f" {self.name}" if self.name else ""
        return f"{self.verb} {resource}{name}" + (f" in {self.namespace}" if self.namespace else "")


def rights_of(rules: Iterable[Mapping[str, Any]], namespace: str = EVERYWHERE) -> Iterator[Right]:
    """Yield the rights that the rules of a Role or ClusterRole grant where it is bound.

    Raises:
        ValueError: A rule has a wildcard, or is about URLs.
    """
    for rule in rules:
        if "nonResourceURLs" in rule:
            raise ValueError(f"{rule} is about URLs, which every client may discover anyway")
        parts = (rule["apiGroups"], rule["resources"], rule["verbs"])
        if any("*" in part for part in parts):
            raise ValueError(f"{rule} has a wildcard")
        for group, resource, verb, name in product(*parts, rule.get("resourceNames") or [ANY]):
            yield Right(group, resource, verb, namespace, name)


@dataclass(frozen=True)
class Use:
    """A right that a user asked for."""

    right: Right
    dry_run: bool
    """Whether the request asked for the right without changing anything."""


@dataclass(frozen=True)
class Comparison:
    """Roles compared with their use."""

    missing: Sequence[Right]
    """Asked for, but not granted."""
    unused: Sequence[Right]
    """Granted, but never asked for."""
    refused_dry_runs: Sequence[Right]
    """Not granted, and asked for by dry runs alone: a preview then shows the program's own inputs."""


def uses(lines: Iterable[str], user: str) -> Iterator[Use]:
    """Yield what a user asked for, according to a log whose lines are Events of audit.k8s.io/v1 in JSON.

    Raises:
        ValueError: A line is no such event.
    """
    for line in lines:
        event = json.loads(line)
        if event.get("kind") != "Event":
            raise ValueError(f"no audit event: {line[:100]}")
        # A watch has another event when it begins.
        if event["stage"] not in ("ResponseComplete", "Panic"):
            continue
        if event["user"].get("username") == user and (right := _right(event)):
            yield Use(right, dry_run="dryRun=All" in event["requestURI"])


def _right(event: Mapping[str, Any]) -> Right | None:
    target = event.get("objectRef")
    if not target or "resource" not in target:
        path = event["requestURI"].partition("?")[0]
        return None if _DISCOVERY.fullmatch(path) else Right("", path, event["verb"])
    resource, subresource = target["resource"], target.get("subresource")
    if resource in _SELF_REVIEWS:
        return None
    # The log takes a new object's name from its body; the authorizer only sees the URL, which has none.
    unnamed = event["verb"] in ("create", "deletecollection") and not subresource
    return Right(
        target.get("apiGroup", ""),
        f"{resource}/{subresource}" if subresource else resource,
        event["verb"],
        target.get("namespace", EVERYWHERE),
        ANY if unnamed else target.get("name", ANY),
    )


def compare(granted: Iterable[Right], used: Iterable[Use], seldom: Iterable[Right] = ()) -> Comparison:
    """Compare what roles grant with what was asked for. Rights that are needed seldom may stay unused."""
    granted, used = set(granted), list(used)
    everything = granted | set(seldom)
    refused = [use for use in used if not any(right.covers(use.right) for right in everything)]
    missing = {use.right for use in refused if not use.dry_run}
    return Comparison(
        missing=sorted(missing),
        unused=sorted(right for right in granted if not any(_shows_need(use.right, right) for use in used)),
        refused_dry_runs=sorted({use.right for use in refused} - missing),
    )


def _shows_need(needed: Right, granted: Right) -> bool:
    """Tell whether a request shows that a right is needed.

    A client that waits lists and then watches. It skips the watch if the list already has the result, so a list shows
    that the right to watch is needed as well.
    https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
    """
    return granted.covers(needed) or (granted.verb == "watch" and replace(granted, verb="list").covers(needed))
