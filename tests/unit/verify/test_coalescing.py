"""One connection, many hosts: which hosts share one, and what their answers mean."""

from typing import Any

import pytest

from tests.unit.verify.support import deployed
from tlsctl.verify.coalescing import shared
from tlsctl.verify.serving import judge_neighbours

TO = {"service": "shop", "namespace": "shop", "port": 80}


def environment(*hosts: str, **changes: Any) -> Any:
    return deployed(hosts=[{"host": each, **TO} for each in hosts], challenge="dns01", **changes)


@pytest.mark.parametrize(
    ("grouping", "hosts", "found"),
    [
        pytest.param("shared", ["a.acme.dev"], [], id="one host"),
        pytest.param("shared", ["a.acme.dev", "b.dev"], [("a.acme.dev", ["b.dev"])], id="names of one certificate"),
        pytest.param("perHost", ["a.acme.dev", "b.acme.dev"], [], id="no certificate is good for the other"),
        pytest.param(
            "perHost",
            ["a.acme.dev", "*.acme.dev", "acme.dev"],
            [("*.acme.dev", ["a.acme.dev"])],
            id="a wildcard is good for a host with its own",
        ),
        pytest.param(
            "shared",
            ["a.acme.dev", "*.acme.dev"],
            [("*.acme.dev", ["a.acme.dev"])],
            id="a wildcard in the same certificate",
        ),
    ],
)
def test_a_browser_has_one_connection_for_the_names_of_a_certificate(
    grouping: str, hosts: list[str], found: list[tuple[str, list[str]]]
) -> None:
    assert list(shared(environment(*hosts, certificate={"grouping": grouping}))) == found


def gateway(host: str, **selector: str) -> dict[str, Any]:
    server = {"port": {"number": 443}, "hosts": [host]}
    return {"spec": {"selector": selector or {"istio": "ingressgateway"}, "servers": [server]}}


@pytest.mark.parametrize(
    ("gateways", "drawn"),
    [
        pytest.param({"tls-other": gateway("*.acme.dev")}, True, id="another stack's wildcard"),
        pytest.param({"tls-other": gateway("team/*.acme.dev")}, True, id="of a namespace"),
        pytest.param({"tls-dev": gateway("*.acme.dev")}, False, id="the stack's own: Istio gives it every route"),
        pytest.param({"tls-other": gateway("b.acme.dev")}, False, id="another host"),
        pytest.param({"tls-other": gateway("*.dev")}, False, id="two labels below: no certificate is good for it"),
        pytest.param({"tls-other": gateway("*.acme.dev", istio="egress")}, False, id="at other Pods"),
    ],
)
def test_a_wildcard_of_another_gateway_draws_requests_away(gateways: dict[str, Any], drawn: bool) -> None:
    result = judge_neighbours(environment("a.acme.dev"), "a.acme.dev", gateways)
    assert (result is not None) is drawn
    assert not drawn or (result and result.state == "failed" and "Gateway tls-other has *.acme.dev" in result.detail)
