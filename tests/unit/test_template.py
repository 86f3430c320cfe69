"""examples/template: what `pulumi new` copies is what this repository runs."""

from pathlib import Path

import yaml

from config.models import Settings
from hatch_build import program

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "examples" / "template"


def test_its_program_is_ours() -> None:
    update = "python hatch_build.py > examples/template/__main__.py"
    assert (TEMPLATE / "__main__.py").read_text() == program(), update


def test_its_stacks_are_ours() -> None:
    for name in ("Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        assert (TEMPLATE / name).read_text() == (ROOT / name).read_text(), f"cp {name} examples/template/"


def test_its_project_is_ours_and_asks_for_what_has_no_default() -> None:
    project = yaml.safe_load((TEMPLATE / "Pulumi.yaml").read_text())
    template = project.pop("template")
    assert project == yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    asked = {key: value["description"].lower() for key, value in template["config"].items()}
    # A prompt sets a whole key: it cannot ask for a value inside of one.
    plain = {
        field.alias: (field.description or "").lower()
        for field in Settings.model_fields.values()
        if field.is_required() and field.annotation is str
    }
    assert asked == plain
