"""How Gateways that were made by hand go: changed first, so that nobody is served by what is deleted."""

import json
import shlex
from typing import Any

from components.problem import Problem
from tests.unit.tlsctl.adopt.objects import ISTIO, SHOP, gateway, inventory, obj
from tlsctl.adopt import cutover
from tlsctl.adopt.fields import Object
from tlsctl.adopt.serving import serving


def handed_over(*going: Object, staying: tuple[Object, ...] = ()) -> list[Problem]:
    cluster = inventory(gateways=[*going, *staying])
    return list(cutover.steps(serving(cluster, "http01"), going))


def patches(problems: list[Problem]) -> dict[str, Any]:
    """The patch of each Gateway that is changed."""
    words = [shlex.split(command) for each in problems for command in each.fix if " patch " in command]
    return {each[each.index("gateways.networking.istio.io") + 1]: json.loads(each[-1]) for each in words}


def replaced(server: int, *hosts: str) -> dict[str, Any]:
    return {"op": "replace", "path": f"/spec/servers/{server}/hosts", "value": list(hosts)}


def limited(server: int) -> dict[str, Any]:
    return {"op": "add", "path": f"/spec/servers/{server}/tls/maxProtocolVersion", "value": "TLSV1_3"}


def verbs(problems: list[Problem]) -> list[str]:
    return [next(word for word in ("patch", "sleep", "delete") if word in each.fix[0]) for each in problems]


def test_all_are_changed_before_one_wait_and_deleted_after_it() -> None:
    steps = handed_over(gateway("one", SHOP), gateway("two", "blog.acme.dev"))
    assert verbs(steps) == ["patch", "patch", "sleep", "delete", "delete"], "they drain at the same time"


def test_a_server_that_names_hosts_gets_the_widest_wildcard_that_is_free() -> None:
    assert patches(handed_over(gateway("one", SHOP), gateway("two", "blog.acme.dev"))) == {
        "one": [replaced(1, "*")],
        "two": [replaced(1, "*.dev")],
    }, "no two servers on port 443 may have a host in common"


def test_a_server_for_all_hosts_keeps_them_and_is_changed_in_what_changes_nothing() -> None:
    assert patches(handed_over(gateway("one", "*"))) == {"one": [limited(1)]}


def test_a_limit_that_is_there_is_taken_out_since_setting_it_would_be_no_change() -> None:
    change = {"op": "remove", "path": "/spec/servers/1/tls/maxProtocolVersion"}
    assert patches(handed_over(gateway("one", "*", maxProtocolVersion="TLSV1_3"))) == {"one": [change]}


def test_each_server_on_port_443_of_a_gateway_is_changed() -> None:
    both = gateway("one", SHOP)
    both["spec"]["servers"].append({**both["spec"]["servers"][1], "hosts": ["blog.acme.dev"]})
    assert patches(handed_over(both)) == {"one": [replaced(1, "*"), replaced(2, "*.dev")]}


def test_requests_for_hosts_of_a_gateway_that_stays_are_not_drawn_away() -> None:
    steps = handed_over(gateway("one", SHOP), staying=(gateway("stays", "*.acme.org"),))
    assert patches(steps) == {"one": [replaced(1, "*")]}, "the narrower name wins, and it stays with its Gateway"
    steps = handed_over(gateway("one", SHOP), staying=(gateway("stays", "*.dev"),))
    assert patches(steps) == {"one": [replaced(1, "*")]}, "and a broader one takes only what nobody else serves"


def test_where_no_wildcard_is_free_it_is_told_that_requests_may_fail() -> None:
    steps = handed_over(gateway("one", SHOP), staying=(gateway("stays", "*"),))
    assert patches(steps) == {}
    assert "requests may be answered 404" in steps[0].what
    assert steps[0].where == f"Gateway {ISTIO}/one"
    assert verbs(steps[1:]) == ["delete"], "and there is nothing to wait for"


def test_a_gateway_of_port_80_alone_is_deleted_at_once() -> None:
    plain = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    steps = handed_over(obj("Gateway", "plain", {"selector": {"istio": "ingressgateway"}, "servers": [plain]}))
    assert verbs(steps) == ["delete"]


def test_a_gateway_on_other_pods_takes_no_wildcard_away() -> None:
    other = gateway("other", "*")
    other["spec"]["selector"] = {"istio": "internal"}
    assert patches(handed_over(gateway("one", SHOP), staying=(other,))) == {"one": [replaced(1, "*")]}


def test_nothing_is_said_where_nothing_goes() -> None:
    assert handed_over() == []
