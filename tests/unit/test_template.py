"""examples/template: what `pulumi new` copies is what this repository runs."""

import re
import tomllib

import yaml

from config.models import Settings
from deploy import template
from deploy.template import ROOT, TEMPLATE


def test_its_files_are_ours() -> None:
    for file, content in template.files():
        assert file.read_text() == content, f"{file.relative_to(ROOT)}: uv run python -m deploy.template"


def test_its_workflows_call_those_of_its_release() -> None:
    called = re.findall(r"uses: (\S+)@(\S+)", "".join(content for _, content in template.files()))
    assert len(called) == 6, "two previews and updates, drift and comments"
    for workflow, version in called:
        assert (ROOT / workflow.removeprefix(f"{template.REPOSITORY}/")).is_file()
        assert version == f"v{template.version()}"


def test_the_readme_makes_a_repository_of_the_same_release() -> None:
    named = re.findall(r"pulumi new \S+/tree/(\S+?)/(\S+)", (ROOT / "README.md").read_text())
    assert named == [(f"v{template.version()}", "examples/template")]


def test_it_builds_with_the_setuptools_that_ours_is_tested_with() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    (version,) = (package["version"] for package in lock["package"] if package["name"] == "setuptools")
    settings = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["tool"]["uv"]
    assert settings["build-constraint-dependencies"] == [f"setuptools=={version}"], "sslyze has no wheel"


def test_its_project_is_ours_and_asks_for_what_has_no_default() -> None:
    project = yaml.safe_load((TEMPLATE / "Pulumi.yaml").read_text())
    asking = project.pop("template")
    assert project == yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    asked = {key: value["description"].lower() for key, value in asking["config"].items()}
    # A prompt sets a whole key: it cannot ask for a value inside of one.
    plain = {
        field.alias: (field.description or "").lower()
        for field in Settings.model_fields.values()
        if field.is_required() and field.annotation is str
    }
    assert asked == plain
