"""`python -m plugin.reference` writes `plugin/schema.json` and `docs/components.md`, from the components themselves."""

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi.provider.experimental.util import camel_case
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.args import config_model
from components.fields import COMPONENT_NAME
from plugin.provider import COMPONENTS, NAME, Provider, schema

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "plugin" / "schema.json"
PAGE = ROOT / "docs" / "components.md"

_MAX_DEFAULT = 60
"""Characters of a default; the sentence about the input describes a longer one."""

_MARK = "<!-- `python -m plugin.reference` writes everything below. -->\n"


def page(text: str) -> str:
    """Return the text of the page, of which all below the mark is made from the schema."""
    described = json.loads(schema())
    parts = [text.partition(_MARK)[0] + _MARK]
    for component in COMPONENTS:
        resource = described["resources"][f"{NAME}:index:{component.__name__}"]
        parts += [f"## {component.__name__}\n\n{inspect.cleandoc(resource['description'])}\n"]
        args = inspect.get_annotations(component.__init__)["args"]
        parts += _inputs(args, resource["inputProperties"], resource["requiredInputs"])
        parts += _outputs(resource["properties"])
    parts.append("## Types\n")
    for name, definition in Provider().analyzer.type_definitions.items():
        token = f"{NAME}:index:{name.removesuffix('Args')}"
        type_ = described["types"][token]
        parts.append(f"### {token.rpartition(':')[2]}\n\n{type_['description']}\n")
        parts += _inputs(definition.python_type, type_["properties"], type_.get("required", []))
    return "\n".join(parts)


def _inputs(args: Any, properties: Mapping[str, Any], required: list[str]) -> Iterator[str]:
    yield "| input | type | default | meaning |\n| --- | --- | --- | --- |"
    for name, field in config_model(args, BaseModel).model_fields.items():
        key = camel_case(name)
        type_ = ", ".join(filter(None, [_type(properties[key]), _accepted(field)]))
        plain = ", *plain*" if properties[key].get("plain") else ""
        default = "required" if key in required else _default(field.default)
        yield f"| `{key}` | {type_}{plain} | {default} | {_meaning(properties[key])} |"
    yield ""


def _outputs(properties: Mapping[str, Any]) -> Iterator[str]:
    if not properties:
        return
    yield "| output | type | meaning |\n| --- | --- | --- |"
    for key, output in properties.items():
        yield f"| `{key}` | {_type(output)} | {_meaning(output)} |"
    yield ""


def _type(described: Mapping[str, Any]) -> str:
    if ref := described.get("$ref"):
        return f"`{ref.rpartition(':')[2]}`" if ":" in ref else "anything"
    if described["type"] == "array":
        return f"list of {_type(described['items'])}"
    if described["type"] == "object":
        return f"map of {_type(described['additionalProperties'])}"
    return str(described["type"])


def _accepted(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra["accepted"]) if isinstance(extra, dict) else ""


def _default(value: Any) -> str:
    if value == COMPONENT_NAME.value:
        return "the component's name"
    if value is None or value in ({}, (), [{}]):
        return ""
    if isinstance(value, Mapping):
        text = ", ".join(f"{key}: {item}" for key, item in value.items())
    elif isinstance(value, tuple):
        text = ", ".join(value)
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if len(text) <= _MAX_DEFAULT else ""


def _meaning(described: Mapping[str, Any]) -> str:
    return " ".join(described["description"].split()).replace("|", "\\|")


if __name__ == "__main__":
    SCHEMA.write_text(schema())
    PAGE.write_text(page(PAGE.read_text()))
