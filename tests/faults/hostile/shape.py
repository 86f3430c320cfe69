"""Every key of the stack config with a value that it accepts, derived from the settings' models."""

import base64
import functools
import json
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from components.args import model_in
from components.fields import google_name
from components.specs import cert_manager, names
from config.models import Settings
from config.problems import is_list
from sandbox import pki

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Key:
    """A key of the config.

    Attributes:
        path: Its path; in a list, that of the first item.
        field: Its type, with its rules.
        name: Whether its value is the name of an object.
    """

    path: Path
    field: FieldInfo
    name: bool


@functools.cache
def authority() -> str:
    """Return the PEM certificate of a CA."""
    with tempfile.TemporaryDirectory() as folder:
        pki.Authority.create(pathlib.Path(folder))
        return (pathlib.Path(folder) / "ca.crt").read_text()


@functools.cache
def candidates() -> Sequence[Any]:
    """Return values of which every key that is no section accepts one."""
    return (
        "some-name", "more.sandbox.test", "platform@sandbox.test", "https://acme.sandbox.test/dir", "/reports", "50/7d",
        "prod", "dns01", "dns", "Issuer", "perHost", "RSA", "Never", "1.3", "strict", "gmp", "privileged", "dual",
        "promote", "gateway", "managed", "192.0.2.1", "ingressClassName",
        cert_manager.VERSION, f"sha256:{'a' * 64}", authority(),
        "projects/42/locations/global/workloadIdentityPools/platform.svc.id.goog",
        "5f0c3a86-7d5e-4d0b-9a4c-2b1f6e8d9c70",
        base64.urlsafe_b64encode(b"0123456789abcdef").decode(),
        256, True, 1, {"release": "prometheus"}, ["sandbox.test"], ["ECDHE-RSA-CHACHA20-POLY1305"],
        ["some-name"], ["https://more.sandbox.test"], ["PUT"],
    )  # fmt: skip


_SERVED = {
    "Host": ("service", "namespace", "port"),
    "HeaderMatchArgs": ("exact",),
    "Ingress": ("service",),
    "ExternalAccount": ("secret_name",),
}
"""Keys that a section needs beside its required ones, by rules between keys."""
_NAMES = {names.dns_name, names.domain, names.kubernetes_name, names.route_namespace, google_name}


def keys(model: type[BaseModel] = Settings, path: Path = ()) -> Iterator[Key]:
    """Yield every key of a model and of the sections below it."""
    for name, field in model.model_fields.items():
        own = (*path, field.alias or name)
        yield Key(own, field, bool(_rules(_type(field)) & _NAMES))
        if section := model_in(field.annotation):
            yield from keys(section, (*own, 0) if is_list(field) else own)


def _type(field: FieldInfo) -> Any:
    # Pydantic moves the annotations of a field into `metadata`.
    return Annotated[(field.annotation, *field.metadata, None)]


def _rules(annotation: Any) -> set[Callable[..., Any]]:
    """Return the rules of a type, at any level of it."""
    own = {item.func for item in get_args(annotation) if isinstance(item, AfterValidator | BeforeValidator)}
    return own.union(*map(_rules, get_args(annotation)))


def accepts(field: FieldInfo, value: Any) -> bool:
    """Tell whether a field accepts a value, if other keys allow it."""
    try:
        TypeAdapter(_type(field)).validate_python(value)
    except ValidationError:
        return False
    return True


@functools.cache
def _accepted(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    section = model_in(field.annotation)
    if section is None:
        return json.dumps(next(value for value in candidates() if accepts(field, value)))
    needed = _SERVED.get(section.__name__, ())
    filled = {
        below.alias or key: json.loads(_accepted(section, key))
        for key, below in section.model_fields.items()
        if below.is_required() or key in needed
    }
    return json.dumps([filled] if is_list(field) else filled)


def put(config: dict[str, Any], path: Path) -> Any:
    """Set a key to a value that it accepts, and the sections on the way to it; return the section that holds it."""
    model: type[BaseModel] | None = Settings
    at: Any = config
    for part in path:
        section = at
        if not isinstance(part, int):
            assert model is not None
            name, field = next(item for item in model.model_fields.items() if part in (item[1].alias, item[0]))
            model_below = model_in(field.annotation)
            if model_below is None or not at.get(part):
                at[part] = json.loads(_accepted(model, name))
            model = model_below
        at = at[part]
    return section
