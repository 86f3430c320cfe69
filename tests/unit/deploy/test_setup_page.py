"""The commands of docs/pull-requests.md work."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from deploy.bootstrap.rbac.__main__ import main as rbac
from deploy.bootstrap.settings import Stack
from tests.unit.deploy.runner import FILES, WORKFLOWS
from tests.unit.deploy.test_bootstrap import up

# pulumi_gcp.storage warns of a function of its own when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProject:DeprecationWarning")

ROOT = Path(__file__).parents[3]
# Placeholders filled in, since a config that still holds one is refused.
SET_UP = re.sub("YOUR-([A-Z-]+)", lambda name: name[1].lower(), (ROOT / "docs/pull-requests.md").read_text())
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", SET_UP, flags=re.DOTALL) for line in block.splitlines()]


def configured() -> dict[str, Any]:
    """The config that the page's `pulumi config set` commands set."""
    config: dict[str, Any] = {}
    for command in COMMANDS:
        words = shlex.split(command.replace("$(gh api repos/OWNER/NAME --jq .id)", "123456"))
        if words[:5] != ["pulumi", "-C", "deploy/bootstrap", "config", "set"]:
            continue
        *_, path, value = words
        if "--path" not in words:
            config[path] = value
            continue
        stack, key, item = re.fullmatch(r"stacks\[(\d)\]\.(\w+)(?:\[(\d)\])?", path).groups()  # type: ignore[union-attr]
        stacks = config.setdefault("stacks", [])
        stacks += [{}] * (int(stack) + 1 - len(stacks))
        stacks[int(stack)] = {
            **stacks[int(stack)],
            key: [value] if item else json.loads(value) if value == "true" else value,
        }
    return config


def test_the_commands_make_a_valid_config() -> None:
    made = up(**configured())
    assert made.outputs["PULUMI_BACKEND_URL_DEV"] == "gs://project-pulumi-dev", "as in a later command"
    assert "gs://project-pulumi-dev" in SET_UP
    provider = made.named("dev-key").inputs
    assert f"keyRings/pulumi/cryptoKeys/{provider['name']}" in SET_UP


def test_the_stacks_are_those_of_the_workflows() -> None:
    stacks = configured()["stacks"]
    assert [(stack["name"], stack.get("production", False)) for stack in stacks] == [("dev", False), ("prod", True)]


def test_every_key_of_a_stack_is_explained() -> None:
    keys = [field.alias or name for name, field in Stack.model_fields.items()]
    assert re.findall(r"^\| `(\w+)` \|", SET_UP, flags=re.MULTILINE) == keys


def test_every_environment_that_the_workflows_name_is_made_and_prods_ask_for_an_approval() -> None:
    text = "\n".join(COMMANDS)
    environments = dict(
        re.findall(r"PUT repos/OWNER/NAME/environments/([\w-]+) --input - <<'JSON'\n(.*?)\nJSON", text, re.DOTALL)
    )
    assert set(environments) == {"dev", "prod", "prod-preview"}
    for name, body in environments.items():
        settings = json.loads(body.replace("ID", "1"))
        assert bool(settings.get("reviewers")) == name.startswith("prod")


def test_roles_are_printed_by_the_commands_for_every_identity(capsys: pytest.CaptureFixture[str]) -> None:
    printed = ""
    for command in COMMANDS:
        if "deploy.bootstrap.rbac" in command:
            words = shlex.split(command.partition("|")[0])
            assert rbac(words[words.index("deploy.bootstrap.rbac") + 1 :]) == 0
            printed += capsys.readouterr().out
    for identity in ("preview", "drift", "deploy"):
        assert f"pulumi-{identity}-dev@project.iam.gserviceaccount.com" in printed


def test_every_workflow_is_explained() -> None:
    started = {file.name for file in FILES if list(WORKFLOWS[file.stem][True]) != ["workflow_call"]}
    assert set(re.findall(r"`([\w-]+\.yml)`", SET_UP.partition("## ")[0])) == started
