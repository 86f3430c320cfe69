"""The base of every section of a config, and the types of values that only a config has.

A field that a component has too is stated in the component's args class, and `section_of` brings it here. A field of
the config's own says with `description` what is accepted, and with `examples` what the command that fixes it sets.
"""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from components.args import config_model


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
    """Return a section with some or all fields of a component's args class, for a section of the config to extend.

    The class's own cross-check does not apply: the section has fields beside them.
    """
    return config_model(args, Section, *names, optional=optional)


def https(value: str) -> str:
    """Return an https:// URL as it is."""
    if not re.fullmatch(r"https://[A-Za-z0-9\[][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*", value):
        raise ValueError("is not an https:// URL")
    return value


def text(value: Any) -> Any:
    """Return a kubeconfig as text: a stack file may hold its content as an object."""
    return json.dumps(value) if isinstance(value, dict) else value


Url = Annotated[str, AfterValidator(https)]
