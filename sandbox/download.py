"""Downloads of releases, which are checked before anything reads them."""

import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sandbox import registry
from sandbox.releases import WHOLE, Release
from sandbox.web import MAX_BYTES, Client, DownloadError


def fetch(release: Release, report: Callable[[int], None] = lambda _: None) -> None:
    """Download a release and make its folder with the programs, unless another process does so meanwhile.

    Args:
        release: The release.
        report: Takes the number of bytes so far.

    Raises:
        DownloadError: it could not be downloaded, or lacks a program.
    """
    release.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="release-", dir=release.folder.parent) as scratch:
        file, programs = Path(scratch) / "file", Path(scratch) / "programs"
        programs.mkdir()
        missing = {path: name for name, path in release.programs.items()}
        client = Client(report)
        if release.url.startswith("oci://"):
            for layer in registry.layers(client, release):
                layer.save(file)
                take(file, missing, programs)
                if not missing:
                    break
        else:
            client.save(client.get(release.url), release.digest, file)
            if WHOLE in missing:
                file.rename(programs / missing.pop(WHOLE))
            else:
                take(file, missing, programs)
        if missing:
            raise DownloadError(f"{release.url} has no {', '.join(missing)}")
        for program in programs.iterdir():
            program.chmod(0o755)
        with suppress(OSError):  # another process was faster
            programs.rename(release.folder)


def take(archive: Path, missing: dict[str, str], folder: Path) -> None:
    """Move files from a tar archive to a folder: those of `missing`, which loses them, under the names that it gives.

    Raises:
        DownloadError: the archive cannot be read, or a file is too large.
    """
    try:
        with tarfile.open(archive) as members:
            for member in members:
                name = missing.get(member.name.removeprefix("./"))
                content = members.extractfile(member) if name and member.isfile() else None
                if name is None or content is None:
                    continue
                if member.size > MAX_BYTES:
                    raise DownloadError(f"{member.name} has more than {MAX_BYTES} bytes")
                with (folder / name).open("wb") as output:
                    shutil.copyfileobj(content, output)
                del missing[member.name.removeprefix("./")]
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DownloadError(f"an archive cannot be read ({error})") from None
