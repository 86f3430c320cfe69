"""The gateway's address: reserved as it is, and of both IP versions.

The sandbox's load balancers are IPv4, so the Service that has both is one whose status this test writes. Nobody can
connect to the address of IPv6, an ACME server included: the certificate is there before the AAAA record is.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import dns.message
import dns.query
import pytest

from sandbox import paths
from sandbox.testing import cloud_dns, eventually, kubectl, live
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
HOST = "address.sandbox.test"
IPV6 = "2001:db8::10"
SERVICE = "two-versions"
ADDRESSES = "/compute/v1/projects/sandbox/regions/europe-west1/addresses"


@pytest.fixture(scope="module")
def ip() -> Iterator[str]:
    """Make a Service of the gateway with two addresses; returns the one of IPv4, which is the sandbox's own."""
    found: str = live("service", "istio-ingressgateway", ISTIO)["status"]["loadBalancer"]["ingress"][0]["ip"]
    spec = {
        "type": "LoadBalancer",
        "loadBalancerClass": "example.com/other",
        "selector": {"istio": "ingressgateway"},
        "ports": [{"name": str(port), "port": port} for port in (80, 443)],
    }
    kubectl(
        "apply",
        manifest={
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SERVICE, "namespace": ISTIO},
            "spec": spec,
        },
    )
    status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": IPV6}, {"ip": found}]}}})
    kubectl("patch", "service", SERVICE, "-n", ISTIO, "--subresource=status", "--type=merge", f"-p={status}")
    yield found
    kubectl("delete", "service", SERVICE, "-n", ISTIO)


@pytest.fixture(scope="module")
def stack(ip: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is up, and whose address is promoted."""
    assert ip, "its Service is there"
    stack = Stack("address", tmp_path_factory.mktemp("stacks"))
    stack.configure(
        hosts=[{"host": HOST, "service": "shop", "namespace": "shop", "port": 80}],
        certificate={"secretName": "address-certs"},
        ingress={"service": SERVICE, "address": "promote", "region": "europe-west1"},
    )
    try:
        stack.up()
        yield stack
    finally:
        unprotect(stack)
        stack.destroy()
        kubectl("delete", "secret", "address-certs", "-n", ISTIO, "--ignore-not-found")


@pytest.fixture
def dual(stack: Stack) -> Iterator[Stack]:
    """The stack, standing with records of both versions."""
    with stack.changed(ingress={"family": "dual"}):
        stack.stand()
        yield stack


def unprotect(stack: Stack) -> None:
    """Let go of the address, which is protected whatever the config says."""
    stack.run("state", "unprotect", "--all", "--yes", config=False)


def answers(kind: str) -> list[str]:
    """The addresses that the sandbox's DNS server answers."""
    answer = dns.query.udp(dns.message.make_query(HOST, kind), "10.244.0.1", timeout=5)
    return [str(address) for found in answer.answer for address in found]


def verify(stack: Stack) -> list[dict[str, Any]]:
    """What `tlsctl verify` finds."""
    argv = [sys.executable, "-m", "tlsctl", "verify", "--stack", stack.name, "--config-file", str(stack.file), "--json"]
    argv += ["--ca", str(paths.RUN / "acme" / "staging-root.pem")]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    checks: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    return checks


def test_every_host_has_a_record_of_each_version(dual: Stack, ip: str) -> None:
    assert answers("A") == [ip], "the zone answers with the address of IPv4"
    assert answers("AAAA") == [IPV6], "and with the one of IPv6"
    assert dual.outputs()["ingressIpv6"] == IPV6, "other programs can read it"
    assert dual.plan() == {}, "nothing is left to do"


def test_the_address_is_reserved_as_it_is_and_the_chart_is_told(stack: Stack, ip: str) -> None:
    reserved = cloud_dns("GET", "/gateway-address", below=ADDRESSES)
    assert reserved["address"] == ip, "the one that the Service has"
    assert stack.outputs()["ingressChartValue"] == f"--set service.loadBalancerIP={ip}", "what keeps it"
    with stack.changed(ingress={"address": "ephemeral"}):
        refused = stack.preview(fails=True)
    assert "address-address" in refused, "an address that is let go belongs to somebody else"
    assert "protected" in refused, "so it is kept whatever the config says"


def test_verify_looks_at_both_records_and_says_whether_the_address_stays(dual: Stack, ip: str) -> None:
    checks = eventually(
        "all is ok", lambda: verify(dual), until=lambda seen: all(each["state"] != "failed" for each in seen)
    )
    (service,) = [each for each in checks if each["check"] == "service"]
    assert f"{ip}, {IPV6}, reserved; the Service does not ask for it yet" in service["detail"], "half is done"
    aaaa = {"name": f"{HOST}.", "type": "AAAA", "ttl": 5, "rrdatas": [IPV6]}
    cloud_dns("PATCH", f"/{HOST}./AAAA", {"rrdatas": ["2001:db8::99"]})
    try:
        (record,) = [each for each in verify(dual) if each["check"] == "record"]
        assert record["state"] == "failed", "a record that leads elsewhere"
        assert "the AAAA record is 2001:db8::99 at" in record["detail"], "is named by its type"
    finally:
        cloud_dns("PATCH", f"/{HOST}./AAAA", aaaa)
