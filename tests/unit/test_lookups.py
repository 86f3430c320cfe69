"""The GKE cluster that a config names: its endpoints, and what Autopilot does not admit.

The shapes are those of `gcp.container.get_cluster`: everything is a list of at most one.
"""

import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest

from config import lookups
from tests.unit import harness
from tests.unit.harness import Recorder, good_config

ROOT = Path(__file__).parents[2]
NAME = "gke-0a1b-123.europe-west1.gke.goog"
UPDATE = "gcloud container clusters update platform --location europe-west1"


def dns(endpoint: str = NAME, *, opened: bool) -> dict[str, Any]:
    return {"dnsEndpointConfigs": [{"endpoint": endpoint, "allowExternalTraffic": opened}]}


def endpoints(**configs: Any) -> dict[str, Any]:
    return {"controlPlaneEndpointsConfigs": [configs]}


PRIVATE = {"privateClusterConfigs": [{"enablePrivateEndpoint": True, "privateEndpoint": "10.0.0.2"}]}


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the program on a GKE cluster; returns the kubeconfig that it enters it with."""
    monkeypatch.setattr("components.kube.load_balancer.find_address", lambda *_, **__: ["203.0.113.10"])
    monkeypatch.setattr("components.kube.mesh.solver_problem", lambda *_, **__: None)
    monkeypatch.setattr("components.kube.client.api_client", lambda *_: None)
    monkeypatch.setattr("config.lookups._answers", lambda address: not address.endswith(".2"))

    def run(
        cluster: dict[str, Any],
        endpoint: str = "ip",
        *,
        address: str = "192.0.2.1",
        preview: bool = False,
        plugin: bool = True,
        **more: Any,
    ) -> str:
        monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if plugin else None)
        gke = {"cluster": "platform", "location": "europe-west1", "endpoint": endpoint}
        recorder = Recorder(cluster=cluster, endpoint=address)
        program = ROOT / "__main__.py"
        config = good_config(gke=gke, kubeconfig="", **more)
        harness.run(
            lambda: runpy.run_path(str(program), run_name="__main__"), config, preview=preview, recorder=recorder
        )
        return str(recorder.named("cluster").inputs["kubeconfig"])

    return run


def test_the_dns_endpoint_is_entered_without_a_ca_of_its_own(enter: Any) -> None:
    kubeconfig = enter(endpoints(**dns(opened=True)), "dns")

    assert f"https://{NAME}" in kubeconfig, "by its name"
    assert "certificate-authority" not in kubeconfig, "its certificate is one of the web's"
    assert "gke-gcloud-auth-plugin" in kubeconfig, "the same credentials"


def test_the_endpoint_by_address_is_the_default(enter: Any) -> None:
    kubeconfig = enter(endpoints(**dns(opened=True), ipEndpointsConfigs=[{"enabled": True}]))

    assert "https://192.0.2.1" in kubeconfig, "whatever else it has"
    assert "certificate-authority-data" in kubeconfig, "with its CA"


@pytest.mark.parametrize(
    ("cluster", "endpoint", "what", "fix"),
    [
        (
            endpoints(**dns(opened=False)),
            "dns",
            "has a DNS endpoint that takes no calls",
            f"{UPDATE} --enable-dns-access",
        ),
        ({}, "dns", "has no DNS endpoint", f"{UPDATE} --enable-dns-access"),
        (
            endpoints(**dns(opened=True), ipEndpointsConfigs=[{"enabled": False}]),
            "ip",
            "has no endpoint by address",
            "pulumi config set --path gke.endpoint dns",
        ),
        (
            endpoints(**dns(opened=False), ipEndpointsConfigs=[{"enabled": False}]),
            "ip",
            "has no endpoint by address",
            f"{UPDATE} --enable-dns-access",
        ),
        ({"masterAuths": []}, "ip", "has no CA of its own", "pulumi config set --path gke.endpoint dns"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused_with_the_command_that_opens_one(
    enter: Any, cluster: dict[str, Any], endpoint: str, what: str, fix: str
) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        enter(cluster, endpoint)

    first, *commands = str(refused.value).splitlines()
    assert first == f"the GKE cluster 'platform' in 'europe-west1' {what}", "which, and what"
    assert fix in [command.strip() for command in commands], "and what opens it"


def test_a_private_endpoint_that_does_not_answer_from_here_is_explained_at_once(enter: Any) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        enter(PRIVATE, address="10.0.0.2")

    assert "has a private endpoint alone, 10.0.0.2, which does not answer from here" in str(refused.value)
    assert f"{UPDATE} --enable-dns-access" in str(refused.value), "what opens another way"
    assert "pulumi config set --path gke.endpoint dns" in str(refused.value), "and takes it"


def test_a_public_endpoint_that_does_not_answer_from_here_is_explained_at_once(enter: Any) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        enter(endpoints(**dns(opened=True)), address="192.0.2.2")

    first, *commands = str(refused.value).splitlines()
    assert "does not answer from here at 192.0.2.2: its authorized networks" in first, "what may keep this machine out"
    assert [each.strip() for each in commands] == ["pulumi config set --path gke.endpoint dns"], "that one is open"


def test_an_address_behind_a_proxy_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = "127.0.0.254"
    for each in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(each, raising=False)
    assert not lookups._answers(refusing), "nobody listens there"

    monkeypatch.setenv("https_proxy", "http://bastion.sandbox.test:8888")
    assert lookups._answers(refusing), "the bastion may reach it"
    monkeypatch.setenv("no_proxy", refusing)
    assert not lookups._answers(refusing), "past the bastion nobody does"


def test_a_machine_without_the_plugin_is_told_before_it_enters(enter: Any) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        enter(endpoints(**dns(opened=True)), "dns", plugin=False)

    assert "is entered with gke-gcloud-auth-plugin, which is not on PATH" in str(refused.value)
    assert "gcloud components install gke-gcloud-auth-plugin" in str(refused.value)
    assert enter(endpoints(**dns(opened=True)), "dns", plugin=False, preview=True), "a preview does without"


def test_a_private_endpoint_is_used_from_within_its_network(enter: Any) -> None:
    assert "https://10.0.0.3" in enter(PRIVATE, address="10.0.0.3"), "it answers"


def test_a_preview_goes_on_without_a_private_cluster(enter: Any) -> None:
    assert "https://10.0.0.2" in enter(PRIVATE, address="10.0.0.2", preview=True), "as without any other"


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"global": {"leaderElection": {"namespace": "kube-system"}}}, "global.leaderElection.namespace"),
        ({"webhook": {"hostNetwork": True}}, "webhook.hostNetwork"),
    ],
)
def test_values_that_autopilot_does_not_admit_are_refused_there_alone(
    enter: Any, values: dict[str, Any], path: str
) -> None:
    with pytest.raises(pulumi.RunError, match=r"is an Autopilot, which") as refused:
        enter({"enableAutopilot": True}, certManager={"values": values})

    assert f"pulumi config rm --path certManager.values.{path}" in str(refused.value), "the program's own value fits"
    assert enter({"enableAutopilot": False}, certManager={"values": values}), "another cluster may have them"
    assert enter({"enableAutopilot": True}, certManager={"install": False, "values": values}), "nothing is installed"
