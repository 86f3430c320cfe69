"""``python3 -m sandbox.forecast``: say how long `make up` will take, before anything is installed."""

from collections.abc import Iterable

from sandbox import releases, tools
from sandbox.gobuild import Build

_START = 60
"""Seconds for the Python environment, the start and the first `pulumi up`, with every program cached."""
_DOWNLOADS = 60
"""Seconds for all downloads, on a line of 20 Mbit/s."""


def to_build(builds: Iterable[Build]) -> list[Build]:
    """Return the builds that have to be made: those neither installed nor cached, nor released by upstream."""
    return [build for build in builds if not tools.is_ready(build) and not releases.covering(build.programs)]


def forecast() -> str:
    """Return how long `make up` takes, why, and what would make it shorter."""
    missing = [build for build in tools.builds() if not tools.is_ready(build)]
    builds = to_build(missing)
    downloads = [build for build in missing if build not in builds]
    seconds = _START + sum(build.usual.seconds for build in builds) + (_DOWNLOADS if downloads else 0)
    if not missing:
        return "This takes about a minute: every program is installed or cached."
    lines = [f"This takes about {seconds / 60:.0f} minutes on two idle cores, the first time."]
    if builds:
        lines.append(f"Go builds what cannot be downloaded: {_listed(builds)}.")
    if downloads:
        lines.append(f"Downloaded, or else built in the time that is given: {_listed(downloads)}.")
    if system := [build for build in missing if build.system]:
        lines.append(
            f"An installed Pulumi is used and saves the time of {', '.join(build.folder for build in system)}: "
            "https://www.pulumi.com/docs/iac/download-install/"
        )
    lines.append("Ctrl-C loses nothing: what is complete is kept, and the next time goes on from there.")
    return "\n".join(lines)


def _listed(builds: list[Build]) -> str:
    return ", ".join(f"{build.folder} ({build.usual.seconds:.0f} s)" for build in builds)


if __name__ == "__main__":
    print(forecast())
