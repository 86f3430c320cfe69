"""cert-manager as production has it: the chart is the pinned one, and it works with the values for production."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.cert_manager import chart_values
from sandbox.testing import ISTIO, items, kubectl, resource
from sandbox.testing.network_policies import OUTSIDE, Connection, Peer, allowed, pod, target_port
from sandbox.testing.registry import Registry
from tests.sandbox import chart
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import PREFIX, PROJECT, SHOP, Stack

pytestmark = pytest.mark.sandbox

CERT_MANAGER = "cert-manager"


def digest_of(file: Path) -> str:
    """Return the digest of a file as the config has it."""
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's chart, packaged."""
    folder = tmp_path_factory.mktemp("package")
    chart.helm("package", str(chart.FOLDER), "--destination", str(folder))
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def version() -> str:
    """The chart's version."""
    return str(yaml.safe_load((chart.FOLDER / "Chart.yaml").read_text())["version"])


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that every process trusts which is started after it."""
    registry = Registry(tmp_path_factory.mktemp("registry"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(registry.ca))
        yield registry
    registry.close()


@pytest.fixture(scope="module")
def stack(registry: Registry, package: Path, version: str, new_stack: NewStack) -> Stack:
    """A stack with the values that Pulumi.prod.yaml has for cert-manager; not yet up."""
    prod = yaml.safe_load((PROJECT / "Pulumi.prod.yaml").read_text())["config"]
    pinned = {"chart": registry.chart, "version": version, "digest": registry.push(package, version)}
    return new_stack("hardened", certManager={**prod[f"{PREFIX}certManager"], **pinned}, hosts=[SHOP])


@pytest.fixture
def standing(stack: Stack) -> Stack:
    """The stack, up."""
    stack.stand()
    return stack


@pytest.fixture(scope="module")
def intruder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of the same name and version with something else in it."""
    folder = tmp_path_factory.mktemp("intruder")
    shutil.copytree(chart.FOLDER, folder / CERT_MANAGER)
    (folder / CERT_MANAGER / "templates" / "intruder.yaml").write_text("# another chart")
    chart.helm("package", str(folder / CERT_MANAGER), "--destination", str(folder / "packages"))
    return next((folder / "packages").iterdir())


def test_a_package_is_taken_by_its_digest_and_another_one_is_not(stack: Stack, package: Path, intruder: Path) -> None:
    with stack.changed(certManager={"chart": str(package), "digest": digest_of(package)}):
        assert stack.plan()["cert-manager-release"] == "create", "it is the pinned one"
    with stack.changed(certManager={"chart": str(intruder), "digest": digest_of(package)}):
        printed = stack.preview(fails=True)
    assert f"is {digest_of(intruder)}, and not {digest_of(package)}" in printed, "the preview says so and ends"


def test_a_tag_that_was_moved_to_another_chart_is_refused(
    stack: Stack, registry: Registry, package: Path, intruder: Path, version: str
) -> None:
    registry.push(intruder, version)
    try:
        with stack.changed(certManager={"digest": None}):
            assert stack.plan()["cert-manager-release"] == "create", "without a digest, the tag is what counts"
        printed = stack.preview(fails=True)
    finally:
        registry.push(package, version)
    assert "chart reference digest mismatch" in printed, "with one, Helm compares it"


def test_a_chart_that_the_registry_does_not_have_is_refused(stack: Stack) -> None:
    with stack.changed(certManager={"digest": f"sha256:{'a' * 64}"}):
        printed = stack.preview(fails=True)
    assert "'cert-manager-release'" in printed, "the resource is named"
    assert f"{'a' * 64}; check the chart name and repository configuration" in printed, "with what was asked for"


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg makes the signature")
def test_a_signature_is_verified(stack: Stack, package: Path, tmp_path: Path) -> None:
    def gpg(*arguments: str) -> bytes:
        command = ["gpg", "--batch", "--quiet", "--homedir", str(tmp_path), "--passphrase", "", *arguments]
        return subprocess.run(command, capture_output=True, timeout=60, check=True).stdout

    tmp_path.chmod(0o700)
    rings = {}
    for name in ("signer", "stranger"):
        gpg("--quick-gen-key", f"{name}@sandbox.test", "rsa2048", "sign", "never")
        rings[name] = tmp_path / f"{name}.gpg"
        rings[name].write_bytes(gpg("--export", f"{name}@sandbox.test"))
    secret = tmp_path / "secret.gpg"
    secret.write_bytes(gpg("--export-secret-keys", "signer@sandbox.test"))
    subprocess.run(["gpgconf", "--homedir", str(tmp_path), "--kill", "all"], check=True, timeout=60)
    source, target = str(chart.FOLDER), str(tmp_path / "signed")
    chart.helm("package", source, "--destination", target, "--sign", "--key", "signer", "--keyring", str(secret))
    signed = str(next(Path(target).glob("*.tgz")))

    with stack.changed(certManager={"chart": signed, "digest": None, "keyring": str(rings["signer"])}):
        assert stack.plan()["cert-manager-release"] == "create", "it was signed with a key of the ring"
    with stack.changed(certManager={"chart": signed, "digest": None, "keyring": str(rings["stranger"])}):
        assert "openpgp: signature made by unknown entity" in stack.preview(fails=True), "nobody else can sign it"
    with stack.changed(certManager={"chart": str(package), "digest": None, "keyring": str(rings["signer"])}):
        assert "could not load provenance file" in stack.preview(fails=True), "nor does it go without a signature"


