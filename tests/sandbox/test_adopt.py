"""TLS that was set up by hand becomes a stack while clients are served: adopt, import, up, and the printed clean-up."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml

from sandbox import paths
from sandbox.acme import STAGING
from sandbox.testing import ISTIO, applied, client, eventually, is_ready, items, kubectl, record_sets, resource
from tests.sandbox import by_hand
from tests.sandbox.stack import PREFIX, SECRET, Stack
from tlsctl.adopt import cleanup

pytestmark = pytest.mark.sandbox

HOST = "hand.sandbox.test"
READER = "adopting"
READ = {
    "cert-manager.io": ["clusterissuers", "issuers", "certificates"],
    "networking.istio.io": ["gateways", "virtualservices"],
    "gateway.networking.k8s.io": ["gateways", "httproutes", "referencegrants"],
    "networking.k8s.io": ["ingresses"],
    "apps": ["deployments"],
    "apiextensions.k8s.io": ["customresourcedefinitions"],
    "": ["services", "namespaces", "secrets"],
}
KINDS = (
    *("gateways.networking.istio.io", "virtualservices", "certificates", "clusterissuers"),
    *("gateways.gateway.networking.k8s.io", "httproutes.gateway.networking.k8s.io"),
)
TIMEOUT = 120
WAIT = f"sleep {cleanup.WAIT}"
"""The printed command that lasts until Envoy has let connections end."""
DRAINING = "envoy_listener_manager_total_filter_chains_draining"


@contextmanager
def set_up(by: str, api: str, *, route: str, broad: bool) -> Iterator[None]:
    """Set up all of it by hand, and remove it at the end."""
    with by_hand.cert_manager(by=by):
        by_hand.point_names([HOST])
        if api == "gateway":
            by_hand.open_api_gateway([HOST], route=route, broad=broad)
            by_hand.make_issuers(solver=by_hand.BY_ROUTE)
        else:
            by_hand.open_gateway([HOST], route=route, broad=broad)
            by_hand.make_issuers()
        by_hand.request_certificate([HOST])
        eventually("the certificate is issued", partial(is_ready, "certificate", SECRET, ISTIO), TIMEOUT)
        # Its route is one of the objects that a test compares.
        eventually("cert-manager has put the challenge away", lambda: not items("challenges", ISTIO))
        yield


@contextmanager
def reader(folder: Path) -> Iterator[Path]:
    """Yield the kubeconfig of a user that may only read."""
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [group], "resources": kinds, "verbs": ["get", "list"]} for group, kinds in READ.items()]
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": READER}
    subjects = [{"kind": "ServiceAccount", "name": READER, "namespace": "default"}]
    with applied(
        resource("v1", "ServiceAccount", READER, "default"),
        resource(f"{rbac}/v1", "ClusterRole", READER, rules=rules),
        resource(f"{rbac}/v1", "ClusterRoleBinding", READER, roleRef=role, subjects=subjects),
    ):
        content = yaml.safe_load(paths.KUBECONFIG.read_text())
        content["users"][0]["user"] = {"token": kubectl("create", "token", READER, "--namespace", "default").strip()}
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(content))
        yield file


def new_stack(name: str, folder: Path, by: str) -> Stack:
    """Return a stack whose config has nothing but the places of Google Cloud and the chart."""
    stack = Stack(name, folder)
    stack.configure(acme=None, hosts=None, dns=None, ingress=None, kubeconfig=None)
    stack.configure(certManager={"values": None} if by == "helm" else None)
    return stack


def adopt(stack: Stack, kubeconfig: Path) -> tuple[list[str], list[str]]:
    """Adopt as a user that may only read; return the commands to go on with, and those that clean up."""
    before = versions()
    done = try_to_adopt(stack, kubeconfig)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    assert versions() == before, "it only reads"
    lines = [line.strip() for line in done.stdout.splitlines()]
    return (
        [line.removeprefix("$ ") for line in lines if line.startswith("$ ")],
        [line for line in lines[lines.index("After the `up`, in this order, so that HTTPS does not stop:"):]
         if line.startswith(("kubectl ", "pulumi ", WAIT))],
    )  # fmt: skip


def try_to_adopt(stack: Stack, kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    """Run `tlsctl adopt`."""
    return stack.tlsctl("adopt", "--kubeconfig", str(kubeconfig), "--zone", "sandbox")


def refuses_what_external_dns_owns(stack: Stack, kubeconfig: Path) -> None:
    """Assert that adopt refuses a record that external-dns owns, with a prefix of its own."""
    text = '"heritage=external-dns,external-dns/owner=team,external-dns/resource=service/istio-system/gateway"'
    name, config = f"edns-a-{HOST}.", stack.file.read_text()
    with record_sets({"name": name, "type": "TXT", "ttl": 5, "rrdatas": [text]}):
        done = try_to_adopt(stack, kubeconfig)
    printed = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert f"record set {HOST}. A: made by external-dns (owner id team, for service/istio-system/gateway)" in printed
    assert f"gcloud dns record-sets delete {name} --zone sandbox" in printed
    assert stack.file.read_text() == config, "nothing was written"


def versions() -> dict[tuple[str, str], str]:
    """Return the version of every object that was made by hand, of the fields that cert-manager does not write."""
    objects = [(kind, obj["metadata"]) for kind in KINDS for obj in items(kind)]
    return {(kind, metadata["name"]): f"{metadata['uid']} {metadata['generation']}" for kind, metadata in objects}


def identities() -> dict[tuple[str, str], str]:
    """Return the uid of every object: one that is replaced has another."""
    return {(kind, obj["metadata"]["name"]): obj["metadata"]["uid"] for kind in KINDS for obj in items(kind)}


def draining() -> int:
    """Return on how many filter chains the gateway's Envoy still lets connections end."""
    (pod,) = (pod for pod in items("pods", ISTIO) if pod["metadata"]["labels"].get("istio") == "ingressgateway")
    statistics = client.plain(pod["status"]["podIP"], "/stats/prometheus", port=15090).body
    return sum(int(line.split()[-1]) for line in statistics.splitlines() if line.startswith(DRAINING))


