"""Faults around a stack: `up` fails within its bound and says where and why; after the fix it succeeds.

A first stack brings cert-manager and the issuers. Each fault meets a stack of its own on the same cluster.
"""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.testing import (
    ISTIO,
    a_records,
    applied,
    eventually,
    is_ready,
    items,
    managed_zone,
    patch,
    record_sets,
    resource,
    stopped,
)
from sandbox.testing.acme_proxy import RATE_LIMITED, AcmeProxy
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import SECRET, SHOP, Stack

pytestmark = pytest.mark.sandbox

BOUND = 5
"""Seconds that a stack waits."""
OVERHEAD = 90
"""Seconds for the rest of an `up` with the installation of cert-manager, on a busy machine."""


@pytest.fixture(scope="module")
def first(acme: AcmeProxy, new_stack: NewStack) -> Stack:
    """The stack with cert-manager and the issuers."""
    stack = new_stack("first", hosts=[SHOP])
    stack.use_acme(acme)
    return stack


@pytest.fixture
def host(numbers: Iterator[int]) -> str:
    """A name that no other test has proven: Pebble reuses one authorization in a hundred."""
    return f"faulty-{next(numbers)}.sandbox.test"


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def stack(first: Stack, host: str, tmp_path: Path) -> Iterator[Stack]:
    """A stack that uses the first one's cert-manager and issuers, not yet up."""
    first.stand()
    with Stack("faulty", tmp_path) as stack:
        stack.configure(
            certManager={"install": False}, certificate={"secretName": "faulty-certs"}, hosts=[SHOP | {"host": host}]
        )
        yield stack


def failure(stack: Stack, *options: str) -> str:
    """Return the diagnostics of an `up` that fails within its bound."""
    with stack.changed(acme={"timeout": BOUND}, ingress={"timeout": BOUND}):
        began = time.monotonic()
        printed = stack.up(*options, fails=True)
        seconds = time.monotonic() - began
    assert seconds < BOUND + OVERHEAD, "it ends within its bound"
    assert "Traceback" not in printed, "a user sees the reason, not a line of the program"
    _, heading, diagnostics = printed.partition("\nDiagnostics:\n")
    assert heading, "the engine gathers the errors at the end"
    return diagnostics


def assert_fixed(stack: Stack) -> None:
    """Assert that the next `up` is all that it takes."""
    stack.up()
    assert is_ready("certificate", (stack.get("certificate") or {}).get("secretName", SECRET), ISTIO), "it is signed"


def test_a_ca_bundle_that_the_acme_server_does_not_chain_to_is_reported_at_its_issuer(
    first: Stack, acme: AcmeProxy
) -> None:
    first.destroy()  # an issuer that has its account does not call the server again
    with first.changed(acme={"caBundle": first.get("acme")["caBundle"].removesuffix(acme.ca_bundle)}):
        printed = failure(first)
    assert "(issuers-staging):" in printed, "the step that failed is named"
    assert "letsencrypt-staging-istio is not Ready:" in printed, "so is the object"
    assert (
        f'Get "{acme.url}": tls: failed to verify certificate: x509: certificate signed by unknown authority' in printed
    ), "with cert-manager's reason"
    assert_fixed(first)


def test_an_acme_server_that_is_down_is_reported_at_the_certificate(stack: Stack, acme: AcmeProxy) -> None:
    with acme.down():
        printed = failure(stack)
    assert "(certificate-faulty-certs):" in printed, "the step that failed is named"
    assert "Order: the ACME server has not taken it" in printed, "cert-manager says no more than that"
    assert_fixed(stack)


def test_a_rate_limit_is_reported_in_the_acme_servers_words(stack: Stack, acme: AcmeProxy) -> None:
    with acme.limited():
        failure(stack)  # on a busy machine it ends before cert-manager has asked
        eventually(
            "cert-manager has the refusal",
            lambda: any(order.get("status", {}).get("state") == "errored" for order in items("orders", ISTIO)),
        )
        # The step holds Pulumi's only thread then, and the reason is read before it ends.
        printed = failure(stack, "--parallel=1")
    assert "(certificate-faulty-certs):" in printed, "the step that failed is named"
    words = f"429 {RATE_LIMITED['type']}: {RATE_LIMITED['detail']}"
    assert f"Order: errored: Failed to create Order: {words}" in printed, "the problem document is quoted"
    assert_fixed(stack)


def test_a_name_that_leads_elsewhere_is_reported_with_what_answers_there(stack: Stack, host: str) -> None:
    # DNS resolves it in another zone than the stack's.
    record = {"name": f"{host}.", "type": "A", "ttl": 1, "rrdatas": ["10.244.0.1"]}
    with managed_zone("elsewhere", host), record_sets(record, zone="elsewhere"):
        printed = failure(stack)
    assert "(certificate-faulty-certs):" in printed, "the step that failed is named"
    assert f"Challenge for {host}: pending: Waiting for HTTP-01 challenge propagation" in printed, "so is it"
    assert "dial tcp 10.244.0.1:80: connect: connection refused" in printed, "with the address that the name has"
    assert_fixed(stack)


def test_a_webhook_that_is_down_is_reported_at_the_object_that_it_validates(stack: Stack) -> None:
    with stopped("cert-manager-webhook", "cert-manager"):
        printed = failure(stack)
    assert "(certificate-faulty-certs):" in printed, "the step that failed is named"
    assert 'failed calling webhook "webhook.cert-manager.io"' in printed, "in the API server's words"
    assert_fixed(stack)


def test_a_service_without_an_ip_is_reported_with_the_command_that_shows_why(stack: Stack, host: str) -> None:
    spec = {
        "type": "LoadBalancer", "loadBalancerClass": "sandbox.test/nobody", "selector": {"istio": "ingressgateway"},
        "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
    }  # fmt: skip
    stack.configure(ingress={"service": "pending"})
    with applied(resource("v1", "Service", "pending", ISTIO, spec=spec)):
        printed = failure(stack)
        assert f"Service {ISTIO}/pending got no external IP in {BOUND} s" in printed, "what was waited for"
        assert f"kubectl --namespace {ISTIO} describe service pending" in printed, "and where to look"
        status = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.200", "ipMode": "VIP"}]}}}
        patch("service", "pending", status, ISTIO, subresource="status")
        assert_fixed(stack)
        assert a_records()[host][0] == ["203.0.113.200"], "the record has the address that came"
