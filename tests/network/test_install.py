"""The wheel and the plugin as a user installs them, with everything from the package registries."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import yaml
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from sandbox import paths, tools

pytestmark = pytest.mark.network

PROJECT = Path(__file__).parents[2]
TIMEOUT = 300


def run(*argv: str | Path, cwd: Path = PROJECT, **environment: str) -> str:
    command = list(map(str, argv))
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)} failed: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def served(python: Path, plugin: Path) -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """The plugin, run as the engine runs it."""
    argv = [str(python), str(plugin), "127.0.0.1:1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "PIPE was asked for"
            port = process.stdout.readline().strip()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield provider_pb2_grpc.ResourceProviderStub(channel)
        finally:
            process.terminate()


def test_the_wheel_installs_into_an_empty_environment(tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(paths.cache() / "uv" / "bin" / "uv")
    # The wheel is built from the other distribution.
    run(uv, "build", "--quiet", "--out-dir", tmp_path)
    run(uv, "tool", "run", "--quiet", "twine", "check", "--strict", *tmp_path.glob("istio_gateway_tls-*"))
    run(uv, "venv", "--quiet", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    (wheel,) = tmp_path.glob("*.whl")
    run(uv, "pip", "install", "--quiet", "--python", python, wheel)

    program = "from istio_gateway_tls import TlsGateway, config; print(TlsGateway.__module__, config.__name__)"
    expected = "istio_gateway_tls.tls_gateway istio_gateway_tls.config"
    assert run(python, "-c", program, cwd=tmp_path).strip() == expected
    tlsctl = python.with_name("tlsctl")
    assert "usage: tlsctl " in run(tlsctl, "--help", cwd=tmp_path)
    for verb, extra in (("verify --stack dev", "verify"), ("policy-pack", "policies")):
        done = subprocess.run([tlsctl, *verb.split()], capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert (done.returncode, f"uv add 'istio-gateway-tls[{extra}]'" in done.stderr) == (2, True), done.stderr

    run(uv, "pip", "install", "--quiet", "--python", python, f"{wheel}[policies]")
    pack = Path(run(tlsctl, "policy-pack", cwd=tmp_path).strip())
    virtualenv = yaml.safe_load((pack / "PulumiPolicy.yaml").read_text())["runtime"]["options"]["virtualenv"]
    assert (pack / virtualenv).resolve() == (tmp_path / "venv").resolve(), "the engine runs it where the wheel is"


def test_the_sandbox_is_a_package_that_needs_no_clone(tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(paths.cache() / "uv" / "bin" / "uv")
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        tmp_path,
        cwd=PROJECT / "sandbox",
    )
    run(uv, "venv", "--quiet", tmp_path / "venv")
    (wheel,) = tmp_path.glob("istio_sandbox-*.whl")
    run(uv, "pip", "install", "--quiet", "--python", tmp_path / "venv", wheel)
    command = (tmp_path / "venv" / "bin" / "istio-sandbox", "--name", "package")
    try:
        assert "The cluster is ready" in run(*command, "up", cwd=tmp_path)
        address = "jsonpath={.status.loadBalancer.ingress[0].ip}"
        inside = (
            *command,
            "exec",
            "--",
            "kubectl",
            "--namespace",
            "istio-system",
            "get",
            "service",
            "--output",
            address,
        )
        assert run(*inside, "istio-ingressgateway", cwd=tmp_path), "the gateway has its address"
        assert run(*command, "exec", "--", "sh", "-c", "cd / && pulumi whoami", cwd=tmp_path).strip()
    finally:
        assert "has ended" in run(*command, "down", cwd=tmp_path)


def test_the_template_installs_the_package_of_an_index(tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(paths.cache() / "uv" / "bin" / "uv")
    index, repository = tmp_path / "index", tmp_path / "repository"
    run(uv, "build", "--quiet", "--wheel", "--out-dir", index, SETUPTOOLS_SCM_PRETEND_VERSION="0.1.9")
    shutil.copytree(PROJECT / "examples" / "template", repository)
    options = ("--quiet", "--no-build", "--no-binary-package", "sslyze")
    run(uv, "sync", *options, cwd=repository, UV_FIND_LINKS=str(index))
    run(uv, "sync", *options, "--frozen", cwd=repository, UV_FIND_LINKS=str(index))

    pack = run(uv, "run", "--no-sync", "tlsctl", "policy-pack", cwd=repository)
    assert Path(pack.strip()).is_relative_to(repository / ".venv"), "as the workflows and the README call it"


def test_the_plugin_serves_its_schema_from_what_its_requirements_install(tmp_path: Path) -> None:
    # What `pulumi package add` downloads is the repository; it makes an environment in the plugin's folder.
    repository = tmp_path / "repository"
    for folder in ("plugin", "components"):
        shutil.copytree(PROJECT / folder, repository / folder, ignore=shutil.ignore_patterns("__pycache__", "venv"))
    plugin = repository / "plugin"
    run(sys.executable, "-m", "venv", plugin / "venv")
    python = plugin / "venv" / "bin" / "python"
    # Not compiled, which takes two minutes for the SDKs and is not looked at here.
    run(python, "-m", "pip", "install", "--quiet", "--no-compile", "-r", "requirements.txt", cwd=plugin)

    with served(python, plugin) as provider:
        schema = provider.GetSchema(provider_pb2.GetSchemaRequest(), timeout=30).schema
    assert json.loads(schema) == json.loads((PROJECT / "plugin" / "schema.json").read_text())


def test_the_typescript_program_is_checked_against_the_sdk_of_the_schema(tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("there is no npm on PATH, and it brings the TypeScript compiler")
    if not tools.is_ready(tools.SDK_GENERATOR):
        pytest.skip("the generator of the SDK is not built: python -m sandbox doctor --fix --tests")
    generator = tools.resolve(tools.SDK_GENERATOR, lambda *_: None)["pulumi-sdk-nodejs"]
    program = tmp_path / "typescript"
    shutil.copytree(PROJECT / "examples" / "typescript", program, ignore=shutil.ignore_patterns("node_modules", "sdks"))
    run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", cwd=program)
    sdk = program / "node_modules" / "@pulumi" / "istio-gateway-tls"
    run(generator, PROJECT / "plugin" / "schema.json", sdk)
    compiler = program / "node_modules" / ".bin" / "tsc"
    run(compiler, "--project", sdk)
    run(compiler, "--project", program)

    source = program / "index.ts"
    source.write_text(source.read_text().replace("port: 80 }]", 'port: "http" }]'))
    environment = os.environ | {"NO_COLOR": "1"}
    done = subprocess.run(
        [str(compiler), "--project", str(program)],
        env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert "Type 'string' is not assignable" in done.stdout, "the SDK knows the type of an input"
