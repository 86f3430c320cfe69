"""From ingress-nginx: the names are proven by DNS-01, the gateway serves at its own address, and the records move last."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import paths
from sandbox.acme import PROD
from tests.sandbox import by_hand, client, nginx
from tests.sandbox.stack import PROJECT, Stack
from tests.sandbox.support import a_records, cloud_dns, eventually, kubectl, live

pytestmark = pytest.mark.sandbox

HOST = "moves.sandbox.test"
SHOP = "shop"
SECRET = "moves-tls"
ISSUER = "letsencrypt"
TTL = 5
TIMEOUT = 120


def ingress(name: str, hosts: list[str], secret: str, **annotations: str) -> dict[str, object]:
    """An Ingress as users of ingress-nginx have it."""
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name, "namespace": SHOP,
            "annotations": {"cert-manager.io/cluster-issuer": ISSUER, **annotations},
        },
        "spec": {
            "ingressClassName": nginx.CLASS,
            "tls": [{"hosts": hosts, "secretName": secret}],
            "rules": [{"host": each, "http": {"paths": [path]}} for each in hosts],
        },
    }  # fmt: skip


def ready() -> bool:
    found = live("certificate", SECRET, SHOP)
    return any(each["type"] == "Ready" and each["status"] == "True" for each in found["status"]["conditions"])


@contextmanager
def set_up() -> Iterator[None]:
    try:
        by_hand.install_cert_manager(by="helm")
        by_hand.point_names([HOST], nginx.ADDRESS, TTL)
        by_hand.make_issuers({ISSUER: "prod"}, {"ingressClassName": nginx.CLASS})
        with nginx.controller():
            kubectl("apply", manifest=ingress("moves", [HOST], SECRET))
            trust = client.trusting(PROD)
            eventually("it is served by ingress-nginx", lambda: client.served(HOST, trust), TIMEOUT)
            yield
    finally:
        kubectl("delete", "ingress", "moves", "--namespace", SHOP, "--ignore-not-found")
        if HOST in a_records():
            cloud_dns("DELETE", f"/{HOST}./A")
        by_hand.remove_cert_manager(by="helm")
        kubectl("delete", "secret", SECRET, "--namespace", SHOP, "--ignore-not-found")


def test_thin(tmp_path: Path) -> None:
    with set_up():
        print(kubectl("get", "certificate", "-A", "-o", "yaml"))
        print(kubectl("get", "secret", SECRET, "-n", SHOP, "-o", "yaml"))
        stack = Stack("from-nginx", tmp_path)
        stack.configure(acme=None, hosts=None, dns=None, ingress=None, kubeconfig=None, certManager={"values": None})
        stack.configure(acme={"waitInsteadOfSelfCheck": 1})
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tlsctl", "adopt", "--stack", stack.name, "--config-file", str(stack.file),
                 "--kubeconfig", str(paths.KUBECONFIG), "--zone", "sandbox", "--challenge", "dns01"],
                cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
            )  # fmt: skip
            print(done.stdout, done.stderr)
            print(stack.file.read_text())
            for each in tmp_path.glob("*.json"):
                print(each, each.read_text())
            assert 0
        finally:
            stack.destroy()
