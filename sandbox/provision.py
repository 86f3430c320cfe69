"""What a sandbox needs from outside before its network is cut off: programs, module sources, plugins."""

from collections.abc import Iterable

from rich.console import Console

from sandbox import plugins, policies, tools
from sandbox.plan import Modules, Plan
from sandbox.progress import Builds
from sandbox.tools import Build


def provide(console: Console) -> Plan:
    """Find, build or download everything, showing progress for what takes time.

    Raises:
        SandboxError: something could not be built or downloaded.
    """
    programs = tools.wheels()
    builds = tools.builds()
    build(console, builds)
    for each in builds:
        programs |= tools.resolve(each, lambda *_, **__: None)
    providers = plugins.provide(programs["pulumi"])
    modules = Modules(
        istio=tools.module_folder("istio", tools.ISTIO),
        cert_manager=tools.module_folder("cert-manager", tools.CERT_MANAGER),
        pebble=tools.module_folder("pebble", tools.PEBBLE),
    )
    return Plan(
        programs=programs | providers | policies.programs(),
        modules=modules,
        plugins=plugins.folder(),
        standins=tuple(name for name, path in providers.items() if plugins.is_standin(path)),
    )


def build(console: Console, builds: Iterable[Build]) -> None:
    """Make those builds that are neither installed nor cached, showing progress.

    Raises:
        SandboxError: one of them failed.
    """
    missing = [each for each in builds if not tools.is_ready(each)]
    shown = Builds(console, [each.usual for each in missing])
    for each in missing:
        with shown.next(", ".join(each.programs)) as report:
            tools.resolve(each, report)
