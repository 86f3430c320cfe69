"""The wheel, in an environment of its own without a network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox import paths

PROJECT = Path(__file__).parents[2]
TIMEOUT = 300


def run(*argv: str | Path, cwd: Path = PROJECT, **environment: str) -> str:
    """Return what a program prints."""
    done = subprocess.run(
        list(map(str, argv)), cwd=cwd, env=os.environ | environment,
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(map(str, argv))} failed: {done.stdout}{done.stderr}"
    return done.stdout


def make_environment(venv: Path, *extras: str) -> None:
    """Make an environment with what the wheel needs, and what some of its extras do."""
    uv = shutil.which("uv") or paths.cache() / "uv" / "bin" / "uv"
    options = [option for extra in extras for option in ("--extra", extra)]
    # The packages are those of the clone's lock, which are in uv's cache since `make .venv`.
    run(uv, "sync", "--frozen", "--offline", "--no-default-groups", *options, UV_PROJECT_ENVIRONMENT=str(venv))
    # The engine's Python language host lists packages with pip.
    run(venv / "bin" / "python", "-m", "ensurepip")


def build(index: Path, version: str) -> None:
    """Add the wheel to a folder, under a version."""
    argv = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", index)
    run(*argv, SETUPTOOLS_SCM_PRETEND_VERSION=version)


def install(venv: Path, index: Path, requirement: str) -> str:
    """Install the newest wheel of a folder that a requirement accepts, and return its version."""
    python = venv / "bin" / "python"
    options = ("--no-index", "--find-links", index, "--no-deps", "--upgrade")
    run(python, "-m", "pip", "install", *options, requirement)
    return run(python, "-c", "from importlib.metadata import version; print(version('istio-gateway-tls'))").strip()


def activate(venv: Path, folder: Path) -> dict[str, str]:
    """Return the variables with which the engine runs programs in an environment; the folder is for its plugins."""
    for provider in ("kubernetes", "gcp"):
        # A stand-in runs with the `python` on PATH, which has to be the sandbox's and not the program's.
        if stand_in := shutil.which(f"pulumi-resource-{provider}"):
            plugin = folder / f"pulumi-resource-{provider}"
            script(plugin, f'PATH="{paths.VENV_BIN}:$PATH" exec "{stand_in}" "$@"')
    return {
        "PATH": os.pathsep.join([str(folder), str(venv / "bin"), os.environ["PATH"]]),
        "VIRTUAL_ENV": str(venv),
    }


def script(path: Path, command: str) -> None:
    """Write a program of one command."""
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
