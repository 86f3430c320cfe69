"""`make up` on a fresh machine: by a new user without rights and without a compiler, with nothing cached.

The user exists only in a mount namespace of the test. The home of the user who runs the test is hidden there, except
for the interpreter if it is installed in it; /etc/resolv.conf is a plain file of root. A registry and a file server on
this machine serve the sandbox's programs, as upstream would if it released all of them.
"""

import json
import os
import pwd
import select
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import paths, tools
from sandbox.gobuild import Build
from sandbox.releases import PINS, Release
from sandbox.web import MIRRORS
from tests.upstream import Upstream

pytestmark = pytest.mark.readme

PROJECT = Path(__file__).parents[1]
NAME = "newcomer"
TIMEOUT = 900
"""Seconds for one command; `make up` takes about a minute and a half, the newcomer's environment included."""

MADE_HERE = ("*.pyc", "__pycache__", ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv")
INHERITED = {"LANG", "TERM"}
"""The beginnings of the variables that configure the way to package registries."""
REGISTRIES = ("PIP_", "UV_", "GOPROXY", "GOSUMDB", "SSL_CERT_", "http_proxy", "https_proxy", "no_proxy")


class Newcomer:
    """A user without rights, and a folder with all its files; upstream is where programs are downloaded from."""

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self.uid = next(uid for uid in range(60000, 65000) if not _taken(uid))
        self.home = folder / "home"
        self.clone = self.home / "istio-gateway-tls"
        self._folder = folder
        self._hidden = Path.home()
        self._python, self._upstream = Path(sys.base_prefix), upstream
        self._modules = folder / "modules"
        self._modules.mkdir()
        shutil.copytree(PROJECT, self.clone, symlinks=True, ignore=shutil.ignore_patterns(*MADE_HERE))
        self._fill_caches()
        releases = [_serve(upstream, build, folder) for build in tools.builds() if not tools.installed(build)]
        (self.clone / PINS.relative_to(PROJECT)).write_text("\n".join(map(_pin, releases)))
        for file in (self.home, *self.home.rglob("*")):
            # Linked files stay root's: the newcomer can read them, as in a cache that a machine shares.
            if file.is_dir() or file.lstat().st_nlink == 1:
                os.chown(file, self.uid, self.uid, follow_symlinks=False)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the newcomer's login."""
        path = [entry for entry in os.environ["PATH"].split(os.pathsep) if not Path(entry).is_relative_to(self._hidden)]
        inherited = {key: value for key, value in os.environ.items() if key in INHERITED or key.startswith(REGISTRIES)}
        return inherited | {
            "HOME": str(self.home),
            "USER": NAME,
            "PATH": os.pathsep.join([f"{self._python}/bin", *path]),
            "GOPROXY": f"file://{self._modules},{_go('GOPROXY')}",
            MIRRORS: self._upstream.mirrors,
        }

    def run(self, command: str) -> str:
        """Run a command in the clone as the newcomer, and return what it printed.

        Raises:
            AssertionError: The command failed; the message has its output.
        """
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", self._script(command)],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
        print(f"$ {command}\n{done.stdout}")
        assert done.returncode == 0, f"`{command}` failed for a user without rights:\n{done.stdout}"
        return done.stdout

    def processes(self) -> list[int]:
        """The ids of the newcomer's processes."""
        return [int(process.name) for process in Path("/proc").glob("[0-9]*") if _owner(process) == self.uid]

    def _fill_caches(self) -> None:
        """Fill the newcomer's caches with the Python packages, which it would download too."""
        ours = self.home / ".cache" / "istio-sandbox"
        uv = Path(shutil.which("uv") or paths.cache() / "uv" / "bin" / "uv")
        (ours / "uv" / "bin").mkdir(parents=True)
        _link_or_copy(uv, ours / "uv" / "bin" / "uv")
        wheels = _output(str(uv), "cache", "dir")
        shutil.copytree(wheels, self.home / ".cache" / "uv", symlinks=True, copy_function=_link_what_uv_unpacked)

    def _script(self, command: str) -> str:
        """Return the script that root runs in a mount namespace, until it becomes the newcomer."""
        lines = ["set -eu", f"cd {shlex.quote(str(self._folder))}"]
        for file, line in (
            ("/etc/passwd", f"{NAME}:x:{self.uid}:{self.uid}::{self.home}:/bin/sh"),
            ("/etc/group", f"{NAME}:x:{self.uid}:"),
        ):
            own = self._folder / Path(file).name
            own.write_text(Path(file).read_text().rstrip("\n") + f"\n{line}\n")
            lines.append(f"mount --bind {shlex.quote(str(own))} {file}")
        resolver = Path("/etc/resolv.conf").resolve()
        own = self._folder / "resolv.conf"
        shutil.copy(resolver, own)
        own.chmod(0o644)
        lines.append(f"mount --bind {shlex.quote(str(own))} {shlex.quote(str(resolver))}")
        downloads = Path(_go("GOMODCACHE")) / "cache" / "download"
        lines.append(f"mount --bind {shlex.quote(str(downloads))} {shlex.quote(str(self._modules))}")
        programs = {Path(entry, "go").resolve() for entry in os.environ["PATH"].split(os.pathsep)}
        # A device is no program.
        lines += [f"mount --bind /dev/null {shlex.quote(str(go))}" for go in programs if go.is_file()]
        # What a machine has installed for everybody stays visible.
        python, in_home = shlex.quote(str(self._python)), self._python.is_relative_to(self._hidden)
        if in_home:
            lines.append(f"mkdir -p kept && mount --bind {python} kept")
        lines.append(f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(self._hidden))}")
        if in_home:
            lines.append(f"mkdir -p {python} && mount --bind kept {python}")
        become = f"setpriv --reuid={self.uid} --regid={self.uid} --clear-groups --inh-caps=-all --bounding-set=-all"
        lines += [
            f"cd {shlex.quote(str(self.clone))}",
            f"exec {become} --no-new-privs sh -c {shlex.quote(command)}",
        ]
        return "\n".join(lines)


