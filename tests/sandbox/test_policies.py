"""The policy pack through the real engine: our stacks pass, and bad ones fail with the way to mend them."""

from pathlib import Path

import pytest

from policies import POLICIES
from sandbox import policies
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

BAD = Path(__file__).parent / "bad_stack"
PASSED = "✅ istio-gateway-tls@v1.0.0"
FAILED = "❌ istio-gateway-tls@v1.0.0"


def preview(stack: Stack, *options: str, fails: bool) -> str:
    return stack.run("preview", "--policy-pack", str(policies.folder()), *options, fails=fails)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the engine prints of the stack that breaks every policy."""
    return preview(Stack("prod", tmp_path_factory.mktemp("bad")), "-C", str(BAD), fails=True)


def test_our_own_stack_passes(tmp_path: Path) -> None:
    output = preview(Stack("policies", tmp_path), fails=False)

    assert PASSED in output, "the pack was run, and found nothing"
    assert "can't run policy" not in output, "no policy was left out for a value that is not known yet"


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_bad_stack_fails_with_the_way_to_mend_it(policy: object, refused: str) -> None:
    name, description, remediation = (getattr(policy, key) for key in ("name", "description", "remediation_steps"))
    findings = refused.partition(FAILED)[2].partition("Diagnostics:")[0].split("- [mandatory]")[1:]
    found = [each for each in findings if each.split()[0] == name and f": {name})" in each]

    assert len(found) == 1, f"the resource that breaks {name} is named, with the policy, in:\n{refused}"
    assert description in found[0], "the rule is stated"
    for line in remediation.splitlines():
        assert line in found[0], "and how the stack is mended"


def test_a_stack_that_is_called_prod_is_held_to_more(tmp_path: Path) -> None:
    stack = Stack("prod-eu", tmp_path)
    broken = preview(stack, fails=True)
    for name in ("issuer-fits-stack", "protected-in-production"):
        assert f"[mandatory]  {name}" in broken, f"staging's issuer and no protection break {name}"

    stack.configure(acme={"issuer": "prod"}, protect=True)
    assert PASSED in preview(stack, fails=False), "the commands of the remediation mend it"
