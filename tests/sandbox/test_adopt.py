"""TLS that was set up by hand becomes a stack, while a client goes on asking: adopt, import, up, and what it says to
remove.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from sandbox import paths
from sandbox.acme import STAGING
from sandbox.testing import a_records, client, cloud_dns, eventually, items, kubectl
from tests.sandbox import by_hand
from tests.sandbox.stack import PREFIX, PROJECT, Stack
from tlsctl.adopt import cutover

pytestmark = pytest.mark.sandbox

HOST = "hand.sandbox.test"
ISTIO = by_hand.ISTIO
READER = "adopting"
READ = {
    "cert-manager.io": ["clusterissuers", "issuers", "certificates"],
    "networking.istio.io": ["gateways", "virtualservices"],
    "networking.k8s.io": ["ingresses"],
    "apps": ["deployments"],
    "apiextensions.k8s.io": ["customresourcedefinitions"],
    "": ["services", "namespaces", "secrets"],
}
KINDS = ("gateways.networking.istio.io", "virtualservices", "certificates", "clusterissuers")
TIMEOUT = 120
WAIT = f"sleep {cutover.WAIT}"
"""What stands, among the printed commands, for as long as Envoy lets connections end."""
DRAINING = "envoy_listener_manager_total_filter_chains_draining"


@contextmanager
def set_up(by: str, *, route: str, broad: bool) -> Iterator[None]:
    """All of it by hand, and all that this leaves removed in the end."""
    kubectl("delete", "secret", by_hand.CERTIFICATE, "--namespace", ISTIO, "--ignore-not-found")
    try:
        by_hand.install_cert_manager(by=by)
        by_hand.point_names([HOST])
        by_hand.open_gateway([HOST], route=route, broad=broad)
        by_hand.make_issuers()
        by_hand.request_certificate([HOST])
        eventually("the certificate is issued", by_hand.ready, TIMEOUT)
        yield
    finally:
        kubectl("delete", KINDS[0], by_hand.GATEWAY, "--namespace", ISTIO, "--ignore-not-found")
        for name in (route, f"{route}-by-hand"):
            kubectl("delete", "virtualservice", name, "--namespace", ISTIO, "--ignore-not-found")
        if HOST in a_records():
            cloud_dns("DELETE", f"/{HOST}./A")
        by_hand.remove_cert_manager(by=by)
        kubectl("delete", "secret", by_hand.CERTIFICATE, "--namespace", ISTIO, "--ignore-not-found")


@contextmanager
def reader(folder: Path) -> Iterator[Path]:
    """A kubeconfig of somebody who may only read."""
    rules = [{"apiGroups": [group], "resources": kinds, "verbs": ["get", "list"]} for group, kinds in READ.items()]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": READER}}
    kubectl("apply", manifest={**role, "rules": rules})
    kubectl("create", "serviceaccount", READER, "--namespace", "default")
    kubectl("create", "clusterrolebinding", READER, f"--clusterrole={READER}", f"--serviceaccount=default:{READER}")
    content = yaml.safe_load(paths.KUBECONFIG.read_text())
    content["users"][0]["user"] = {"token": kubectl("create", "token", READER, "--namespace", "default").strip()}
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    try:
        yield file
    finally:
        kubectl("delete", "clusterrolebinding,clusterrole", READER)
        kubectl("delete", "serviceaccount", READER, "--namespace", "default")


def made(name: str, folder: Path, by: str) -> Stack:
    """A stack whose config says nothing but where Google Cloud and the chart are."""
    stack = Stack(name, folder)
    stack.configure(acme=None, hosts=None, dns=None, ingress=None, kubeconfig=None)
    stack.configure(certManager={"values": None} if by == "helm" else None)
    return stack


def adopt(stack: Stack, kubeconfig: Path) -> tuple[list[str], list[str]]:
    """Adopt, as somebody who may only read; return the commands to go on with, and those for what is left over."""
    before = versions()
    done = ask_to_adopt(stack, kubeconfig)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    assert versions() == before, "it only reads"
    lines = [line.strip() for line in done.stdout.splitlines()]
    return (
        [line.removeprefix("$ ") for line in lines if line.startswith("$ ")],
        [line for line in lines[lines.index("After the `up`, in this order, so that HTTPS does not stop:"):]
         if line.startswith(("kubectl ", WAIT))],
    )  # fmt: skip


def ask_to_adopt(stack: Stack, kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    """Run `tlsctl adopt`."""
    return subprocess.run(
        [sys.executable, "-m", "tlsctl", "adopt", "--stack", stack.name, "--config-file", str(stack.file),
         "--kubeconfig", str(kubeconfig), "--zone", "sandbox"],
        cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip


def refuses_what_external_dns_owns(stack: Stack, kubeconfig: Path) -> None:
    """Have the record owned by external-dns, with a prefix of its own, for as long as one try takes."""
    text = '"heritage=external-dns,external-dns/owner=team,external-dns/resource=service/istio-system/gateway"'
    name, config = f"edns-a-{HOST}.", stack.file.read_text()
    cloud_dns("POST", body={"name": name, "type": "TXT", "ttl": 5, "rrdatas": [text]})
    try:
        done = ask_to_adopt(stack, kubeconfig)
    finally:
        cloud_dns("DELETE", f"/{name}/TXT")
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert f"record set {HOST}. A: made by external-dns (owner id team, for service/istio-system/gateway)" in told
    assert f"gcloud dns record-sets delete {name} --zone sandbox" in told
    assert stack.file.read_text() == config, "nothing was written"


def versions() -> dict[tuple[str, str], str]:
    """Of every object that was made by hand."""
    found = [(kind, each["metadata"]) for kind in KINDS for each in items(kind)]
    # The fields that cert-manager's controllers write are their own.
    return {(kind, each["name"]): f"{each['uid']} {each['generation']}" for kind, each in found}


def identities() -> dict[tuple[str, str], str]:
    """Which object each is: one that is replaced is another."""
    return {(kind, each["metadata"]["name"]): each["metadata"]["uid"] for kind in KINDS for each in items(kind)}


def run(command: str) -> str:
    """Run a printed command as an operator does, but for the questions; return what it prints for machines."""
    words = shlex.split(command)
    if "pulumi" in words:
        command += " --non-interactive --color=never" + (" --yes --skip-preview" if "up" in words else "")
    done = subprocess.run(
        ["sh", "-c", command], cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def draining() -> int:
    """How many filter chains the gateway's Envoy still lets connections end on."""
    (pod,) = (each for each in items("pods", ISTIO) if each["metadata"]["labels"].get("istio") == "ingressgateway")
    told = client.plain(pod["status"]["podIP"], "/stats/prometheus", port=15090).body
    return sum(int(line.split()[-1]) for line in told.splitlines() if line.startswith(DRAINING))


