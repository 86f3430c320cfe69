"""docs/configuration.md has every key of the settings, and Pulumi.yaml their defaults."""

import re

import yaml

from components.args import model_in
from config.models import SHARED, Settings
from tests.faults.hostile import strategies
from tests.faults.hostile.shape import Key
from tests.unit.config.support import ROOT, settings

PAGE = (ROOT / "docs" / "configuration.md").read_text()
KEYS = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)


def is_on_the_page(key: Key) -> bool:
    """Tell whether the page has a row for a key: sections have none, but those that gateways share with the stack."""
    if key.path[0] == "gateways" and any(part in SHARED for part in key.path[2:]):
        return len(key.path) == 3
    return model_in(key.field.annotation) is None


def test_every_key_is_on_the_page_once() -> None:
    wanted = [".".join(map(str, key.path)).replace(".0", "[]") for key in strategies.KEYS if is_on_the_page(key)]
    assert sorted(KEYS) == sorted(wanted)


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
