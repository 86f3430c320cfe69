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


def test_its_jobs_install_as_ours_do() -> None:
    ours, theirs = (tomllib.loads((folder / "pyproject.toml").read_text()) for folder in (ROOT, TEMPLATE))
    key = "no-build-isolation-package"
    assert theirs["tool"]["uv"][key] == ours["tool"]["uv"][key]
    assert any(package.startswith("setuptools") for package in theirs["project"]["dependencies"]), "which builds it"


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
