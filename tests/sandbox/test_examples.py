"""The components in other programs: in YAML through the plugin, and in Python from the wheel.

The tests of the YAML program share one stack, which begins each of them up with its first inputs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import acme, paths, tools
from sandbox.testing import Engine, a_records, client, eventually, get, names
from tests.sandbox.wheel import activate, build, install, make_environment, script

pytestmark = pytest.mark.sandbox

PROJECT = Path(__file__).parents[2]
EXAMPLES = PROJECT / "examples"
HOST = "hello.sandbox.test"
ISTIO = "istio-system"
TIMEOUT = 300
CONFIG = {
    "gcp:project": "sandbox",
    "gcp:accessToken": "sandbox",
    "gcp:dnsCustomEndpoint": "http://127.0.0.1:8053/dns/v1/",
}


class Program(Engine):
    """A stack of a program in a folder of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str], **config: str) -> None:
        # All tests share a backend.
        super().__init__(f"examples-{folder.name}", folder, environment=environment)
        self.run("stack", "init")
        # As a secret, which a reader in the engine has to unseal.
        self.run("config", "set", "--secret", "kubeconfig", str(paths.KUBECONFIG))
        for key, value in (CONFIG | config).items():
            self.run("config", "set", key, value)

    def wanted(self) -> object:
        """Return the program."""
        return (self.folder / "Pulumi.yaml").read_text()

    @contextmanager
    def changed(self, resource: str, **properties: Any) -> Iterator[None]:
        """Change inputs of a resource while the block runs."""
        file = self.folder / "Pulumi.yaml"
        before = file.read_text()
        document = yaml.safe_load(before)
        document["resources"][resource].setdefault("properties", {}).update(properties)
        file.write_text(json.dumps(document))
        try:
            yield
        finally:
            file.write_text(before)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and its dependencies alone, in the folder of the Python example."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(EXAMPLES / "python", folder / "python")
    venv = folder / "python" / "venv"
    make_environment(venv)
    build(folder / "index", "0.1.0")
    install(venv, folder / "index", "istio-gateway-tls")
    return venv


