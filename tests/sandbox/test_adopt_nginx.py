"""From ingress-nginx: names are proven by DNS-01, the gateway serves at its own address, and the records move last.

cert-manager and its ingress-shim are the real ones. The controller of ingress-nginx is a stand-in (nginx.py).
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sandbox import paths
from sandbox.acme import PROD
from sandbox.testing import (
    ISTIO,
    ZONES,
    a_records,
    client,
    cloud_dns,
    eventually,
    get,
    ingress_address,
    is_ready,
    items,
    kubectl,
    live,
    names,
    reasons,
    renew,
    resource,
)
from tests.sandbox import by_hand, nginx
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

HOST = "moves.sandbox.test"
OTHER = "moves-too.sandbox.test"
STAYS = "stays.sandbox.test"
HOSTS = [HOST, OTHER, STAYS]
SHOP, API = "shop", "api"
SHARED, OWN, EDGE = "moves-tls", "moves-too-tls", "edge-tls"
"""Secrets: of two Ingresses, of one with an Issuer of its namespace, and of one beside the gateway."""
ISSUER = "letsencrypt"
"""The name of both issuers, and of the Secrets with their accounts' keys."""
SNIPPET = "nginx.ingress.kubernetes.io/configuration-snippet"
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
    """Return an Ingress as users of ingress-nginx have it; its Service has the namespace's name by default."""
    backend = {"service": {"name": service or namespace, "port": {"number": port}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend}]
    manifest = resource("networking.k8s.io/v1", "Ingress", name, namespace)
    manifest["metadata"]["annotations"] = annotations
    manifest["spec"] = {
        "ingressClassName": nginx.CLASS,
        "tls": [{"hosts": [host], "secretName": secret}],
        "rules": [{"host": host, "http": {"paths": paths}}],
    }
    return manifest


REQUEST = {"cert-manager.io/cluster-issuer": ISSUER}
INGRESSES = [
    ingress("moves", SHOP, HOST, SHARED, REQUEST),
    ingress("moves-news", SHOP, HOST, SHARED, REQUEST, path="/news"),
    ingress("moves-too", API, OTHER, OWN, {"cert-manager.io/issuer": ISSUER}, port=8080),
    ingress("stays", SHOP, STAYS, "stays-tls", REQUEST | {SNIPPET: "deny all;"}),
]
SHARING = [
    ingress("moves", SHOP, HOST, SHARED, REQUEST),
    ingress("stays", SHOP, STAYS, SHARED, REQUEST | {SNIPPET: "deny all;"}),
]
BEFORE_THE_GATEWAY = ingress("edge", ISTIO, HOST, EDGE, REQUEST, service="istio-ingressgateway")
"""A team has ingress-nginx before the gateway, and its Gateway presents the Ingress's certificate as well."""


@contextmanager
def set_up(ingresses: list[dict[str, Any]], *, alias: str = "") -> Iterator[None]:
    """Set up cert-manager, its issuers and Ingresses by hand, and remove everything at the end.

    Args:
        ingresses: What ingress-nginx serves.
        alias: A host with a CNAME; the others have A records.
    """
    with by_hand.cert_manager(by="helm"):
        by_hand.point_names([host for host in HOSTS if host != alias], nginx.ADDRESS, TTL)
        if alias:
            cloud_dns("POST", body={"name": f"{alias}.", "type": "CNAME", "ttl": TTL, "rrdatas": [f"{HOST}."]})
        by_hand.make_issuers({ISSUER: "prod"}, {"ingressClassName": nginx.CLASS}, namespaces=[None, API])
        with nginx.controller():
            try:
                for manifest in ingresses:
                    request_certificate(manifest)
                yield
            finally:
                # cert-manager's ingress-shim would make their Certificates again.
                kubectl("delete", "--ignore-not-found", manifest=ingresses)


def request_certificate(manifest: dict[str, Any]) -> None:
    """Apply an Ingress, and wait for its Certificate: of two Ingresses with one Secret, the first is to own it."""
    kubectl("apply", manifest=manifest)
    (tls,) = manifest["spec"]["tls"]
    look = partial(get, "certificate", tls["secretName"], manifest["metadata"]["namespace"])
    eventually(f"cert-manager has made the Certificate of Ingress {manifest['metadata']['name']}", look)


@dataclass
class Printed:
    """What `adopt` prints."""

    text: str
    go_on: list[str]
    """The commands to go on with."""
    access: list[str]
    """The commands before a certificate can be signed."""
    left: list[str]
    """The commands that clean up."""
    transaction: list[str]
    """The commands that change record sets at once."""


