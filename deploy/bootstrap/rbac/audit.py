"""What a user did according to the API server's audit log, compared with the user's roles.

https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/ at the level Metadata.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deploy.bootstrap.rbac.rules import ANY, EVERYWHERE, Right

FORBIDDEN = 403

_DISCOVERY = re.compile(r"/(api|apis|openapi)(/[^?]*)?|/(version|healthz|livez|readyz)(/[^?]*)?")
"""Paths that system:discovery and system:public-info-viewer let every client read."""

_SELF_REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}
"""Resources that system:basic-user lets every client create."""


@dataclass(frozen=True)
class Use:
    """A right that a user asked for."""

    right: Right
    allowed: bool
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

    @property
    def good(self) -> bool:
        """Whether nothing is missing and nothing is unused."""
        return not self.missing and not self.unused


def uses(lines: Iterable[str], user: str) -> Iterator[Use]:
    """Yield what a user asked for.

    Args:
        lines: Lines of the log, each an Event of audit.k8s.io/v1 in JSON.
        user: The user's name, on GKE the e-mail address of a Google account.

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
        account = event.get("impersonatedUser") or event["user"]
        if account.get("username") == user and (right := _right(event)):
            yield Use(
                right,
                allowed=(event.get("responseStatus") or {}).get("code") != FORBIDDEN,
                dry_run="dryRun=All" in event["requestURI"],
            )


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
    """Compare what roles grant with what was asked for.

    Args:
        granted: Rights of roles that every run uses completely.
        used: What was asked for.
        seldom: Rights of roles that some runs do not need; they may stay unused.
    """
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
