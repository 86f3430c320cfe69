"""A real Chromium asks for two hosts: over one connection, where the first one's certificate is good for both (HTTP/2).

What Chromium did with its connections it says itself, in the log of its network stack.
https://www.chromium.org/developers/design-documents/network-stack/netlog/
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import sync_playwright

from components.specs import istio, names
from sandbox import chromium
from sandbox.acme import STAGING
from sandbox.testing import client, eventually, kubectl, live
from sandbox.testing.cluster import secrets_removed
from sandbox.testing.engine import TIMEOUT
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
SECRET = "browser-certs"
SHOP: dict[str, Any] = {"path": "/", "service": "shop", "namespace": "shop", "port": 80}
WILDCARD: dict[str, Any] = {
    "host": "*.browser.sandbox.test",
    "routes": [SHOP],
    "responseHeaders": {"x-served": "wildcard"},
}
EXACT: dict[str, Any] = {
    "host": "exact.browser.sandbox.test",
    "challenge": "http01",
    "routes": [SHOP],
    "responseHeaders": {"x-served": "exact"},
}
OTHER: dict[str, Any] = {
    "host": "other.browser.sandbox.test",
    "routes": [SHOP],
    "responseHeaders": {"x-served": "other"},
}
SPLIT = "browser-split"
ANY = "any.browser.sandbox.test"
"""A name that the wildcard serves."""

WAIT = 20_000
"""Milliseconds for Chromium to start, and for each page."""


@dataclass(frozen=True)
class Visit:
    """What Chromium saw."""

    answers: list[tuple[int, str | None]]
    """Of each page: its status, and which host's routes served it."""
    connections: list[list[str]]
    """Of each connection of HTTP/2: the hosts that it was asked for, in order."""


def visit(folder: Path, *hosts: str) -> Visit:
    """Open the pages of hosts in one Chromium, one after the other."""
    log = folder / "netlog.json"
    options = [
        f"--log-net-log={log}", "--net-log-capture-mode=Everything",
        f"--ignore-certificate-errors-spki-list={signer()}",
    ]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.program(), args=options, timeout=WAIT,
            env={**os.environ, **chromium.environment(), "HOME": str(folder)},
            # Its own sandbox: Chromium does not start in it as root, who everybody is in ours.
            chromium_sandbox=False,
        )  # fmt: skip
        try:
            page = browser.new_page()
            answers = []
            for host in hosts:
                answer = page.goto(f"https://{host}/", timeout=WAIT)
                assert answer is not None
                answers.append((answer.status, answer.header_value("x-served")))
        finally:
            browser.close()
    return Visit(answers, connections(json.loads(log.read_text())))


def connections(log: dict[str, Any]) -> list[list[str]]:
    """What Chromium's log says: the hosts asked for over each connection."""
    sent = log["constants"]["logEventTypes"]["HTTP2_SESSION_SEND_HEADERS"]
    found: dict[int, list[str]] = {}
    for event in log["events"]:
        if event["type"] == sent:
            (host,) = (each for each in event["params"]["headers"] if each.startswith(":authority: "))
            found.setdefault(event["source"]["id"], []).append(host.removeprefix(":authority: "))
    return list(found.values())


def signer() -> str:
    """The SHA-256 of the key that signed the wildcard's certificate, in base64: Chromium takes what it has signed.

    To trust the root it would need a database of NSS, and nothing writes one that can be installed without rights. With
    one, it takes connections in the same way.
    """
    chain = base64.b64decode(live("secret", wildcards_secret(), ISTIO)["data"]["tls.crt"])
    _, issuer = x509.load_pem_x509_certificates(chain)
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def wildcards_secret() -> str:
    return f"{SECRET}-{names.object_name(WILDCARD['host'])}"


