"""The file that the sandbox's resolver configuration covers, for all kinds of /etc/resolv.conf."""

from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.mounts import resolver_file


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder that the sandbox has covered with a tmpfs: empty."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


@pytest.fixture
def link(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc" / "resolv.conf"


@pytest.mark.parametrize("target", [None, "resolvconf"], ids=["a plain file", "a link"])
def test_a_file_that_exists_is_covered_as_it_is(link: Path, run: Path, tmp_path: Path, target: str | None) -> None:
    file = tmp_path / target if target else link
    file.write_text("nameserver 192.0.2.1\n")
    file.chmod(0o444)
    if target:
        link.symlink_to(file)
    before = file.stat()
    assert resolver_file(link, run) == file, "programs read the target of a link"
    assert file.stat().st_mtime_ns == before.st_mtime_ns, "nothing was written: only root could"


def test_a_link_below_run_gets_a_file_to_be_covered(link: Path, run: Path) -> None:
    link.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    covered = resolver_file(link, run)
    assert covered == run / "systemd" / "resolve" / "stub-resolv.conf", "where the system keeps it"
    assert covered.is_file(), "it is made, since the tmpfs began empty"


@pytest.mark.parametrize("target", [None, "elsewhere/resolv.conf"])
def test_what_is_missing_outside_of_run_is_not_made(link: Path, run: Path, tmp_path: Path, target: str | None) -> None:
    missing = tmp_path / target if target else link
    if target:
        link.symlink_to(missing)
    with pytest.raises(SandboxError, match=rf"{missing} does not exist.*touch {missing}"):
        resolver_file(link, run)
    assert not missing.exists(), "it would stay on the machine when the sandbox has ended"
