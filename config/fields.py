"""The base of every section of a config, and the types of values that only a config has.

A field that a component has too is stated in the component's args class, and `section_of` brings it here. A field of
the config's own says with `description` what is accepted, and with `examples` what the command that fixes it sets.
"""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model, model_validator
from pydantic.alias_generators import to_camel

from components.args import config_model
from components.fields import Line, google_name
from components.specs.names import refuse_placeholder


class Section(BaseModel):
    """The base of every section: camelCase keys, no unknown ones, frozen; a key that is null is not set."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        known = {field.alias for field in cls.model_fields.values()}
        return {key: value for key, value in raw.items() if value is not None or key not in known}


def section_of(args: Any, *names: str, optional: bool = False) -> Any:
    """Return a section with the fields of a component's args class, for a section of the config to extend.

    Args:
        args: the args class. Its own cross-check does not apply: the section has fields beside them.
        names: some of its fields; all of them, by default.
        optional: whether none of them is required.
    """
    fields: dict[str, Any] = {}
    for name, field in config_model(args, Section).model_fields.items():
        if names and name not in names:
            continue
        type_: Any = Annotated[(field.annotation, *field.metadata, None)]
        about: dict[str, Any] = {
            "description": field.description,
            "examples": field.examples,
            "json_schema_extra": field.json_schema_extra,
        }
        if not field.is_required():
            fields[name] = type_, Field(field.default, validate_default=True, **about)
        elif optional:
            fields[name] = type_ | None, Field(None, **about)
        else:
            fields[name] = type_, Field(**about)
    return create_model(args.__name__, __base__=Section, __doc__=args.__doc__, **fields)


def pem(value: str) -> str:
    """Return PEM certificates as they are."""
    # Few configs have certificates, and this library takes longer to load than everything else that a config needs.
    from cryptography import x509

    try:
        x509.load_pem_x509_certificates(value.encode())
    except ValueError:
        raise ValueError("is not PEM") from None
    return value


def https(value: str) -> str:
    """Return an https:// URL as it is."""
    if not re.fullmatch(r"https://[A-Za-z0-9\[][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*", value):
        raise ValueError("is not an https:// URL")
    return value


def text(value: Any) -> Any:
    """Return a kubeconfig as text: a stack file may hold its content as an object."""
    return json.dumps(value) if isinstance(value, dict) else value


Identifier = Annotated[Line, Field(min_length=1), AfterValidator(refuse_placeholder)]
GoogleName = Annotated[str, AfterValidator(google_name), AfterValidator(refuse_placeholder)]
Url = Annotated[str, AfterValidator(https)]
