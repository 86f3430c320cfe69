"""What a sandbox needs from outside before its network is cut off: programs, module sources, plugins."""

import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from rich.console import Console

from sandbox import download, modules, plugins, policies, releases, tools
from sandbox.gobuild import Build
from sandbox.messages import Plan
from sandbox.progress import run_builds
from sandbox.web import DownloadError

SOURCES = {
    "istio": ("istio", tools.ISTIO, "manifests/charts", "tools/packaging/common/envoy_bootstrap.json"),
    # The CRDs are of the version whose types istiod is compiled with.
    "gateway-api": ("istio", tools.GATEWAY_API, "config/crd/standard"),
    "cert-manager": ("cert-manager", tools.CERT_MANAGER, "deploy/charts/cert-manager"),
    "pebble": ("pebble", tools.PEBBLE, "test/certs"),
}
"""The build that pins each module, the module, and what of it a sandbox reads."""


def provide(console: Console) -> Plan:
    """Find, download or build everything, with progress for what takes time.

    Raises:
        SandboxError: a build or download failed.
    """
    programs = tools.wheels()
    builds = tools.builds()
    make_missing(console, builds)
    for build in builds:
        programs |= tools.resolve(build, lambda *_: None)
    providers = plugins.provide(programs["pulumi"])
    return Plan(
        programs=programs | providers | policies.programs(),
        modules={name: modules.folder(*source) for name, source in SOURCES.items()},
        plugins=plugins.folder(),
        standins=tuple(name for name, path in providers.items() if plugins.is_standin(path)),
    )


def make_missing(console: Console, builds: Iterable[Build]) -> None:
    """Download the programs that are neither installed nor cached, and build those that cannot be downloaded.

    Each is kept as soon as it is complete, whatever becomes of the others.

    Raises:
        SandboxError: a build failed.
    """
    missing = [build for build in builds if not tools.is_ready(build)]
    _download(console, missing)
    run_builds(console, [build for build in missing if not tools.is_ready(build)], tools.resolve)


def _download(console: Console, builds: Iterable[Build]) -> None:
    wanted = {release.digest: release for build in builds for release in releases.covering(build.programs)}
    refused: set[str] = set()
    for release in wanted.values():
        host = urlsplit(release.url).netloc
        if release.folder.is_dir() or host in refused:
            continue
        names, began, size = ", ".join(release.programs), time.monotonic(), 0

        def report(received: int, names: str = names) -> None:
            nonlocal size
            size = received
            status.update(f"downloading {names}  {size / 1e6:.0f} MB")

        with console.status(f"downloading {names}") as status:
            try:
                download.fetch(release, report)
                line = f"download {names}  {size / 1e6:.0f} MB  {time.monotonic() - began:.1f} s"
            except DownloadError as error:
                # Its other files are not asked for: each would be waited for as long.
                refused.add(host)
                line = f"not downloaded: {names}: {error}. It is built instead."
        console.print(line, markup=False, soft_wrap=True)