@pytest.fixture(scope="module", autouse=True)
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a wildcard and an exact host below it, each with a certificate of its own."""
    if not chromium.is_for_this_machine():
        pytest.skip(f"there is a Chromium for {chromium.MACHINE} alone")
    if not chromium.is_ready():
        pytest.skip("Chromium is not there: python -m sandbox doctor --fix --tests")
    secrets = [f"{SECRET}-{names.object_name(str(each['host']))}" for each in (WILDCARD, EXACT)]
    with secrets_removed(*secrets), Stack("browser", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(
            challenge="dns01",
            # cert-manager's own look takes a minute for DNS-01: it waits for the TTL of what it has found. This is long
            # enough for a solver's Pod to be served.
            acme={"waitInsteadOfSelfCheck": 8},
            dns={"workloadIdentity": True},
            certificate={"secretName": SECRET, "grouping": "perHost"},
            hosts=[WILDCARD, EXACT],
        )
        stack.up()
        for host in (ANY, EXACT["host"]):
            eventually(f"{host} is served", lambda host=host: client.served(host, client.trusting(STAGING)))  # type: ignore[misc]
        yield stack


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Stack]:
    """A second stack at the same gateway, with a host that the first one's wildcard covers."""
    with secrets_removed("browser-other-certs"), Stack("browser-other", tmp_path) as stack:
        stack.configure(
            certManager={"install": False}, challenge="dns01", certificate={"secretName": "browser-other-certs"},
            hosts=[OTHER],
        )  # fmt: skip
        stack.up()
        eventually("its host is served by its own certificate", lambda: x_served(OTHER["host"]) == "other")
        yield stack


def x_served(host: str) -> str | None:
    """Whose routes answer for a host over a connection of its own."""
    answer = client.served(host, client.trusting(STAGING))
    return answer.headers["x-served"] if answer else None


def coalescing(stack: Stack) -> dict[str, str]:
    """What `tlsctl verify` says of hosts that share a connection: the state of each."""
    options = ["--stack", stack.name, "--config-file", str(stack.file), "--ca", str(STAGING.root_file)]
    done = subprocess.run(
        [sys.executable, "-m", "tlsctl", "verify", "--json", *options],
        cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return {
        each["subject"]: each["state"] for each in json.loads(done.stdout)["checks"] if each["check"] == "coalescing"
    }


@pytest.mark.parametrize("host", [ANY, EXACT["host"]])
def test_both_are_redirected_to_https(host: str) -> None:
    answer = client.plain(host, "/cart")
    assert (answer.status, answer.headers["location"]) == (301, f"https://{host}/cart")


def test_a_browser_is_answered_by_the_exact_hosts_routes_over_the_wildcards_connection(
    stack: Stack, tmp_path: Path
) -> None:
    seen = visit(tmp_path, ANY, EXACT["host"])
    assert seen == Visit([(200, "wildcard"), (200, "exact")], [[ANY, EXACT["host"]]]), "over one connection"
    assert coalescing(stack) == {EXACT["host"]: "ok"}, "and verify says the same"


def test_a_browser_makes_a_connection_where_the_certificate_is_not_good_for_the_other_host(tmp_path: Path) -> None:
    seen = visit(tmp_path, EXACT["host"], ANY)
    assert seen == Visit([(200, "exact"), (200, "wildcard")], [[EXACT["host"]], [ANY]])


def test_a_browser_gets_the_other_stacks_routes_where_two_stacks_divide_a_wildcard(
    neighbour: Stack, tmp_path: Path
) -> None:
    seen = visit(tmp_path, ANY, OTHER["host"])
    assert seen == Visit([(200, "wildcard"), (200, "wildcard")], [[ANY, OTHER["host"]]]), "not by its own stack"
    assert coalescing(neighbour) == {OTHER["host"]: "failed"}, "verify says so"


@pytest.fixture
def split() -> Iterator[list[str]]:
    """Two hosts of one certificate on a server each, as no stack makes them (`istio.split_credentials`)."""
    hosts = ["one.browser.sandbox.test", "two.browser.sandbox.test"]
    credentials = [(wildcards_secret(), [host]) for host in hosts]
    items = [of_istio("Gateway", SPLIT, istio.tls_gateway_spec(istio.SELECTOR, credentials, "1.3", []))]
    for host in hosts:
        served = {"host": host, "routes": [SHOP], "response_headers": {"x-served": host}}
        items.append(
            of_istio("VirtualService", names.object_name(host), istio.virtual_service_spec(f"{ISTIO}/{SPLIT}", served))
        )
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    kubectl("apply", manifest=manifest)
    try:
        for host in hosts:
            eventually(f"{host} is served by its own routes", lambda host=host: x_served(host) == host)  # type: ignore[misc]
        yield hosts
    finally:
        kubectl("delete", manifest=manifest)


def of_istio(kind: str, name: str, spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": ISTIO}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def test_a_browser_gets_404_where_a_certificate_is_on_two_servers(split: list[str], tmp_path: Path) -> None:
    one, two = split
    seen = visit(tmp_path, one, two)
    assert seen == Visit([(200, one), (404, None)], [[one, two]]), "its routes are on the other server"
    assert visit(tmp_path, two) == Visit([(200, two)], [[two]]), "which a connection of its own leads to"
