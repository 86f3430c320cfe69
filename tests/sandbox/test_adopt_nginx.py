"""From ingress-nginx: names are proven by DNS-01, the gateway serves at its own address, and the records move last.

cert-manager and its ingress-shim are the real ones. The controller of ingress-nginx is a stand-in (nginx.py).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sandbox import paths
from sandbox.acme import PROD
from sandbox.testing import ZONES, a_records, client, cloud_dns, eventually, get, items, kubectl, live, names, renew
from sandbox.testing.engine import TIMEOUT as OF_PULUMI
from tests.sandbox import by_hand, nginx
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

HOST = "moves.sandbox.test"
OTHER = "moves-too.sandbox.test"
STAYS = "stays.sandbox.test"
HOSTS = [HOST, OTHER, STAYS]
SHOP, API = "shop", "api"
SHARED, OWN, EDGE = "moves-tls", "moves-too-tls", "edge-tls"
"""Secrets: of two Ingresses, of one with an Issuer of its namespace, and of one beside the gateway."""
SECRETS = {SHARED: SHOP, OWN: API, "stays-tls": SHOP, EDGE: by_hand.ISTIO, by_hand.CERTIFICATE: by_hand.ISTIO}
ISSUER = "letsencrypt"
"""The name of both issuers, and of the Secrets with their accounts' keys."""
SNIPPET = "nginx.ingress.kubernetes.io/configuration-snippet"
GATEWAYS = "gateways.networking.istio.io"
COMMAND = re.compile(r" +(\$ |(kubectl|pulumi|sleep) )")
TRANSACTION = "gcloud dns record-sets transaction "
TTL = 3
TIMEOUT = 120


def ingress(
    name: str,
    namespace: str,
    host: str,
    secret: str,
    annotations: dict[str, str],
    *,
    path: str = "/",
    service: str = "",
    port: int = 80,
) -> dict[str, Any]:
    """An Ingress as users of ingress-nginx have it; its Service is called as the namespace is, if not otherwise."""
    backend = {"service": {"name": service or namespace, "port": {"number": port}}}
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


ASKED = {"cert-manager.io/cluster-issuer": ISSUER}
INGRESSES = [
    ingress("moves", SHOP, HOST, SHARED, ASKED),
    ingress("moves-news", SHOP, HOST, SHARED, ASKED, path="/news"),
    ingress("moves-too", API, OTHER, OWN, {"cert-manager.io/issuer": ISSUER}, port=8080),
    ingress("stays", SHOP, STAYS, "stays-tls", ASKED | {SNIPPET: "deny all;"}),
]
SHARING = [
    ingress("moves", SHOP, HOST, SHARED, ASKED),
    ingress("stays", SHOP, STAYS, SHARED, ASKED | {SNIPPET: "deny all;"}),
]
BEFORE_THE_GATEWAY = ingress("edge", by_hand.ISTIO, HOST, EDGE, ASKED, service="istio-ingressgateway")
"""Of a team that has ingress-nginx before the gateway, and whose Gateway presents the Ingress's certificate as well."""


@contextmanager
def set_up(ingresses: list[dict[str, Any]], *, alias: str = "") -> Iterator[None]:
    """cert-manager, its issuers and the Ingresses by hand, and all that this leaves removed in the end.

    Args:
        ingresses: What ingress-nginx serves.
        alias: A host that is led by a CNAME, if there is one; the others have A records.
    """
    try:
        by_hand.install_cert_manager(by="helm")
        by_hand.point_names([each for each in HOSTS if each != alias], nginx.ADDRESS, TTL)
        if alias:
            cloud_dns("POST", body={"name": f"{alias}.", "type": "CNAME", "ttl": TTL, "rrdatas": [f"{HOST}."]})
        by_hand.make_issuers({ISSUER: "prod"}, {"ingressClassName": nginx.CLASS}, namespaces=[None, API])
        with nginx.controller():
            for each in ingresses:
                kubectl("apply", manifest=each)
            yield
    finally:
        for each in ingresses:
            name, namespace = each["metadata"]["name"], each["metadata"]["namespace"]
            kubectl("delete", "ingress", name, "--namespace", namespace, "--ignore-not-found")
        for each in cloud_dns("GET")["rrsets"]:
            if each["name"].rstrip(".") in HOSTS:
                cloud_dns("DELETE", f"/{each['name']}/{each['type']}")
        kubectl("delete", "clusterissuer", ISSUER, "--ignore-not-found")
        kubectl("delete", "issuer", ISSUER, "--namespace", API, "--ignore-not-found")
        by_hand.remove_cert_manager(by="helm")
        for secret, namespace in (*SECRETS.items(), (ISSUER, API)):
            kubectl("delete", "secret", secret, "--namespace", namespace, "--ignore-not-found")


