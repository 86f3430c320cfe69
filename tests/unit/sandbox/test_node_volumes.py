"""A Pod's volumes: content, and replacement of all files at once."""

from pathlib import Path

import pytest

from sandbox.node.environment import MissingError
from sandbox.node.volumes import File, PodVolumes, write_atomically


def test_files_are_replaced_all_at_once_and_old_ones_go(tmp_path: Path) -> None:
    assert write_atomically(tmp_path, {"tls.crt": File(b"1"), "old": File(b"x")}), "the first content is a change"
    before = (tmp_path / "..data").resolve()
    assert write_atomically(tmp_path, {"tls.crt": File(b"2"), "sub/tls.key": File(b"k", 0o600)}), "so is another"

    assert (tmp_path / "tls.crt").read_bytes() == b"2", "the same path shows the new content"
    assert (tmp_path / "sub" / "tls.key").stat().st_mode & 0o777 == 0o600, "with its mode"
    assert not (tmp_path / "old").is_symlink(), "a key that is gone has no file"
    assert not before.exists(), "the old files are removed"


@pytest.mark.parametrize("files", [{"a": File(b"1")}, {}], ids=["a file", "empty"])
def test_unchanged_content_is_left_alone(tmp_path: Path, files: dict[str, File]) -> None:
    assert write_atomically(tmp_path, files), "the first content is a change, even an empty one"
    before = (tmp_path / "..data").readlink()
    assert not write_atomically(tmp_path, files), "nothing changed"
    assert (tmp_path / "..data").readlink() == before, "watchers of the directory are not woken"


def test_a_missing_object_is_named_with_the_volume(tmp_path: Path) -> None:
    volumes = PodVolumes(tmp_path, lambda *_: None, lambda *_: "")
    pod = {"spec": {"volumes": [{"name": "tls", "secret": {"secretName": "gone"}}]}}
    with pytest.raises(MissingError, match=r'MountVolume.SetUp failed for volume "tls" : secret "gone" not found'):
        volumes.refresh(pod, "")
