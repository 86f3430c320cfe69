"""From ingress-nginx: names are proven by DNS-01, the gateway serves at its own address, and the records move last.

cert-manager and its ingress-shim are the real ones. The controller of ingress-nginx is a stand-in (nginx.py).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import paths
from sandbox.acme import PROD
from tests.sandbox import by_hand, client, nginx
from tests.sandbox.stack import PROJECT, Stack
from tests.sandbox.support import a_records, cloud_dns, eventually, get, items, kubectl

pytestmark = pytest.mark.sandbox

HOST = "moves.sandbox.test"
OWN_ISSUER = "moves-too.sandbox.test"
STAYS = "stays.sandbox.test"
SHOP, API = "shop", "api"
SHARED, OWN = "moves-tls", "moves-too-tls"
"""Secrets: of two Ingresses, and of one with an Issuer of its namespace."""
ISSUER = "letsencrypt"
TTL = 3
TIMEOUT = 120


def ingress(
    name: str, namespace: str, host: str, secret: str, *, path: str = "/", port: int = 80, **annotations: str
) -> dict[str, Any]:
    """An Ingress as users of ingress-nginx have it."""
    backend = {"service": {"name": namespace, "port": {"number": port}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {
            "ingressClassName": nginx.CLASS,
            "tls": [{"hosts": [host], "secretName": secret}],
            "rules": [
                {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}},
            ],
        },
    }  # fmt: skip


BY_CLUSTER_ISSUER = {"cert-manager.io/cluster-issuer": ISSUER}
INGRESSES = [
    ingress("moves", SHOP, HOST, SHARED, **BY_CLUSTER_ISSUER),
    ingress("moves-news", SHOP, HOST, SHARED, path="/news", **BY_CLUSTER_ISSUER),
    ingress("moves-too", API, OWN_ISSUER, OWN, port=8080, **{"cert-manager.io/issuer": ISSUER}),
    ingress(
        "stays", SHOP, STAYS, "stays-tls",
        **BY_CLUSTER_ISSUER, **{"nginx.ingress.kubernetes.io/configuration-snippet": "deny all;"},
    ),
]  # fmt: skip
HOSTS = [HOST, OWN_ISSUER, STAYS]
SECRETS = {SHARED: SHOP, OWN: API, "stays-tls": SHOP}


@contextmanager
def set_up(ingresses: list[dict[str, Any]]) -> Iterator[None]:
    """cert-manager, its issuers and the Ingresses by hand, and all that this leaves removed in the end."""
    try:
        by_hand.install_cert_manager(by="helm")
        by_hand.point_names(HOSTS, nginx.ADDRESS, TTL)
        by_hand.make_issuers({ISSUER: "prod"}, {"ingressClassName": nginx.CLASS}, namespaces=[None, API])
        with nginx.controller():
            for each in ingresses:
                kubectl("apply", manifest=each)
            yield
    finally:
        for each in ingresses:
            name, namespace = each["metadata"]["name"], each["metadata"]["namespace"]
            kubectl("delete", "ingress", name, "--namespace", namespace, "--ignore-not-found")
        for host in set(HOSTS) & set(a_records()):
            cloud_dns("DELETE", f"/{host}./A")
        by_hand.remove_cert_manager(by="helm")
        for secret, namespace in SECRETS.items():
            kubectl("delete", "secret", secret, "--namespace", namespace, "--ignore-not-found")


def adopt(stack: Stack) -> tuple[str, list[str], list[str], list[str]]:
    """Adopt; return what it says, and the commands to go on with, those before a certificate, and those after it all."""
    done = subprocess.run(
        [sys.executable, "-m", "tlsctl", "adopt", "--stack", stack.name, "--config-file", str(stack.file),
         "--kubeconfig", str(paths.KUBECONFIG), "--zone", "sandbox", "--challenge", "dns01"],
        cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    parts: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            parts[line] = []
        words = line.strip().removeprefix("$ ")
        if parts and words.startswith(("kubectl ", "pulumi ", "sleep ", "curl ", "PULUMI_")):
            parts[list(parts)[-1]].append(words)
    return (
        done.stdout,
        parts["To go on:"],
        parts.get("Before a certificate can be signed:", []),
        parts.get("After the `up`, in this order, so that HTTPS does not stop:", []),
    )


def run(command: str) -> str:
    """Run a printed command as an operator does, but for the questions; return what it prints."""
    words = shlex.split(command)
    if "pulumi" in words:
        command += " --non-interactive --color=never" + (" --yes --skip-preview" if "up" in words else "")
    trusting = {"CURL_CA_BUNDLE": str(PROD.root_file)}
    done = subprocess.run(
        ["sh", "-c", command], cwd=PROJECT, env={**os.environ, **trusting},
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    print(f"$ {command}\n{done.stdout}{done.stderr}")
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_hosts_of_ingresses_become_a_stack_while_they_serve(tmp_path: Path) -> None:
    trust = client.trusting(PROD)
    with set_up(INGRESSES):
        for host in HOSTS:
            eventually(f"{host} is served by ingress-nginx", lambda host=host: client.served(host, trust), TIMEOUT)
        stack = Stack("from-nginx", tmp_path)
        stack.configure(acme=None, hosts=None, dns=None, ingress=None, kubeconfig=None, certManager={"values": None})
        # cert-manager's own look takes a minute for each name.
        stack.configure(acme={"waitInsteadOfSelfCheck": 1})
        try:
            with client.traffic(HOST, trust, kept=True) as seen, client.traffic(OWN_ISSUER, trust) as seen_too:
                told, go_on, before, after = adopt(stack)
                print(kubectl("get", "certificate", "-A", "-o", "wide"))
                print(stack.file.read_text())
                for command in before:
                    run(command)
                for command in go_on:
                    run(command)
                for command in after:
                    run(command)
                assert stack.plan() == {}
                print(items("certificates"))
                print(kubectl("get", "clusterissuer,issuer,ingress,secret", "-A"))
                print(told)
        finally:
            stack.destroy()
    print(seen, seen_too)
    assert 0
