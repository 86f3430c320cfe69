"""GKE clusters, looked up in Google's container API and entered by either of their endpoints.

The emulated API names the sandbox's own control plane. `gke-gcloud-auth-plugin` is a program of this test, whose
credential is a ServiceAccount's token; on GKE it is a Google account's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sandbox import acme, network, paths
from sandbox import google as cloud
from sandbox.testing import applied, client, eventually, get, google, kubectl, names, resource
from tests.sandbox import chart
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

CLUSTERS = f"/v1/projects/sandbox/locations/{cloud.REGION}/clusters"
HOST = "gke.sandbox.test"
NAMESPACE = "gke-users"
USER = f"system:serviceaccount:{NAMESPACE}:deploy"
OPEN: dict[str, Any] = {"dnsEndpointConfig": {"allowExternalTraffic": True}}
REFUSED = "the namespace is managed"

POLICY = {
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
}  # fmt: skip
BINDING = {"policyName": "managed-namespaces-limitation", "validationActions": ["Deny"]}
VERSION = "admissionregistration.k8s.io/v1"
MANAGED = [
    resource(VERSION, "ValidatingAdmissionPolicy", "managed-namespaces-limitation", spec=POLICY),
    resource(VERSION, "ValidatingAdmissionPolicyBinding", "managed-namespaces-limitation", spec=BINDING),
]
"""kube-system as an Autopilot keeps it: closed to everyone but Google."""


class Plugin:
    """A `gke-gcloud-auth-plugin` in a folder of its own, which records the requests."""

    def __init__(self, folder: Path, token: str) -> None:
        self.token, self._requests = token, folder / "requests"
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": token},
        }  # fmt: skip
        (folder / "credential").write_text(json.dumps(credential))
        program = folder / "gke-gcloud-auth-plugin"
        say = f"printf '%s\\n' \"$KUBERNETES_EXEC_INFO\" >> {self._requests}"
        program.write_text(f"#!/bin/sh\n{say}\ncat {folder}/credential\n")
        program.chmod(0o755)
        self.path = f"{folder}{os.pathsep}{os.environ['PATH']}"

    def clusters(self) -> list[dict[str, Any]]:
        """Return the clusters that credentials were requested for since the last call."""
        lines = self._requests.read_text().splitlines() if self._requests.exists() else []
        self._requests.unlink(missing_ok=True)
        # Go's clients end a request with an empty line.
        return [json.loads(line)["spec"]["cluster"] for line in lines if line]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    rbac = "rbac.authorization.k8s.io"
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"}
    subjects = [{"kind": "ServiceAccount", "name": "deploy", "namespace": NAMESPACE}]
    with applied(
        resource("v1", "Namespace", NAMESPACE),
        resource("v1", "ServiceAccount", "deploy", NAMESPACE),
        resource(f"{rbac}/v1", "ClusterRoleBinding", NAMESPACE, roleRef=role, subjects=subjects),
    ):
        yield Plugin(tmp_path_factory.mktemp("plugin"), kubectl("create", "token", "deploy", "-n", NAMESPACE).strip())


@contextmanager
def made(name: str, **cluster: Any) -> Iterator[dict[str, Any]]:
    """Make a GKE cluster while the block runs; yields what the API says of it."""
    google("POST", CLUSTERS, {"cluster": {"name": name, **cluster}})
    try:
        yield google("GET", f"{CLUSTERS}/{name}")
    finally:
        google("DELETE", f"{CLUSTERS}/{name}")


def stack_of(plugin: Plugin, name: str, cluster: str, folder: Path) -> Stack:
    """Return a stack that enters a GKE cluster, with the CA of the emulated Google in the trust store."""
    stack = Stack(name, folder, environment={"PATH": plugin.path, "SSL_CERT_FILE": str(cloud.ROOTS)})
    stack.configure(
        # Before it registers anything, the program asks the cluster for the kinds of this API.
        api="gateway",
        kubeconfig=None,
        gke={"cluster": cluster, "location": cloud.REGION},
        certificate={"secretName": "gke-certs"},
        hosts=[{"host": HOST, "service": "shop", "namespace": "shop", "port": 80}],
    )
    return stack


@pytest.fixture(scope="module")
def autopilot() -> Iterator[str]:
    """An Autopilot whose DNS endpoint is open; returns the name of that."""
    with made("autopilot", autopilot={"enabled": True}, controlPlaneEndpointsConfig=OPEN) as cluster, applied(*MANAGED):
        yield cluster["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"]


@pytest.fixture(scope="module")
def shared(plugin: Plugin, autopilot: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    assert autopilot, "it outlives the stack"
    with stack_of(plugin, "gke", "autopilot", tmp_path_factory.mktemp("stacks")) as stack:
        yield stack


@pytest.fixture
def newcomer(plugin: Plugin, tmp_path: Path) -> Stack:
    """A stack of the cluster `other`, in which the first stack's cert-manager runs: there is only one cluster."""
    stack = stack_of(plugin, "gke-newcomer", "other", tmp_path)
    stack.configure(certManager={"install": False})
    return stack


