"""`python -m plugin.reference` writes `plugin/schema.json` and `docs/components.md`, from the components themselves."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi.provider.experimental.util import camel_case

from components import inputs, tls_gateway
from plugin.provider import COMPONENTS, NAME, schema

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "plugin" / "schema.json"
PAGE = ROOT / "docs" / "components.md"

_OWN_NAME = "own-name"
"""Stands for the component's own name among the defaults."""
_AFTER_COMPONENT = ("gateway", "object_name")
"""The inputs that have it as their default."""
_LONGEST_DEFAULT = 60

_INTRODUCTION = """# Components

Pulumi components. Use one, or all of them in the order of the program in this repository (`__main__.py`). Each takes
its credentials from its provider: the Kubernetes provider, or the gcp one for `DnsRecords`, `CaaRecords`,
`Dns01Identity` and `ReservedAddress`.

An input that is wrong is named with its path, and everything that is wrong is named at once: before anything is
created where the value is known, and otherwise when it becomes known. Inputs marked *plain* decide which resources
there are or how long is waited, so the program has to know them when it runs; every other one may be an Output.

## From Python

The wheel brings the components and what they need. Names are in snake_case there: `secret_name`, not `secretName`.

```sh
uv add "istio-gateway-tls @ git+https://github.com/OWNER/istio-gateway-tls@vX.Y.Z"
```

```python
from istio_gateway_tls import TlsGateway
```

## From YAML, TypeScript, Go, C# and Java

```sh
pulumi package add github.com/OWNER/istio-gateway-tls/plugin@vX.Y.Z
```

Pulumi downloads the repository at that tag, makes a Python environment for the plugin from `plugin/requirements.txt`
(every package by its hash), and generates an SDK from its schema. The machine needs Python 3.11 or later with pip. In
YAML the types are `istio-gateway-tls:TlsGateway` and so on. A provider is handed over by the option `providers`.

[examples/](../examples) has a program in Python, one in YAML and one in TypeScript.
"""


def page() -> str:
    """Return the page."""
    described = json.loads(schema())
    types = {"`Route`": inputs.defaults(tls_gateway.ROUTE)}
    parts = [_INTRODUCTION]
    for component in COMPONENTS:
        found = described["resources"][f"{NAME}:index:{component.__name__}"]
        defaults = _defaults(component)
        types |= {_type(each): _camel(defaults[key]) for key, each in _named(found["inputProperties"], defaults)}
        parts += [f"## {component.__name__}\n\n{found['description']}\n"]
        parts += _inputs(found["inputProperties"], found["requiredInputs"], defaults)
        parts += _outputs(found["properties"])
    parts.append("## Types\n")
    for token, found in described["types"].items():
        name = token.rpartition(":")[2]
        parts.append(f"### {name}\n\n{found['description']}\n")
        parts += _inputs(found["properties"], found.get("required", []), types.get(f"`{name}`", {}))
    return "\n".join([*parts, "<!-- Made by `python -m plugin.reference`. -->\n"])


def _defaults(component: type) -> dict[str, Any]:
    """Return the defaults of a component's inputs by their names in the schema."""
    module = sys.modules[component.__module__]
    found = inputs.defaults(module.SHAPE)
    return _camel(found | {key: _OWN_NAME for key in _AFTER_COMPONENT if key in found})


def _camel(defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {camel_case(key): value for key, value in defaults.items()}


def _named(properties: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the inputs of a type with a name, which have defaults of their own."""
    return ((key, each) for key, each in properties.items() if "$ref" in each and isinstance(defaults[key], dict))


def _inputs(properties: Mapping[str, Any], required: list[str], defaults: Mapping[str, Any]) -> Iterator[str]:
    yield "| input | type | default | meaning |\n| --- | --- | --- | --- |"
    for key, each in properties.items():
        default = "required" if key in required else _default(each, defaults.get(key))
        plain = ", *plain*" if each.get("plain") else ""
        yield f"| `{key}` | {_type(each)}{plain} | {default} | {_meaning(each)} |"
    yield ""


def _outputs(properties: Mapping[str, Any]) -> Iterator[str]:
    if not properties:
        return
    yield "| output | type | meaning |\n| --- | --- | --- |"
    for key, each in properties.items():
        yield f"| `{key}` | {_type(each)} | {_meaning(each)} |"
    yield ""


def _type(described: Mapping[str, Any]) -> str:
    if ref := described.get("$ref"):
        name = ref.rpartition(":")[2] if ":" in ref else "anything"
        return "anything" if name == "anything" else f"`{name}`"
    if described["type"] == "array":
        return f"list of {_type(described['items'])}"
    if described["type"] == "object":
        return f"map of {_type(described['additionalProperties'])}"
    return str(described["type"])


def _default(described: Mapping[str, Any], value: Any) -> str:
    if value == _OWN_NAME:
        return "the component's name"
    if (not value and value != 0) or "$ref" in described:
        return ""
    if isinstance(value, Mapping):
        text = ", ".join(f"{key}: {each}" for key, each in value.items())
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    # What is longer, its meaning describes.
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else ""


def _meaning(described: Mapping[str, Any]) -> str:
    return " ".join(described["description"].split()).replace("|", "\\|")


def write() -> None:
    """Write both files."""
    SCHEMA.write_text(schema())
    PAGE.write_text(page())


if __name__ == "__main__":
    write()
