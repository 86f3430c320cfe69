"""What a sandbox needs from outside before its network is cut off: programs, module sources, plugins."""

from collections.abc import Iterable

from rich.console import Console

from sandbox import plugins, policies, tools
from sandbox.gobuild import Build
from sandbox.messages import Plan
from sandbox.progress import run_builds


def provide(console: Console) -> Plan:
    """Find, build or download everything, with progress for what takes time.

    Raises:
        SandboxError: a build or download failed.
    """
    programs = tools.wheels()
    builds = tools.builds()
    build_missing(console, builds)
    for build in builds:
        programs |= tools.resolve(build, lambda *_: None)
    providers = plugins.provide(programs["pulumi"])
    sources = {
        "istio": ("istio", tools.ISTIO),
        # The CRDs are of the version whose types istiod is compiled with.
        "gateway-api": ("istio", tools.GATEWAY_API),
        "cert-manager": ("cert-manager", tools.CERT_MANAGER),
        "pebble": ("pebble", tools.PEBBLE),
    }
    return Plan(
        programs=programs | providers | policies.programs(),
        modules={name: tools.module_folder(*source) for name, source in sources.items()},
        plugins=plugins.folder(),
        standins=tuple(name for name, path in providers.items() if plugins.is_standin(path)),
    )


def build_missing(console: Console, builds: Iterable[Build]) -> None:
    """Make the builds that are neither installed nor cached, with progress.

    Raises:
        SandboxError: a build failed.
    """
    run_builds(console, [build for build in builds if not tools.is_ready(build)], tools.resolve)
