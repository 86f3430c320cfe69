"""A runner for the shell steps of the workflows, with fake programs that record how they are called."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.unit.deploy import fake_program

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = ROOT / ".github/actions/setup/action.yml"
CODE = ROOT / ".github/actions/code/action.yml"
WORKFLOWS: dict[str, Any] = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
JOBS: list[tuple[str, str, dict[str, Any]]] = [
    (name, id_, job) for name, workflow in WORKFLOWS.items() for id_, job in workflow["jobs"].items()
]
"""Workflow, job, and the job's content."""
# YAML 1.1 reads the key `on` as true.
EVENTS: dict[str, Any] = {name: workflow[True] for name, workflow in WORKFLOWS.items()}

GITHUB = "gh api repos/acme/gateway"
"""The beginning of a command that reads something of the repository."""


def step(workflow: str, job: str, having: str) -> dict[str, Any]:
    """The shell step of a job that contains a text."""
    (matching,) = [item for item in WORKFLOWS[workflow]["jobs"][job]["steps"] if having in item.get("run", "")]
    return dict(matching)


def executable(path: Path, script: str) -> None:
    """Write a program."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


class Machine:
    """A runner whose programs only record how they are called, and answer as a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._answers: list[tuple[str, str, int]] = []
        for name in ("gh", "pulumi", "python", "python3", "uv"):
            self.install(name)
        (folder / "calls").touch()
        self.answer("gh api", "gh: Not Found (HTTP 404)", 1)
        self.answer("gh api --method")
        self.answer("gh api --paginate", [[]])
        self.answer(f"{GITHUB}/commits/main", {"sha": "abc123"})
        self.answer("python -m tlsctl policy-pack", "policies\n")

    def install(self, name: str) -> None:
        """Add a program."""
        fake = self.folder / name
        # Without site-packages it starts in a third of the time.
        fake.write_text(f"#!{sys.executable} -S\n" + Path(fake_program.__file__).read_text())
        fake.chmod(0o755)

    def answer(self, command: str, output: Any = "", code: int = 0) -> None:
        """Have commands that begin like this print a text or JSON, to standard error if they fail."""
        text = output if isinstance(output, str) else json.dumps(output)
        self._answers.append((command, text, code))
        (self.folder / "answers").write_text(json.dumps(self._answers))

    def run(self, step: dict[str, Any], **env: str) -> subprocess.CompletedProcess[str]:
        """Run a step as GitHub does; `env` has the values of its expressions."""
        constants = {key: value for key, value in step.get("env", {}).items() if "${{" not in str(value)}
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "FAKES": str(self.folder),
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/gateway",
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_RUN_ID": "7",
            "GITHUB_SHA": "abc123",
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "RUNNER_TEMP": str(self.folder),
            "PULUMI_BACKEND_URL": "gs://platform-pulumi-dev",
            **constants,
            **env,
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def calls(self, beginning: str) -> list[str]:
        """The commands that begin like this."""
        return [command for command, _ in self._calls() if command.startswith(beginning)]

    def written(self) -> list[tuple[str, dict[str, Any]]]:
        """The requests that changed something at GitHub: method and path, and the body."""
        return [
            (command.removeprefix("gh api --method ").removesuffix(" --input -"), json.loads(body))
            for command, body in self._calls()
            if body
        ]

    def _calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
