"""docs/configuration.md and Pulumi.yaml have the keys and the defaults of the settings."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from config.models import SHARED, Settings
from tests.unit.config.support import ROOT, TO, acme, settings

PAGE = (ROOT / "docs" / "configuration.md").read_text()
ROWS = re.findall(r"^\| `([^`]+)` \| (.+) \| (.*) \|$", PAGE, re.MULTILINE)
"""Each key, what is accepted, and the default."""

EVERY_SECTION = settings(
    **{"gcp:project": "a", "kubeconfig": "", "gke": {"cluster": "a", "location": "b"}},
    acme=acme(externalAccount={name: {"keyId": "a", "secretName": "b"} for name in ("staging", "prod")}),
    challenge="dns01",
    dns={"zone": "a", "challengeZone": {"zone": "b"}},
    hosts=[{"host": "a.sandbox.test", "routes": [{**TO, "headers": [{"name": "x-a", "exact": "b"}]}]}],
)
"""Settings with an object at every section, and nothing else that has a default."""


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
    assert sorted(key for key, *_ in ROWS) == sorted(keys(schema, schema["$defs"]))


@pytest.mark.parametrize(("key", "accepted", "default"), ROWS)
def test_a_default_of_the_page_is_the_one_that_applies(key: str, accepted: str, default: str) -> None:
    assert accepted.strip()
    if not default.startswith("`") or key == "challenge":
        return
    value: Any = EVERY_SECTION
    for part in key.replace("[]", ".0").split("."):
        if part.isdigit():
            value = value[int(part)]
        else:
            value = getattr(value, re.sub(r"(?<=[a-z])([A-Z])", r"_\1", part).lower())
    shown = ", ".join(f"{label}: {text}" for label, text in value.items()) if isinstance(value, dict) else str(value)
    assert default == f"`{shown.lower() if isinstance(value, bool) else shown}`"


def test_the_example_of_the_page_is_accepted() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    config = yaml.safe_load(block.replace("YOUR-DOMAIN", "sandbox.test"))
    loaded = settings(hosts=config["istio-gateway-tls:hosts"])
    assert [len(host.destinations) for host in loaded.hosts] == [0, 3, 0]


def test_every_key_that_a_sentence_of_the_page_names_exists() -> None:
    known = {key.replace("[]", "") for key, *_ in ROWS}
    sections = {key.rpartition(".")[0] for key in known}
    for _, accepted, _ in ROWS:
        for name in re.findall(r"\b(?:acme|certManager|dns|gke|ingress|tls|certificate)\.\w+\b", accepted):
            assert name in known | sections


def test_pulumi_yaml_declares_keys_of_the_settings_with_their_defaults() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    fields = {field.alias: field for field in Settings.model_fields.values()}
    assert {key: entry["default"] or None for key, entry in declared.items()} == {
        key: fields[key].default or None for key in declared
    }
