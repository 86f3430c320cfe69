"""What verify reads of a stack, and what it says where a stack cannot be checked."""

import json
from typing import Any

import pytest

from components.problem import ProblemsError
from tests.unit.tlsctl.verify.support import IP, SECRET, SHOP, config, state
from tlsctl.verify import cluster
from tlsctl.verify.environment import environments, probe_name


def test_a_stack_is_read_from_its_state_and_its_config() -> None:
    read = environments(state(kubeconfig="~/.kube/config"), config(), "dev")[0]
    assert (read.stack, read.ip, list(read.hosts)) == ("dev", IP, [SHOP])
    assert read.certificates == {SECRET: (SHOP,)}, "as the program divides the hosts"
    assert read.kubeconfig == "~/.kube/config", "the cluster is the one that the stack was deployed to"


def test_a_stack_may_be_named_in_full() -> None:
    assert environments(state(), config(), "acme/istio-gateway-tls/dev")[0].stack == "dev", (
        "objects have its short name"
    )


def test_a_kubeconfig_that_is_a_secret_of_the_stack_is_read() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47", "plaintext": json.dumps("apiVersion: v1\n")}
    assert environments(state(kubeconfig=secret), config(), "dev")[0].kubeconfig == "apiVersion: v1\n"


@pytest.mark.parametrize(
    ("given", "settings", "where", "what", "fix"),
    [
        pytest.param({"deployment": {}}, config(), "stack dev", "is not deployed", "pulumi up", id="new"),
        pytest.param(state(ingressIp=None), config(), "stack dev", "is not deployed", "pulumi up", id="failed midway"),
        pytest.param(
            state(dnsRecords={"x": IP}), config(), "stack dev", f"not deployed: {SHOP}", "pulumi up", id="a new host"
        ),
        pytest.param(
            state(), config(challenge="x"), "challenge", '"x" is not accepted', "pulumi config set", id="bad config"
        ),
        pytest.param(
            state(), config(tls={"hsts": 300}), "tls.hsts", "lock browsers out", "pulumi config set", id="cross check"
        ),
    ],
)
def test_a_stack_that_cannot_be_checked_is_a_problem_with_a_fix(
    given: dict[str, Any], settings: dict[str, Any], where: str, what: str, fix: str
) -> None:
    with pytest.raises(ProblemsError) as refused:
        environments(given, settings, "dev")[0]
    (problem,) = refused.value.problems
    assert problem.where == where
    assert what in problem.what
    assert problem.fix[0].startswith(fix), "a command"


def test_a_secret_of_the_config_is_not_shown() -> None:
    secret = config(alertLabels={"x": 1})
    secret["istio-gateway-tls:alertLabels"]["secret"] = True
    with pytest.raises(ProblemsError) as refused:
        environments(state(), secret, "dev")[0]
    assert "[secret]" in str(refused.value), "the key is named, and its value is not"


def test_a_wildcard_is_asked_for_by_a_name_that_it_stands_for() -> None:
    assert probe_name("*.acme.dev") == "verify.acme.dev"


def test_a_cluster_that_does_not_answer_is_no_failure() -> None:
    server = "https://127.0.0.1:1"
    content = {
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
        "users": [{"name": "x", "user": {}}],
    }
    (result,) = cluster.look(environments(state(kubeconfig=json.dumps(content)), config(), "dev")[0]).results
    assert (result.check, result.state) == ("cluster", "skipped"), "verify goes on from outside"
    assert result.detail.startswith(f"not read from here: {server} does not answer")


def test_a_context_that_is_not_there_is_no_failure() -> None:
    (result,) = cluster.look(environments(state(kubeconfig="/nonexistent"), config(), "dev")[0]).results
    assert (result.check, result.state) == ("cluster", "skipped")
