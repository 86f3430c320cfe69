"""The policy pack through the real engine: our stacks pass, and bad ones fail with the fix.

The key `production` makes a stack production; the engine hands the config to the pack.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from policies import RULES
from policies.findings import JUDGED, Rule
from sandbox import policies
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

BAD = Path(__file__).parent / "bad_stack"
PASSED = "✅ istio-gateway-tls@v1.0.0"
FAILED = "❌ istio-gateway-tls@v1.0.0"
FINDING = re.compile(r"\n +- \[(mandatory|advisory)\] +")


def preview(stack: Stack, *options: str, fails: bool) -> str:
    return stack.run("preview", "--policy-pack", str(policies.folder(PROJECT / "policies")), *options, fails=fails)


def findings(output: str, level: str = "mandatory") -> list[str]:
    """Return the findings of a level, which begin with the policy and have the resource in parentheses."""
    parts = FINDING.split(output.partition("Diagnostics:")[0])[1:]
    return [text for one, text in zip(parts[::2], parts[1::2], strict=True) if one == level]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the engine prints of the stack that breaks every policy."""
    stack = Stack("bad", tmp_path_factory.mktemp("bad"))
    stack.configure(production=True)
    return preview(stack, "-C", str(BAD), fails=True)


@pytest.mark.parametrize("api", ["istio", "gateway"])
def test_our_own_stack_passes(api: str, tmp_path: Path) -> None:
    stack = Stack("policies", tmp_path)
    stack.configure(api=api, certificate={"grouping": "perHost"})
    output = preview(stack, fails=False)

    assert PASSED in output, "the pack was run, and found nothing"
    assert not findings(output, "advisory"), "and every value that it needs was known"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_bad_stack_fails_with_the_fix(rule: Rule[Any], refused: str) -> None:
    assert FAILED in refused, "the preview fails for the policies"
    about = [
        finding for finding in findings(refused) if finding.split()[0] == rule.name and f": {rule.name})" in finding
    ]

    assert len(about) == 1, f"the resource that breaks {rule.name} is named, with the policy, in:\n{refused}"
    assert rule.description in about[0], "the rule is stated"
    for line in rule.fix:
        assert line in about[0], "and how to fix it"


def test_the_kubeconfig_of_a_provider_is_judged(refused: str) -> None:
    about = [
        finding
        for finding in findings(refused)
        if finding.split()[0] == "no-private-key-in-state" and ": by-token)" in finding
    ]
    assert len(about) == 1, f"a provider is a resource of the state in:\n{refused}"


def test_one_unknown_value_is_named_in_production_and_hides_nothing(refused: str) -> None:
    about = [finding for finding in findings(refused) if finding.split()[0] == "tls-ends-at-the-gateway"]
    unknown = [finding for finding in about if "spec.servers.0.tls.mode is not known in this preview" in finding]

    assert len(unknown) == 1, f"the Gateway whose mode is an output is named in:\n{refused}"
    assert "Gateway istio-system/unknown, server https cannot be judged" in unknown[0], "with the value that is missing"
    assert len(about) == 2, "and the Gateway that is wrong is found beside it"


def test_what_nobody_in_the_stack_knows_is_an_advice(refused: str) -> None:
    advice = "VirtualService istio-system/elsewhere is on the Gateway platform/shared, which is not of this stack"
    assert [
        finding for finding in findings(refused, "advisory") if advice in finding and finding.split()[0] == JUDGED
    ], refused


def test_outside_production_a_preview_goes_on_without_an_unknown_value(tmp_path: Path) -> None:
    output = preview(Stack("prod", tmp_path), "-C", str(BAD), fails=True)

    assert not any("cannot be judged" in finding for finding in findings(output)), "nothing fails for it"
    advice = [finding for finding in findings(output, "advisory") if "spec.servers.0.tls.mode is not known" in finding]
    assert advice, f"and a finding names it in:\n{output}"
    for production in ("protected-in-production", "issuer-fits-stack"):
        assert production not in [finding.split()[0] for finding in findings(output)], "a name makes no production"


def test_production_is_held_to_more(tmp_path: Path) -> None:
    stack = Stack("held-to-more", tmp_path)
    stack.configure(production=True)
    broken = {finding.split()[0] for finding in findings(preview(stack, fails=True))}
    assert broken == {"issuer-fits-stack", "protected-in-production", "cert-manager-is-official"}

    # There is no registry here to take the official chart from.
    stack.configure(acme={"issuer": "prod", "createIssuers": True}, certManager={"install": False}, protect=True)
    assert PASSED in preview(stack, fails=False), "the commands of the fix do"
