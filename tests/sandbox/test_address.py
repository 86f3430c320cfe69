"""The gateway's address: the one it has is reserved, and there can be one of each IP version.

The sandbox's load balancers are IPv4, so a test writes the status of a Service with both. Nobody can connect to the
IPv6 address, an ACME server included: the certificate is issued before the AAAA record is made.
"""

from collections.abc import Iterator

import pytest

from sandbox.testing import ISTIO, applied, cloud_dns, eventually, ingress_address, patch, resolve, resource
from tests.sandbox.stack import SHOP, Stack

pytestmark = pytest.mark.sandbox

HOST = "address.sandbox.test"
IPV6 = "2001:db8::10"
SERVICE = "two-versions"
ADDRESSES = "/compute/v1/projects/sandbox/regions/europe-west1/addresses"


@pytest.fixture(scope="module")
def ip() -> Iterator[str]:
    """A Service of the gateway with two addresses; returns the IPv4 one, which is the sandbox's own."""
    address = ingress_address()
    assert address, "the gateway has an address"
    spec = {
        "type": "LoadBalancer",
        "loadBalancerClass": "example.com/other",
        "selector": {"istio": "ingressgateway"},
        "ports": [{"name": str(port), "port": port} for port in (80, 443)],
    }
    with applied(resource("v1", "Service", SERVICE, ISTIO, spec=spec)):
        status = {"status": {"loadBalancer": {"ingress": [{"ip": IPV6}, {"ip": address}]}}}
        patch("service", SERVICE, status, ISTIO, subresource="status")
        yield address


@pytest.fixture(scope="module")
def shared(ip: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:  # noqa: ARG001 - it outlives the stack
    """A stack whose address is promoted."""
    with Stack("address", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(
            hosts=[SHOP | {"host": HOST}],
            certificate={"secretName": "address-certs"},
            ingress={"service": SERVICE, "address": "promote", "region": "europe-west1"},
        )
        yield stack
        # The address is protected whatever the config says.
        stack.run("state", "unprotect", "--all", "--yes", config=False)


@pytest.fixture
def dual(stack: Stack) -> Iterator[Stack]:
    """The stack, up with records of both versions."""
    with stack.changed(ingress={"family": "dual"}):
        stack.stand()
        yield stack


def test_every_host_has_a_record_of_each_version(dual: Stack, ip: str) -> None:
    assert resolve(HOST, "A") == [ip], "the zone answers with the IPv4 address"
    assert resolve(HOST, "AAAA") == [IPV6], "and with the IPv6 address"
    assert dual.outputs()["ingressIpv6"] == IPV6, "other programs can read it"
    assert dual.plan() == {}, "nothing is left to do"


def test_the_present_address_is_reserved_and_the_chart_value_is_an_output(stack: Stack, ip: str) -> None:
    assert cloud_dns("GET", "/gateway-address", below=ADDRESSES)["address"] == ip, "the one that the Service has"
    assert stack.outputs()["ingressChartValue"] == f"--set service.loadBalancerIP={ip}", "what keeps it"
    with stack.changed(ingress={"address": "ephemeral"}):
        refused = stack.preview(fails=True)
    assert "address-address" in refused, "a released address can go to somebody else"
    assert "protected" in refused, "so it is kept whatever the config says"


def test_verify_checks_both_records_and_says_whether_the_address_stays(dual: Stack, ip: str) -> None:
    report = eventually(
        "nothing fails", dual.verify, until=lambda report: all(one["state"] != "failed" for one in report.checks)
    )
    (service,) = report.of("service")
    assert f"{ip}, {IPV6}, reserved; the Service does not ask for it yet" in service["detail"], "half is done"
    aaaa = {"name": f"{HOST}.", "type": "AAAA", "ttl": 5, "rrdatas": [IPV6]}
    cloud_dns("PATCH", f"/{HOST}./AAAA", {"rrdatas": ["2001:db8::99"]})
    try:
        (record,) = dual.verify().of("record")
        assert record["state"] == "failed", "a record that leads elsewhere"
        assert "the AAAA record is 2001:db8::99 at" in record["detail"], "is named by its type"
    finally:
        cloud_dns("PATCH", f"/{HOST}./AAAA", aaaa)