def test_a_cluster_is_entered_by_its_address_with_its_own_ca(stack: Stack, plugin: Plugin) -> None:
    plugin.clusters()
    stack.up()
    entered = plugin.clusters()
    assert {entry["server"] for entry in entered} == {f"https://{network.KUBERNETES}"}, "the endpoint that Google names"
    assert all(entry["certificate-authority-data"] for entry in entered), "with the CA that Google names"
    assert eventually("it is served", partial(client.served, HOST, client.trusting(acme.STAGING)))
    assert stack.plan() == {}, "nothing is left to do"
    assert plugin.token not in json.dumps(stack.resources(secrets=True)), "the state holds no credential"


def test_a_cluster_is_entered_by_its_name_with_the_webs_certificates(
    stack: Stack, plugin: Plugin, autopilot: str
) -> None:
    plugin.clusters()
    with stack.changed(gke={"endpoint": "dns"}):
        assert stack.plan() == {"cluster": "update"}, "another way into the same cluster replaces nothing"
        stack.up()
        entered = plugin.clusters()
        assert {entry["server"] for entry in entered} == {f"https://{autopilot}"}, "the endpoint that Google names"
        assert not any("certificate-authority-data" in entry for entry in entered), "without a CA of its own"
        assert stack.preview("--refresh", "--expect-no-changes"), "what is there is read by it as well"

        stack.environment["SSL_CERT_FILE"] = str(paths.PKI / "ca.crt")
        try:
            refused = stack.up(fails=True)
        finally:
            stack.environment["SSL_CERT_FILE"] = str(cloud.ROOTS)
        assert "certificate" in refused, "a certificate that is not trusted is refused"


@pytest.mark.usefixtures("stack")
def test_cert_manager_keeps_out_of_what_an_autopilot_manages() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "x"}, "rules": []}
    options = ["--namespace", "kube-system", "--as", USER, "--dry-run=server"]
    with pytest.raises(AssertionError, match=REFUSED):
        kubectl("create", *options, manifest=role)
    manifest = chart.helm("get", "manifest", chart.NAME, f"--namespace={chart.NAME}")
    places = {obj["metadata"].get("namespace") for obj in chart.objects(manifest)}
    assert places == {None, "cert-manager"}, "nothing of the release is in kube-system"
    for part in ("controller", "cainjector-leader-election"):
        assert get("lease", f"cert-manager-{part}", "cert-manager"), f"the {part} has elected its leader in its own"
    assert not [name for name in names("lease", "kube-system") if "cert-manager" in name], "and not in kube-system"


def test_a_closed_dns_endpoint_is_refused_until_it_is_opened(newcomer: Stack, plugin: Plugin) -> None:
    newcomer.configure(gke={"endpoint": "dns"})
    plugin.clusters()
    with made("other") as cluster:
        refused = newcomer.up(fails=True)
        assert f"the GKE cluster 'other' in '{cloud.REGION}' has a DNS endpoint that accepts no calls" in refused
        assert f"gcloud container clusters update other --location {cloud.REGION} --enable-dns-access" in refused
        assert newcomer.registered() == [], "nothing was begun"
        assert plugin.clusters() == [], "and the cluster was not called"

        # What that command does.
        google("PUT", f"{CLUSTERS}/other", {"update": {"desiredControlPlaneEndpointsConfig": OPEN}})
        assert newcomer.preview()
        name = cluster["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"]
        assert {entry["server"] for entry in plugin.clusters()} == {f"https://{name}"}, "it is entered by its name"


def test_a_private_cluster_is_needed_by_an_up_and_not_by_a_preview(newcomer: Stack) -> None:
    with made("other", controlPlaneEndpointsConfig={"ipEndpointsConfig": {"enablePublicEndpoint": False}}):
        refused, preview = newcomer.up(fails=True), newcomer.preview()
    assert f"has a private endpoint only, {cloud.PRIVATE_ENDPOINT}, which does not" in refused
    assert "which does not answer outside of the cluster's network" in preview, "it warns"
    assert HOST in preview, "and shows what it knows itself"


def test_a_cluster_that_does_not_exist_is_named(newcomer: Stack) -> None:
    refused = newcomer.preview(fails=True)
    assert f"projects/sandbox/locations/{cloud.REGION}/clusters/other not found" in refused
    assert "gcloud container clusters list --filter name=other" in refused
