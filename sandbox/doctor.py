"""What a sandbox needs of its machine, and the commands that add what is missing."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sandbox import chromium, forecast, mounts, paths, plugins, provision, releases, tools
from sandbox.errors import SandboxError
from sandbox.gobuild import Build
from sandbox.instance import NAMESPACES

_FIX_TIMEOUT = 600
_SPACE = 12 * 2**30
"""Bytes of the tools, their sources and Go's build cache."""

_ALLOWED = {
    "kernel.unprivileged_userns_clone": "1",
    "kernel.apparmor_restrict_unprivileged_userns": "0",
}
"""The sysctls that allow user namespaces, on kernels that have them."""


@dataclass(frozen=True)
class Check:
    """One requirement."""

    name: str
    why: str
    present: Callable[[], bool]
    fix: str
    packages: tuple[str, ...] = ()
    """The Debian packages that add it."""


def checks(*, tests: bool = False) -> list[Check]:
    """Return the requirements of a sandbox, and with `tests` those of `make test`."""
    to_build = forecast.to_build((*tools.builds(), *(tools.TEST_BUILDS if tests else ())))
    requirements = [
        Check("Linux", "has the namespaces", lambda: platform.system() == "Linux", "use a Linux machine"),
        Check("go", _go_builds(to_build), lambda: not to_build or _which("go"), "https://go.dev/doc/install"),
        _packaged("unshare, nsenter and setpriv", "make and enter the namespaces", "util-linux",
                  "unshare", "nsenter", "setpriv"),
        _packaged("hostname", "names the Pods", "hostname", "hostname"),
        _packaged("ip", "connects the Pods", "iproute2", "ip"),
        _packaged("nft", "kube-proxy writes Service addresses with it", "nftables", "nft"),
        Check("user namespaces", "a sandbox needs no root", _user_namespaces, _user_namespaces_fix()),
        Check("/etc/resolv.conf", "a sandbox's own is mounted over it", mounts.resolver_can_be_covered,
              mounts.fix(mounts.RESOLVER.resolve())),
        Check("12 GiB of disk", "for sources and builds", lambda: not to_build or _space(),
              f"make room on the disk of {paths.cache()}"),
    ]  # fmt: skip
    if tests:
        requirements.append(_packaged("promtool", "tests the alert rules", "prometheus", "promtool"))
    return requirements


def require(*, fix: bool, tests: bool = False) -> None:
    """Return if nothing is missing, or with `fix` after adding it.

    Raises:
        SandboxError: something is missing; names it with the commands that add it.
    """
    missing = [check for check in checks(tests=tests) if not check.present()]
    failure = ""
    if missing and fix:
        failure = _install([package for check in missing for package in check.packages])
        missing = [check for check in missing if not check.present()]
    if missing:
        lines = [f"  {check.name} ({check.why}): {check.fix}" for check in missing]
        raise SandboxError("This machine lacks what a sandbox needs:\n" + "\n".join(lines) + failure)


def run(console: Console, *, fix: bool, tests: bool = False) -> int:
    """Print every check; return 0 if nothing is missing, else 1.

    Raises:
        SandboxError: with `fix`, if something could not be added.
    """
    for_tests = tools.TEST_BUILDS if tests else ()
    if fix:
        require(fix=True, tests=tests)
        provision.make_missing(console, for_tests)
        if tests:
            chromium.install(console)
    complete = True
    for check in checks(tests=tests):
        present = check.present()
        complete = complete and present
        mark = "[green]ok[/]     " if present else "[red]missing[/]"
        console.print(f"{mark}  {check.name}: {check.why}" + ("" if present else f"\n         {check.fix}"))
    for build in (*tools.builds(), *for_tests):
        missing = "[dim]to load[/] " if releases.covering(build.programs) else "[dim]to build[/]"
        state = "[green]ok[/]     " if tools.is_ready(build) else missing
        console.print(f"{state}  {', '.join(build.programs)}")
    if tests and chromium.is_for_this_machine():
        console.print(("[green]ok[/]     " if chromium.is_ready() else "[dim]to load[/] ") + "  chromium")
    for provider in plugins.PROVIDERS:
        version = plugins.version(provider)
        if plugins.present(provider):
            console.print(f"[green]ok[/]       pulumi-resource-{provider} {version}")
        else:
            console.print(
                f"[yellow]stand-in[/] pulumi-resource-{provider}: for the real one,\n"
                f"         pulumi plugin install resource {provider} {version}"
            )
    return 0 if complete else 1


def _packaged(name: str, why: str, package: str, *programs: str) -> Check:
    fix = f"{_sudo()}apt-get install -y --no-install-recommends {package}"
    return Check(name, why, lambda: _which(*programs), fix, (package,))


def _go_builds(builds: list[Build]) -> str:
    programs = [program for build in builds for program in build.programs]
    return f"builds {', '.join(programs)}" if programs else "not needed: nothing has to be built"


def _install(packages: list[str]) -> str:
    """Install Debian packages, as root or by a sudo without a password; return the error, if there is one."""
    if not packages or not shutil.which("apt-get"):
        return ""
    sudo = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if sudo and not shutil.which("sudo"):
        return ""
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
    ):
        try:
            result = subprocess.run(
                [*sudo, *command], capture_output=True, text=True, timeout=_FIX_TIMEOUT, check=False,
                stdin=subprocess.DEVNULL, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"\n`{' '.join(command)}` took longer than {_FIX_TIMEOUT} s."
        if result.returncode:
            return f"\n`{' '.join([*sudo, *command])}` failed: {result.stderr.strip()}"
    return ""


def _sudo() -> str:
    return "" if os.geteuid() == 0 else "sudo "


def _which(*programs: str) -> bool:
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return all(shutil.which(program, path=search) for program in programs)


def _user_namespaces() -> bool:
    try:
        result = subprocess.run(
            ["unshare", *NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/run"],
            capture_output=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def _user_namespaces_fix() -> str:
    """Return the command that changes the forbidding settings of this kernel, or else a hint."""
    settings = []
    for name, value in _ALLOWED.items():
        file = Path("/proc/sys", name.replace(".", "/"))
        if file.exists() and file.read_text().strip() != value:
            settings.append(f"{name}={value}")
    if settings:
        return f"{_sudo()}sysctl -w {' '.join(settings)}"
    return (
        "allow them in the kernel (CONFIG_USER_NS, user.max_user_namespaces); a container also needs the right to "
        "create them and to mount /proc"
    )


def _space() -> bool:
    folder = next(folder for folder in (paths.cache(), *paths.cache().parents) if folder.exists())
    return shutil.disk_usage(folder).free > _SPACE