@dataclass
class Printed:
    """What `adopt` prints."""

    text: str
    go_on: list[str]
    """Commands to go on with."""
    access: list[str]
    """Those before a certificate can be signed."""
    left: list[str]
    """Those for what is left over."""
    transaction: list[str]
    """Those that change record sets at once."""


def adopt(stack: Stack) -> Printed:
    """Run `tlsctl adopt`."""
    done = subprocess.run(
        [sys.executable, "-m", "tlsctl", "adopt", "--stack", stack.name, "--config-file", str(stack.file),
         "--kubeconfig", str(paths.KUBECONFIG), "--challenge", "dns01"],
        cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    parts: dict[str, list[str]] = {}
    heading = ""
    for line in done.stdout.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            heading = line
        elif COMMAND.match(line):
            parts.setdefault(heading, []).append(line.strip().removeprefix("$ "))
    return Printed(
        " ".join(done.stdout.split()),
        parts["To go on:"],
        parts.get("Before a certificate can be signed:", []),
        parts["After the `up`, in this order, so that HTTPS does not stop:"],
        [line.strip().removeprefix("$ ") for line in done.stdout.splitlines() if TRANSACTION in line],
    )


def transact(commands: list[str]) -> None:
    """Make the change that printed commands of gcloud, which is in no registry, gather and execute."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    for option in ("--zone", "--name", "--type"):
        parser.add_argument(option)
    parser.add_argument("--ttl", type=int)
    parser.add_argument("rrdatas", nargs="*")
    change: dict[str, list[dict[str, Any]]] = {"remove": [], "add": []}
    for command in commands:
        verb, *options = shlex.split(command.removeprefix(TRANSACTION))
        given = parser.parse_args(options)
        if verb == "execute":
            body = {"deletions": change["remove"], "additions": change["add"]}
            cloud_dns("POST", f"/{given.zone}/changes", body, below=ZONES)
        elif verb in change:
            record = {"name": given.name, "type": given.type, "ttl": given.ttl, "rrdatas": given.rrdatas}
            change[verb].append(record)


def run(command: str) -> str:
    """Run a printed command as an operator does, but for the questions; return what it prints for machines."""
    words = shlex.split(command)
    if "pulumi" in words:
        command += " --non-interactive --color=never" + (" --yes --skip-preview" if "up" in words else "")
    done = subprocess.run(
        ["sh", "-c", command], cwd=PROJECT, env={**os.environ, "CURL_CA_BUNDLE": str(PROD.root_file)},
        capture_output=True, text=True, timeout=OF_PULUMI, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def planned(preview: str) -> set[str]:
    """The operations that a printed preview plans."""
    steps = json.loads(run(preview.replace("--diff", "--json")))["steps"]
    return {step["op"] for step in steps} - {"same", "read"}


def stack_of(name: str, folder: Path) -> Stack:
    """A stack whose config says nothing but where Google Cloud, the chart and the environment without an issuer are."""
    stack = Stack(name, folder)
    servers = {"staging": stack.get("acme")["servers"]["staging"]}
    stack.configure(acme=None, hosts=None, dns=None, ingress=None, kubeconfig=None, certManager={"values": None})
    # cert-manager's own look takes a minute for each name.
    stack.configure(acme={"servers": servers, "timeout": 120, "waitInsteadOfSelfCheck": 1})
    return stack


def test_hosts_of_ingress_nginx_become_a_stack_while_they_serve(tmp_path: Path) -> None:
    trust = client.trusting(PROD)
    with set_up(INGRESSES, alias=OTHER):
        for host in HOSTS:
            eventually(f"{host} is served by ingress-nginx", partial(client.served, host, trust), TIMEOUT)
        with stack_of("from-nginx", tmp_path) as stack:
            with client.traffic(HOST, trust, kept=True) as seen, client.traffic(OTHER, trust) as seen_of_other:
                assert OTHER not in addresses(), "a CNAME leads to ingress-nginx"
                transact([each.replace(" ADDRESS", f" {nginx.ADDRESS}") for each in adopt(stack).transaction])
                assert addresses()[OTHER] == nginx.ADDRESS, "its own record does, from one moment to the next"
                printed = adopt(stack)
                assert not printed.transaction
                assert f"Ingress {SHOP}/stays has the annotation {SNIPPET}" in printed.text, "its host is left"
                told = f"Certificate {SHOP}/{SHARED} is proven by HTTP-01 at Ingresses of the class nginx"
                assert told in printed.text, "and that those are not renewed there any more"
                for command in printed.access:
                    run(command)

                moving = addresses()
                take_over, look, everything_else, *ask, the_records = printed.go_on
                run(take_over)
                assert planned(look) <= {"create", "update"}, "nothing is replaced, nothing is deleted"
                run(everything_else)
                assert addresses() == moving, "no record has moved"
                for command in ask:
                    assert json.loads(run(command))["app"] in (SHOP, API), "the gateway serves, with trust"
                assert len(ask) == 2
                assert [len(seen.serials), len(seen_of_other.serials)] == [1, 1], "users are still at ingress-nginx"
                run(the_records)
                gateway = by_hand.gateway_address()
                assert addresses() == {HOST: gateway, OTHER: gateway, STAYS: nginx.ADDRESS}

                renew(OWN, API)
                eventually(
                    "HTTP-01 fails at the new address, as adopt said",
                    lambda: [each.get("status", {}).get("reason", "") for each in items("challenges", API)],
                    until=lambda reasons: any("did not get expected response" in each for each in reasons),
                )
                for command in printed.left:
                    run(command)
                assert stack.plan() == {}, "it is at rest, and what was left over is no part of it"
            assert client.https(STAYS, trust).status == 200, "what stays serves as before"
            remains()
    for each in (seen, seen_of_other):
        assert each.failures == [], "no request failed, and no certificate was one that browsers do not trust"
        assert each.answered > 10, "there was traffic throughout"
        assert len(each.serials) == 2, "one certificate by ingress-nginx, and then one by the gateway"


def addresses() -> dict[str, str]:
    """Where the hosts' records lead."""
    return {host: led for host, ((led,), _) in a_records().items() if host in HOSTS}


def remains() -> None:
    """What was printed has removed what belongs to hosts that have moved, and nothing else."""
    assert names("ingresses", SHOP) == {"stays"}
    assert names("ingresses", API) == set()
    assert names("certificates", SHOP) == {"stays-tls"}, "it was deleted with the Ingress that it was made for"
    assert names("certificates", API) == set()
    eventually("cert-manager has put the challenge away", lambda: not items("challenges", API))
    assert get("secret", SHARED, SHOP) is None
    assert get("secret", OWN, API) is None
    assert get("secret", "stays-tls", SHOP) is not None
    assert get("clusterissuer", ISSUER) is not None, "the Ingress that stays has its certificate by this one"
    assert get("issuer", ISSUER, API) is None


def test_an_ingress_that_stays_has_a_certificate_again_when_that_of_its_secret_has_gone(tmp_path: Path) -> None:
    trust = client.trusting(PROD)
    with set_up(SHARING):
        eventually(f"{HOST} is served by ingress-nginx", partial(client.served, HOST, trust), TIMEOUT)
        with stack_of("shared-secret", tmp_path) as stack:
            printed = adopt(stack)
            for command in (*printed.access, *printed.go_on, *printed.left):
                run(command)
            assert client.https(HOST, trust).status == 200, "the gateway serves it"
            eventually("cert-manager has made one anew", partial(by_hand.ready, SHARED, SHOP), TIMEOUT)
            made = live("certificate", SHARED, SHOP)
            assert made["spec"]["dnsNames"] == [STAYS]
            assert [each["name"] for each in made["metadata"]["ownerReferences"]] == ["stays"]
            eventually(f"{STAYS} is served by ingress-nginx", partial(client.served, STAYS, trust), TIMEOUT)


def test_a_certificate_that_an_ingress_owns_outlives_it_in_the_stack(tmp_path: Path) -> None:
    with set_up([BEFORE_THE_GATEWAY]):
        eventually("its certificate is signed", partial(by_hand.ready, EDGE, by_hand.ISTIO), TIMEOUT)
        by_hand.open_gateway([HOST], credential=EDGE)
        stack = stack_of("edge", tmp_path)
        try:
            owned = live("certificate", EDGE, by_hand.ISTIO)["metadata"]
            assert [each["kind"] for each in owned["ownerReferences"]] == ["Ingress"]
            printed = adopt(stack)
            told = f"Certificate {by_hand.ISTIO}/{EDGE} is deleted with Ingress edge, which owns it"
            assert told in printed.text
            let_go, take_over, *_ = printed.go_on
            run(let_go)
            run(take_over)
            (taken,) = (each for each in stack.resources() if each["type"].endswith(":Certificate") and "id" in each)
            assert taken["id"] == f"{by_hand.ISTIO}/{EDGE}"
            # The ingress-shim looks at an Ingress that changes: it must not take the Certificate back.
            kubectl("annotate", "ingress", "edge", "--namespace", by_hand.ISTIO, "changed=by-a-test")
            (gone,) = [command for command in printed.left if " delete ingress " in command]
            run(gone)
            assert get("ingress", "edge", by_hand.ISTIO) is None
            kept = live("certificate", EDGE, by_hand.ISTIO)["metadata"]
            assert kept["uid"] == owned["uid"]
            assert not {"ownerReferences", "deletionTimestamp"} & kept.keys()
        finally:
            stack.destroy()
            kubectl("delete", "virtualservice", by_hand.ROUTE, "--namespace", by_hand.ISTIO, "--ignore-not-found")
            kubectl("delete", GATEWAYS, by_hand.GATEWAY, "--namespace", by_hand.ISTIO, "--ignore-not-found")
