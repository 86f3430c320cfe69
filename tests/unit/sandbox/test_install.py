"""The installation of charts: its failures, and cert-manager's chart from its source."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import install
from sandbox.errors import SandboxError


@pytest.mark.parametrize(
    ("word", "stderr", "message"),
    [
        ("istiod", "Error: kubeVersion", "release istiod could not be installed: Error: kubeVersion"),
        (f"service/{install.GATEWAY}", "error: timed out", r"service/istio-ingressgateway did not reach .*timed out"),
    ],
)
def test_a_failed_release_or_wait_is_named(
    monkeypatch: pytest.MonkeyPatch, word: str, stderr: str, message: str
) -> None:
    def run(argv: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(argv, int(word in argv), "", stderr if word in argv else "")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SandboxError, match=message):
        install.istio(Path("/istio"))


def test_cert_managers_chart_has_its_version_and_the_published_files(tmp_path: Path) -> None:
    source, folder = tmp_path / "module" / "deploy" / "charts" / "cert-manager", tmp_path / "chart"
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
        file = source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o444)  # as in a module cache
    install.write_cert_manager_chart(tmp_path / "module", "v1.21.2", folder)
    metadata = yaml.safe_load((folder / "Chart.yaml").read_text())
    assert (metadata["version"], metadata["appVersion"]) == ("v1.21.2", "v1.21.2"), "images are named by appVersion"
    annotations = metadata["annotations"]
    assert (annotations["artifacthub.io/prerelease"], annotations["a"]) == ("false", "b"), "the source's own stay"
    written = [file for file in folder.rglob("*") if file.is_file()]
    published = {".helmignore", "Chart.yaml", "README.md", "templates/NOTES.txt", "values.schema.json", "values.yaml"}
    assert {str(file.relative_to(folder)) for file in written} == published, "nothing for development only"
    assert all(file.stat().st_mode & 0o200 for file in written), "unlike a module cache, the copy can be removed"
