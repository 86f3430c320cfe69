"""Which program stands for which container image.

No registry is asked: the sandbox's programs are built from the same sources as the images, and run on the machine's own
files. Tags and digests are ignored; what is installed is one version of each.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import google
from sandbox.node.rootfs import on_host

_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Image:
    """What the sandbox has in place of an image."""

    entrypoint: tuple[str, ...]
    """The program, absolute, with the arguments that an image's ENTRYPOINT would carry."""
    env: dict[str, str] = field(default_factory=dict)
    """An image's ENV."""
    files: dict[str, Path] = field(default_factory=dict)
    """Path in the image -> the machine's file that appears there."""


class UnknownImageError(Exception):
    """Nothing stands for this image."""


def image_table(bin_dir: Path, envoy: Path, envoy_bootstrap: Path) -> dict[str, Image]:
    """Return the images that the sandbox knows, by the last two parts of their repository.

    Args:
        bin_dir: where `cert-manager`, `pilot-discovery` and `pilot-agent` are.
        envoy: the Envoy binary.
        envoy_bootstrap: Istio's bootstrap template (`tools/packaging/common/envoy_bootstrap.json` of its module).
    """
    cert_manager = {
        f"jetstack/cert-manager-{part}": Image((str(bin_dir / "cert-manager"), part), google.ENVIRONMENT, google.FILES)
        for part in ("controller", "webhook", "cainjector", "acmesolver", "startupapicheck")
    }
    return cert_manager | {
        "istio/pilot": Image((str(bin_dir / "pilot-discovery"),)),
        "istio/proxyv2": Image(
            (str(bin_dir / "pilot-agent"),),
            files={
                "/usr/local/bin/envoy": envoy,
                "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": envoy_bootstrap,
            },
        ),
        "sandbox/demo": Image((sys.executable, "-m", "sandbox.demo"), env={"PYTHONPATH": on_host(_REPOSITORY)}),
    }


def repository(reference: str) -> str:
    """Return the last two parts of an image reference's repository, without registry, tag and digest.

    >>> repository("quay.io/jetstack/cert-manager-webhook:v1.21.2@sha256:0a1b")
    'jetstack/cert-manager-webhook'
    """
    name = re.sub(r":[^:/]+$", "", reference.partition("@")[0])
    return "/".join(name.split("/")[-2:])


def find(table: dict[str, Image], reference: str) -> Image:
    """Return what stands for an image reference.

    Raises:
        UnknownImageError: with a message that names the known images.
    """
    try:
        return table[repository(reference)]
    except KeyError:
        known = ", ".join(sorted(table))
        raise UnknownImageError(
            f'no program of the sandbox stands for image "{reference}"; known images: {known}'
        ) from None
