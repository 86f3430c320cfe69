"""What upstream releases in place of a build: programs in container images and archives, pinned by digest.

`pins.toml` lists them. What it does not list is built. The programs of a release are cached below its digest, outside
the work tree, for all clones and sandboxes of a user.
"""

import functools
import platform
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import paths

PINS = Path(__file__).parent / "pins.toml"
WHOLE = "."
"""In place of a path in an archive: the file is no archive, but the program."""


@dataclass(frozen=True)
class Release:
    """One file, or one container image."""

    url: str
    """`https://HOST/FILE`, or `oci://HOST/REPOSITORY:TAG`; the tag is for readers."""
    digest: str
    """`sha256:` and the hexadecimal digest of the file, or of the image's index or manifest."""
    programs: Mapping[str, str]
    """By name, their paths in the image or archive."""
    learned: tuple[str, ...]
    """Where the digest was found: at least two independent public sources that agree."""
    machine: str = ""
    """The only architecture that it is for, as `uname -m` prints it; an image is for all."""

    @property
    def folder(self) -> Path:
        """Where its programs are, once it is downloaded."""
        return paths.cache() / "releases" / self.digest.removeprefix("sha256:")[:12]


def covering(names: Iterable[str]) -> list[Release]:
    """Return the releases that together have all these programs for this machine; none if one program is missing."""
    by_name = {name: release for release in _pinned(PINS) for name in release.programs}
    releases = [by_name.get(name) for name in names]
    return list({release.digest: release for release in releases if release}.values()) if all(releases) else []


def downloaded(names: Iterable[str]) -> dict[str, Path]:
    """Return the programs of the covering releases, by name, if all of these are cached; else none."""
    releases = covering(names)
    if not all(release.folder.is_dir() for release in releases):
        return {}
    return {name: release.folder / name for release in releases for name in release.programs}


@functools.cache
def _pinned(file: Path) -> list[Release]:
    releases = [
        Release(**release | {"learned": tuple(release["learned"])})
        for release in tomllib.loads(file.read_text())["release"]
    ]
    return [release for release in releases if release.machine in {"", platform.machine()}]