def adopt(stack: Stack) -> Printed:
    """Run `tlsctl adopt`."""
    done = stack.tlsctl("adopt", "--kubeconfig", str(paths.KUBECONFIG), "--challenge", "dns01")
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
    """Make the change that printed commands of gcloud gather and execute; there is no gcloud here."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    for option in ("--zone", "--project", "--name", "--type"):
        parser.add_argument(option)
    parser.add_argument("--ttl", type=int)
    parser.add_argument("rrdatas", nargs="*")
    change: dict[str, list[dict[str, Any]]] = {"remove": [], "add": []}
    for command in commands:
        verb, *options = shlex.split(command.removeprefix(TRANSACTION), comments=True)
        arguments = parser.parse_args(options)
        if verb == "execute":
            body = {"deletions": change["remove"], "additions": change["add"]}
            cloud_dns("POST", f"/{arguments.zone}/changes", body, below=ZONES)
        elif verb in change:
            record = {key: getattr(arguments, key) for key in ("name", "type", "ttl", "rrdatas")}
            change[verb].append(record)


def stack_of(name: str, folder: Path) -> Stack:
    """Return a stack whose config has the places of Google Cloud, the chart and the environment without an issuer."""
    stack = Stack(name, folder)
    servers = {"staging": stack.get("acme")["servers"]["staging"]}
    stack.configure(acme=None, hosts=None, dns=None, ingress=None, kubeconfig=None, certManager={"values": None})
    # cert-manager's own check takes a minute for each name.
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
                transact([command.replace(" ADDRESS", f" {nginx.ADDRESS}") for command in adopt(stack).transaction])
                assert addresses()[OTHER] == nginx.ADDRESS, "its own record does, from one moment to the next"
                printed = adopt(stack)
                assert not printed.transaction
                assert f"Ingress {SHOP}/stays has the annotation {SNIPPET}" in printed.text, "its host is left"
                note = f"Certificate {SHOP}/{SHARED} is proven by HTTP-01 at Ingresses of the class nginx"
                assert note in printed.text, "which cannot be renewed there afterwards"
                for command in printed.access:
                    by_hand.run(command)

                moving = addresses()
                take_over, look, everything_else, *ask, the_records = printed.go_on
                by_hand.run(take_over)
                by_hand.assert_nothing_is_lost(look)
                by_hand.run(everything_else)
                assert addresses() == moving, "no record has moved"
                for command in ask:
                    assert json.loads(by_hand.run(command))["app"] in (SHOP, API), "the gateway serves, with trust"
                assert len(ask) == 2
                assert [len(seen.serials), len(seen_of_other.serials)] == [1, 1], "users are still at ingress-nginx"
                by_hand.run(the_records)
                gateway = ingress_address()
                assert addresses() == {HOST: gateway, OTHER: gateway, STAYS: nginx.ADDRESS}

                assert any(map(is_refused, range(2))), "HTTP-01 fails at the new address, as adopt printed"
                for command in printed.left:
                    by_hand.run(command)
                assert stack.plan() == {}, "it is at rest, and what was left over is no part of it"
            assert client.https(STAYS, trust).status == 200, "what stays serves as before"
            remains()
    for traffic in (seen, seen_of_other):
        assert traffic.failures == [], "no request failed, and browsers trusted every certificate"
        assert traffic.answered > 10, "there was traffic throughout"
        assert len(traffic.serials) == 2, "one certificate by ingress-nginx, and then one by the gateway"


def addresses() -> dict[str, str]:
    """Return the addresses of the hosts' records."""
    return {host: led for host, ((led,), _) in a_records().items() if host in HOSTS}


def is_refused(_: int) -> bool:
    """Renew the certificate of the host that has moved, and tell whether its proof fails.

    Pebble reuses one authorization in a hundred, and then signs without a proof.
    """
    before = live("certificate", OWN, API)["status"]["revision"]
    renew(OWN, API)

    def outcome() -> str:
        signed = live("certificate", OWN, API)["status"]["revision"] > before
        return "signed" if signed else reasons("challenges", API)

    ends = ("signed", "did not get expected response")
    seen = eventually("its proof fails", outcome, until=lambda text: any(end in text for end in ends))
    return seen != "signed"


def remains() -> None:
    """Assert that the printed commands removed what belongs to hosts that moved, and nothing else."""
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
                by_hand.run(command)
            assert client.https(HOST, trust).status == 200, "the gateway serves it"
            eventually("cert-manager has made another one", partial(is_ready, "certificate", SHARED, SHOP), TIMEOUT)
            made = live("certificate", SHARED, SHOP)
            assert made["spec"]["dnsNames"] == [STAYS]
            assert [owner["name"] for owner in made["metadata"]["ownerReferences"]] == ["stays"]
            eventually(f"{STAYS} is served by ingress-nginx", partial(client.served, STAYS, trust), TIMEOUT)


def test_a_certificate_that_an_ingress_owns_outlives_it_in_the_stack(tmp_path: Path) -> None:
    with set_up([BEFORE_THE_GATEWAY]):
        eventually("its certificate is signed", partial(is_ready, "certificate", EDGE, ISTIO), TIMEOUT)
        by_hand.open_gateway([HOST], credential=EDGE)
        with stack_of("edge", tmp_path) as stack:
            owned = live("certificate", EDGE, ISTIO)["metadata"]
            assert [owner["kind"] for owner in owned["ownerReferences"]] == ["Ingress"]
            printed = adopt(stack)
            assert f"Certificate {ISTIO}/{EDGE} is deleted with Ingress edge, which owns it" in printed.text
            let_go, take_over, *_ = printed.go_on
            by_hand.run(let_go)
            by_hand.run(take_over)
            ids = [one["id"] for one in stack.resources() if one["type"].endswith(":Certificate") and "id" in one]
            assert ids == [f"{ISTIO}/{EDGE}"]
            # The ingress-shim looks at an Ingress that changes: it must not take the Certificate back.
            kubectl("annotate", "ingress", "edge", "--namespace", ISTIO, "changed=by-a-test")
            (gone,) = [command for command in printed.left if " delete ingress " in command]
            by_hand.run(gone)
            assert get("ingress", "edge", ISTIO) is None
            kept = live("certificate", EDGE, ISTIO)["metadata"]
            assert kept["uid"] == owned["uid"]
            assert not {"ownerReferences", "deletionTimestamp"} & kept.keys()
