"""What a sandbox needs from outside before its network is cut off: programs, module sources, plugins."""

from rich.console import Console

from sandbox import plugins, policies, tools
from sandbox.plan import Modules, Plan
from sandbox.progress import Builds


def provide(console: Console) -> Plan:
    """Find, build or download everything, showing progress for what takes time.

    Raises:
        SandboxError: something could not be built or downloaded.
    """
    programs = tools.wheels()
    builds = tools.builds()
    missing = [build for build in builds if not tools.is_ready(build)]
    shown = Builds(console, [build.usual for build in missing])
    for build in missing:
        with shown.next(", ".join(build.programs)) as report:
            tools.resolve(build, report)
    for build in builds:
        programs |= tools.resolve(build, lambda *_, **__: None)
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
