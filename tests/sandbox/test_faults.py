"""What goes wrong around a stack: `up` fails within its bound and says where and why; after the fix it succeeds.

A first stack brings cert-manager and the issuers. Each later fault is met by a stack of its own on the same cluster.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.testing import ZONES, a_records, cloud_dns, eventually, items, kubectl, live
from sandbox.testing.acme_proxy import RATE_LIMITED, AcmeProxy
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
CERT_MANAGER = "--namespace=cert-manager"
WEBHOOK = "cert-manager-webhook"
SHOP = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
FAULTY = SHOP | {"host": "faulty.sandbox.test"}
BOUND = 5
"""Seconds that a stack waits for what does not come."""
OVERHEAD = 90
"""Seconds for all else in an `up`, the installation of cert-manager included, on a busy machine."""


@pytest.fixture(scope="module")
def first(acme: AcmeProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with cert-manager and the issuers."""
    with Stack("first", tmp_path_factory.mktemp("stacks")) as stack:
        bundle = stack.get("acme")["caBundle"] + acme.ca_bundle
        stack.configure(acme={"servers": {"staging": acme.url}, "caBundle": bundle}, hosts=[SHOP])
        yield stack


@pytest.fixture
def stack(first: Stack, tmp_path: Path) -> Iterator[Stack]:
    """A stack that uses the first one's cert-manager and issuers, not yet up."""
    first.stand()
    with Stack("faulty", tmp_path) as stack:
        stack.configure(certManager={"install": False}, certificate={"secretName": "faulty-certs"}, hosts=[FAULTY])
        yield stack
    kubectl("delete", "secret", "faulty-certs", "--namespace", ISTIO, "--ignore-not-found")


def failure(stack: Stack, *options: str) -> str:
    """The last lines of an `up` that fails, which it does in time."""
    with stack.changed(acme={"timeout": BOUND}, ingress={"timeout": BOUND}):
        began = time.monotonic()
        printed = stack.run("up", "--yes", "--skip-preview", *options, fails=True)
        seconds = time.monotonic() - began
    assert seconds < BOUND + OVERHEAD, "it ends within its bound"
    assert "Traceback" not in printed, "a user is told the reason, not a line of the program"
    _, found, last = printed.partition("\nDiagnostics:\n")
    assert found, "the engine gathers what went wrong at the end"
    return last


def assert_fixed(stack: Stack) -> None:
    """Assert that the next `up` is all that it takes."""
    stack.up()
    name = (stack.get("certificate") or {}).get("secretName", "istio-ingressgateway-certs")
    certificate = live("certificate", name, ISTIO)
    ready = {each["type"]: each["status"] for each in certificate["status"]["conditions"]}
    assert ready.get("Ready") == "True", "and signed"


@contextmanager
def webhook_down() -> Iterator[None]:
    """cert-manager without its webhook for as long as the block runs."""
    kubectl("scale", "deployment", WEBHOOK, CERT_MANAGER, "--replicas=0")
    try:
        eventually(
            "the webhook's Pod is gone",
            lambda: not any(pod["metadata"]["name"].startswith(WEBHOOK) for pod in items("pods", "cert-manager")),
        )
        yield
    finally:
        kubectl("scale", "deployment", WEBHOOK, CERT_MANAGER, "--replicas=1")
        kubectl("rollout", "status", "deployment", WEBHOOK, CERT_MANAGER, "--timeout=50s")


@contextmanager
def delegated(host: str, address: str) -> Iterator[None]:
    """A name that the world looks up in another zone than the stack's, for as long as the block runs."""
    record = {"name": f"{host}.", "type": "A", "ttl": 1, "rrdatas": [address]}
    cloud_dns("POST", "", {"name": "elsewhere", "dnsName": f"{host}.", "description": "not the stack's"}, below=ZONES)
    try:
        cloud_dns("POST", "/elsewhere/rrsets", record, below=ZONES)
        yield
        cloud_dns("DELETE", f"/elsewhere/rrsets/{host}./A", below=ZONES)
    finally:
        cloud_dns("DELETE", "/elsewhere", below=ZONES)


