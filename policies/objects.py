"""Kubernetes objects among the resources of a stack.

The kind of an object follows from the resource's type and from the `apiVersion` and `kind` among its properties. Where
they differ it counts as both, since the provider creates what the properties say. Objects in a list count one by one.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pulumi_policy import PolicyResource, ResourceValidationArgs
from pulumi_policy.proxy import UnknownValueError

from policies.documents import UnreadableError, parse

Resource = ResourceValidationArgs | PolicyResource
"""A resource with its inputs, as rules for one resource get it, or with its outputs, as rules for the stack get it."""

_PATCH, _LIST = "Patch", "List"


class CannotJudgeError(Exception):
    """A rule needs a value that this preview does not know, or that is too large. The text names it."""


def unknown_value(error: UnknownValueError, owner: str = "") -> str:
    """Name the unknown value by its path, and by its owner where that is not the resource being judged."""
    return f"{'.'.join(error.props)}{owner and f' of {owner}'} is not known in this preview"


@dataclass(frozen=True)
class KubernetesObject:
    """An object that a resource creates or changes."""

    resource: Resource
    group: str
    """The API group, `core` for the one without a name."""
    kind: str
    props: Mapping[str, Any]
    patch: bool
    """Whether the resource only changes some fields of an existing object."""

    def is_a(self, group: str, *kinds: str) -> bool:
        """Tell whether this is a whole object of one of the kinds, in any version of the group."""
        return self.group == group and self.kind in kinds and not self.patch

    def get(self, *path: str) -> Any:
        """Return a property, or None if it is not set.

        Raises:
            UnknownValueError: The preview does not know it.
        """
        return get(self.props, *path)

    def items(self, *path: str) -> Sequence[Any]:
        """Return a list among the properties, empty if it is not set, like `get`."""
        return items(self.get(*path))

    @property
    def name(self) -> str:
        """The object's name, empty if the API server generates it (`generateName`)."""
        return self.get("metadata", "name") or ""

    @property
    def namespace(self) -> str:
        """The object's namespace. It has no meaning for a cluster-wide object."""
        return self.get("metadata", "namespace") or "default"

    @property
    def where(self) -> str:
        """The object as findings name it: `Gateway istio-system/tls`."""
        try:
            namespace = self.get("metadata", "namespace")
            name = self.name or f"{self.get('metadata', 'generateName') or self.resource.name}"
        except UnknownValueError:
            namespace, name = None, self.resource.name
        return f"{self.kind} {namespace}/{name}" if namespace else f"{self.kind} {name}"


def get(value: Any, *path: str) -> Any:
    """Return the value at a path in nested mappings, or None if there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def items(value: Any) -> Sequence[Any]:
    """Return a list, empty if the value is not one."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def texts(value: Any) -> Iterator[str]:
    """Yield the keys and texts in a value, without those that this preview does not know."""
    if isinstance(value, str):
        yield value
    if isinstance(value, Mapping):
        yield from map(str, value)
    for key in list(value) if isinstance(value, Mapping) else range(len(items(value))):
        with contextlib.suppress(UnknownValueError):
            yield from texts(value[key])


def objects(resource: Resource) -> Iterator[KubernetesObject]:
    """Yield the Kubernetes objects of a resource, none if it is not a Kubernetes resource.

    Raises:
        UnknownValueError: The resource is a list whose items this preview does not know.
    """
    if not resource.resource_type.startswith("kubernetes:"):
        return
    module, _, kind = resource.resource_type.removeprefix("kubernetes:").rpartition(":")
    patch = kind.endswith(_PATCH)
    # A dictionary keeps the order, which a set does not.
    kinds = dict.fromkeys([(module.rpartition("/")[0], kind.removesuffix(_PATCH)), *_written_kind(resource.props)])
    for group, kind in kinds:
        yield from _objects(resource, group, kind, resource.props, patch)
    if module.startswith("helm.sh/"):
        yield from _extra_objects(resource)


