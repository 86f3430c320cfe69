"""A real Chromium requests two hosts: over one connection where the first certificate covers both (HTTP/2).

Chromium logs its connections in the log of its network stack.
https://www.chromium.org/developers/design-documents/network-stack/netlog/
"""

import base64
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import sync_playwright

from components.specs import names
from sandbox import chromium
from sandbox.acme import STAGING
from sandbox.testing import ISTIO, client, eventually, ingress_address, live
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import Stack
from tlsctl.verify.client import http2
from tlsctl.verify.coalescing import ask
from tlsctl.verify.requests import Probe

pytestmark = pytest.mark.sandbox

SECRET = "browser-certs"
ROUTE: dict[str, Any] = {"path": "/", "service": "shop", "namespace": "shop", "port": 80}
WILDCARD: dict[str, Any] = {
    "host": "*.browser.sandbox.test",
    "routes": [ROUTE],
    "responseHeaders": {"x-served": "wildcard"},
}
EXACT: dict[str, Any] = {
    "host": "exact.browser.sandbox.test",
    "challenge": "http01",
    "routes": [ROUTE],
    "responseHeaders": {"x-served": "exact"},
}
OTHER: dict[str, Any] = {
    "host": "other.browser.sandbox.test",
    "routes": [ROUTE],
    "responseHeaders": {"x-served": "other"},
}
ANY = "any.browser.sandbox.test"
"""A name that the wildcard serves."""

WWW = "www.browser.sandbox.test"
LABEL = "some.browser.sandbox.test"

WAIT = 20_000
"""Milliseconds for Chromium to start, and for each page."""


@dataclass(frozen=True)
class Visit:
    """The answers that Chromium got, and its connections."""

    answers: list[tuple[int, str | None]]
    """The status of each page, and the host whose routes served it."""
    connections: list[list[str]]
    """The hosts that were requested over each connection of HTTP/2, in order."""


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
            # Chromium's own sandbox does not start as root, which everybody is in ours.
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
    """Return the hosts that were requested over each connection, from Chromium's log."""
    sent = log["constants"]["logEventTypes"]["HTTP2_SESSION_SEND_HEADERS"]
    by_connection: dict[int, list[str]] = {}
    for event in log["events"]:
        if event["type"] == sent:
            (host,) = (header for header in event["params"]["headers"] if header.startswith(":authority: "))
            by_connection.setdefault(event["source"]["id"], []).append(host.removeprefix(":authority: "))
    return list(by_connection.values())


def signer() -> str:
    """Return the SHA-256 of the key that signed the wildcard's certificate, in base64: Chromium accepts what it signed.

    To trust the root it would need a database of NSS, and no tool for that can be installed without rights.
    """
    chain = base64.b64decode(live("secret", wildcards_secret(), ISTIO)["data"]["tls.crt"])
    _, issuer = x509.load_pem_x509_certificates(chain)
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def wildcards_secret() -> str:
    return f"{SECRET}-{names.object_name(WILDCARD['host'])}"


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    """A stack with a wildcard and an exact host below it, each with a certificate of its own."""
    return new_stack(
        "browser",
        challenge="dns01",
        # cert-manager's own check takes a minute for DNS-01, because it waits for a TTL. This is long enough for a
        # solver's Pod to be served.
        acme={"waitInsteadOfSelfCheck": 8},
        dns={"workloadIdentity": True},
        certificate={"secretName": SECRET, "grouping": "perHost"},
        hosts=[WILDCARD, EXACT, {"host": WWW, "redirectTo": EXACT["host"]}],
    )


@pytest.fixture(autouse=True)
def stack(shared: Stack) -> Stack:
    """The stack, up and served."""
    shared.stand()
    for host in (ANY, EXACT["host"]):
        eventually(f"{host} is served", partial(client.served, host, client.trusting(STAGING)))
    return shared


@pytest.fixture
def neighbour(stack: Stack, tmp_path: Path) -> Iterator[Stack]:  # noqa: ARG001 - it has cert-manager
    """A second stack at the same gateway, with a host that the first one's wildcard covers."""
    with Stack("browser-other", tmp_path) as neighbour:
        neighbour.configure(
            certManager={"install": False}, challenge="dns01", certificate={"secretName": "browser-other-certs"},
            hosts=[OTHER],
        )  # fmt: skip
        neighbour.up()
        eventually("its host is served by its own certificate", lambda: x_served(OTHER["host"]) == "other")
        yield neighbour


def x_served(host: str) -> str | None:
    """Return the host whose routes answer over a connection of its own."""
    answer = client.served(host, client.trusting(STAGING))
    return answer.headers["x-served"] if answer else None


@pytest.fixture(scope="module")
def browser() -> None:
    """Chromium, or the reason why it is not available."""
    if not chromium.is_for_this_machine():
        pytest.skip(f"Chromium is available only for {chromium.MACHINE}")
    if not chromium.is_ready():
        pytest.skip("Chromium is not installed: python -m sandbox doctor --fix --tests")


@pytest.mark.parametrize(
    ("via", "host", "status", "header", "value"),
    [
        (ANY, EXACT["host"], 200, "x-served", "exact"),
        (EXACT["host"], EXACT["host"], 200, "x-served", "exact"),
        (LABEL, ANY, 200, "x-served", "wildcard"),
        (ANY, WWW, 301, "location", f"https://{EXACT['host']}/"),
        (WWW, WWW, 301, "location", f"https://{EXACT['host']}/"),
    ],
)
def test_a_host_is_answered_by_its_own_routes_over_the_connection_of_another(
    via: str, host: str, status: int, header: str, value: str
) -> None:
    plain = socket.create_connection((str(ingress_address()), 443), client.TIMEOUT)
    with closing(http2().wrap_socket(plain, server_hostname=via)) as connection:
        assert connection.selected_alpn_protocol() == "h2", "browsers are offered HTTP/2"
        answer = ask(connection, {host: Probe("/")})[host]
    assert answer is not None
    assert (answer.status, answer.headers.get(header)) == (status, value)


@pytest.mark.parametrize("host", [ANY, EXACT["host"]])
def test_both_are_redirected_to_https(host: str) -> None:
    answer = client.plain(host, "/cart")
    assert (answer.status, answer.headers["location"]) == (301, f"https://{host}/cart")


@pytest.mark.usefixtures("browser")
def test_a_browser_is_answered_by_the_exact_hosts_routes_over_the_wildcards_connection(
    stack: Stack, tmp_path: Path
) -> None:
    seen = visit(tmp_path, ANY, EXACT["host"])
    assert seen == Visit([(200, "wildcard"), (200, "exact")], [[ANY, EXACT["host"]]]), "over one connection"
    assert set(stack.verify().states("coalescing").values()) == {"ok"}, "and verify says the same"


@pytest.mark.usefixtures("browser")
def test_a_browser_makes_a_connection_where_the_certificate_is_not_good_for_the_other_host(tmp_path: Path) -> None:
    seen = visit(tmp_path, EXACT["host"], ANY)
    assert seen == Visit([(200, "exact"), (200, "wildcard")], [[EXACT["host"]], [ANY]])


@pytest.mark.usefixtures("browser")
def test_a_browser_gets_the_other_stacks_routes_where_two_stacks_divide_a_wildcard(
    neighbour: Stack, tmp_path: Path
) -> None:
    seen = visit(tmp_path, ANY, OTHER["host"])
    assert seen == Visit([(200, "wildcard"), (200, "wildcard")], [[ANY, OTHER["host"]]]), "not by its own stack"
    assert neighbour.verify().states("coalescing") == {OTHER["host"]: "failed"}, "verify says so"
