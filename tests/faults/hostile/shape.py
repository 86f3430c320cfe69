"""Every key of the stack config with a value that it accepts, derived from the settings' models."""

import base64
import functools
import pathlib
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge
from pydantic import AfterValidator, BeforeValidator
from pydantic.fields import FieldInfo

from components.fields import OneOf, google_name, line, object_labels, workload_pool
from components.specs import acme, cert_manager, client_ca, headers, names
from config import fields, signing
from config.fields import Section
from config.models import Settings
from config.signing import client_ca_of
from sandbox import pki

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Key:
    """A key of the config.

    Attributes:
        path: Its path; in a list, that of the first item.
        annotation: Its type, with its rules.
        hidden: Whether its value is never shown, even if it is not encrypted.
        name: Whether its value is the name of an object.
    """

    path: Path
    annotation: Any
    hidden: bool
    name: bool


@functools.cache
def authority() -> str:
    """Return the PEM certificate of a CA."""
    with tempfile.TemporaryDirectory() as folder:
        pki.Authority.create(pathlib.Path(folder))
        return (pathlib.Path(folder) / "ca.crt").read_text()


ACCEPTED: Mapping[Callable[..., Any], Callable[[], Any]] = {
    names.dns_name: lambda: "more.sandbox.test",
    names.domain: lambda: "sandbox.test",
    names.kubernetes_name: lambda: "some-name",
    names.email_address: lambda: "platform@sandbox.test",
    google_name: lambda: "some-name",
    line: lambda: "some-text",
    object_labels: lambda: {"release": "prometheus"},
    names.refuse_placeholder: lambda: "some-name",
    cert_manager.check_version: lambda: cert_manager.VERSION,
    cert_manager.check_digest: lambda: f"sha256:{'a' * 64}",
    fields.https: lambda: "https://acme.sandbox.test/dir",
    client_ca.pem: authority,
    fields.text: lambda: "/nowhere/kubeconfig",
    client_ca_of: lambda: "client-ca",
    acme.mac_key: lambda: base64.urlsafe_b64encode(b"0123456789abcdef").decode(),
    headers.path_prefix: lambda: "/reports",
    headers.name: lambda: "x-version",
    headers.value: lambda: "beta",
    headers.response: lambda: {"x-frame-options": "DENY"},
    names.redirect_target: lambda: "elsewhere.test",
    signing.limit: lambda: "50/7d",
    workload_pool: lambda: "projects/42/locations/global/workloadIdentityPools/platform.svc.id.goog",
}
"""A good value for each rule of a single value."""

_SERVED: Mapping[str, Sequence[str]] = {
    "Host": ("service", "namespace", "port"),
    "HeaderMatchArgs": ("exact",),
    "Ingress": ("service",),
    "ExternalAccount": ("secret_name",),
}
"""Keys that a section needs beside its required ones, by rules between keys."""


def keys(model: type[Section] = Settings, path: Path = ()) -> Iterator[Key]:
    """Yield every key of a model and of the sections below it."""
    for name, field in model.model_fields.items():
        own = (*path, field.alias or name)
        # Pydantic moves the annotations of a field into `metadata`.
        whole: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        yield Key(own, whole, not field.repr, bool(rules(whole) & _NAMES))
        section, many = section_of(field.annotation)
        if section is not None:
            yield from keys(section, (*own, 0) if many else own)


def section_of(annotation: Any) -> tuple[type[Section] | None, bool]:
    """Return the model in an annotation, and whether it is that of a list's items."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return (annotation, False) if issubclass(annotation, Section) else (None, False)
    for part in get_args(annotation):
        section, many = section_of(part)
        if section is not None:
            return section, many or get_origin(annotation) in (tuple, list)
    return None, False


def rules(annotation: Any, metadata: Sequence[Any] = ()) -> set[Callable[..., Any]]:
    """Return the rules of a type, at any level of it."""
    own = {item.func for item in metadata if isinstance(item, AfterValidator | BeforeValidator)}
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return own | rules(parts[0], parts[1:])
    return own.union(*(rules(part) for part in parts if not isinstance(part, str)))


_NAMES = {names.dns_name, names.domain, names.kubernetes_name, google_name}


def accepted(annotation: Any, metadata: Sequence[Any] = ()) -> Any:
    """Return a value that a key of this type accepts, if other keys allow it.

    Raises:
        LookupError: A rule is missing in `ACCEPTED`.
    """
    for item in metadata:
        if isinstance(item, AfterValidator | BeforeValidator) and item.func in ACCEPTED:
            return ACCEPTED[item.func]()
        if isinstance(item, OneOf):
            return item.words[-1]
        if isinstance(item, Ge):
            return item.ge
        if isinstance(item, FieldInfo):
            try:
                return accepted(annotation, item.metadata)
            except LookupError:
                continue
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return accepted(parts[0], parts[1:])
    if origin is Literal:
        return parts[-1]
    if origin in (Union, types.UnionType):
        return accepted(next(part for part in parts if part is not type(None)), metadata)
    if origin in (tuple, list):
        return [accepted(parts[0])]
    if origin in (dict, Mapping):
        return {"release": "prometheus"}
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return filled(annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    raise LookupError(f"no accepted value of {annotation} with {metadata}")


_PLAIN = {bool: True, int: 256, str: "some-text"}


def of_field(field: FieldInfo) -> Any:
    """Return a value that a field accepts."""
    return accepted(field.annotation, field.metadata)


def filled(model: type[Section]) -> dict[str, Any]:
    """Return a section with the keys that it needs."""
    more = _SERVED.get(model.__name__, ())
    return {
        field.alias or name: of_field(field)
        for name, field in model.model_fields.items()
        if field.is_required() or name in more
    }


def put(config: dict[str, Any], path: Path) -> None:
    """Set a key to a value that it accepts, and the sections on the way to it."""
    model: type[Section] = Settings
    at: Any = config
    for part in path:
        if isinstance(part, int):
            at = at[part]
            continue
        field = next(field for name, field in model.model_fields.items() if part in (field.alias, name))
        section, _ = section_of(field.annotation)
        if section is None or not at.get(part):
            at[part] = of_field(field)
        if section is None:
            return
        at, model = at[part], section
