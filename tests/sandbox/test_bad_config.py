"""What the real engine prints when the config cannot be right, or the cluster and the zone do not fit it.

One run shows every error of a config at once, so one run serves many tests.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.testing import a_records, get, kubectl
from tests.sandbox.stack import PREFIX, Stack

pytestmark = pytest.mark.sandbox

NAMESPACE = "gateways"
SHOP = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
LONG = "a" * 64 + ".sandbox.test"

WRONG: dict[str, Any] = {
    "acme": {"email": "nobody", "issuer": "production", "caBundle": "not a certificate"},
    "dns": {"tll": 5},
    "hosts": [
        SHOP | {"host": "shop.example.com"},
        SHOP | {"host": "*.sandbox.test"},
        SHOP | {"port": 70000},
        SHOP | {"host": "SHOP.Sandbox.Test."},
        SHOP | {"host": LONG},
        SHOP | {"host": "sh_op.sandbox.test"},
        SHOP | {"host": "shop.your-domain.com"},
    ],
    "certmanager": {"install": False},
}
A_NAME = "a DNS name in the managed zone"
REPORTED = {
    "a malformed e-mail address": (
        'acme.email: "nobody" is not an e-mail address: An email address must have an @-sign; '
        "accepted: an e-mail address that someone reads",
        "pulumi config set --path acme.email YOU@YOUR-DOMAIN",
    ),
    "an issuer that is neither staging nor prod": (
        'acme.issuer: "production" is not accepted; accepted: staging or prod',
        "pulumi config set --path acme.issuer staging",
    ),
    "a CA bundle that is not PEM": (
        'acme.caBundle: "not a certificate" is not PEM; '
        "accepted: PEM certificates that the ACME servers' own TLS chains to",
        'pulumi config set --path acme.caBundle "$(cat ca.pem)"',
    ),
    "a domain that Let's Encrypt refuses": (
        'hosts[0].host: "shop.example.com" lies in example.com, which is reserved for documentation: '
        f"Let's Encrypt refuses it; accepted: {A_NAME}",
        "pulumi config set --path 'hosts[0].host' shop.YOUR-DOMAIN",
    ),
    "a wildcard with HTTP-01": (
        'hosts[1].host: "*.sandbox.test" is a wildcard, which HTTP-01 cannot prove; '
        "accepted: wildcards with challenge dns01, full names with http01",
        "pulumi config set challenge dns01",
    ),
    "a port out of range": (
        "hosts[2].port: 70000 is not accepted; accepted: the Service's port, 1 to 65535",
        "pulumi config set --path 'hosts[2].port' 80",
    ),
    "a duplicate, once case and trailing dot are gone": (
        'hosts[3].host: "SHOP.Sandbox.Test." is the same name as hosts[2].host; '
        "accepted: each name once; give one host several `routes`",
        "pulumi config rm --path 'hosts[3]', or pulumi config set --path 'hosts[3].host' other.YOUR-DOMAIN",
    ),
    "a label that is too long": (
        f'hosts[4].host: "{LONG}" has a label of 64 characters, a DNS label has at most 63; accepted: {A_NAME}',
        "pulumi config set --path 'hosts[4].host' shop.YOUR-DOMAIN",
    ),
    "a name that is no DNS name": (
        "hosts[5].host: \"sh_op.sandbox.test\" has the label 'sh_op', which is not letters, digits and inner hyphens; "
        f"accepted: {A_NAME}",
        "pulumi config set --path 'hosts[5].host' shop.YOUR-DOMAIN",
    ),
    "a placeholder that was left in": (
        f'hosts[6].host: "shop.your-domain.com" is a placeholder; accepted: {A_NAME}',
        "pulumi config set --path 'hosts[6].host' shop.YOUR-DOMAIN",
    ),
    "an unknown key in an object, with the nearest known one": (
        "dns.tll: 5 is not read by anything (did you mean ttl?); accepted: zone, project, ttl, caa, caaIdentities, "
        "challengeZone, workloadIdentity, workloadPool",
        "pulumi config rm --path dns.tll && pulumi config set --path dns.ttl 5",
    ),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack that never gets past its config."""
    return Stack("bad-config", tmp_path_factory.mktemp("stacks"))


@pytest.fixture(scope="module")
def wrong(stack: Stack) -> list[str]:
    """The error of a config in which a great deal is wrong, from an `up`."""
    with stack.changed(**WRONG):
        return error_of(stack.up(fails=True))


@pytest.fixture(scope="module")
def gateways() -> Iterator[None]:
    """A namespace for Services that are wrong: the sandbox's own gateway stays as it is."""
    kubectl("create", "namespace", NAMESPACE)
    yield
    kubectl("delete", "namespace", NAMESPACE)


