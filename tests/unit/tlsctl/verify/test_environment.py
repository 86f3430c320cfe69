"""What verify reads of a stack, and why a stack cannot be checked."""

import json
from typing import Any

import pytest

from components.problem import ProblemsError
from tests.unit.tlsctl.verify.support import IP, SECRET, SHOP, config, hosts, state
from tlsctl.verify import cluster
from tlsctl.verify.environment import environments

INTERNAL = {"name": "internal", "ingress": {"service": "internal-gateway"}, "hosts": hosts("wiki.acme.dev")}


@pytest.mark.parametrize("name", ["dev", "acme/istio-gateway-tls/dev"])
def test_a_stack_is_read_from_its_state_and_its_config(name: str) -> None:
    (environment,) = environments(state(kubeconfig="~/.kube/config"), config(), name)
    assert (environment.stack, environment.ip, list(environment.hosts)) == ("dev", IP, [SHOP])
    assert environment.certificates == {SECRET: (SHOP,)}, "as the program divides the hosts"
    assert environment.kubeconfig == "~/.kube/config", "of the cluster that the stack was deployed to"


def test_a_kubeconfig_that_is_a_secret_of_the_stack_is_read() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47", "plaintext": json.dumps("apiVersion: v1\n")}
    assert environments(state(kubeconfig=secret), config(), "dev")[0].kubeconfig == "apiVersion: v1\n"


@pytest.mark.parametrize(
    ("live", "settings", "where", "what", "fix"),
    [
        pytest.param({"deployment": {}}, config(), "stack dev", "is not deployed", "pulumi up", id="new"),
        pytest.param(state(ingressIp=None), config(), "stack dev", "is not deployed", "pulumi up", id="failed midway"),
        pytest.param(
            state(dnsRecords={"x": IP}), config(), "stack dev", f"not deployed: {SHOP}", "pulumi up", id="a new host"
        ),
        pytest.param(
            state(),
            config(gateways=[INTERNAL]),
            "stack dev",
            "not deployed: wiki.acme.dev",
            "pulumi up",
            id="a gateway",
        ),
        pytest.param(state(), config(challenge="x"), "challenge", '"x" is not', "pulumi config set", id="bad config"),
        pytest.param(
            state(), config(tls={"hsts": 300}), "tls.hsts", "lock browsers out", "pulumi config set", id="cross check"
        ),
    ],
)
def test_a_stack_that_cannot_be_checked_is_a_problem_with_a_fix(
    live: dict[str, Any], settings: dict[str, Any], where: str, what: str, fix: str
) -> None:
    with pytest.raises(ProblemsError) as refused:
        environments(live, settings, "dev")
    (problem,) = refused.value.problems
    assert problem.where == where
    assert what in problem.what
    assert problem.fix[0].startswith(fix), "a command"


def test_a_secret_of_the_config_is_not_shown() -> None:
    secret = config(alertLabels={"x": 1})
    secret["istio-gateway-tls:alertLabels"]["secret"] = True
    with pytest.raises(ProblemsError, match=r"\[secret\]"):
        environments(state(), secret, "dev")


SERVER = "https://127.0.0.1:1"
KUBECONFIG = {
    "clusters": [{"name": "x", "cluster": {"server": SERVER}}],
    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    "current-context": "x",
    "users": [{"name": "x", "user": {}}],
}


@pytest.mark.parametrize(
    ("kubeconfig", "detail"),
    [(json.dumps(KUBECONFIG), f"not read from here: {SERVER} does not answer"), ("/nonexistent", "not read from here")],
)
def test_a_cluster_that_cannot_be_read_is_no_failure(kubeconfig: str, detail: str) -> None:
    (result,) = cluster.look(environments(state(kubeconfig=kubeconfig), config(), "dev")[0]).results
    assert (result.check, result.state) == ("cluster", "skipped"), "verify continues from outside"
    assert result.detail.startswith(detail)
