"""cert-manager's chart, from its source."""

from pathlib import Path

import pytest
import yaml

from sandbox import charts


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """cert-manager's source, as far as it is read; read-only, as a module cache is."""
    chart = tmp_path / "module" / "deploy" / "charts" / "cert-manager"
    files = {
        ".helmignore": ".git/\n",
        "Chart.yaml": "name: cert-manager\nannotations: {a: b}\nversion: v0.0.0\nappVersion: v0.0.0\n",
        "README.template.md": "Install {{RELEASE_VERSION}}.\n",
        "signkey_annotation.txt": "fingerprint: 00\n",
        "templates/NOTES.txt": "{{ .Chart.Version }}\n",
        "tests/deployment.yaml": "",
        "values.schema.json": "{}",
        "values.yaml": "crds: {enabled: false}\n",
    }
    for name, text in files.items():
        file = chart / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o444)
    return tmp_path / "module"


def test_the_chart_carries_the_modules_version(module: Path, tmp_path: Path) -> None:
    charts.cert_manager(module, "v1.21.2", tmp_path / "chart")
    metadata = yaml.safe_load((tmp_path / "chart" / "Chart.yaml").read_text())
    assert (metadata["version"], metadata["appVersion"]) == ("v1.21.2", "v1.21.2"), "images are named by appVersion"
    assert metadata["annotations"]["artifacthub.io/prerelease"] == "false", "v1.21.2 is a release"
    assert metadata["annotations"]["a"] == "b", "the source's own annotations stay"


def test_what_only_development_uses_is_left_out(module: Path, tmp_path: Path) -> None:
    charts.cert_manager(module, "v1.21.2", tmp_path / "chart")
    files = {str(file.relative_to(tmp_path / "chart")) for file in (tmp_path / "chart").rglob("*") if file.is_file()}
    published = {".helmignore", "Chart.yaml", "README.md", "templates/NOTES.txt", "values.schema.json", "values.yaml"}
    assert files == published, "the published chart holds these and its templates"


def test_the_chart_can_be_removed_and_made_again(module: Path, tmp_path: Path) -> None:
    charts.cert_manager(module, "v1.21.2", tmp_path / "chart")
    modes = [file.stat().st_mode & 0o200 for file in (tmp_path / "chart").rglob("*")]
    assert all(modes), "a module cache is read-only; its copy must not be"