@contextmanager
def pending_service(name: str) -> Iterator[None]:
    """A second Service of the gateway, whose load balancer nobody makes."""
    kubectl("create", manifest={
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": ISTIO},
        "spec": {
            "type": "LoadBalancer", "loadBalancerClass": "sandbox.test/nobody", "selector": {"istio": "ingressgateway"},
            "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
        },
    })  # fmt: skip
    try:
        yield
    finally:
        kubectl("delete", "service", name, "--namespace", ISTIO)


def test_a_ca_bundle_that_the_acme_server_does_not_chain_to_is_told_at_its_issuer(
    first: Stack, acme: AcmeProxy
) -> None:
    first.destroy()  # an issuer that has its account asks the server no more
    with first.changed(acme={"caBundle": first.get("acme")["caBundle"].removesuffix(acme.ca_bundle)}):
        told = failure(first)
    assert "(issuers-staging):" in told, "the step that failed is named"
    assert "letsencrypt-staging-istio is not Ready:" in told, "so is the object"
    assert (
        f'Get "{acme.url}": tls: failed to verify certificate: x509: certificate signed by unknown authority' in told
    ), "with cert-manager's reason"
    assert_fixed(first)


def test_an_acme_server_that_is_down_is_told_at_the_certificate(stack: Stack, acme: AcmeProxy) -> None:
    with acme.down():
        told = failure(stack)
    assert "(certificate-faulty-certs):" in told, "the step that failed is named"
    assert "Order: the ACME server has not taken it" in told, "cert-manager says no more than that"
    assert_fixed(stack)


def test_a_rate_limit_is_told_in_the_acme_servers_words(stack: Stack, acme: AcmeProxy) -> None:
    with acme.limited():
        # The step holds the one thread that Pulumi has then, and the words are read before it ends.
        told = failure(stack, "--parallel=1")
    assert "(certificate-faulty-certs):" in told, "the step that failed is named"
    words = f"429 {RATE_LIMITED['type']}: {RATE_LIMITED['detail']}"
    assert f"Order: errored: Failed to create Order: {words}" in told, "the problem document is quoted"
    assert_fixed(stack)


def test_a_name_that_leads_elsewhere_is_told_with_what_was_found_there(stack: Stack) -> None:
    with delegated("faulty.sandbox.test", "10.244.0.1"):
        told = failure(stack)
    assert "(certificate-faulty-certs):" in told, "the step that failed is named"
    assert "Challenge for faulty.sandbox.test: pending: Waiting for HTTP-01 challenge propagation" in told, "so is it"
    assert "dial tcp 10.244.0.1:80: connect: connection refused" in told, "with the address that the name has"
    assert_fixed(stack)


def test_a_webhook_that_is_down_is_told_at_what_it_was_to_judge(stack: Stack) -> None:
    with webhook_down():
        told = failure(stack)
    assert "(certificate-faulty-certs):" in told, "the step that failed is named"
    assert 'failed calling webhook "webhook.cert-manager.io"' in told, "in the API server's words"
    assert_fixed(stack)


def test_a_service_without_an_ip_is_told_with_the_command_that_says_why(stack: Stack) -> None:
    stack.configure(ingress={"service": "pending"})
    with pending_service("pending"):
        told = failure(stack)
        assert f"Service {ISTIO}/pending got no external IP in {BOUND} s" in told, "what was waited for"
        assert f"kubectl --namespace {ISTIO} describe service pending" in told, "and where to look"
        made = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.200", "ipMode": "VIP"}]}}}
        kubectl("patch", "service", "pending", "-n", ISTIO, "--subresource=status", f"--patch={json.dumps(made)}")
        assert_fixed(stack)
        assert a_records()["faulty.sandbox.test"][0] == ["203.0.113.200"], "the record leads to the address that came"