@pytest.mark.parametrize(
    ("by", "api", "route", "broad"),
    [
        pytest.param("manifest", "istio", by_hand.ROUTE, False, id="manifest"),
        pytest.param("helm", "istio", HOST, True, id="helm"),
        pytest.param("manifest", "gateway", HOST, False, id="gateway API"),
        pytest.param("helm", "gateway", by_hand.ROUTE, True, id="gateway API for all hosts"),
    ],
)
def test_what_was_set_up_by_hand_becomes_a_stack_while_it_serves(
    by: str, api: str, route: str, broad: bool, tmp_path: Path
) -> None:
    trust = client.trusting(STAGING)
    with set_up(by, api, route=route, broad=broad), reader(tmp_path) as kubeconfig:
        eventually("it is served by hand", lambda: client.served(HOST, trust))
        with new_stack(f"by-hand-{by}-{api}", tmp_path, by) as stack:
            with client.traffic(HOST, trust, kept=True) as seen:
                if by == "manifest" and api == "istio":
                    refuses_what_external_dns_owns(stack, kubeconfig)
                go_on, left = adopt(stack, kubeconfig)
                kubeconfig.write_text(paths.KUBECONFIG.read_text())
                before = identities()
                for command in go_on:
                    if "pulumi preview" in command:
                        by_hand.assert_nothing_is_lost(command)
                    else:
                        by_hand.run(command)
                for command in left:
                    if command == WAIT:
                        eventually("connections to what goes are being ended", draining)
                        eventually("they have ended", lambda: draining() == 0, cleanup.WAIT)
                    else:
                        by_hand.run(command)
                eventually("port 80 redirects", lambda: client.plain(HOST).status == 301)
                assert stack.plan() == {}, "it is at rest, and what was left over is no part of it"
                if by == "manifest" and api == "istio":
                    stack.run("config", "set", "--path", f"{PREFIX}dns.ttl", "61")
                    assert stack.steps("--exclude", "**RecordSet**") == {}, "records can be moved last"
            gone = {command.split()[-1] for command in left if " delete " in command}
            kept = {of: uid for of, uid in before.items() if of[1] not in gone}
            assert kept.items() <= identities().items(), "what was taken over is the same object"
    assert seen.failures == [], "no request failed, neither in new connections nor in those that were kept"
    assert seen.answered > 10, "there was traffic throughout"
    assert min(seen.kept["HTTP/1.1"], seen.kept["HTTP/2"]) > 10, "and in connections of either protocol"
