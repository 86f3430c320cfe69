"""The commands of docs/pull-requests.md work."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from config.fields import Section
from deploy.bootstrap.rbac.__main__ import main as rbac
from deploy.bootstrap.settings import Bootstrap, Stack
from tests.unit.deploy.runner import ROOT, executable

SET_UP = re.sub("YOUR-([A-Z-]+)", lambda name: name[1].lower(), (ROOT / "docs/pull-requests.md").read_text())
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", SET_UP, flags=re.DOTALL) for line in block.splitlines()]


def keys(section: type[Section]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def test_the_commands_set_keys_that_exist() -> None:
    paths = re.findall(r"deploy/bootstrap config set (?:--path )?'?([\w:.\[\]]+)", SET_UP)
    known = {*keys(Bootstrap), *(f"stacks.{key}" for key in keys(Stack))}
    assert {re.sub(r"\[\d\]", "", path) for path in paths} <= known
    assert "stacks[1].production' true" in SET_UP, "prod's previews need an approval"


def test_environments_are_made_before_an_identity_trusts_them() -> None:
    lines = SET_UP.splitlines()
    made = max(number for number, line in enumerate(lines) if line.startswith("gh api --method"))
    trusted = min(number for number, line in enumerate(lines) if "deploy/bootstrap up" in line)
    assert made < trusted, "GitHub makes a missing one, without reviewers, for any job that names it"


def test_every_key_of_a_stack_is_explained() -> None:
    assert re.findall(r"^\| `(\w+)` \|", SET_UP, flags=re.MULTILINE) == keys(Stack)


def test_every_environment_that_the_workflows_name_is_made_and_prods_ask_for_an_approval() -> None:
    text = "\n".join(COMMANDS)
    environments = dict(
        re.findall(r"PUT repos/OWNER/NAME/environments/([\w-]+) --input - <<'JSON'\n(.*?)\nJSON", text, re.DOTALL)
    )
    assert set(environments) == {"dev", "prod", "prod-preview"}
    for name, body in environments.items():
        settings = json.loads(body.replace("ID", "1"))
        assert bool(settings.get("reviewers")) == name.startswith("prod")


def test_the_checksums_are_those_of_the_plugins_of_the_lock(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    sums = tmp_path / ".github/programs.sha256"
    sums.write_text("0  pulumi-v1.0.0-linux-x64.tar.gz\n")
    executable(tmp_path / "curl", 'for url; do true; done\n[ -n "${url##*gcp*}" ] && printf served > "${url##*/}"')
    executable(tmp_path / "uv", f'shift; shift; exec {sys.executable} "$@"')
    (command,) = re.findall(r"^for provider in .*?^done$", SET_UP, re.MULTILINE | re.DOTALL)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, timeout=60, check=False)

    plugin = f"pulumi-resource-kubernetes-v{version('pulumi-kubernetes')}-linux-amd64.tar.gz"
    served = f"{hashlib.sha256(b'served').hexdigest()}  {plugin}"
    assert sums.read_text().splitlines()[1:] == [served], "and nothing for what could not be downloaded"


def test_roles_are_printed_by_the_commands_for_every_identity(capsys: pytest.CaptureFixture[str]) -> None:
    printed = ""
    for command in COMMANDS:
        if "deploy.bootstrap.rbac" in command:
            words = shlex.split(command.partition("|")[0])
            assert rbac(words[words.index("deploy.bootstrap.rbac") + 1 :]) == 0
            printed += capsys.readouterr().out
    for identity in ("preview", "drift", "deploy"):
        assert f"pulumi-{identity}-dev@project.iam.gserviceaccount.com" in printed
