"""An update that the CA would cut off half-way: refused with limits that the config has, and cut off without them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from sandbox.acme import STAGING
from sandbox.testing import AcmeProxy, client, eventually, get, kubectl
from sandbox.testing.rate_limits import DAY, CaLimits, RateLimits
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
SECRET = "rollout-certs"
HOSTS: list[dict[str, Any]] = [
    {"host": f"rollout{number}.sandbox.test", "service": "shop", "namespace": "shop", "port": 80} for number in range(3)
]
LIMITS = {"certificates": "2/7d"}


@pytest.fixture(scope="module")
def stack(acme: AcmeProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose ACME server signs two certificates a week for a registered domain; not yet up."""
    acme.limits = RateLimits(CaLimits(certificates=(2, 7 * DAY)))
    with Stack("rollout", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(
            acme={
                "servers": {"staging": acme.url},
                "caBundle": stack.get("acme")["caBundle"] + acme.ca_bundle,
                "limits": LIMITS,
                "timeout": 60,
            },
            certificate={"secretName": SECRET, "grouping": "perHost"},
            hosts=HOSTS,
        )
        yield stack
    secrets = [f"{SECRET}-{each['host']}" for each in HOSTS]
    kubectl("delete", "secret", *secrets, "--namespace", ISTIO, "--ignore-not-found")


def planned(stack: Stack) -> tuple[int, Any]:
    """The exit code of `tlsctl plan-rollout`, and what it says."""
    argv = [sys.executable, "-m", "tlsctl", "plan-rollout", "--stack", stack.name]
    done = subprocess.run(
        [*argv, "--config-file", str(stack.file), "--json"],
        cwd=PROJECT, env=stack.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def assert_refused(printed: str, new: int, signs: int, first: str) -> None:
    """It names the key, how many, what is accepted, and the command."""
    said = re.sub(r"\s+", " ", printed)
    assert (
        f"hosts: {new} new certificates are wanted, and the CA signs {signs} of them at once: `up` would be cut off"
        f" half-way; accepted: what fits, without {first} and those like it that follow"
    ) in said, printed
    assert "uv run python -m tlsctl plan-rollout" in said
    assert "Traceback" not in said


def test_an_update_that_would_be_cut_off_is_refused_and_the_planned_one_is_not(stack: Stack) -> None:
    code, plan = planned(stack)
    assert code == 1
    assert [(each["day"], len(each["certificates"])) for each in plan["days"]] == [(0, 2), (4, 1)]
    assert_refused(stack.up(fails=True), 3, 2, HOSTS[2]["host"])
    assert [each for each in stack.resources() if not each["type"].startswith("pulumi:")] == [], "nothing was begun"

    with stack.changed(hosts=HOSTS[:2]):
        assert planned(stack)[0] == 0
        stack.up()
        for each in HOSTS[:2]:
            host = each["host"]
            eventually(f"{host} is served", partial(client.served, host, client.trusting(STAGING)))

    code, plan = planned(stack)
    assert (code, plan["standing"]) == (1, 2)
    assert [each["day"] for each in plan["days"]] == [4], "a token is back after three and a half days"
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
    assert [each["certificates"] for each in plan["days"]] == [[[HOSTS[2]["host"]]]]
