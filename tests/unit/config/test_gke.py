"""The GKE cluster that a config names: its endpoints, and the values that Autopilot does not admit.

The shapes are those of `gcp.container.get_cluster`: everything is a list of at most one.
"""

from typing import Any

import pulumi
import pytest

from config import gke
from tests.unit import harness
from tests.unit.config.support import program
from tests.unit.harness import Recorder, good_config

NAME = "gke-0a1b-123.europe-west1.gke.goog"
OPEN_DNS = "gcloud container clusters update platform --location europe-west1 --enable-dns-access"
USE_DNS = "pulumi config set --path gke.endpoint dns"


def endpoints(*, dns: bool, ip: bool = True) -> dict[str, Any]:
    """A cluster with endpoints that are open or not."""
    configs = {
        "dnsEndpointConfigs": [{"endpoint": NAME, "allowExternalTraffic": dns}],
        "ipEndpointsConfigs": [{"enabled": ip}],
    }
    return {"controlPlaneEndpointsConfigs": [configs]}


PRIVATE = {"privateClusterConfigs": [{"enablePrivateEndpoint": True, "privateEndpoint": "10.0.0.2"}]}


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch, gateway_address: None) -> Any:  # noqa: ARG001 - for its effect
    """Run the program on a GKE cluster, and return the kubeconfig that it uses."""
    monkeypatch.setattr("config.gke._answers", lambda address: not address.endswith(".2"))

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
        section = {"cluster": "platform", "location": "europe-west1", "endpoint": endpoint}
        recorder = Recorder(cluster=cluster, endpoint=address)
        harness.run(program, good_config(gke=section, kubeconfig="", **more), preview=preview, recorder=recorder)
        return str(recorder.named("cluster").inputs["kubeconfig"])

    return run


@pytest.mark.parametrize(
    ("cluster", "options", "what", "fix"),
    [
        (endpoints(dns=False), {"endpoint": "dns"}, "has a DNS endpoint that accepts no calls", [OPEN_DNS]),
        ({}, {"endpoint": "dns"}, "has no DNS endpoint", [OPEN_DNS]),
        (endpoints(dns=True, ip=False), {}, "has no endpoint by address", [USE_DNS]),
        (endpoints(dns=False, ip=False), {}, "has no endpoint by address", [OPEN_DNS, USE_DNS]),
        ({"masterAuths": []}, {}, "has no CA of its own", [OPEN_DNS, USE_DNS]),
        (PRIVATE, {"address": "10.0.0.2"}, "has a private endpoint only, 10.0.0.2", [OPEN_DNS, USE_DNS]),
        (endpoints(dns=True), {"address": "192.0.2.2"}, "does not answer from here at 192.0.2.2", [USE_DNS]),
        (endpoints(dns=True), {"endpoint": "dns", "plugin": False}, "is entered with gke-gcloud-auth-plugin",
         ["gcloud components install gke-gcloud-auth-plugin"]),
    ],
)  # fmt: skip
def test_an_endpoint_that_cannot_be_used_is_refused_with_the_command_that_opens_one(
    enter: Any, cluster: dict[str, Any], options: dict[str, Any], what: str, fix: list[str]
) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        enter(cluster, **options)

    first, *commands = (line.strip() for line in str(refused.value).splitlines())
    assert first.startswith(f"the GKE cluster 'platform' in 'europe-west1' {what}")
    assert commands[: len(fix)] == fix


@pytest.mark.parametrize(("cluster", "options"), [
    pytest.param(PRIVATE, {"address": "10.0.0.3"}, id="from within the network of a private cluster"),
    pytest.param(PRIVATE, {"address": "10.0.0.2", "preview": True}, id="a preview without access"),
    pytest.param(endpoints(dns=True), {"preview": True, "plugin": False}, id="a preview without the plugin"),
])  # fmt: skip
def test_a_cluster_is_used_where_it_can_be_or_need_not_be_entered(
    enter: Any, cluster: dict[str, Any], options: dict[str, Any]
) -> None:
    assert f"https://{options.get('address', '192.0.2.1')}" in enter(cluster, **options)


def test_an_address_behind_a_proxy_is_left_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = "127.0.0.254"
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert not gke._answers(refusing)

    monkeypatch.setenv("https_proxy", "http://bastion.sandbox.test:8888")
    assert gke._answers(refusing), "the bastion may reach it"
    monkeypatch.setenv("no_proxy", refusing)
    assert not gke._answers(refusing)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"global": {"leaderElection": {"namespace": "kube-system"}}}, "global.leaderElection.namespace"),
        ({"webhook": {"hostNetwork": True}}, "webhook.hostNetwork"),
    ],
)
def test_values_that_autopilot_does_not_admit_are_refused_on_autopilot_only(
    enter: Any, values: dict[str, Any], path: str
) -> None:
    with pytest.raises(pulumi.RunError, match=r"is an Autopilot, which") as refused:
        enter({"enableAutopilot": True}, certManager={"values": values})

    assert f"pulumi config rm --path certManager.values.{path}" in str(refused.value)
    assert enter({"enableAutopilot": False}, certManager={"values": values})
    assert enter({"enableAutopilot": True}, certManager={"install": False, "values": values})
