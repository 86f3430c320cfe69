"""A Pod's volumes: content, and replacement of all files at once."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.node.environment import MissingError
from sandbox.node.volumes import File, PodVolumes, write_atomically


def pod_with(*volumes: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "labels": {"app": "web"}}
    return {"metadata": metadata, "spec": {"containers": [], "volumes": list(volumes)}}


def volumes_in(directory: Path, objects: dict[tuple[str, str], Any]) -> PodVolumes:
    return PodVolumes(directory, lambda kind, name: objects.get((kind, name)), lambda aud, sec: f"{aud}/{sec}")


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


def test_a_projected_volume_joins_its_sources_and_a_sub_path_mounts_one_file(tmp_path: Path) -> None:
    projected = {
        "defaultMode": 0o640,
        "sources": [
            {"serviceAccountToken": {"path": "istio-token", "audience": "istio-ca", "expirationSeconds": 43200}},
            {"configMap": {"name": "ca", "items": [{"key": "root", "path": "ca.crt"}]}},
            {"secret": {"name": "none", "optional": True}},
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        ],
    }
    pod = pod_with({"name": "all", "projected": projected})
    volumes = volumes_in(tmp_path, {("ConfigMap", "ca"): {"data": {"root": "PEM", "other": "-"}}})
    volumes.refresh(pod, "10.244.1.1")

    files = {path.name: path.read_text() for path in (tmp_path / "all").iterdir() if path.is_file()}
    assert files == {"istio-token": "istio-ca/43200", "ca.crt": "PEM", "labels": 'app="web"'}, "one file per item"
    assert (tmp_path / "all" / "ca.crt").stat().st_mode & 0o777 == 0o640, "the volume's mode applies to all sources"

    entry = {"name": "all", "mountPath": "/etc/app/ca.crt", "subPath": "ca.crt", "readOnly": True}
    [mount] = volumes.mounts(pod, {"volumeMounts": [entry]})
    assert (mount.source.read_text(), mount.read_only) == ("PEM", True)
    assert not mount.source.is_symlink(), "a bind mount would follow a link out of the volume"


def test_a_missing_object_is_named_with_the_volume(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r'MountVolume.SetUp failed for volume "tls" : secret "gone" not found'):
        volumes_in(tmp_path, {}).refresh(pod_with({"name": "tls", "secret": {"secretName": "gone"}}), "")
