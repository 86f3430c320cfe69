"""GKE clusters, found by Google's container API and entered by either of their endpoints.

Each is the sandbox's own control plane, by what the emulated API says of it. In the place of `gke-gcloud-auth-plugin`
is a program of this test, whose credential is a ServiceAccount's token; on GKE it is a Google account's.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import acme, google, network, paths
from sandbox.testing import client, cloud_dns, eventually, get, items, kubectl, names
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

CLUSTERS = f"/v1/projects/sandbox/locations/{google.REGION}/clusters"
HOST = "gke.sandbox.test"
NAMESPACE = "gke-users"
USER = f"system:serviceaccount:{NAMESPACE}:deploy"
OPEN: dict[str, Any] = {"dnsEndpointConfig": {"allowExternalTraffic": True}}
REFUSED = "the namespace is managed"

MANAGED: list[dict[str, Any]] = [
    {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "managed-namespaces-limitation"},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "resourceRules": [
                    {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"],
                     "operations": ["CREATE", "UPDATE", "DELETE"], "scope": "Namespaced"}
                ],
            },
            "validations": [
                {
                    # The control plane's own parts, and the administrator of the sandbox.
                    "expression": "'system:masters' in request.userInfo.groups"
                    " || request.userInfo.username.startsWith('system:serviceaccount:kube-system:')"
                    " || (request.userInfo.username.startsWith('system:')"
                    " && !request.userInfo.username.startsWith('system:serviceaccount:'))",
                    "message": REFUSED,
                }
            ],
        },
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "managed-namespaces-limitation"},
        "spec": {"policyName": "managed-namespaces-limitation", "validationActions": ["Deny"]},
    },
]  # fmt: skip
"""kube-system as an Autopilot keeps it: closed to all but Google's own."""


class Plugin:
    """A `gke-gcloud-auth-plugin` in a folder of its own, which keeps what it was asked for."""

    def __init__(self, folder: Path, token: str) -> None:
        self.token, self._asked = token, folder / "asked"
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": token},
        }  # fmt: skip
        (folder / "credential").write_text(json.dumps(credential))
        program = folder / "gke-gcloud-auth-plugin"
        say = f"printf '%s\\n' \"$KUBERNETES_EXEC_INFO\" >> {self._asked}"
        program.write_text(f"#!/bin/sh\n{say}\ncat {folder}/credential\n")
        program.chmod(0o755)
        self.path = f"{folder}{os.pathsep}{os.environ['PATH']}"

    def clusters(self) -> list[dict[str, Any]]:
        """The clusters that credentials were asked for, since the last look."""
        asked = self._asked.read_text().splitlines() if self._asked.exists() else []
        self._asked.unlink(missing_ok=True)
        # Go's clients end it with an empty line.
        return [json.loads(each)["spec"]["cluster"] for each in asked if each]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    kubectl("create", "namespace", NAMESPACE)
    kubectl("create", "serviceaccount", "deploy", "--namespace", NAMESPACE)
    kubectl(
        "create", "clusterrolebinding", NAMESPACE, "--clusterrole=cluster-admin", f"--serviceaccount={NAMESPACE}:deploy"
    )
    yield Plugin(tmp_path_factory.mktemp("plugin"), kubectl("create", "token", "deploy", "-n", NAMESPACE).strip())
    kubectl("delete", "clusterrolebinding", NAMESPACE)
    kubectl("delete", "namespace", NAMESPACE)


@pytest.fixture
def cluster() -> Iterator[Callable[..., dict[str, Any]]]:
    """Make a GKE cluster; returns what the API says of it."""
    made: list[str] = []

    def make(name: str, **cluster: Any) -> dict[str, Any]:
        cloud_dns("POST", "", {"cluster": {"name": name, **cluster}}, below=CLUSTERS)
        made.append(name)
        found: dict[str, Any] = cloud_dns("GET", f"/{name}", below=CLUSTERS)
        return found

    yield make
    for name in made:
        cloud_dns("DELETE", f"/{name}", below=CLUSTERS)


