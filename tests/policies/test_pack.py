"""The whole pack on the resources of our own program, and the table in docs/policies.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.preflight.mesh import Mesh
from policies import POLICIES
from policies.table import table
from tests.policies.support import configured, findings, resource
from tests.unit import harness
from tests.unit.certificates import CA
from tests.unit.config.support import acme, example_stack, program, stack_config
from tests.unit.harness import Recorder, good_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that returns the policies that a stack breaks, advisories included."""
    monkeypatch.setattr("components.kube.load_balancer.find_address", lambda *_, **__: ["203.0.113.10"])
    monkeypatch.setattr("components.kube.mesh.read", lambda *_, **__: Mesh("istio-system"))
    monkeypatch.setattr("components.kube.credentials.Credentials.client", lambda *_: None)
    monkeypatch.setattr("config.gke._obstacles", lambda *_: ())

    def judge(config: Mapping[str, Any], stack: str = "dev", recorder: Recorder | None = None) -> set[str]:
        done: Recorder = harness.run(program, config, stack=stack, recorder=recorder)
        resources = [
            resource(item.type, item.inputs, name=item.name, stack=stack, protect=item.protect) for item in done
        ]
        assert len(resources) > 10, "the program has run"
        with configured(**config):
            return {policy.name for policy in POLICIES if findings(policy, *resources)}

    return judge


@pytest.mark.parametrize("stack", ["dev", "prod", "sandbox", "sandbox-gateway"])
def test_our_own_stacks_pass_every_policy(broken: Any, stack: str) -> None:
    assert broken(stack_config(stack), stack) == set(), f"every policy holds in {stack}, and everything is judged"


def test_the_example_of_a_whole_stack_passes_every_policy(broken: Any) -> None:
    config, recorder = example_stack()
    assert broken(config, "prod", recorder) == set(), "those of its second gateway are judged as well"


HOST = good_config()["hosts"][0]
ACCEPTED: dict[str, dict[str, Any]] = {
    "perHost": {"certificate": {"grouping": "perHost"}},
    "wildcard": {"challenge": "dns01", "hosts": [{**HOST, "host": "*.sandbox.test"}]},
    "second stack": {"certManager": {"install": False}},
    "TLS 1.3": {"tls": {"minVersion": "1.3"}},
    "mutual TLS": {"tls": {"clientCa": CA}, "mtls": "strict"},
    "redirect and maintenance": {
        "hosts": [
            {"host": "www.sandbox.test", "redirectTo": "sandbox.test"},
            {"host": "sandbox.test", "maintenance": True, "responseHeaders": {"x-frame-options": "DENY"}},
        ]
    },
    "other Pods": {"ingress": {"selector": {"istio": "public"}}},
    "Gateway API in production": {
        "api": "gateway",
        "production": "true",
        "protect": "true",
        "acme": acme(issuer="prod"),
    },
    "Gateway API with a gateway that Istio runs": {
        "api": "gateway",
        "ingress": {"deployment": "managed", "service": "public"},
    },
    "Gateway API with a wildcard": {
        "api": "gateway",
        "challenge": "dns01",
        "hosts": [{**HOST, "host": "*.sandbox.test"}],
    },
    "Gateway API with mutual TLS and a redirect": {
        "api": "gateway",
        "certificate": {"grouping": "perHost"},
        "tls": {"clientCa": CA},
        "hosts": [HOST, {"host": "www.sandbox.test", "redirectTo": HOST["host"]}],
    },
    "more hosts than one certificate holds": {
        "hosts": [{**HOST, "host": f"shop-{number}.sandbox.test"} for number in range(120)]
    },
}


@pytest.mark.parametrize("config", ACCEPTED.values(), ids=ACCEPTED)
def test_what_the_settings_accept_passes_every_policy(broken: Any, config: dict[str, Any]) -> None:
    assert broken(good_config(**config)) == set(), "the settings and the policies agree"


def test_some_settings_are_accepted_but_break_a_policy(broken: Any) -> None:
    assert broken(good_config(dns={"zone": "sandbox", "ttl": 600})) == {"record-ttl-is-short"}
    local = good_config(certManager={"chart": "/charts/cert-manager"})
    assert broken(local) == set(), "a local chart is for development"
    assert "cert-manager-is-official" in broken({**local, "production": "true"})


def test_the_page_of_policies_has_the_table() -> None:
    assert table() in (ROOT / "docs" / "policies.md").read_text(), (
        "put `python -m policies.table` into docs/policies.md"
    )


def test_the_pack_runs_in_the_programs_environment() -> None:
    manifest = yaml.safe_load((ROOT / "policies" / "PulumiPolicy.yaml").read_text())
    assert manifest["runtime"] == {"name": "python", "options": {"virtualenv": "../.venv"}}, "where `uv sync` puts it"
