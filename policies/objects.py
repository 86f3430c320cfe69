"""Kubernetes objects among the resources of a stack.

An object is told by the resource's type and by the `apiVersion` and `kind` among its properties, whichever names more:
the provider creates what the properties say. Objects in a list, and those that a `…Patch` resource changes, count.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pulumi_policy import PolicyResource, ResourceValidationArgs
from pulumi_policy.proxy import UnknownValueError

Resource = ResourceValidationArgs | PolicyResource
"""One resource: its inputs where a resource is judged alone, its outputs where the whole stack is."""

_PATCH, _LIST = "Patch", "List"


class CannotJudgeError(Exception):
    """A value of another resource that a rule needs is not known in this preview; its text says which."""


def unknown_value(unknown: UnknownValueError, of: str = "") -> str:
    """Say which value is not known: by its path, and by the object where that is another one."""
    return f"{'.'.join(unknown.props)}{of and f' of {of}'} is not known in this preview"


@dataclass(frozen=True)
class KubernetesObject:
    """An object that a resource holds."""

    resource: Resource
    group: str
    """`core` where the API has none."""
    kind: str
    props: Mapping[str, Any]
    patch: bool
    """Whether the resource only changes some fields of an object that exists."""

    def get(self, *path: str) -> Any:
        """Return a property, None where there is none.

        Raises:
            UnknownValueError: it is not known in this preview.
        """
        return get(self.props, *path)

    def items(self, *path: str) -> Sequence[Any]:
        """Return a list among the properties, empty where there is none."""
        return items(self.get(*path))

    @property
    def name(self) -> str:
        """Its name; empty where the API server makes one up (`generateName`)."""
        return self.get("metadata", "name") or ""

    @property
    def namespace(self) -> str:
        """Its namespace; that of a cluster-wide object means nothing."""
        return self.get("metadata", "namespace") or "default"

    @property
    def where(self) -> str:
        """What a finding calls it: `Gateway istio-system/tls`."""
        try:
            place = self.get("metadata", "namespace")
            name = self.name or f"{self.get('metadata', 'generateName') or self.resource.name}"
        except UnknownValueError:
            place, name = None, self.resource.name
        return f"{self.kind} {place}/{name}" if place else f"{self.kind} {name}"


def get(value: Any, *path: str) -> Any:
    """Return what is at a path in nested mappings, None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def items(value: Any) -> Sequence[Any]:
    """Return a list, empty where the value is none."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def objects(resource: Resource) -> Iterator[KubernetesObject]:
    """Yield the Kubernetes objects that a resource holds; none, where it is no Kubernetes resource."""
    if not resource.resource_type.startswith("kubernetes:"):
        return
    module, _, kind = resource.resource_type.removeprefix("kubernetes:").rpartition(":")
    patch = kind.endswith(_PATCH)
    kinds = {(module.rpartition("/")[0], kind.removesuffix(_PATCH)): None}
    written = _written_kind(resource.props)
    if written:
        kinds[written] = None
    for group, each in kinds:
        yield from _objects(resource, group, each, resource.props, patch)


def _objects(resource: Resource, group: str, kind: str, props: Any, patch: bool) -> Iterator[KubernetesObject]:
    if not kind.endswith(_LIST):
        yield KubernetesObject(resource, group, kind, props, patch)
        return
    for item in items(get(props, "items")):
        yield from _objects(resource, *(_written_kind(item) or (group, kind.removesuffix(_LIST))), item, patch)


def _written_kind(props: Any) -> tuple[str, str] | None:
    try:
        version, kind = get(props, "apiVersion"), get(props, "kind")
    except UnknownValueError:
        return None
    if not isinstance(version, str) or not isinstance(kind, str):
        return None
    return version.rpartition("/")[0] or "core", kind


def own(resource: Resource, group: str, *kinds: str) -> list[KubernetesObject]:
    """Pick a resource's objects of the kinds, in any version of the group; Patches are not among them.

    Raises:
        UnknownValueError: it is a list of objects, and they are not known in this preview.
    """
    return [each for each in objects(resource) if each.group == group and each.kind in kinds and not each.patch]


class Stack:
    """All resources of a stack, and the objects that they hold."""

    def __init__(self, resources: Iterable[PolicyResource]) -> None:
        # The engine gives them in no order, and the findings are to be the same each time.
        self.resources = sorted(resources, key=lambda each: each.urn)

    @cached_property
    def objects(self) -> Sequence[KubernetesObject]:
        """The objects of all resources; lists of objects that are not known are left out."""
        found: list[KubernetesObject] = []
        for resource in self.resources:
            # Whoever judges the list itself says so.
            with contextlib.suppress(UnknownValueError):
                found += objects(resource)
        return found

    @cached_property
    def _by_kind(self) -> Mapping[tuple[str, str], Sequence[KubernetesObject]]:
        by_kind = defaultdict(list)
        for each in self.objects:
            if not each.patch:
                by_kind[each.group, each.kind].append(each)
        return by_kind

    def of_kind(self, group: str, *kinds: str) -> list[KubernetesObject]:
        """Pick the objects of the kinds, in any version of the group; Patches are not among them."""
        return [each for kind in kinds for each in self._by_kind.get((group, kind), ())]


@contextlib.contextmanager
def reading(other: KubernetesObject) -> Iterator[None]:
    """Read the properties of another object than the one that is judged.

    Raises:
        CannotJudgeError: one is not known in this preview; it says whose.
    """
    try:
        yield
    except UnknownValueError as error:
        raise CannotJudgeError(unknown_value(error, other.where)) from None


def matching(
    candidates: Iterable[KubernetesObject], matches: Callable[[KubernetesObject], bool]
) -> list[KubernetesObject]:
    """Pick the objects that match.

    An unknown value of one candidate does not hide the others: it counts where none of them matches.

    Raises:
        CannotJudgeError: none matches, and one may.
    """
    found, unknown = [], None
    for each in candidates:
        try:
            with reading(each):
                if matches(each):
                    found.append(each)
        except CannotJudgeError as error:
            unknown = unknown or error
    if unknown and not found:
        raise unknown
    return found


def named(candidates: Iterable[KubernetesObject], namespace: str, name: str) -> list[KubernetesObject]:
    """Pick the objects of a name, each of another kind or written twice.

    Raises:
        CannotJudgeError: none has it, and one may.
    """
    return matching(candidates, lambda each: (each.namespace, each.name) == (namespace, name))
