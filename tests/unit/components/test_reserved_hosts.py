"""The policy that reserves hosts; the sandbox's API server evaluates it (tests/sandbox/test_reserved_hosts.py)."""

import json

import pulumi

from components.reserved_hosts import ReservedHosts
from components.specs.reserved_hosts import policy_spec
from tests.unit.harness import run

POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
LONGEST = 100_000
"""Characters of an expression that the API server parses (cel-go, parser.go)."""


def test_the_binding_is_made_after_the_policy_that_it_names() -> None:
    def program() -> None:
        ReservedHosts("reserved", {"hosts": [pulumi.Output.from_input("Shop.sandbox.test")], "object_name": "mine"})

    made = run(program)

    (policy,), (binding,) = made.of(POLICY), made.of(f"{POLICY}Binding")
    assert binding.inputs["spec"] == {"policyName": "mine", "validationActions": ["Deny"]}
    assert policy.urn in binding.dependencies
    assert '"shop.sandbox.test": true' in str(policy.inputs["spec"]["variables"]), "normalised"


def test_a_thousand_hosts_fit_into_an_expression_and_a_refusal_names_three() -> None:
    hosts = [f"a-host-with-a-long-name-{number}.of-a-team.sandbox.test" for number in range(1000)]
    spec = policy_spec(hosts, ["istio-system"], ["certs"], [{"istio": "ingressgateway"}])
    assert max(len(variable["expression"]) for variable in spec["variables"]) < LONGEST
    assert spec["validations"][0]["message"].endswith(f"{', '.join(hosts[:3])} and 997 more")


def test_only_routes_of_an_owner_may_name_its_host() -> None:
    spec = policy_spec(["a.test", "b.test"], ["istio-system"], [], [{"istio": "ingressgateway"}], {"a.test": "team"})
    variables = {variable["name"]: variable["expression"] for variable in spec["variables"]}
    assert json.loads(variables["owners"]) == {"a.test": "team"}
    let_in = [one["expression"] for one in spec["validations"] if "variables.owners" in one["expression"]]
    kinds = {"virtualservices", "httproutes", "grpcroutes"}
    assert {kind for kind in kinds for one in let_in if f"== '{kind}'" in one} == kinds
    assert len(let_in) == len(kinds), "no Gateway, Ingress or Order"


def test_wildcards_above_a_host_name_it_too() -> None:
    spec = policy_spec(["a.shop.test", "*.b.shop.test"], ["istio-system"], [], [{"istio": "ingressgateway"}])
    variables = {variable["name"]: variable["expression"] for variable in spec["variables"]}
    assert set(json.loads(variables["names"])) == {"a.shop.test", "*.b.shop.test", "*.shop.test", "*.test"}
    assert json.loads(variables["domains"]) == [".b.shop.test"], "all names below it"