@pytest.fixture(scope="module")
def environment(venv: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The plugin and the YAML language host on PATH, where the engine finds them."""
    if not tools.is_ready(tools.YAML_HOST):
        pytest.skip("the YAML language host is not built: python -m sandbox doctor --fix --tests")
    host = tools.resolve(tools.YAML_HOST, lambda *_: None)["pulumi-language-yaml"]
    plugin = tmp_path_factory.mktemp("bin") / "pulumi-resource-istio-gateway-tls"
    # The engine runs this in the plugin's folder, in the environment that it made there.
    script(plugin, f'exec "{venv}/bin/python" "{PROJECT}/plugin" "$@"')
    return {"PATH": os.pathsep.join([str(plugin.parent), str(host.parent), os.environ["PATH"]])}


@pytest.fixture(scope="module")
def platform(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """cert-manager and both issuers as a platform team installs them, in YAML as well."""
    config = yaml.safe_load((PROJECT / "Pulumi.sandbox.yaml").read_text())["config"]
    acme_config, chart = config["istio-gateway-tls:acme"], config["istio-gateway-tls:certManager"]
    on_cluster = {"providers": ["${cluster}"]}
    cluster = {"type": "pulumi:providers:kubernetes", "properties": {"kubeconfig": "${kubeconfig}"}}
    cert_manager = {"type": "istio-gateway-tls:CertManager", "properties": chart, "options": on_cluster}
    issuers = {
        "type": "istio-gateway-tls:AcmeIssuers",
        "properties": {key: acme_config[key] for key in ("email", "servers", "caBundle", "profile", "timeout")},
        "options": on_cluster | {"dependsOn": ["${cert-manager}"]},
    }
    folder = tmp_path_factory.mktemp("platform")
    document = {
        "name": "platform",
        "runtime": "yaml",
        "config": {"kubeconfig": {"type": "string"}},
        "resources": {"cluster": cluster, "cert-manager": cert_manager, "issuers": issuers},
    }
    # JSON is YAML without the aliases that PyYAML writes and Pulumi does not read.
    (folder / "Pulumi.yaml").write_text(json.dumps(document))
    with Program(folder, environment) as program:
        program.up()
        yield


def yaml_example(folder: Path, environment: dict[str, str]) -> Program:
    """The YAML example, not yet up."""
    shutil.copy(EXAMPLES / "yaml" / "Pulumi.yaml", folder)
    return Program(folder, environment, host=HOST, zone="sandbox", image="sandbox/demo")


@pytest.fixture(scope="module")
def shared(
    environment: dict[str, str],
    platform: None,  # noqa: ARG001 - for its effect
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Program]:
    """The YAML example, destroyed at the end whatever a test did to it."""
    with yaml_example(tmp_path_factory.mktemp("yaml"), environment) as program:
        yield program


@pytest.fixture
def program(shared: Program) -> Program:
    """The YAML example, up."""
    shared.stand()
    return shared


@pytest.mark.usefixtures("platform")
def test_a_preview_of_the_yaml_program_plans_each_component_with_what_it_makes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    steps = yaml_example(tmp_path, environment).steps()
    expected = {"ingress", "dns", "http", "certificate", "tls", "certificate-hello-tls", f"tls-{HOST}", f"dns-{HOST}"}
    assert expected <= set(steps)
    assert {step["op"] for one in steps.values() for step in one} == {"create"}


def test_an_up_of_it_serves_the_application_over_https(program: Program) -> None:
    # A Certificate is Ready before Envoy has its Secret.
    answer = eventually("the application answers", lambda: client.served(HOST, client.trusting(acme.STAGING)))
    assert json.loads(answer.body)["app"] == "demo"
    assert answer.headers["strict-transport-security"] == "max-age=86400", "a whole number, though YAML's are floats"
    assert client.plain(HOST).status == 301, "port 80 redirects"
    assert program.outputs()["urls"] == [f"https://{HOST}"]
    assert program.steps() == {}, "a second one would change nothing"


def test_every_wrong_input_is_reported_in_one_error_without_a_traceback(program: Program) -> None:
    routes = [{"service": "hello", "namespace": "hello", "port": 70000}]
    with program.changed("tls", hosts=[{"host": "${host}", "routes": routes}], hsts=1.5):
        printed = program.preview(fails=True)

    assert printed.count("error: istio-gateway-tls:") == 1, printed
    assert "TlsGateway resource 'tls' has a problem" in printed
    assert "property hosts[0].routes[0].port with value '{70000}' has a problem: 70000 should be less than" in printed
    assert "property hsts with value '{1.5}' has a problem: 1.5 should be a valid integer" in printed
    assert not traceback_lines(printed)


def test_a_wrong_output_of_another_resource_is_reported_too(program: Program) -> None:
    routes = [{"service": "${service.metadata.name}_X", "namespace": "hello", "port": 80}]
    with program.changed("tls", hosts=[{"host": "${host}", "routes": routes}]):
        printed = program.preview(fails=True)

    assert "property hosts[0].routes[0].service" in printed
    assert "is not a Kubernetes name" in printed
    assert not traceback_lines(printed)


def test_a_missing_service_is_reported_with_the_command_that_lists_them(program: Program) -> None:
    with program.changed("ingress", service="elsewhere"):
        printed = program.preview(fails=True)

    assert "Service istio-system/elsewhere does not exist" in printed, "read with the provider that YAML handed over"
    assert "kubectl get services --all-namespaces" in printed
    assert not traceback_lines(printed)


def test_a_certificate_that_is_not_signed_is_explained_in_cert_manager_s_words(program: Program) -> None:
    credentials = [{"secretName": "other-tls", "hosts": ["${host}"]}]
    with program.changed("certificate", issuer="elsewhere", credentials=credentials, timeout=5):
        printed = program.up(fails=True)

    assert "other-tls is not Ready" in printed, "the error hook runs in the plugin, with the provider's credentials"
    assert 'Referenced "ClusterIssuer" not found' in printed
    assert not traceback_lines(printed)


def test_destroy_leaves_nothing(program: Program) -> None:
    namespace = next(name for name in names("namespaces") if name.startswith("namespace-"))
    program.destroy()

    assert not {"http", "tls"} & names("gateways.networking.istio.io", ISTIO)
    assert HOST not in a_records()
    assert get("namespace", namespace) is None
    for secret in ("hello-tls", "other-tls"):
        assert get("certificate", secret, ISTIO) is None


def test_the_python_program_previews_with_the_wheel_alone(venv: Path, tmp_path: Path) -> None:
    program = Program(venv.parent, activate(venv, tmp_path), host=HOST, image="sandbox/demo")

    assert set(program.steps()) >= {"certificate", "certificate-hello-tls", "tls", "tls-gateway", f"tls-{HOST}"}


def test_the_types_of_the_wheel_are_read_by_a_type_checker(venv: Path, tmp_path: Path) -> None:
    settings = tmp_path / "mypy.ini"
    # Not the SDKs, which have a million lines.
    settings.write_text("[mypy]\nstrict = True\n[mypy-pulumi_kubernetes.*,pulumi_gcp.*]\nfollow_imports = skip\n")
    wrong = venv.parent / "wrong.py"
    wrong.write_text((venv.parent / "__main__.py").read_text().replace('"hsts": 86400', '"hsts": "a day"'))

    def checked(file: str) -> str:
        command = [sys.executable, "-m", "mypy", f"--config-file={settings}", f"--cache-dir={tmp_path}"]
        command += [f"--python-executable={venv}/bin/python", file]
        done = subprocess.run(command, cwd=venv.parent, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        return done.stdout

    assert "Success" in checked("__main__.py")
    assert "Success" in checked(str(EXAMPLES / "template" / "__main__.py"))
    assert 'TypedDict item "hsts"' in checked("wrong.py")


def traceback_lines(printed: str) -> list[str]:
    """Return the lines of a traceback through the plugin; the engine may interrupt other plugins when it fails."""
    return [line for line in printed.splitlines() if re.search(r'File ".*/(components|plugin|pulumi/provider)/', line)]
