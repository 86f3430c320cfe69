"""Rights of Kubernetes, taken apart: what one request needs, and what one rule gives.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

EVERYWHERE = ""
"""The namespace of what is cluster-wide, or granted in all of them."""

ANY = ""
"""The name in a request that names no object, and in a right that is for every name."""


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one kind of object: as a request needs it, or as a rule gives it."""

    group: str
    """The API group; empty for the core one."""
    resource: str
    """The plural, with a subresource as `pods/log`."""
    verb: str
    namespace: str = EVERYWHERE
    name: str = ANY

    def covers(self, needed: "Right") -> bool:
        """Say whether a right is enough for what a request needs."""
        return (
            (self.group, self.resource, self.verb) == (needed.group, needed.resource, needed.verb)
            and self.namespace in (EVERYWHERE, needed.namespace)
            and self.name in (ANY, needed.name)
        )

    def __str__(self) -> str:
        of = f"{self.resource}.{self.group}" if self.group else self.resource
        named = f" {self.name}" if self.name else ""
        return f"{self.verb} {of}{named}" + (f" in {self.namespace}" if self.namespace else "")


def rights_of(rules: Iterable[Mapping[str, Any]], namespace: str = EVERYWHERE) -> Iterator[Right]:
    """Yield what the rules of a Role or ClusterRole give.

    Args:
        rules: as in the object's `rules`.
        namespace: where they are bound.

    Raises:
        ValueError: a rule gives rights that cannot be listed, by a wildcard.
    """
    for rule in rules:
        if "nonResourceURLs" in rule:
            raise ValueError(f"{rule} is about URLs, which every client may discover anyway")
        parts = (rule["apiGroups"], rule["resources"], rule["verbs"])
        if any("*" in part for part in parts):
            raise ValueError(f"{rule} has a wildcard")
        for group, resource, verb, name in product(*parts, rule.get("resourceNames") or [ANY]):
            yield Right(group, resource, verb, namespace, name)


def as_rules(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """Return rules that give rights of one namespace: kinds that have the same names and verbs share one."""
    verbs: dict[tuple[str, str, str], set[str]] = {}
    for right in rights:
        verbs.setdefault((right.group, right.resource, right.name), set()).add(right.verb)
    # A rule without names is for all of them, so that it is never one with a rule that has some.
    names: dict[tuple[str, str, tuple[str, ...], bool], set[str]] = {}
    for (group, resource, name), found in verbs.items():
        names.setdefault((group, resource, tuple(sorted(found)), name == ANY), set()).add(name)
    resources: dict[tuple[str, tuple[str, ...], tuple[str, ...]], set[str]] = {}
    for (group, resource, allowed, _), named in names.items():
        resources.setdefault((group, tuple(sorted(named - {ANY})), allowed), set()).add(resource)
    return [
        {
            "apiGroups": [group],
            "resources": sorted(of),
            **({"resourceNames": list(named)} if named else {}),
            "verbs": list(allowed),
        }
        for (group, named, allowed), of in sorted(resources.items())
    ]
