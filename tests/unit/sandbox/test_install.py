"""The installation of Istio, and cert-manager's chart from its source."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import install
from sandbox.errors import SandboxError


class Commands:
    """Replaces every program, and fails on demand."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.stderr: dict[str, str] = {}

    def run(self, argv: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        """Record a command; fail if it has a word with an error."""
        self.seen.append(" ".join(argv))
        error = next((text for word, text in self.stderr.items() if word in argv), "")
        return subprocess.CompletedProcess(argv, int(bool(error)), "", error)

    def position(self, *words: str) -> int:
        """Return the position of the first command with all these words."""
        return next(n for n, command in enumerate(self.seen) if all(word in command for word in words))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(subprocess, "run", commands.run)
    return commands


def test_the_gateway_is_installed_after_the_injection_webhook_answers_and_gets_its_address(commands: Commands) -> None:
    install.istio(Path("/istio"))
    webhook = commands.position("kubectl create", "--dry-run=server")
    gateway = commands.position("helm", install.GATEWAY)
    assert webhook < gateway, "otherwise its Pod is refused, and its ReplicaSet backs off"
    assert f"service/{install.GATEWAY}" in commands.seen[-1], "the last command waits for the Service"
    assert "loadBalancer" in commands.seen[-1], "and for its address"


@pytest.mark.parametrize(
    ("word", "stderr", "message"),
    [
        ("istiod", "Error: kubeVersion", "release istiod could not be installed: Error: kubeVersion"),
        (f"service/{install.GATEWAY}", "error: timed out", r"service/istio-ingressgateway did not reach .*timed out"),
    ],
)
def test_a_failed_release_or_wait_is_named(commands: Commands, word: str, stderr: str, message: str) -> None:
    commands.stderr[word] = stderr
    with pytest.raises(SandboxError, match=message):
        install.istio(Path("/istio"))


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """The files of cert-manager's source that become the chart; read-only, as in a module cache."""
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


def test_cert_managers_chart_has_its_version_and_the_published_files(module: Path, tmp_path: Path) -> None:
    folder = tmp_path / "chart"
    install.write_cert_manager_chart(module, "v1.21.2", folder)
    metadata = yaml.safe_load((folder / "Chart.yaml").read_text())
    assert (metadata["version"], metadata["appVersion"]) == ("v1.21.2", "v1.21.2"), "images are named by appVersion"
    assert metadata["annotations"]["artifacthub.io/prerelease"] == "false", "v1.21.2 is a release"
    assert metadata["annotations"]["a"] == "b", "the source's own annotations stay"
    files = [file for file in folder.rglob("*") if file.is_file()]
    published = {".helmignore", "Chart.yaml", "README.md", "templates/NOTES.txt", "values.schema.json", "values.yaml"}
    assert {str(file.relative_to(folder)) for file in files} == published, "nothing for development only"
    assert all(file.stat().st_mode & 0o200 for file in files), "unlike a module cache, the copy can be removed"
