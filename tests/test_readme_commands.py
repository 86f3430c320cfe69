"""What the README tells a user to type, typed: every line of its `sh` blocks, in order, in this checkout."""

import os
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
TIMEOUT = 3600
"""Seconds for one command; the first `make up` on a machine builds the tools."""

NEEDS_A_CLOUD = re.compile(r"gcloud |pulumi (-C bootstrap|login|stack init|preview|up)\b")
"""Commands for a GKE cluster and a state bucket, which no test has; the sandbox's tests run pulumi's own."""
IS_THIS_TEST = "make test"

BLOCKS = re.findall(r"```sh\n(.*?)```", (PROJECT / "README.md").read_text(), flags=re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if line.strip()]
COMMANDS = [line for line in LINES if line != IS_THIS_TEST and not NEEDS_A_CLOUD.match(line)]


@pytest.mark.readme
def test_every_command_of_the_readme_does_what_it_says() -> None:
    # A sandbox of its own name, so that one that the developer has up is left alone.
    environment = os.environ | {"SANDBOX": f"readme-{os.getpid()}"}
    printed = {}
    try:
        for command in COMMANDS:
            done = subprocess.run(
                ["bash", "-c", command], cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT, check=False,
            )  # fmt: skip
            print(f"$ {command}\n{done.stdout}")
            assert done.returncode == 0, f"`{command}` of the README failed:\n{done.stdout}"
            printed[command] = done.stdout
    finally:
        subprocess.run(["make", "down"], cwd=PROJECT, env=environment, timeout=TIMEOUT, check=True)
    first = printed["make up"]
    assert "https://shop.sandbox.test  200" in first, "make up ends with a host that answered over verified HTTPS"
    assert "301 https://shop.sandbox.test/" in first, "and with its redirect from plain HTTP"
    listed = next(text for command, text in printed.items() if "kubectl get certificate" in command)
    assert "istio-ingressgateway-certs" in listed, "the program's Certificate is in the API server"
    page = next(text for command, text in printed.items() if "curl" in command)
    assert '"app"' in page, "the demo application answered through the gateway, verified by curl"
