"""What the real engine prints for a config that is wrong, or that does not fit the cluster and the zone.

The unit tests hold the text of each error. Here they are seen through the engine, many of them in one run.
"""

import shlex
import subprocess
from typing import Any

import pytest

from sandbox.testing import applied, live, resource
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import SHOP, Stack

pytestmark = pytest.mark.sandbox

NAMESPACE = "gateways"
WRONG: dict[str, Any] = {
    "acme": {"email": "nobody", "issuer": "production"},
    "dns": {"tll": 5},
    "hosts": [SHOP | {"host": "shop.example.com"}, SHOP | {"port": 70000}, SHOP | {"host": "SHOP.Sandbox.Test."}],
    "certmanager": {"install": False},
}
FIXES = {
    "acme.email": "pulumi config set --path acme.email YOU@YOUR-DOMAIN",
    "acme.issuer": "pulumi config set --path acme.issuer staging",
    "dns.tll": "pulumi config rm --path dns.tll && pulumi config set --path dns.ttl 5",
    "hosts[0].host": "pulumi config set --path 'hosts[0].host' shop.YOUR-DOMAIN",
    "hosts[1].port": "pulumi config set --path 'hosts[1].port' 80",
    "hosts[2].host": "pulumi config rm --path 'hosts[2]', or pulumi config set --path 'hosts[2].host' other.",
    "certmanager": "pulumi config rm certmanager",
}
"""How the command begins that fixes the value at each key."""


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    """A stack that never gets past its config."""
    return new_stack("bad-config")


def error_of(printed: str) -> list[str]:
    """Return the lines of the one error that the program reports, without the engine's indentation."""
    assert "Traceback" not in printed, f"a user sees no traceback:\n{printed}"
    lines = [line.strip() for line in printed.rpartition("Diagnostics:\n")[2].splitlines()]
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    # The engine adds its own line about the exit code.
    first, *others = starts
    assert len(others) == 1, f"there is one error and the engine's own line:\n{printed}"
    assert "exited with non-zero exit code" in lines[others[0]], f"the other line is the engine's:\n{printed}"
    return [line for line in lines[first : others[0]] if line]


def commands(error: list[str], program: str) -> list[str]:
    """Return the commands of an error that a person would copy."""
    return [line for line in error if line.startswith(program + " ")]


def test_all_errors_of_a_config_are_reported_at_once_with_their_keys_and_commands(stack: Stack) -> None:
    with stack.changed(**WRONG):
        first, *error = error_of(stack.up(fails=True))
    assert first == f"error: the config of stack 'bad-config' has {len(FIXES)} problems:", "the count is right"
    reported = {line.split(": ")[0]: command for line, command in zip(error[::2], error[1::2], strict=True)}
    assert reported.keys() == FIXES.keys(), "each key is named"
    for key, command in FIXES.items():
        assert reported[key].startswith(command), "and the next line is the command that fixes it"
    assert stack.registered() == [], "it was refused before any resource, component or provider call"


def test_the_command_that_an_error_prints_mends_it(stack: Stack) -> None:
    with stack.changed(hosts=[SHOP | {"port": 0}]):
        (fix,) = commands(error_of(stack.preview(fails=True)), "pulumi")
        stack.run(*shlex.split(fix)[1:])
        assert "dns-shop.sandbox.test" in stack.preview(), "after the printed command the preview passes"


def test_a_managed_zone_that_does_not_exist_is_named_with_the_command_that_lists_them(stack: Stack) -> None:
    with stack.changed(dns={"zone": "nosuch"}):
        error = error_of(stack.preview(fails=True))
    assert error[0].startswith("error: dns.zone: 'nosuch' cannot be read: "), "the key and the value are named"
    assert "'nosuch' does not exist" in " ".join(error), "with Cloud DNS's own words"
    assert error[-2:] == ["gcloud dns managed-zones list", "pulumi config set --path dns.zone NAME"], "and the fix"


def test_a_service_of_another_type_without_port_443_is_mended_by_the_printed_commands(stack: Stack) -> None:
    # In a namespace of its own, so that the sandbox's own gateway stays as it is.
    spec = {"selector": {"istio": "ingressgateway"}, "ports": [{"name": "http", "port": 80}]}
    wrong = (resource("v1", "Namespace", NAMESPACE), resource("v1", "Service", "plain", NAMESPACE, spec=spec))
    with applied(*wrong), stack.changed(ingress={"namespace": NAMESPACE, "service": "plain"}):
        error = error_of(stack.preview(fails=True))
        name = f"Service {NAMESPACE}/plain"
        assert error[0] == f"error: {name} is of type ClusterIP; only a LoadBalancer gets an external IP", "the type"
        assert f"{name} has no port 443 (https)" in error, "and the missing port are named together"
        for command in commands(error, "kubectl"):
            subprocess.run(shlex.split(command), check=True, timeout=30, capture_output=True)
        stack.preview()
        spec = live("service", "plain", NAMESPACE)["spec"]
    assert spec["type"] == "LoadBalancer", "the printed command changed its type"
    assert [port["port"] for port in spec["ports"]] == [80, 443], "and added the port to the one it had"
