"""The failures of an installation; the suite has what succeeds."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox import install
from sandbox.errors import SandboxError


@pytest.mark.parametrize(
    ("word", "stderr", "message"),
    [
        ("istiod", "Error: kubeVersion", "release istiod could not be installed: Error: kubeVersion"),
        (f"service/{install.GATEWAY}", "error: timed out", r"service/istio-ingressgateway did not reach .*timed out"),
        ("apply", "error: forbidden", "CRDs of the Gateway API were refused: error: forbidden"),
        ("crd/httproutes.gateway.networking.k8s.io", "error: timed out", "are not served: error: timed out"),
    ],
)
def test_a_failed_release_or_wait_is_named(
    monkeypatch: pytest.MonkeyPatch, word: str, stderr: str, message: str
) -> None:
    def run(argv: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(argv, int(word in argv), "", stderr if word in argv else "")

    def everything() -> None:
        install.gateway_api(Path("/gateway-api"))
        install.istio(Path("/istio"))

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SandboxError, match=message):
        everything()
