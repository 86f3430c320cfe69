"""cert-manager: where its chart is, which version is pinned, and which versions are refused."""

import re

CHART = "oci://quay.io/jetstack/charts/cert-manager"
"""The chart's recommended home; charts.jetstack.io is the legacy one."""

VERSION = "v1.21.2"

ACCEPTED = "a chart version (vX.Y.Z): 1.19.6 and later of 1.19, 1.20.3 and later of 1.20, 1.21.2 and later"

_FIRST_GOOD = {(1, 19): 6, (1, 20): 3, (1, 21): 2}
"""The first patch of a minor version that is accepted."""


def check_version(value: str) -> str:
    """Return a version, with its leading `v`.

    Raises:
        ValueError: it is no version, or one with a known fault.
    """
    numbers = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)", value)
    if not numbers:
        raise ValueError("is not a chart version")
    major, minor, patch = (int(number) for number in numbers.groups())
    if (major, minor) == (1, 21) and patch < _FIRST_GOOD[1, 21]:
        raise ValueError("misses changes of Secrets (1.21.0) and renews in a loop with ARI (1.21.0 and 1.21.1)")
    if (major, minor) < (1, 19) or patch < _FIRST_GOOD.get((major, minor), 0):
        raise ValueError("is open to GHSA-8rvj-mm4h-c258 (severity high)")
    return f"v{value.removeprefix('v')}"
