"""What is secret in the config stays secret, and the cluster stays the same when its endpoint and CA change.

One stack has a kubeconfig with credentials in it, as a secret.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import paths
from sandbox.testing import live
from tests.sandbox.stack import SHOP, Stack

pytestmark = pytest.mark.sandbox

CANARY = "hunter2-correct-horse"


def kubeconfig(server: str | None = None, *, rotated: bool = False) -> dict[str, Any]:
    """Return the sandbox's kubeconfig with the content of the files that it refers to.

    Args:
        server: Another endpoint of the API server.
        rotated: Whether its CA is about to change: the bundle then holds two.
    """
    config: dict[str, Any] = yaml.safe_load(paths.KUBECONFIG.read_text())
    for part in (config["clusters"][0]["cluster"], config["users"][0]["user"]):
        for key in ("certificate-authority", "client-certificate", "client-key"):
            if key in part:
                content = Path(part.pop(key)).read_bytes()
                twice = rotated and key == "certificate-authority"
                part[f"{key}-data"] = base64.b64encode(content * (2 if twice else 1)).decode()
    config["clusters"][0]["cluster"]["server"] = server or config["clusters"][0]["cluster"]["server"]
    return config


def key_of(config: dict[str, Any]) -> str:
    """Return the private key in a kubeconfig."""
    return str(config["users"][0]["user"]["client-key-data"])


def set_secrets(stack: Stack, config: dict[str, Any]) -> None:
    """Put everything that is secret into the stack's config."""
    stack.configure()
    stack.set_secret("kubeconfig", json.dumps(config))
    stack.set_secret("certManager.values.extraEnv[0].name", "CANARY")
    stack.set_secret("certManager.values.extraEnv[0].value", CANARY)
    stack.set_secret("acme.email", f"{CANARY}@sandbox.test")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, destroyed at the end whatever a test did to it."""
    with Stack("secrets", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(hosts=[SHOP], kubeconfig=None)
        yield stack
        set_secrets(stack, kubeconfig())


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """The stack, configured with its secrets."""
    set_secrets(shared, kubeconfig())
    return shared


@pytest.fixture
def standing(stack: Stack) -> Stack:
    """The stack, up."""
    stack.stand()
    return stack


def assert_kept(printed: str) -> None:
    """Assert that an output has no secret."""
    for what, secret in (("the canary", CANARY), ("the kubeconfig's key", key_of(kubeconfig()))):
        assert secret not in printed, f"{what} is a secret"
        assert base64.b64encode(secret.encode()).decode()[:-4] not in printed, f"{what} is one in base64 too"


def test_a_kubeconfig_with_credentials_is_refused_in_plain_text(tmp_path: Path) -> None:
    stack = Stack("plain", tmp_path)
    stack.configure(hosts=[SHOP], kubeconfig=json.dumps(kubeconfig()))
    printed = stack.preview(fails=True)
    assert 'kubeconfig: "[secret]" holds credentials in plain text, users[0].user.client-key-data' in printed
    assert "pulumi config set --secret kubeconfig < KUBECONFIG" in printed, "with the command"
    assert_kept(printed)


@pytest.mark.parametrize("content", ["users:\n- token: '{}\n", '{{"users": "{}"}}', "{}\n{}\n"])
def test_a_kubeconfig_that_does_not_parse_is_not_printed(content: str, tmp_path: Path) -> None:
    stack = Stack("broken", tmp_path)
    stack.configure(hosts=[SHOP], kubeconfig=None)
    stack.set_secret("kubeconfig", content.format(CANARY, CANARY))
    printed = stack.preview(fails=True)
    assert "kubeconfig: " in printed, "the key is named"
    assert "Traceback" not in printed, "and no line of the program"
    assert_kept(printed)


def test_nothing_of_a_secret_is_printed(stack: Stack) -> None:
    assert_kept(stack.preview())
    assert_kept(stack.up())
    deployment = live("deployment", "cert-manager", "cert-manager")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "CANARY", "value": CANARY} in container["env"], "the secret went where it belongs"
    stack.set_secret("certManager.values.extraEnv[0].value", f"{CANARY}-2")
    changed = stack.preview()
    assert "cert-manager-release" in changed, "a change of it is planned"
    assert_kept(changed)


def test_nothing_of_a_secret_is_in_the_state_in_plain_text(standing: Stack) -> None:
    assert_kept(json.dumps(standing.resources()))
    shown = standing.run("stack", "export", "--show-secrets", config=False)
    assert CANARY in shown, "it is there"
    assert key_of(kubeconfig()) in json.loads(json.dumps(shown)), "all of them are"
    assert_kept(json.dumps(standing.outputs()))


def test_a_cluster_with_a_name_stays_the_same_when_its_endpoint_and_ca_change(standing: Stack) -> None:
    stack = standing
    elsewhere = "https://127.0.0.1:6443"
    set_secrets(stack, kubeconfig(rotated=True))
    refused = stack.preview(fails=True)
    assert "namespace cert-manager has a cert-manager already" in refused, "without a name it may be another cluster"

    stack.configure(clusterIdentifier="sandbox")
    set_secrets(stack, kubeconfig())
    assert stack.plan() == {"cluster": "update"}, "the name is added while the endpoint is the same"
    stack.up()
    for config in (kubeconfig(rotated=True), kubeconfig(elsewhere), kubeconfig(elsewhere, rotated=True)):
        set_secrets(stack, config)
        assert stack.plan() == {"cluster": "update"}, "nothing on it is touched"
    stack.up()
    assert stack.plan() == {}, "it is at rest, at its new endpoint"
