"""What stays light: the rules and the settings know nothing of pulumi, and commands load what they need."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SPECS = [f"components.specs.{file.stem}" for file in (PROJECT / "components" / "specs").glob("[a-z]*.py")]


def loaded(*modules: str, after: str = "pass") -> set[str]:
    """The packages that a fresh interpreter has once it has imported these."""
    code = f"import {', '.join(modules)}, json, sys\n{after}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stderr)}


def test_the_specs_are_a_leaf() -> None:
    assert not {"pulumi", "pydantic", "kubernetes", "cryptography"} & loaded(*SPECS)


def test_the_settings_know_nothing_of_pulumi() -> None:
    assert not {"pulumi", "pulumi_gcp", "pulumi_kubernetes", "kubernetes"} & loaded("config.reading")


def test_verify_knows_nothing_of_pulumi_and_the_composition() -> None:
    assert not {"pulumi", "pulumi_gcp", "pulumi_kubernetes", "config.args"} & loaded(
        "tlsctl.verify.run",
        "tlsctl.verify.environment",
        "components.kube.load_balancer",
        "components.kube.client",
        "tlsctl.verify.command",
    )


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["recover", "--help"], ["adopt", "--help"]])
def test_the_help_of_tlsctl_loads_nothing_that_takes_long(arguments: list[str]) -> None:
    after = f"try:\n    tlsctl.__main__.main({arguments})\nexcept SystemExit:\n    pass"
    assert not {"rich", "config.models", "kubernetes", "sslyze", "dns"} & loaded("tlsctl.__main__", after=after)