def stack_of(plugin: Plugin, name: str, cluster: str, folder: Path) -> Stack:
    """A stack that enters a GKE cluster; Google's CA of the sandbox is in the machine's trust store."""
    stack = Stack(name, folder, environment={"PATH": plugin.path, "SSL_CERT_FILE": str(google.ROOTS)})
    stack.configure(
        kubeconfig=None,
        gke={"cluster": cluster, "location": google.REGION},
        certificate={"secretName": "gke-certs"},
        hosts=[{"host": HOST, "service": "shop", "namespace": "shop", "port": 80}],
    )
    return stack


@pytest.fixture(scope="module")
def autopilot() -> Iterator[str]:
    """An Autopilot whose DNS endpoint is open; returns the name of that."""
    body = {"name": "autopilot", "autopilot": {"enabled": True}, "controlPlaneEndpointsConfig": OPEN}
    cloud_dns("POST", "", {"cluster": body}, below=CLUSTERS)
    for each in MANAGED:
        kubectl("apply", manifest=each)
    yield cloud_dns("GET", "/autopilot", below=CLUSTERS)["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"]
    for each in MANAGED:
        kubectl("delete", each["kind"], each["metadata"]["name"])
    cloud_dns("DELETE", "/autopilot", below=CLUSTERS)


@pytest.fixture(scope="module")
def stack(plugin: Plugin, autopilot: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    assert autopilot, "it is there for longer than the stack"
    with stack_of(plugin, "gke", "autopilot", tmp_path_factory.mktemp("stacks")) as stack:
        yield stack
    kubectl("delete", "secret", "gke-certs", "--namespace", "istio-system", "--ignore-not-found")


@pytest.fixture
def newcomer(plugin: Plugin, cluster: Any, tmp_path: Path) -> Iterator[Stack]:  # noqa: ARG001 - it goes after the stack
    """A stack that has nothing yet, of the cluster `other`."""
    stack = stack_of(plugin, "gke-newcomer", "other", tmp_path)
    yield stack
    if registered(stack):
        stack.destroy()


def registered(stack: Stack) -> list[str]:
    """What is in a stack's state, without what the engine puts there itself."""
    return [each["urn"] for each in stack.resources() if not each["type"].startswith("pulumi:")]


def test_a_cluster_is_entered_by_its_address_with_its_own_ca(stack: Stack, plugin: Plugin) -> None:
    stack.stand()

    entered = plugin.clusters()
    assert {each["server"] for each in entered} == {f"https://{network.KUBERNETES}"}, "the endpoint that Google names"
    assert all(each["certificate-authority-data"] for each in entered), "with the CA that Google names"
    assert eventually("it is served", partial(client.served, HOST, client.trusting(acme.STAGING)))
    assert stack.plan() == {}, "nothing is left to do"
    assert plugin.token not in json.dumps(stack.resources(secrets=True)), "the state holds no credential"


def test_a_cluster_is_entered_by_its_name_with_the_webs_certificates(
    stack: Stack, plugin: Plugin, autopilot: str
) -> None:
    stack.stand()
    plugin.clusters()
    with stack.changed(gke={"endpoint": "dns"}):
        assert stack.plan() == {"cluster": "update"}, "another way into the same cluster replaces nothing"
        stack.up()
        entered = plugin.clusters()
        assert {each["server"] for each in entered} == {f"https://{autopilot}"}, "the endpoint that Google names"
        assert not any("certificate-authority-data" in each for each in entered), "without a CA of its own"
        assert stack.preview("--refresh", "--expect-no-changes"), "what is there is read by it as well"

        stack.environment["SSL_CERT_FILE"] = str(paths.PKI / "ca.crt")
        try:
            refused = stack.up(fails=True)
        finally:
            stack.environment["SSL_CERT_FILE"] = str(google.ROOTS)
        assert "certificate" in refused, "one that nobody vouches for is not believed"


def test_cert_manager_keeps_out_of_what_an_autopilot_manages(stack: Stack) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "x"}, "rules": []}
    options = ["--namespace", "kube-system", "--as", USER, "--dry-run=server"]
    with pytest.raises(AssertionError, match=REFUSED):
        kubectl("create", *options, manifest=role)
    stack.stand()

    manifest = subprocess.run(
        ["helm", "get", "manifest", "cert-manager", "--namespace", "cert-manager"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    places = {each["metadata"].get("namespace") for each in yaml.load_all(manifest, yaml.CSafeLoader) if each}
    assert places == {None, "cert-manager"}, "nothing of the release is in kube-system"
    for part in ("controller", "cainjector-leader-election"):
        assert get("lease", f"cert-manager-{part}", "cert-manager"), f"the {part} has elected its leader in its own"
    assert not [each for each in names("lease", "kube-system") if "cert-manager" in each], "and not in kube-system"


def test_values_that_an_autopilot_does_not_admit_are_refused(stack: Stack) -> None:
    stack.stand()
    values = {"global": {"leaderElection": {"namespace": "kube-system"}}}
    with stack.changed(certManager={"values": values}):
        refused = stack.preview(fails=True)

    assert "is an Autopilot, which keeps kube-system closed" in refused, "why"
    assert "pulumi config rm --path certManager.values.global.leaderElection.namespace" in refused, "and what to do"


def test_a_closed_dns_endpoint_is_refused_until_it_is_opened(newcomer: Stack, plugin: Plugin, cluster: Any) -> None:
    name = cluster("other")["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"]
    newcomer.configure(gke={"endpoint": "dns"})
    plugin.clusters()

    refused = newcomer.up(fails=True)

    assert f"the GKE cluster 'other' in '{google.REGION}' has a DNS endpoint that takes no calls" in refused
    assert f"gcloud container clusters update other --location {google.REGION} --enable-dns-access" in refused
    assert registered(newcomer) == [], "nothing was begun"
    assert plugin.clusters() == [], "nor asked of the cluster"

    # What that command does.
    update = {"desiredControlPlaneEndpointsConfig": OPEN}
    cloud_dns("PUT", "/other", {"update": update}, below=CLUSTERS)
    assert newcomer.preview()
    assert {each["server"] for each in plugin.clusters()} == {f"https://{name}"}, "and then it is entered"


@pytest.mark.parametrize(
    ("endpoints", "what"),
    [
        ({"enablePublicEndpoint": False}, f"has a private endpoint alone, {google.PRIVATE_ENDPOINT}, which does not"),
        ({"enabled": False}, "has no endpoint by address"),
    ],
)
def test_an_endpoint_that_is_not_there_is_refused_before_anything_waits_for_it(
    newcomer: Stack, cluster: Any, endpoints: dict[str, bool], what: str
) -> None:
    cluster("other", controlPlaneEndpointsConfig={"ipEndpointsConfig": endpoints})

    refused = newcomer.up(fails=True)

    assert what in refused
    assert f"gcloud container clusters update other --location {google.REGION} --enable-dns-access" in refused
    assert "pulumi config set --path gke.endpoint dns" in refused, "the way in from here"
    assert registered(newcomer) == [], "nothing was begun"


def test_a_machine_without_the_plugin_is_told_what_to_install(newcomer: Stack, cluster: Any) -> None:
    cluster("other")
    # Where what a stack needs is, and nothing of the machine's.
    newcomer.environment["PATH"] = f"{paths.BIN}{os.pathsep}{paths.VENV_BIN}"

    refused = newcomer.up(fails=True)

    assert "is entered with gke-gcloud-auth-plugin, which is not on PATH" in refused
    assert "gcloud components install gke-gcloud-auth-plugin" in refused
    assert registered(newcomer) == [], "nothing was begun"


def test_a_preview_goes_on_without_a_private_cluster(newcomer: Stack, cluster: Any) -> None:
    cluster("other", controlPlaneEndpointsConfig={"ipEndpointsConfig": {"enablePublicEndpoint": False}})

    seen = newcomer.preview()

    assert "which does not answer from here" in seen, "it warns"
    assert f"host: {HOST}" in seen or HOST in seen, "and shows what it knows itself"


def test_a_cluster_that_is_not_there_is_named(newcomer: Stack) -> None:
    refused = newcomer.preview(fails=True)

    assert f"projects/sandbox/locations/{google.REGION}/clusters/other not found" in refused
    assert "gcloud container clusters list --filter name=other" in refused
    assert items("serviceaccount", NAMESPACE), "the sandbox itself is there"
