"""docs/configuration.md has every key of the settings, and Pulumi.yaml their defaults."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from config.models import SHARED, Settings
from tests.unit.config.support import ROOT, settings

PAGE = (ROOT / "docs" / "configuration.md").read_text()
KEYS = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)


def keys(schema: dict[str, Any], definitions: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the keys of a JSON schema, nested ones as the page writes them."""
    for key, value in schema["properties"].items():
        options = [value, *value.get("anyOf", [])]
        options += [option["items"] for option in options if "items" in option]
        section = next((definitions[option["$ref"].split("/")[-1]] for option in options if "$ref" in option), None)
        many = "[]" if any(option.get("type") == "array" for option in options) else ""
        if section is None or (prefix == "gateways[]." and key in SHARED):
            yield prefix + key
        else:
            yield from keys(section, definitions, f"{prefix}{key}{many}.")


def test_every_key_is_on_the_page_once() -> None:
    schema = Settings.model_json_schema()
    assert sorted(KEYS) == sorted(keys(schema, schema["$defs"]))


def test_the_example_of_the_page_is_accepted() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    config = yaml.safe_load(block.replace("YOUR-DOMAIN", "sandbox.test"))
    loaded = settings(hosts=config["istio-gateway-tls:hosts"])
    assert [len(host.destinations) for host in loaded.hosts] == [0, 3, 0]


def test_pulumi_yaml_declares_keys_of_the_settings_with_their_defaults() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    fields = {field.alias: field for field in Settings.model_fields.values()}
    assert {key: entry["default"] or None for key, entry in declared.items()} == {
        key: fields[key].default or None for key in declared
    }