def error_of(printed: str) -> list[str]:
    """The lines of the one error that the program reports, without the engine's indentation."""
    assert "Traceback" not in printed, f"a user sees no traceback:\n{printed}"
    lines = [line.strip() for line in printed.rpartition("Diagnostics:\n")[2].splitlines()]
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    # The engine adds a line of its own about the exit code, right behind.
    first, *others = starts
    assert len(others) == 1, f"there is one error and the engine's own line:\n{printed}"
    assert "exited with non-zero exit code" in lines[others[0]], f"the other line is the engine's:\n{printed}"
    return [line for line in lines[first : others[0]] if line]


def service(name: str, **spec: Any) -> None:
    """Make a Service for the gateway's Pods; ports are given as ``{number: name}``."""
    ports = [{"name": each, "port": number} for number, each in spec.pop("ports").items()]
    kubectl(
        "apply",
        manifest={
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"selector": {"istio": "ingressgateway"}, "ports": ports, **spec},
        },
    )  # fmt: skip


def commands(error: list[str], program: str) -> list[str]:
    """The commands of an error that a person would now copy."""
    return [line for line in error if line.startswith(program + " ")]


@pytest.mark.parametrize("fault", REPORTED)
def test_a_config_error_names_the_key_the_value_what_is_accepted_and_the_command(fault: str, wrong: list[str]) -> None:
    line, fix = REPORTED[fault]
    assert line in wrong, f"{fault} is named, with the value and what is accepted"
    assert wrong[wrong.index(line) + 1] == fix, f"{fault} is followed by the command that fixes it"


def test_an_unknown_key_of_the_program_is_reported_with_the_nearest_known_one(wrong: list[str]) -> None:
    line = next(line for line in wrong if line.startswith("certmanager: "))
    assert "is not read by anything (did you mean certManager?)" in line, "a misspelt key is not passed over"
    assert wrong[wrong.index(line) + 1].startswith("pulumi config rm certmanager"), "and how to take it out is said"


def test_all_errors_of_a_config_are_reported_at_once(wrong: list[str]) -> None:
    assert wrong[0] == f"error: the config of stack 'bad-config' has {len(REPORTED) + 1} problems:", (
        "the count is right"
    )
    assert len(wrong) == 1 + 2 * (len(REPORTED) + 1), "each has two lines, and there is nothing else"


def test_nothing_is_registered_with_a_bad_config(stack: Stack, wrong: list[str]) -> None:
    assert wrong, "an `up` was refused"
    registered = [each["urn"] for each in stack.resources() if not each["type"].startswith("pulumi:")]
    assert registered == [], "it was refused before any resource, component or provider call"


def test_a_config_without_email_and_hosts_is_told_every_key_that_is_missing(stack: Stack) -> None:
    with stack.changed(acme=None, hosts=[]):
        error = error_of(stack.preview(fails=True))
    keys = [line.split(":")[0] for line in error if ": not set; accepted: " in line]
    missing = ["acme.email", "acme.issuer", "hosts[0].host", "hosts[0].service", "hosts[0].namespace", "hosts[0].port"]
    assert keys == missing, "not only the objects are named but what belongs into them"


def test_a_value_that_is_encrypted_in_the_stack_file_is_not_shown(stack: Stack) -> None:
    with stack.changed(acme=None):
        stack.run("config", "set", "--secret", f"{PREFIX}acme", '{"email": "hunter2", "issuer": "staging"}')
        printed = stack.preview(fails=True)
    assert 'acme.email: "[secret]" is not an e-mail address' in printed, "the error stands without the value"
    assert "hunter2" not in printed, "a secret is not printed"


def test_the_command_that_an_error_prints_mends_it(stack: Stack) -> None:
    with stack.changed(hosts=[SHOP | {"port": 0}]):
        (fix,) = commands(error_of(stack.preview(fails=True)), "pulumi")
        stack.run(*shlex.split(fix)[1:])
        assert "dns-shop.sandbox.test" in stack.preview(), "after the printed command the preview passes"


def test_case_a_trailing_dot_and_international_names_are_normalised(stack: Stack) -> None:
    with stack.changed(hosts=[SHOP | {"host": "SHOP.Sandbox.Test."}, SHOP | {"host": "bücher.sandbox.test"}]):
        plan = stack.plan()
    records = {name for name in plan if name.startswith("dns-")}
    assert records == {"dns-shop.sandbox.test", "dns-xn--bcher-kva.sandbox.test"}, "the names are what DNS carries"


def test_a_host_outside_the_zone_is_refused_before_anything_is_registered(stack: Stack) -> None:
    before = a_records()
    with stack.changed(hosts=[SHOP, SHOP | {"host": "shop.elsewhere.test"}]):
        error = error_of(stack.up(fails=True))
    assert error == [
        "error: the config of stack 'bad-config' has a problem:",
        'hosts[1].host: "shop.elsewhere.test" lies outside the managed zone sandbox; '
        "accepted: sandbox.test and names below it",
        "pulumi config set --path 'hosts[1].host' shop.sandbox.test, or pulumi config set --path dns.zone NAME",
    ], "the host is named with the zone's own domain"
    assert a_records() == before, "the host that is inside was not begun with either"
    assert [each for each in stack.resources() if not each["type"].startswith("pulumi:")] == [], "nor anything else"


