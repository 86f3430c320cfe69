"""The addresses of load balancers."""

from typing import Any

import pytest

from sandbox.node.loadbalancer import address_for


def service(uid: str, ip: str = "", **spec: Any) -> dict[str, Any]:
    status = {"loadBalancer": {"ingress": [{"ip": ip}]}} if ip else {}
    return {"metadata": {"uid": uid}, "spec": {"type": "LoadBalancer"} | spec, "status": status}


@pytest.mark.parametrize(
    ("new", "old", "address"),
    [
        (service("a"), [], "203.0.113.10"),
        (service("a", "203.0.113.10"), [service("b", "203.0.113.11")], "203.0.113.10"),
        (service("b"), [service("a", "203.0.113.10")], "203.0.113.11"),
        (service("b", loadBalancerIP="203.0.113.30"), [], "203.0.113.30"),
        (service("b", loadBalancerIP="203.0.113.20"), [service("a", "203.0.113.20")], None),
        (service("b", loadBalancerIP="198.51.100.1"), [], None),
        (service("a", type="ClusterIP"), [], None),
        (service("a", loadBalancerClass="example.com/none"), [], None),
    ],
    ids=["first", "kept", "next", "requested", "taken", "not ours", "no load balancer", "another controller's"],
)
def test_a_load_balancer_has_an_address_of_its_own_or_stays_pending(
    new: dict[str, Any], old: list[dict[str, Any]], address: str | None
) -> None:
    assert address_for(new, [*old, new]) == address