def planned(preview: str) -> set[str]:
    """The operations that a printed preview plans."""
    steps = json.loads(run(preview.replace("--diff", "--json")))["steps"]
    return {step["op"] for step in steps} - {"same", "read"}


@pytest.mark.parametrize(
    ("by", "route", "broad"), [("manifest", by_hand.ROUTE, False), ("helm", HOST, True)], ids=["manifest", "helm"]
)
def test_what_was_set_up_by_hand_becomes_a_stack_while_it_serves(
    by: str, route: str, broad: bool, tmp_path: Path
) -> None:
    trust = client.trusting(STAGING)
    with set_up(by, route=route, broad=broad), reader(tmp_path) as kubeconfig:
        eventually("it is served by hand", lambda: client.served(HOST, trust))
        with made(f"by-hand-{by}", tmp_path, by) as stack:
            with client.traffic(HOST, trust, kept=True) as seen:
                if by == "manifest":
                    refuses_what_external_dns_owns(stack, kubeconfig)
                go_on, left = adopt(stack, kubeconfig)
                kubeconfig.write_text(paths.KUBECONFIG.read_text())
                before = identities()
                for command in go_on:
                    if "pulumi preview" in command:
                        assert planned(command) <= {"create", "update"}, "nothing is replaced, nothing is deleted"
                    else:
                        run(command)
                for command in left:
                    if command == WAIT:
                        eventually("connections to what goes are being ended", draining)
                        eventually("they have ended", lambda: draining() == 0, cutover.WAIT)
                    else:
                        run(command)
                eventually("port 80 redirects", lambda: client.plain(HOST).status == 301)
                assert stack.plan() == {}, "it is at rest, and what was left over is no part of it"
                if by == "manifest":
                    stack.run("config", "set", "--path", f"{PREFIX}dns.ttl", "61")
                    assert stack.steps("--exclude", "**RecordSet**") == {}, "records can be moved last"
            gone = {command.split()[-1] for command in left if " delete " in command}
            kept = {of: uid for of, uid in before.items() if of[1] not in gone}
            assert kept.items() <= identities().items(), "what was taken over is the same object"
    assert seen.failures == [], "no request failed, neither in new connections nor in those that were kept"
    assert seen.answered > 10, "there was traffic throughout"
    assert min(seen.kept["HTTP/1.1"], seen.kept["HTTP/2"]) > 10, "and in connections of either protocol"