def _serve(upstream: Upstream, build: Build, scratch: Path) -> Release:
    """Serve the programs of a build: Pulumi's in an archive, those of the others in an image each."""
    programs = tools.resolve(build, lambda *_: None)
    if build.beside:
        # A language host looks for its executor beside itself.
        folder, *_ = {program.parent for program in programs.values()}
        programs |= {file.name: file for file in folder.iterdir()}
    file = scratch / f"{build.folder}.tar"
    with tarfile.open(file, "w", dereference=True) as archive:
        for name, path in programs.items():
            archive.add(path.resolve(), f"bin/{name}")
    serve = upstream.archive if build.folder.startswith("pulumi") else upstream.image
    return serve(file, {name: f"bin/{name}" for name in programs}, name=build.folder)


def _pin(release: Release) -> str:
    """Return an entry of pins.toml."""
    programs = (f"{json.dumps(name)} = {json.dumps(path)}" for name, path in release.programs.items())
    lines = [f'url = "{release.url}"', f'digest = "{release.digest}"', "learned = []", "[release.programs]", *programs]
    return "\n".join(["[[release]]", *lines, ""])


def _taken(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return any(_owner(process) == uid for process in Path("/proc").glob("[0-9]*"))
    return True


def _ends(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


def _owner(process: Path) -> int | None:
    try:
        return process.stat().st_uid
    except FileNotFoundError:
        return None  # It has ended meanwhile.


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # Another disk.
        shutil.copy2(source, target, follow_symlinks=False)


def _link_what_uv_unpacked(source: str, target: str) -> None:
    (_link_or_copy if "/archive-v" in source else shutil.copy2)(source, target)


def _go(variable: str) -> str:
    return _output("go", "env", variable)


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.server.close()


@pytest.fixture
def newcomer(upstream: Upstream) -> Iterator[Newcomer]:
    if os.geteuid() != 0:
        pytest.skip("the tests run as a user without rights, so the README's commands have been this proof already")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a root that may mount, to hide from another user what that user could not see")
    folder = Path(tempfile.mkdtemp(prefix="newcomer-"))
    folder.chmod(0o755)  # pytest's own folders are closed to others.
    try:
        user = Newcomer(folder, upstream)
        try:
            yield user
        finally:
            for pid in user.processes():
                os.kill(pid, 9)
    finally:
        shutil.rmtree(folder)


def test_a_user_without_rights_or_a_compiler_starts_the_sandbox_uses_it_and_ends_it(newcomer: Newcomer) -> None:
    assert newcomer.run("id -u").strip() == str(newcomer.uid), "the commands run as the newcomer"
    assert newcomer.run(f"ls {shlex.quote(str(Path.home()))} && cat /etc/shadow || echo refused").endswith("refused\n")

    assert newcomer.run("go version || echo none").endswith("none\n"), "there is no compiler"

    served = newcomer.run("make up")
    assert "https://shop.sandbox.test  200" in served, "make up ends with a host that answered over verified HTTPS"

    python = ".venv/bin/python -m sandbox"
    assert "kube-apiserver" in newcomer.run(f"{python} status"), "the status names the parts"
    assert "sandbox" in newcomer.run(f"{python} exec -- kubectl get nodes"), "exec enters the sandbox"
    assert "etcd" in newcomer.run(f"{python} logs"), "the logs are found"

    newcomer.run("make down")
    assert all(map(_ends, newcomer.processes())), "nothing that the user has started is left"
