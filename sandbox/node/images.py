"""Which program replaces which container image.

The sandbox's programs are built from the same sources as the images, and run on the machine's own files. Tags and
digests are ignored: there is one version of each program.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import google, paths
from sandbox.node.rootfs import on_host


@dataclass(frozen=True)
class Image:
    """The replacement of an image."""

    entrypoint: tuple[str, ...]
    """The program, absolute, with the arguments of the image's ENTRYPOINT."""
    env: dict[str, str] = field(default_factory=dict)
    """The image's ENV."""
    files: dict[str, Path] = field(default_factory=dict)
    """Path in the image -> the machine's file that appears there."""


class UnknownImageError(Exception):
    """No program replaces the image."""


def _program(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(paths.BIN / name), *arguments)


IMAGES = {
    **{
        f"jetstack/cert-manager-{part}": Image(_program(f"cert-manager-{part}"), google.ENVIRONMENT, google.FILES)
        for part in ("controller", "webhook", "cainjector", "acmesolver", "startupapicheck")
    },
    "istio/pilot": Image(_program("pilot-discovery")),
    "istio/proxyv2": Image(
        _program("pilot-agent"),
        files={
            "/usr/local/bin/envoy": paths.BIN / "envoy",
            "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": paths.ENVOY_BOOTSTRAP,
        },
    ),
    "sandbox/demo": Image((sys.executable, "-m", "sandbox.demo"), env={"PYTHONPATH": on_host(paths.PROJECT)}),
}
"""By the last two parts of their repository."""


def repository(reference: str) -> str:
    """Return the last two parts of an image reference's repository, without registry, tag and digest.

    >>> repository("quay.io/jetstack/cert-manager-webhook:v1.21.2@sha256:0a1b")
    'jetstack/cert-manager-webhook'
    """
    name = re.sub(r":[^:/]+$", "", reference.partition("@")[0])
    return "/".join(name.split("/")[-2:])


def find(reference: str) -> Image:
    """Return the replacement of an image.

    Raises:
        UnknownImageError: there is none; the message lists the known images.
    """
    try:
        return IMAGES[repository(reference)]
    except KeyError:
        known = ", ".join(sorted(IMAGES))
        raise UnknownImageError(f'the sandbox has no program for image "{reference}"; known images: {known}') from None
