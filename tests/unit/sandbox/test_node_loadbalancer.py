"""The addresses of load balancers."""

from typing import Any

from sandbox.node.loadbalancer import address_for


def service(uid: str, ip: str = "", **spec: Any) -> dict[str, Any]:
    status = {"loadBalancer": {"ingress": [{"ip": ip}]}} if ip else {}
    return {"metadata": {"uid": uid}, "spec": {"type": "LoadBalancer"} | spec, "status": status}


def test_the_first_service_gets_the_first_address() -> None:
    new = service("a")
    assert address_for(new, [new]) == "203.0.113.10", "the address that the sandbox's documents name"


def test_an_address_is_kept_and_given_once() -> None:
    old, new = service("a", "203.0.113.10"), service("b")
    assert address_for(old, [old, new]) == "203.0.113.10", "a Service keeps what it has"
    assert address_for(new, [old, new]) == "203.0.113.11", "the next one is free"


def test_an_address_that_is_asked_for_is_given_if_it_is_free_and_ours() -> None:
    old = service("a", "203.0.113.20")
    assert address_for(service("b", loadBalancerIP="203.0.113.30"), [old]) == "203.0.113.30", "a static address"
    assert address_for(service("b", loadBalancerIP="203.0.113.20"), [old]) is None, "taken: it stays pending"
    assert address_for(service("b", loadBalancerIP="198.51.100.1"), [old]) is None, "not ours: it stays pending"


def test_a_service_of_another_kind_or_class_gets_none() -> None:
    assert address_for(service("a", type="ClusterIP"), []) is None, "only load balancers have one"
    assert address_for(service("a", loadBalancerClass="example.com/none"), []) is None, "another controller's"
