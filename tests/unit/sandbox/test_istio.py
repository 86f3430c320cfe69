"""How Istio is installed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox import istio
from sandbox.errors import SandboxError


class Commands:
    """Stands for every program; answers as told."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.stderr: dict[str, str] = {}

    def run(self, argv: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        """Record a command; fail where an error was set for a word of it."""
        self.seen.append(" ".join(argv))
        error = next((text for word, text in self.stderr.items() if word in argv), "")
        return subprocess.CompletedProcess(argv, int(bool(error)), "", error)

    def position(self, *words: str) -> int:
        """Where the first command with all these words is."""
        return next(n for n, command in enumerate(self.seen) if all(word in command for word in words))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The commands that were run, in order."""
    commands = Commands()
    monkeypatch.setattr(subprocess, "run", commands.run)
    return commands


def test_the_gateway_waits_for_the_injection_webhook(commands: Commands) -> None:
    istio.install(Path("/istio"))
    webhook = commands.position("kubectl create", "--dry-run=server")
    gateway = commands.position("helm", istio.GATEWAY)
    assert webhook < gateway, "a Pod made before the webhook answers is refused, and its ReplicaSet backs off"


def test_the_install_ends_with_the_gateways_address(commands: Commands) -> None:
    istio.install(Path("/istio"))
    last = commands.seen[-1]
    assert f"service/{istio.GATEWAY}" in last, "the program finds a Service with an address, as on GKE"
    assert "loadBalancer" in last, "being there is not having an address"


def test_a_release_that_fails_says_which_and_why(commands: Commands) -> None:
    commands.stderr["istiod"] = "Error: chart requires kubeVersion >= 99\n"
    with pytest.raises(SandboxError, match="release istiod could not be installed: Error: chart requires kubeVersion"):
        istio.install(Path("/istio"))


def test_a_wait_that_runs_out_says_for_what(commands: Commands) -> None:
    commands.stderr[f"service/{istio.GATEWAY}"] = "error: timed out waiting for the condition"
    with pytest.raises(SandboxError, match=r"service/istio-ingressgateway did not reach jsonpath=.*timed out"):
        istio.install(Path("/istio"))
