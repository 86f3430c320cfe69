"""Kubernetes rights, one by one: what a request needs, and what a rule grants.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

EVERYWHERE = ""
"""The namespace of cluster-wide objects, and of rights in all namespaces."""

ANY = ""
"""The name in a request without a name, and in a right for every name."""


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
    """Yield the rights that the rules of a Role or ClusterRole grant.

    Args:
        rules: The object's `rules`.
        namespace: Where they are bound.

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


def as_rules(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """Return the rules that grant rights of one namespace, with equal names and verbs merged."""
    verbs: dict[tuple[str, str, str], set[str]] = {}
    for right in rights:
        verbs.setdefault((right.group, right.resource, right.name), set()).add(right.verb)
    # A rule without names applies to all, so it is never merged with one that has names.
    names: dict[tuple[str, str, tuple[str, ...], bool], set[str]] = {}
    for (group, resource, name), allowed in verbs.items():
        names.setdefault((group, resource, tuple(sorted(allowed)), name == ANY), set()).add(name)
    resources: dict[tuple[str, tuple[str, ...], tuple[str, ...]], set[str]] = {}
    for (group, resource, allowed_verbs, _), named in names.items():
        resources.setdefault((group, tuple(sorted(named - {ANY})), allowed_verbs), set()).add(resource)
    return [
        {
            "apiGroups": [group],
            "resources": sorted(plurals),
            **({"resourceNames": list(named)} if named else {}),
            "verbs": list(allowed_verbs),
        }
        for (group, named, allowed_verbs), plurals in sorted(resources.items())
    ]