def test_a_managed_zone_that_does_not_exist_is_named_with_the_command_that_lists_them(stack: Stack) -> None:
    with stack.changed(dns={"zone": "nosuch"}):
        error = error_of(stack.preview(fails=True))
    assert error[0].startswith("error: dns.zone: 'nosuch' cannot be read: "), "the key and the value are named"
    assert "'nosuch' does not exist" in " ".join(error), "with Cloud DNS's own words"
    assert error[-2:] == ["gcloud dns managed-zones list", "pulumi config set --path dns.zone NAME"], "and the fix"


@pytest.mark.usefixtures("gateways")
def test_a_missing_service_is_explained_with_the_commands_that_find_the_right_one(stack: Stack) -> None:
    with stack.changed(ingress={"namespace": NAMESPACE, "service": "absent"}):
        error = error_of(stack.preview(fails=True))
    assert error[0] == f"error: Service {NAMESPACE}/absent does not exist", "the Service is named"
    assert commands(error, "kubectl") == ["kubectl get services --all-namespaces --selector istio=ingressgateway"], (
        "it says how to find the right one"
    )
    assert commands(error, "pulumi") == [
        "pulumi config set --path ingress.namespace NAMESPACE",
        "pulumi config set --path ingress.service NAME",
    ], "and how to set it"


@pytest.mark.usefixtures("gateways")
def test_a_service_of_another_type_without_port_443_is_mended_by_the_printed_commands(stack: Stack) -> None:
    service("plain", type="ClusterIP", ports={80: "http"})
    with stack.changed(ingress={"namespace": NAMESPACE, "service": "plain"}):
        error = error_of(stack.preview(fails=True))
        name = f"Service {NAMESPACE}/plain"
        assert error[0] == f"error: {name} is of type ClusterIP; only a LoadBalancer gets an external IP", "the type"
        assert f"{name} has no port 443 (https)" in error, "and the missing port are named together"
        for command in commands(error, "kubectl"):
            subprocess.run(shlex.split(command), check=True, timeout=30, capture_output=True)
        stack.preview()
    found = get("service", "plain", NAMESPACE)
    assert found is not None, "the Service is still there"
    assert found["spec"]["type"] == "LoadBalancer", "the printed command changed its type"
    assert [port["port"] for port in found["spec"]["ports"]] == [80, 443], "and added the port to the one it had"


@pytest.mark.usefixtures("gateways")
def test_a_load_balancer_with_a_hostname_is_explained(stack: Stack) -> None:
    service("named", type="LoadBalancer", loadBalancerClass="example.com/other", ports={80: "http", 443: "https"})
    status = json.dumps({"status": {"loadBalancer": {"ingress": [{"hostname": "balancer.cloud.test"}]}}})
    kubectl("patch", "service", "named", "-n", NAMESPACE, "--subresource=status", "--type=merge", f"-p={status}")
    with stack.changed(ingress={"namespace": NAMESPACE, "service": "named"}):
        error = error_of(stack.preview(fails=True))
    expected = f"Service {NAMESPACE}/named has the hostname balancer.cloud.test and no IP; an A record needs an IP"
    assert error[0] == f"error: {expected}", "it says what is there and what is needed"
    assert commands(error, "pulumi")[0].startswith("pulumi config set --path ingress.service NAME"), "and the fix"


@pytest.mark.usefixtures("gateways")
def test_an_address_that_stays_pending_ends_the_up_at_its_bound_and_is_explained(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    service("pending", type="LoadBalancer", loadBalancerClass="example.com/other", ports={80: "http", 443: "https"})
    with Stack("pending", tmp_path_factory.mktemp("pending")) as stack:
        # Without cert-manager and issuers nothing else can fail first, or take longer than the wait.
        stack.configure(
            ingress={"namespace": NAMESPACE, "service": "pending", "timeout": 2},
            certManager={"install": False},
            acme={"createIssuers": False},
        )
        assert "error:" not in stack.preview(), "a preview does not wait: the address may come"
        printed = stack.up(fails=True, timeout=60)
        assert "Traceback" not in printed, f"a user sees no traceback:\n{printed}"
        assert f"error: Service {NAMESPACE}/pending got no external IP in 2 s; its events say why" in printed, printed
        assert f"kubectl --namespace {NAMESPACE} describe service pending" in printed, "where the reason stands"
        assert re.search(r"^ *pulumi config set --path ingress.timeout 4$", printed, re.M), "and how to wait longer"
