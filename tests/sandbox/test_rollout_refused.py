"""An update that the CA would cut off half-way: refused with limits that the config has, and cut off without them."""

import json
import re
from functools import partial
from typing import Any

import pytest

from sandbox.acme import STAGING
from sandbox.testing import ISTIO, AcmeProxy, client, eventually, get
from sandbox.testing.rate_limits import DAY, CaLimits, RateLimits
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import SHOP, Stack

pytestmark = pytest.mark.sandbox

SECRET = "rollout-certs"
HOSTS: list[dict[str, Any]] = [SHOP | {"host": f"rollout{number}.sandbox.test"} for number in range(3)]
LIMITS = {"certificates": "2/7d"}


@pytest.fixture(scope="module")
def stack(acme: AcmeProxy, new_stack: NewStack) -> Stack:
    """A stack whose ACME server signs two certificates a week for a registered domain; not yet up."""
    acme.limits = RateLimits(CaLimits(certificates=(2, 7 * DAY)))
    stack = new_stack("rollout", certificate={"secretName": SECRET, "grouping": "perHost"}, hosts=HOSTS)
    stack.use_acme(acme, limits=LIMITS, timeout=60)
    return stack


def planned(stack: Stack) -> tuple[int, Any]:
    """Return the exit code of `tlsctl plan-rollout`, and its plan."""
    done = stack.tlsctl("plan-rollout", "--json")
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def assert_refused(printed: str, new: int, signs: int, first: str) -> None:
    """Assert that the error has the key, the number, what is accepted, and the command."""
    text = re.sub(r"\s+", " ", printed)
    assert (
        f"hosts: {new} new certificates are wanted, and the CA signs {signs} of them at once: `up` would be cut off"
        f" half-way; accepted: what fits, without {first} and those like it that follow"
    ) in text, printed
    assert "uv run python -m tlsctl plan-rollout" in text
    assert "Traceback" not in text


def test_an_update_that_would_be_cut_off_is_refused_and_the_planned_one_is_not(stack: Stack) -> None:
    code, plan = planned(stack)
    assert code == 1
    assert [(day["day"], len(day["certificates"])) for day in plan["days"]] == [(0, 2), (4, 1)]
    assert_refused(stack.up(fails=True), 3, 2, HOSTS[2]["host"])
    assert stack.registered() == [], "nothing was begun"

    with stack.changed(hosts=HOSTS[:2]):
        assert planned(stack)[0] == 0
        stack.up()
        for host in HOSTS[:2]:
            eventually(f"{host['host']} is served", partial(client.served, host["host"], client.trusting(STAGING)))

    code, plan = planned(stack)
    assert (code, plan["standing"]) == (1, 2)
    assert [day["day"] for day in plan["days"]] == [4], "a token is back after three and a half days"
    assert_refused(stack.preview(fails=True), 1, 0, HOSTS[2]["host"])
    assert get("certificate", f"{SECRET}-{HOSTS[2]['host']}", ISTIO) is None, "it was not begun either"


def test_without_the_limits_in_the_config_the_same_update_is_cut_off(stack: Stack) -> None:
    with stack.changed(hosts=HOSTS[:2]):
        stack.stand()
    with stack.changed(acme={"limits": None, "timeout": 10}):
        printed = stack.up(fails=True)
    assert 'too many certificates (2) already issued for "sandbox.test"' in re.sub(r"\s+", " ", printed), printed
    assert get("certificate", f"{SECRET}-{HOSTS[2]['host']}", ISTIO) is not None, "it was begun"
    code, plan = planned(stack)
    assert (code, plan["standing"]) == (1, 2), "and is yet to be signed"
    assert [day["certificates"] for day in plan["days"]] == [[[HOSTS[2]["host"]]]]
