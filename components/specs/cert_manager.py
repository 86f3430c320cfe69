"""cert-manager: its API groups, its chart, the digest that identifies it, and the versions that are refused.

What is checked is returned, or refused by a ValueError whose text is the reason alone.
"""

import re
from collections.abc import Mapping
from typing import Any

GROUP = "cert-manager.io"
ACME_GROUP = f"acme.{GROUP}"
"""The API groups: an Order and a Challenge are of the second."""

API = f"{GROUP}/v1"
ACME_API = f"{ACME_GROUP}/v1"

SOLVER_LABEL = f"{ACME_GROUP}/http01-solver"
"""A label of the Pods, Services and routes that answer an HTTP-01 challenge."""

CHART = "oci://quay.io/jetstack/charts/cert-manager"
"""The chart's recommended home; charts.jetstack.io is the legacy one."""

VERSION = "v1.21.2"

DIGEST = "sha256:634dce9c13b56677a2c05e2ab76c312d0be2664022d5dd05815da67e1fd5f610"
"""Of the manifest of `CHART` at `VERSION`, as `helm pull` prints it; a new version comes with a new one."""

OCI = "oci://"

PACKAGE = ".tgz"
"""How the name of a packaged chart ends."""

POD_SECURITY = ("restricted", "baseline", "privileged")
"""The Pod Security Standards (https://kubernetes.io/docs/concepts/security/pod-security-standards/); the chart's own
Pods keep to the first."""

ACCEPTED = "vX.Y.Z: 1.19.6 and later of 1.19, 1.20.3 and later of 1.20, 1.21.2 and later"

_FIRST_GOOD = {(1, 19): 6, (1, 20): 3, (1, 21): 2}
"""The first patch of a minor version that is accepted."""

_NUMBERS = re.compile(r"v?([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")
_ARI = "ACMEUseARI"


def service_account(values: Mapping[str, Any]) -> str:
    """Return the ServiceAccount of the controller that a release `cert-manager` with these values makes."""
    account = values.get("serviceAccount")
    named = account.get("name") if isinstance(account, Mapping) else None
    return str(named or values.get("fullnameOverride") or "cert-manager")


def check_version(value: str) -> str:
    """Return a version with its leading `v`; refuse one with a known fault."""
    numbers = _NUMBERS.fullmatch(value)
    if not numbers:
        raise ValueError("is not a chart version")
    major, minor, patch = (int(number) for number in numbers.groups())
    if (major, minor) == (1, 21) and patch < _FIRST_GOOD[1, 21]:
        raise ValueError("misses changes of Secrets (1.21.0) and renews in a loop with ARI (1.21.0 and 1.21.1)")
    if (major, minor) < (1, 19) or patch < _FIRST_GOOD.get((major, minor), 0):
        raise ValueError("is open to GHSA-8rvj-mm4h-c258 (severity high)")
    return f"v{value.removeprefix('v')}"


def at_least(version: str, first: tuple[int, int, int]) -> bool:
    """Tell whether a version is one that is at least as new; what is no version has been refused already."""
    numbers = _NUMBERS.fullmatch(version)
    return numbers is None or tuple(int(number) for number in numbers.groups()) >= first


def uses_ari(values: Any) -> bool:
    """Tell whether values of the chart turn renewal by ARI (RFC 9773) on: by its flag, or by a file of flags."""
    chart_values = values if isinstance(values, Mapping) else {}
    config = chart_values.get("config")
    gates = config.get("featureGates") if isinstance(config, Mapping) else None
    named = gates.get(_ARI) if isinstance(gates, Mapping) else None
    flags = " ".join(map(str, [chart_values.get("featureGates"), *(chart_values.get("extraArgs") or [])]))
    return str(named).lower() == "true" or f"{_ARI}=true" in flags


def pinned(chart: str, digest: str) -> str:
    """Return the chart's reference, which for a registry takes the digest of the chart's manifest.

    The digest of a package is that of the file; the caller, who has the file, compares it. Other charts are refused.
    """
    if chart.startswith(OCI):
        reference, _, own = chart.partition("@")
        if own not in ("", digest):
            raise ValueError("names another digest itself")
        return f"{reference}@{digest}"
    if chart.endswith(PACKAGE) and "://" not in chart:
        return chart
    raise ValueError("has no digest that can be compared: only an oci:// reference and a .tgz on this machine have one")


def check_signable(chart: str) -> str:
    """Check that a chart can come with a signature, a provenance file: a folder cannot."""
    if not (chart.startswith(OCI) or chart.endswith(PACKAGE)):
        raise ValueError("cannot be signed: only an oci:// reference and a .tgz can")
    return chart
