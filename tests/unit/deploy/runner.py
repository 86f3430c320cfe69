"""A runner for the shell steps of the workflows, with fake programs that record how they are called."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.unit.deploy import fake_programs

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = ROOT / ".github/actions/setup/action.yml"
WORKFLOWS: dict[str, Any] = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
JOBS: list[tuple[str, str, dict[str, Any]]] = [
    (name, id_, job) for name, workflow in WORKFLOWS.items() for id_, job in workflow["jobs"].items()
]
"""Workflow, job, and the job's content."""
# YAML 1.1 reads the key `on` as true.
EVENTS: dict[str, Any] = {name: workflow[True] for name, workflow in WORKFLOWS.items()}

COMMANDS = {"add-mask", "add-path", "debug", "error", "group", "notice", "set-env", "set-output", "warning"}
"""Some of the commands that a runner obeys."""


def steps(workflow: str, job: str) -> list[dict[str, Any]]:
    """The shell steps of a job, those of the action `setup` included."""
    shell_steps: list[dict[str, Any]] = []
    for item in WORKFLOWS[workflow]["jobs"][job].get("steps", []):
        if item.get("uses") == "./.github/actions/setup":
            shell_steps += [inner for inner in yaml.safe_load(ACTION.read_text())["runs"]["steps"] if "run" in inner]
        elif "run" in item:
            shell_steps.append(item)
    return shell_steps


def step(workflow: str, job: str, having: str) -> dict[str, Any]:
    """The shell step of a job that contains a text."""
    matching = [item for item in steps(workflow, job) if having in item["run"]]
    assert len(matching) == 1, f"{workflow}.{job} has {len(matching)} steps with {having}"
    return matching[0]


@dataclass
class Machine:
    """A runner whose programs only record how they are called."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("gh", "make", "pulumi", "python", "python3", "sudo", "uv"):
            fake = self.folder / name
            # Without site-packages it starts in a third of the time.
            fake.write_text(f"#!{sys.executable} -S\n" + Path(fake_programs.__file__).read_text())
            fake.chmod(0o755)
        self.state(
            calls=[], fail=[], prints={}, config={}, comments=[], issues=[], artifacts=[], pulls={},
            head="abc123", reviewers={"dev": [], "prod": ["ann"], "prod-preview": ["ann"]},
        )  # fmt: skip

    def state(self, **changes: Any) -> dict[str, Any]:
        file = self.folder / "state.json"
        state: dict[str, Any] = {**(json.loads(file.read_text()) if file.exists() else {}), **changes}
        file.write_text(json.dumps(state))
        return state

    def run(self, step: dict[str, Any], **env: str) -> subprocess.CompletedProcess[str]:
        """Run a step as GitHub does; `env` has the values of its expressions."""
        constants = {key: value for key, value in step.get("env", {}).items() if "${{" not in str(value)}
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "FAKES": str(self.folder / "state.json"),
            "PYTHON": sys.executable,
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/gateway",
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_RUN_ID": "7",
            "GITHUB_SHA": "abc123",
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder),
            "PULUMI_BACKEND_URL": "gs://platform-pulumi-dev",
            **constants,
            **env,
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def calls(self, program: str) -> list[str]:
        return [" ".join(call[1:]) for call in self.state()["calls"] if call[0] == program]


def obeyed(log: str) -> Iterator[str]:
    """Yield the commands that a runner would obey in a step's log.

    As actions/runner reads lines: src/Runner.Common/ActionCommand.cs and src/Runner.Worker/ActionCommandManager.cs.
    """
    token = None
    for line in log.splitlines():
        known = COMMANDS | {"stop-commands"} | ({token} if token else set())
        modern = re.match(r"\s*::([^ :]+)[^:]*?::(.*)", line)
        legacy = re.search(r"##\[([^ \]]+)[^\]]*\](.*)", line)
        command = next((match for match in (modern, legacy) if match and match[1] in known), None)
        if not command:
            continue
        if token:
            token = None if command[1] == token else token
        elif command[1] == "stop-commands":
            token = command[2]
        else:
            yield command[1]