def test_it_works_with_the_values_for_production(standing: Stack) -> None:
    ready = {
        deployment["metadata"]["name"]: deployment["status"].get("availableReplicas")
        for deployment in items("deployments", CERT_MANAGER)
    }
    assert ready == {"cert-manager": 2, "cert-manager-webhook": 3, "cert-manager-cainjector": 2}, "all of them run"
    assert standing.plan() == {}, "it is the chart of the digest, and the stack is at rest"


def test_its_namespace_takes_no_pod_that_could_take_over_a_node(standing: Stack) -> None:
    assert "cert-manager-release" in str(standing.resources()), "the chart's own Pods were admitted"
    container = {"name": "root", "image": "sandbox/demo", "securityContext": {"privileged": True}}
    pod = resource("v1", "Pod", "root", CERT_MANAGER, spec={"containers": [container]})
    with pytest.raises(AssertionError, match='violates PodSecurity "restricted:latest"'):
        kubectl("create", "--dry-run=server", manifest=pod)


def component(name: str) -> Peer:
    """Return a Pod of cert-manager."""
    return pod(CERT_MANAGER, {"app.kubernetes.io/component": name})


SOLVER = Peer(ISTIO, {"acme.cert-manager.io/http01-solver": "true"})


@pytest.mark.usefixtures("standing")
def test_its_network_policies_let_through_what_it_needs() -> None:
    controller, webhook, injector = (component(name) for name in ("controller", "webhook", "cainjector"))
    gateway = pod(ISTIO, {"istio": "ingressgateway"})
    api_server = target_port("kubernetes", "default", 443)
    needed = {
        "the API server asks the webhook": Connection(
            OUTSIDE, webhook, target_port("cert-manager-webhook", CERT_MANAGER, 443)
        ),
        "the controller asks the API server": Connection(controller, OUTSIDE, api_server),
        "the webhook asks the API server": Connection(webhook, OUTSIDE, api_server),
        "the injector asks the API server": Connection(injector, OUTSIDE, api_server),
        "the controller asks an ACME server": Connection(controller, OUTSIDE, 443),
        "the controller asks DNS": Connection(controller, OUTSIDE, 53, "UDP"),
        "the controller asks DNS for long answers": Connection(controller, OUTSIDE, 53),
        "the controller tests a challenge at the gateway": Connection(
            controller, gateway, target_port("istio-ingressgateway", ISTIO, 80)
        ),
        "and at its address": Connection(controller, OUTSIDE, 80),
        "the gateway asks the solver": Connection(gateway, SOLVER, 8089),
    }
    assert [what for what, connection in needed.items() if not allowed(connection)] == [], "nothing may be cut off"


@pytest.mark.usefixtures("standing")
def test_its_network_policies_hold_back_the_rest() -> None:
    controller, webhook, shop = component("controller"), component("webhook"), pod("shop", {"app": "shop"})
    unwanted = {
        "an application asks the solver": Connection(shop, SOLVER, 8089),
        "the solver asks the API server": Connection(SOLVER, OUTSIDE, 443),
        "the controller asks an application": Connection(controller, shop, 8080),
        "an application asks the controller at a port that is none of its own": Connection(shop, controller, 22),
        "an application asks the webhook at one": Connection(shop, webhook, 22),
    }
    assert [what for what, connection in unwanted.items() if allowed(connection)] == [], "nothing may get through"


def test_nothing_of_the_release_is_in_kube_system_which_autopilot_keeps_closed() -> None:
    def namespaces(values: Any) -> set[str]:
        objects = chart.rendered(values)
        text = "\n".join(map(yaml.safe_dump, objects))
        return {obj["metadata"].get("namespace", "") for obj in objects} | set(
            re.findall(r"namespace[=:] ?['\"]?([a-z-]+)", text)
        )

    assert "kube-system" in namespaces({}), "the chart's own default elects its leaders there"
    assert "kube-system" not in namespaces(chart_values(CERT_MANAGER, {})), "the program's does not"
