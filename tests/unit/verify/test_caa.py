"""The CAA records that count for a host are the closest ones, and what is wrong with them is told."""

import dns.name
import dns.resolver
import pytest

from tests.unit.verify.support import SHOP, deployed
from tlsctl.verify import caa
from tlsctl.verify.environment import Environment
from tlsctl.verify.records import Lookups
from tlsctl.verify.results import Result

DEFAULT = deployed()
WITH_CAA = deployed(dns={"zone": "acme", "caa": True})


def judged(records: dict[str, list[str]], environment: Environment = DEFAULT, host: str = SHOP) -> Result:
    class Fake(Lookups):
        def caa(self, name: dns.name.Name) -> list[str]:
            return records.get(str(name).rstrip("."), [])

    (result,) = caa.look(environment, host, Fake(dns.resolver.Resolver(configure=False)))
    return result


@pytest.mark.parametrize("owner", [SHOP, "acme.dev", "dev"])
def test_the_closest_records_up_the_tree_count(owner: str) -> None:
    result = judged({owner: ['0 issue "theirs.test"']})
    assert result.state == "failed"
    assert result.detail == f"CAA of {owner} forbids the next certificate: theirs.test alone may sign"


def test_records_above_do_not_count_where_there_are_closer_ones() -> None:
    assert judged({SHOP: ['0 issue "letsencrypt.org"'], "acme.dev": ['0 issue "theirs.test"']}).state == "ok"


def test_a_stack_that_asks_for_records_fails_without_them() -> None:
    assert judged({}).state == "ok", "any CA may sign, which is nobody's mistake"
    missing = judged({}, WITH_CAA)
    assert (missing.state, missing.fix) == ("failed", ("pulumi up --refresh",))


def test_an_account_that_was_lost_is_told() -> None:
    known = Environment("dev", "203.0.113.1", "issuer", DEFAULT.settings, account="https://acme.test/acct/new")
    result = judged({SHOP: ['0 issue "letsencrypt.org; accounturi=https://acme.test/acct/old"']}, known)
    assert "other accounts alone may ask: https://acme.test/acct/old" in result.detail


def test_records_that_cannot_be_read_are_a_failure() -> None:
    assert "cannot be read" in judged({SHOP: ["nonsense"]}).detail
