"""What `plan-rollout` says, played against Pebble behind a proxy that keeps Let's Encrypt's limits, day by day.

A client orders what the plan has for each day, and nothing is refused; one order more is, each day. So the plan is as
quick as the limits allow. The days are those of the proxy's clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from acme import messages

from settings import printed
from tests.sandbox.acme_client import TRUSTING, Account, pebble
from tests.sandbox.acme_proxy import AcmeProxy
from tests.sandbox.rate_limits import DAY, CaLimits, RateLimits
from tests.unit.verify.support import config as stack_config
from tlsctl.plan_rollout import Rollout, plan

pytestmark = pytest.mark.sandbox

AT_ONCE = 8
ONE = ["sandbox.test"]
ANOTHER_CA = {"orders": "12/3h", "certificates": "4/7d", "sameNames": "2/7d"}
"""Less than a day brings back less than one certificate of a domain, and the bucket of orders is full each day."""


@dataclass(frozen=True)
class Shape:
    """What a stack asks for."""

    hosts: int
    domains: Sequence[str] = tuple(ONE)
    grouping: str = "perHost"
    profile: str = "classic"
    clusters: int = 1
    limits: Mapping[str, str] = field(default_factory=dict)

    def settings(self) -> Any:
        """Return the settings of such a stack."""
        hosts = [
            {
                "host": f"h{number}.{self.domains[number % len(self.domains)]}",
                "service": "s",
                "namespace": "s",
                "port": 80,
            }
            for number in range(self.hosts)
        ]
        acme: dict[str, Any] = {"email": "platform@sandbox.test", "issuer": "prod", "profile": self.profile}
        acme |= {"limits": dict(self.limits)} if self.limits else {}
        certificate = {"grouping": self.grouping}
        return printed.read(stack_config(hosts=hosts, acme=acme, certificate=certificate), "dev")

    def rollout(self) -> Rollout:
        """Return what `plan-rollout` says of it."""
        found = plan(self.settings(), {}, clusters=self.clusters)
        assert found is not None, "the CA's limits are known"
        return found

    def enforced(self) -> RateLimits:
        """Return the limits of its CA, from their own source."""
        theirs = {
            "orders": (12, 3 * 3600), "certificates": (4, 7 * DAY), "same_names": (2, 7 * DAY)
        }  # fmt: skip
        return RateLimits(CaLimits(**(theirs if self.limits else {})))


SHAPES = {
    "a certificate per host, of one registered domain": (Shape(66), [50, 7, 7, 2]),
    "a certificate per host, each of a domain of its own": (
        Shape(302, [f"d{number}.test" for number in range(302)]), [300, 2]
    ),
    "shared certificates of 25 names": (Shape(130, grouping="shared", profile="tlsserver"), [6]),
    "another CA, three domains": (
        Shape(24, ["a.test", "b.test", "c.test"], limits=ANOTHER_CA), [12, 3, 3, 3, 3]
    ),
    "another CA, shared certificates that two domains are in": (
        Shape(150, ["a.test", "b.test"], "shared", "tlsserver", limits=ANOTHER_CA), [4, 1, 1]
    ),
    "one name, of six clusters": (Shape(1, clusters=6), [5, 1]),
    "two names each, of three clusters, at another CA": (Shape(2, clusters=3, limits=ANOTHER_CA), [4, 2]),
}  # fmt: skip


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AcmeProxy]:
    """The proxy, before a Pebble of its own."""
    with pebble(tmp_path_factory.mktemp("pebble")) as pem:
        proxy = AcmeProxy(tmp_path_factory.mktemp("acme"), pem, TRUSTING)
        yield proxy
        proxy.close()


@pytest.fixture
def account(ca: AcmeProxy, tmp_path: Path) -> Iterator[Account]:
    """An account at it, which it knows nothing of yet."""
    bundle = tmp_path / "ca.crt"
    bundle.write_text(ca.ca_bundle)
    made = Account(ca.url, bundle)
    yield made
    made.close()


def refusal(account: Account, names: Sequence[str]) -> str:
    """Order what is refused, and return the ACME server's words."""
    with pytest.raises(messages.Error) as refused:
        account.order(names)
    assert refused.value.code == "rateLimited", refused.value
    return str(refused.value.detail)


def play(account: Account, limits: RateLimits, found: Rollout) -> None:
    """Order each batch at its time; before each, try the first of it at every earlier day at which it could be tried.

    What is refused there takes nothing, so the plan goes on undisturbed.
    """
    for number, batch in enumerate(found.batches):
        limits.move(batch.at - float(limits.now))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda place: account.order(found.certificates[place]), batch.places))
        for later in found.batches[number + 1 :][:1]:
            for place in {later.places[0], later.places[-1]}:
                assert "too many" in refusal(account, found.certificates[place]), "no batch is larger than it can be"
            limits.move(later.at - DAY - float(limits.now))
            assert "too many" in refusal(account, found.certificates[later.places[0]]), "nor could it be a day earlier"


@pytest.mark.parametrize("what", SHAPES)
def test_a_plan_is_kept_by_the_ca_and_no_quicker_one_is(what: str, ca: AcmeProxy, account: Account) -> None:
    shape, sizes = SHAPES[what]
    found = shape.rollout()
    assert [len(batch.places) for batch in found.batches] == sizes
    ca.limits = limits = shape.enforced()
    play(account, limits, found)
    assert limits.issued == len(found.certificates), "everything was signed"
