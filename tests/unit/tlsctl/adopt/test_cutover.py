"""Gateways that were made by hand are changed before they are deleted, so that no request is lost."""

import json
import shlex
from typing import Any

import pytest

from components.problem import Problem
from components.specs import tls
from tests.unit.tlsctl.adopt.objects import ISTIO, SHOP, api_gateway, gateway, in_gateway_api, inventory, obj
from tlsctl.adopt import cleanup
from tlsctl.adopt.objects import Object
from tlsctl.adopt.serving import serving

BLOG = "blog.acme.dev"


def steps(*removed: Object, staying: tuple[Object, ...] = (), api: bool = False) -> list[Problem]:
    """What is printed to remove Gateways, in either API."""
    every = [*removed, *staying]
    served = serving(in_gateway_api(*every) if api else inventory(gateways=every), lambda _: "http01")
    names = [gateway["metadata"]["name"] for gateway in removed]
    return list(cleanup.gateway_steps(served, [one for one in served.gateways if one["metadata"]["name"] in names]))


def patches(problems: list[Problem]) -> dict[str, Any]:
    """The patch of each Gateway that is changed."""
    commands = [shlex.split(command) for problem in problems for command in problem.fix if " patch " in command]
    return {words[words.index("patch") + 2]: json.loads(words[-1]) for words in commands}


def verbs(problems: list[Problem]) -> list[str]:
    return [next(word for word in ("patch", "sleep", "delete") if word in problem.fix[0]) for problem in problems]


def replaced(server: int, *hosts: str) -> dict[str, Any]:
    return {"op": "replace", "path": f"/spec/servers/{server}/hosts", "value": list(hosts)}


def with_two_servers() -> Object:
    both = gateway("one", SHOP)
    both["spec"]["servers"].append({**both["spec"]["servers"][1], "hosts": [BLOG]})
    return both


def elsewhere() -> Object:
    other = gateway("other", "*")
    other["spec"]["selector"] = {"istio": "internal"}
    return other


VERSION = "/spec/servers/1/tls/maxProtocolVersion"


@pytest.mark.parametrize(
    ("removed", "staying", "expected"),
    [
        pytest.param(
            [gateway("one", SHOP), gateway("two", BLOG)],
            (),
            {"one": [replaced(1, "*")], "two": [replaced(1, "*.dev")]},
            id="no two servers on port 443 may have a host in common",
        ),
        pytest.param([with_two_servers()], (), {"one": [replaced(1, "*"), replaced(2, "*.dev")]}, id="every server"),
        pytest.param(
            [gateway("one", "*")], (), {"one": [{"op": "add", "path": VERSION, "value": "TLSV1_3"}]}, id="all hosts"
        ),
        pytest.param(
            [gateway("one", "*", maxProtocolVersion="TLSV1_3")],
            (),
            {"one": [{"op": "remove", "path": VERSION}]},
            id="all hosts, with a version that setting it would not change",
        ),
        pytest.param(
            [gateway("one", SHOP)], (gateway("stays", "*.acme.org"),), {"one": [replaced(1, "*")]}, id="narrower stays"
        ),
        pytest.param(
            [gateway("one", SHOP)], (gateway("stays", "*.dev"),), {"one": [replaced(1, "*")]}, id="only a broader one"
        ),
        pytest.param([gateway("one", SHOP)], (elsewhere(),), {"one": [replaced(1, "*")]}, id="other Pods"),
    ],
)
def test_a_server_gets_the_widest_free_hosts(
    removed: list[Object], staying: tuple[Object, ...], expected: dict[str, Any]
) -> None:
    assert patches(steps(*removed, staying=staying)) == expected


CIPHERS = ",".join(tls.CIPHER_SUITES)
OPTION = "gateway.istio.io/tls-cipher-suites"


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        (
            [api_gateway("one", SHOP, BLOG), api_gateway("two", "api.acme.dev")],
            {
                "one": [
                    {"op": "remove", "path": "/spec/listeners/1/hostname"},
                    {"op": "replace", "path": "/spec/listeners/3/hostname", "value": "*.dev"},
                ],
                "two": [{"op": "replace", "path": "/spec/listeners/1/hostname", "value": "*.acme.dev"}],
            },
        ),
        (
            [api_gateway("one", "*")],
            {"one": [{"op": "add", "path": "/spec/listeners/1/tls/options", "value": {OPTION: CIPHERS}}]},
        ),
    ],
    ids=["wider hosts", "all hosts"],
)
def test_a_listener_of_the_gateway_api_gets_the_widest_free_host(
    removed: list[Object], expected: dict[str, Any]
) -> None:
    printed = steps(*removed, api=True)
    assert patches(printed) == expected
    assert all(
        "gateways.gateway.networking.k8s.io" in problem.fix[0] for problem in printed if "sleep" not in problem.fix[0]
    )


def test_all_gateways_are_changed_before_one_wait_and_then_deleted() -> None:
    assert verbs(steps(gateway("one", SHOP), gateway("two", BLOG))) == ["patch", "patch", "sleep", "delete", "delete"]
    assert steps() == []


def test_a_gateway_that_cannot_be_changed_is_deleted_with_a_warning() -> None:
    warning, *rest = steps(gateway("one", SHOP), staying=(gateway("stays", "*"),))
    assert warning.where == f"Gateway {ISTIO}/one"
    assert "requests may be answered 404" in warning.what
    assert verbs(rest) == ["delete"], "there is nothing to wait for"


def test_a_gateway_without_port_443_is_deleted_at_once() -> None:
    plain = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [plain]}
    assert verbs(steps(obj("Gateway", "plain", spec))) == ["delete"]