def _extra_objects(resource: Resource) -> Iterator[KubernetesObject]:
    """Yield the objects that the values of a Helm chart add to it, as those of cert-manager's do.

    Raises:
        CannotJudgeError: A text among them is too large to be read.
    """
    texts: list[Any] = []
    with contextlib.suppress(UnknownValueError):
        texts += items(get(resource.props, "values", "extraObjects"))
    for text in texts:
        try:
            parsed = parse(str(text))
        except UnreadableError as error:
            raise CannotJudgeError(f"values.extraObjects {error}") from None
        for props in parsed if isinstance(parsed, list) else [parsed]:
            for group, kind in _written_kind(props):
                yield from _objects(resource, group, kind, props, False)


def _objects(resource: Resource, group: str, kind: str, props: Any, patch: bool) -> Iterator[KubernetesObject]:
    if not kind.endswith(_LIST):
        yield KubernetesObject(resource, group, kind, props, patch)
        return
    for item in items(get(props, "items")):
        for item_group, item_kind in _written_kind(item) or [(group, kind.removesuffix(_LIST))]:
            yield from _objects(resource, item_group, item_kind, item, patch)


def _written_kind(props: Any) -> list[tuple[str, str]]:
    """Return group and kind from `apiVersion` and `kind`, nothing if they are not set or not known."""
    with contextlib.suppress(UnknownValueError):
        version, kind = get(props, "apiVersion"), get(props, "kind")
        if isinstance(version, str) and isinstance(kind, str):
            return [(version.rpartition("/")[0] or "core", kind)]
    return []


def of_kind(group: str, *kinds: str) -> Callable[[Resource], Iterator[KubernetesObject]]:
    """Return a function that picks a resource's objects of these kinds, Patches excluded."""
    return lambda resource: (obj for obj in objects(resource) if obj.is_a(group, *kinds))


class Stack:
    """All resources of a stack, and their objects."""

    def __init__(self, resources: Iterable[PolicyResource]) -> None:
        # The engine lists them in any order; findings come in the same order every time.
        self.resources = sorted(resources, key=lambda resource: resource.urn)

    @cached_property
    def objects(self) -> Sequence[KubernetesObject]:
        """The objects of all resources, without those of lists that this preview does not know."""
        known: list[KubernetesObject] = []
        for resource in self.resources:
            # The rule that judges the list reports it.
            with contextlib.suppress(UnknownValueError, CannotJudgeError):
                known += objects(resource)
        return known

    def of_kind(self, group: str, *kinds: str) -> list[KubernetesObject]:
        """Return the objects of these kinds, in any version of the group, Patches excluded."""
        return [obj for obj in self.objects if obj.is_a(group, *kinds)]

    def named(self, group: str, kind: str, namespace: str, name: str) -> list[KubernetesObject]:
        """Return the objects of a kind with this namespace and name.

        Raises:
            CannotJudgeError: None has them, but one with an unknown value may.
        """
        return matching(self.of_kind(group, kind), lambda obj: (obj.namespace, obj.name) == (namespace, name))


@contextlib.contextmanager
def reading(other: KubernetesObject) -> Iterator[None]:
    """Read properties of an object other than the one being judged.

    Raises:
        CannotJudgeError: The preview does not know one of them.
    """
    try:
        yield
    except UnknownValueError as error:
        raise CannotJudgeError(unknown_value(error, other.where)) from None


def matching(
    candidates: Iterable[KubernetesObject], matches: Callable[[KubernetesObject], bool]
) -> list[KubernetesObject]:
    """Return the candidates that match.

    An unknown value of one candidate matters only if no other candidate matches.

    Raises:
        CannotJudgeError: None matches, but one with an unknown value may.
    """
    matched, unknown = [], None
    for candidate in candidates:
        try:
            with reading(candidate):
                if matches(candidate):
                    matched.append(candidate)
        except CannotJudgeError as error:
            unknown = unknown or error
    if unknown and not matched:
        raise unknown
    return matched
