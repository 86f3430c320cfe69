"""The whole pack, on what our own program asks for, once per stack."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi_policy import PolicyResource

from policies import POLICIES
from tests.policies.support import findings, resource
from tests.unit import harness
from tests.unit.harness import Recorder, good_config
from tests.unit.test_program import program, stack_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a stack asks for, as policies see it."""
    monkeypatch.setattr("components.load_balancer.find_address", lambda *_, **__: "203.0.113.10")
    monkeypatch.setattr("components.credentials.Credentials.api", lambda *_: None)

    def plan(config: dict[str, Any], stack: str) -> list[PolicyResource]:
        done: Recorder = harness.run(program, config, stack=stack)
        return [resource(each.type, each.inputs, name=each.name, stack=stack, protect=each.protect) for each in done]

    return plan


def broken(resources: list[PolicyResource]) -> set[str]:
    return {policy.name for policy in POLICIES if findings(policy, *resources)}


@pytest.mark.parametrize("stack", ["dev", "prod", "sandbox"])
def test_our_own_stacks_pass_every_policy(planned: Any, stack: str) -> None:
    resources = planned(stack_config(stack), stack)
    assert len(resources) > len(POLICIES), "the program was really run"

    for policy in POLICIES:
        assert not findings(policy, *resources), f"{policy.name} holds in {stack}"


@pytest.mark.parametrize(
    "config",
    [
        good_config(certificate={"grouping": "perHost"}),
        good_config(challenge="dns01", hosts=[{**good_config()["hosts"][0], "host": "*.sandbox.test"}]),
        good_config(certManager={"install": False}),
        good_config(tls={"minVersion": "1.3"}),
        good_config(hosts=[{**good_config()["hosts"][0], "host": f"shop-{n}.sandbox.test"} for n in range(120)]),
    ],
    ids=["perHost", "wildcard", "second stack", "TLS 1.3", "more hosts than one certificate holds"],
)
def test_what_the_settings_allow_passes_too(planned: Any, config: dict[str, Any]) -> None:
    assert broken(planned(config, "dev")) == set(), "the settings and the policies agree"


def test_what_only_the_stacks_name_makes_wrong_is_found(planned: Any) -> None:
    assert broken(planned(good_config(), "prod")) == {"issuer-fits-stack", "protected-in-production"}
    production = {**good_config()["acme"], "issuer": "prod"}
    assert broken(planned(good_config(acme=production), "dev")) == {"issuer-fits-stack"}
    assert broken(planned(good_config(acme=production, protect="true"), "prod")) == set(), "mended"


def test_a_ttl_that_the_settings_allow_is_found(planned: Any) -> None:
    assert broken(planned(good_config(dns={"zone": "sandbox", "ttl": 600}), "dev")) == {"record-ttl-is-short"}


def test_every_policy_says_what_holds_and_how_to_mend_it() -> None:
    names = [policy.name for policy in POLICIES]
    assert len(set(names)) == len(names), "the engine tells policies apart by name"
    for policy in POLICIES:
        assert policy.description.endswith("."), f"{policy.name} is described by a sentence"
        assert policy.remediation_steps, f"{policy.name} has a way out"
        assert policy.enforcement_level is None, f"{policy.name} is as mandatory as the pack"


def test_the_pack_runs_in_the_programs_environment() -> None:
    manifest = yaml.safe_load((ROOT / "policies" / "PulumiPolicy.yaml").read_text())
    assert manifest["runtime"] == {"name": "python", "options": {"virtualenv": "../.venv"}}, "where `uv sync` puts it"
