"""What a user did, as the API server's audit log has it, and whether the user's roles are as wide and no wider.

https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/ at the level Metadata.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deploy.bootstrap.rbac.rules import ANY, EVERYWHERE, Right

FORBIDDEN = 403

_EVERYBODYS = re.compile(r"/(api|apis|openapi)(/[^?]*)?|/(version|healthz|livez|readyz)(/[^?]*)?")
"""What system:discovery and system:public-info-viewer let every client read."""

_REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}
"""What system:basic-user lets every client ask of itself."""


@dataclass(frozen=True)
class Use:
    """A right that a user has asked for."""

    right: Right
    allowed: bool
    rehearsed: bool
    """Whether it was a dry run, which asks for the same right and changes nothing."""


@dataclass(frozen=True)
class Comparison:
    """Roles beside what was done with them."""

    missing: Sequence[Right]
    """Asked for, and given by no role."""
    unused: Sequence[Right]
    """Given, and never asked for."""
    rehearsed: Sequence[Right]
    """Asked for by dry runs alone, and given by no role: a preview shows the program's own inputs instead."""

    @property
    def good(self) -> bool:
        """Whether nothing is missing and nothing is unused."""
        return not self.missing and not self.unused


def uses(lines: Iterable[str], user: str) -> Iterator[Use]:
    """Yield what a user asked for.

    Args:
        lines: of the log, each an Event of audit.k8s.io/v1 in JSON.
        user: the name, which is a Google account's e-mail address on GKE.

    Raises:
        ValueError: a line is no such event.
    """
    for line in lines:
        event = json.loads(line)
        if event.get("kind") != "Event":
            raise ValueError(f"no audit event: {line[:100]}")
        # A watch has another event when it begins.
        if event["stage"] not in ("ResponseComplete", "Panic"):
            continue
        who = event.get("impersonatedUser") or event["user"]
        if who.get("username") == user and (right := _right(event)):
            yield Use(
                right,
                allowed=(event.get("responseStatus") or {}).get("code") != FORBIDDEN,
                rehearsed="dryRun=All" in event["requestURI"],
            )


def _right(event: Mapping[str, Any]) -> Right | None:
    asked = event.get("objectRef")
    if not asked or "resource" not in asked:
        path = event["requestURI"].partition("?")[0]
        return None if _EVERYBODYS.fullmatch(path) else Right("", path, event["verb"])
    resource, subresource = asked["resource"], asked.get("subresource")
    if resource in _REVIEWS:
        return None
    # The log takes a new object's name from its body; the authorizer sees the URL, which has none.
    unnamed = event["verb"] in ("create", "deletecollection") and not subresource
    return Right(
        asked.get("apiGroup", ""),
        f"{resource}/{subresource}" if subresource else resource,
        event["verb"],
        asked.get("namespace", EVERYWHERE),
        ANY if unnamed else asked.get("name", ANY),
    )


def compare(given: Iterable[Right], used: Iterable[Use], seldom: Iterable[Right] = ()) -> Comparison:
    """Compare what roles give with what was asked for.

    Args:
        given: by roles of which every right is used.
        used: what was asked for.
        seldom: given by roles that some runs do not need; unused ones of them are not told.
    """
    given, used = set(given), list(used)
    everything = given | set(seldom)
    lacking = [use for use in used if not any(right.covers(use.right) for right in everything)]
    serious = {use.right for use in lacking if not use.rehearsed}
    return Comparison(
        missing=sorted(serious),
        unused=sorted(right for right in given if not any(_shows(use.right, right) for use in used)),
        rehearsed=sorted({use.right for use in lacking} - serious),
    )


def _shows(asked: Right, given: Right) -> bool:
    """Say whether a request shows that a right is needed.

    Who waits lists and then watches, and no watch is begun when the list already holds what it waits for: a list
    shows that the right to watch is needed as well.
    https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
    """
    return given.covers(asked) or (given.verb == "watch" and replace(given, verb="list").covers(asked))
