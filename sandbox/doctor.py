"""What this machine lacks for a sandbox, and the command that adds it."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from sandbox import paths, plugins, tools
from sandbox.errors import SandboxError
from sandbox.progress import task

_FIX_TIMEOUT = 600
_SPACE = 12 * 2**30
"""Bytes that the tools, their sources and Go's build cache take."""


@dataclass(frozen=True)
class Check:
    """One thing that has to be there."""

    name: str
    why: str
    present: Callable[[], bool]
    remedy: str
    packages: tuple[str, ...] = ()
    """Debian packages that add it."""


def checks(*, tests: bool = False) -> list[Check]:
    """Everything a sandbox needs of its machine, and with `tests` what `make test` needs; there or not."""
    needed = [
        Check("Linux", "has the namespaces", lambda: platform.system() == "Linux", "use a Linux machine"),
        Check("go", "builds the control planes", lambda: bool(_which("go")), "https://go.dev/doc/install"),
        Check("unshare and nsenter", "make and enter the namespaces", lambda: _which("unshare", "nsenter"),
              "apt-get install -y util-linux", ("util-linux",)),
        Check("ip", "connects the Pods", lambda: _which("ip"), "apt-get install -y iproute2", ("iproute2",)),
        Check("nft", "kube-proxy writes Service addresses with it", lambda: _which("nft"),
              "apt-get install -y nftables", ("nftables",)),
        Check("user namespaces", "a sandbox needs no root", _user_namespaces,
              "sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"),
        Check("12 GiB of disk", "for sources and builds", _space, f"make room on the disk of {paths.cache()}"),
    ]  # fmt: skip
    if tests:
        needed.append(
            Check("promtool", "tests the alert rules", lambda: _which("promtool"),
                  "apt-get install -y --no-install-recommends prometheus", ("prometheus",))
        )  # fmt: skip
    return needed


def require(*, fix: bool, tests: bool = False) -> None:
    """Return when nothing is missing.

    Raises:
        SandboxError: names everything that is missing, with the commands that add it.
    """
    missing = [check for check in checks(tests=tests) if not check.present()]
    if missing and fix:
        _install([package for check in missing for package in check.packages])
        missing = [check for check in missing if not check.present()]
    if missing:
        lines = [f"  {check.name} ({check.why}): {check.remedy}" for check in missing]
        raise SandboxError("This machine lacks what a sandbox needs:\n" + "\n".join(lines))


def run(console: Console, *, fix: bool, tests: bool = False) -> int:
    """Print every check; returns 0 when nothing is missing, else 1."""
    if fix:
        require(fix=True, tests=tests)
    for_tests = tools.TEST_BUILDS if tests else ()
    missing = [build for build in for_tests if fix and not tools.is_ready(build)]
    for number, build in enumerate(missing, 1):
        with task(console, number, len(missing), f"build {build.folder}") as report:
            tools.resolve(build, report)
    good = True
    for check in checks(tests=tests):
        present = check.present()
        good = good and present
        mark = "[green]ok[/]     " if present else "[red]missing[/]"
        console.print(f"{mark}  {check.name}: {check.why}" + ("" if present else f"\n         {check.remedy}"))
    for build in (*tools.builds(), *for_tests):
        state = "[green]ok[/]     " if tools.is_ready(build) else "[dim]to build[/]"
        console.print(f"{state}  {', '.join(build.programs)}")
    for provider in ("kubernetes", "gcp"):
        version = plugins.version(provider)
        if plugins.present(provider):
            console.print(f"[green]ok[/]       pulumi-resource-{provider} {version}")
        else:
            console.print(
                f"[yellow]stand-in[/] pulumi-resource-{provider}: for the real one,\n"
                f"         pulumi plugin install resource {provider} {version}"
            )
    return 0 if good else 1


def _install(packages: list[str]) -> None:
    if not packages or not shutil.which("apt-get"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if sudo and not shutil.which("sudo"):
        return
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
    ):
        try:
            result = subprocess.run(
                [*sudo, *command], capture_output=True, text=True, timeout=_FIX_TIMEOUT, check=False,
                stdin=subprocess.DEVNULL, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise SandboxError(f"`{' '.join(command)}` took longer than {_FIX_TIMEOUT} s.") from error
        if result.returncode:
            raise SandboxError(f"`{' '.join(command)}` failed:\n{result.stderr.strip()}")


def _which(*programs: str) -> bool:
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return all(shutil.which(program, path=search) for program in programs)


def _user_namespaces() -> bool:
    try:
        result = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"],
            capture_output=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def _space() -> bool:
    if all(tools.is_ready(build) for build in tools.builds()):
        return True
    folder = next(folder for folder in (paths.cache(), *paths.cache().parents) if folder.exists())
    return shutil.disk_usage(folder).free > _SPACE
