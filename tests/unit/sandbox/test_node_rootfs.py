"""A container's root directory: nothing is written to the machine, whatever a Pod mounts."""

import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from sandbox.node.rootfs import Mount, build, start_script


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A machine with a merged /usr."""
    host = tmp_path / "host"
    for folder in ("usr/bin", "etc/ssl", "root", "var/lib"):
        (host / folder).mkdir(parents=True)
    (host / "bin").symlink_to("usr/bin")
    (host / "etc" / "hosts").write_text("the machine's")
    return host


def test_a_directory_above_a_mount_is_new_and_links_to_the_other_entries(host: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    mount = Mount(tmp_path, PurePosixPath("/etc/istio/proxy"))
    build(root, [mount], links={"/usr/local/bin/envoy": tmp_path}, files={"/etc/hosts": "own"}, host=host)

    assert (root / "etc" / "hosts").read_text() == "own", "a file of the Pod's own covers the machine's"
    links = {str(link.relative_to(root)): str(link.readlink()) for link in root.rglob("*") if link.is_symlink()}
    kept = {"etc/ssl": "/.host/etc/ssl", "usr/bin": "/.host/usr/bin", "bin": "/.host/bin"}
    assert kept.items() <= links.items(), "the machine's other entries stay reachable, in opened directories too"
    assert not list((root / "tmp").iterdir()), "scratch space starts out empty"
    assert [entry.name for entry in (root / "var").iterdir()] == ["run"], "/var holds nothing of the machine's"
    assert not (host / "etc" / "istio").exists(), "the machine is not touched"


def test_nested_mounts_come_after_their_parents_in_a_script_that_is_valid_whatever_the_values_are() -> None:
    outer, inner = Mount(Path("/"), PurePosixPath("/a")), Mount(Path("/"), PurePosixPath("/a/b"), read_only=True)
    env = {"WEIRD": "a'b\"$(c)`d`\nnext;line"}
    script = start_script(Path("/r o'ot"), [inner, outer], ["pro g", "-x=$(Y)"], env, hostname="web-0")
    assert script.index("--rbind / ./a\n") < script.index("--rbind / ./a/b"), "else the outer one covers the inner one"
    assert "remount,bind,ro ./a/b" in script, "read-only is honoured"
    assert "remount,bind,ro ./a\n" not in script, "and only where it is asked for"
    checked = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_a_directory_that_the_sandbox_may_not_list_is_an_empty_one_in_the_container(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = Path.iterdir

    def closed_to_us(path: Path) -> Iterator[Path]:
        if path == host / "root":
            raise PermissionError(13, "Permission denied", str(path))
        return entries(path)

    monkeypatch.setattr(Path, "iterdir", closed_to_us)
    root = tmp_path / "root"
    build(root, [Mount(tmp_path, PurePosixPath("/root/.config"))], links={}, files={}, host=host)
    assert list((root / "root").iterdir()) == []
