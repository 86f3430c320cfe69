"""What a sandbox needs from outside before its network is cut off: programs, module sources, plugins."""

from typing import Any

from rich.console import Console

from sandbox import plugins, policies, tools
from sandbox.progress import task

_MODULES = {
    "istio": "istio.io/istio",
    "cert-manager": tools.CERT_MANAGER,
    "pebble": "github.com/letsencrypt/pebble/v2",
}
"""Modules whose source is used beside their programs (charts, CRDs, a test CA), by build."""


def make(console: Console) -> dict[str, Any]:
    """Resolve everything, showing progress for what takes time; the result is what `sandbox.init` reads.

    Raises:
        SandboxError: something could not be built or downloaded.
    """
    programs = tools.wheels()
    builds = tools.builds()
    for number, build in enumerate(builds, 1):
        title = f"build {', '.join(build.programs)}"
        if tools.is_ready(build):
            programs |= tools.resolve(build, lambda _: None)
            continue
        with task(console, number, len(builds), title) as report:
            programs |= tools.resolve(build, report)
    standins = plugins.standins(programs["pulumi"])
    return {
        "tools": {name: str(path) for name, path in (programs | standins | policies.programs()).items()},
        "modules": {name: str(tools.module_folder(name, module)) for name, module in _MODULES.items()},
        "plugins": str(plugins.folder()),
        "standins": sorted(standins),
    }
