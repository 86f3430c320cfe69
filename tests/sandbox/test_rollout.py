"""What `plan-rollout` says, played against Pebble behind a proxy that keeps Let's Encrypt's limits, day by day.

A client orders what the plan has for each day, and nothing is refused; one order more is, each day. So the plan is as
quick as the limits allow. The days are those of the proxy's clock.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from acme import messages
from cryptography import x509

from config import printed
from sandbox.testing import AcmeProxy
from sandbox.testing.acme_client import TRUSTING, Account, pebble
from sandbox.testing.rate_limits import DAY, HOUR, CaLimits, RateLimits, registered_domain
from tests.sandbox.stack import PROJECT
from tests.unit.tlsctl.verify.support import config as stack_config
from tlsctl.plan_rollout import Rollout, plan

pytestmark = pytest.mark.sandbox

AT_ONCE = 8
ONE = ["sandbox.test"]
ANOTHER_CA = {"orders": "12/3h", "certificates": "4/7d", "sameNames": "2/7d"}
STRICT_CA = {"certificates": "2/7d"}
ENFORCED = {
    None: CaLimits(),
    ANOTHER_CA["certificates"]: CaLimits(orders=(12, 3 * HOUR), certificates=(4, 7 * DAY), same_names=(2, 7 * DAY)),
    STRICT_CA["certificates"]: CaLimits(certificates=(2, 7 * DAY)),
}
"""What the proxy keeps, by what the config says of it."""


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
        return RateLimits(ENFORCED[self.limits.get("certificates")])


SHAPES = {
    "a certificate per host, of one registered domain": (Shape(66), [50, 7, 7, 2]),
    "a certificate per host, each of a domain of its own": (
        Shape(302, [f"d{number}.test" for number in range(302)]), [300, 2]
    ),
    "shared certificates of 25 names": (Shape(60, grouping="shared", profile="tlsserver"), [3]),
    "another CA, three domains": (
        Shape(24, ["a.test", "b.test", "c.test"], limits=ANOTHER_CA), [12, 3, 3, 3, 3]
    ),
    "another CA, shared certificates that two domains are in": (
        Shape(75, ["a.test", "b.test"], "shared", "tlsserver", limits=STRICT_CA), [2, 1]
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


def order_all(account: Account, certificates: Sequence[Sequence[str]]) -> list[x509.Certificate]:
    """Order certificates, some of them at a time; return them in the order in which they came.

    The CA counts what it has signed: the last one for the same domains comes when all others are counted, since only
    then does it say that there was room for them all.
    """
    last = {frozenset(map(registered_domain, names)): number for number, names in enumerate(certificates)}
    ends = sorted(last.values())
    others = [names for number, names in enumerate(certificates) if number not in ends]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [*pool.map(account.order, others), *pool.map(account.order, [certificates[number] for number in ends])]


def play(account: Account, limits: RateLimits, found: Rollout) -> x509.Certificate:
    """Order each batch at its time, and some of the next one too early; return the last certificate.

    What is refused takes nothing, so the plan goes on undisturbed.
    """
    for number, batch in enumerate(found.batches):
        limits.move(batch.at - float(limits.now))
        signed = order_all(account, [found.certificates[place] for place in batch.places])
        for later in found.batches[number + 1 :][:1]:
            for place in {later.places[0], later.places[-1]}:
                assert "too many" in refusal(account, found.certificates[place]), "no batch is larger than it can be"
            limits.move(later.at - DAY - float(limits.now))
            assert "too many" in refusal(account, found.certificates[later.places[0]]), "nor could it be a day earlier"
    return signed[-1]


@pytest.mark.parametrize("what", SHAPES)
def test_a_plan_is_kept_by_the_ca_and_no_quicker_one_is(what: str, ca: AcmeProxy, account: Account) -> None:
    shape, sizes = SHAPES[what]
    found = shape.rollout()
    assert [len(batch.places) for batch in found.batches] == sizes
    ca.limits = limits = shape.enforced()
    play(account, limits, found)
    assert limits.issued == len(found.certificates), "everything was signed"


def test_the_page_says_how_many_orders_are_played() -> None:
    played = sum(sum(sizes) for _, sizes in SHAPES.values())
    text = " ".join((PROJECT / "docs" / "operations.md").read_text().split())
    assert f"In {played} orders of seven rollouts" in text
    assert len(SHAPES) == 7


LEFT = {
    "room for more": Shape(30),
    "no room for a day": Shape(50),
    "another CA": Shape(6, limits=ANOTHER_CA),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_is_said_to_be_left_is_left_and_no_more(what: str, ca: AcmeProxy, account: Account) -> None:
    found = LEFT[what].rollout()
    ca.limits = limits = LEFT[what].enforced()
    last = play(account, limits, found)
    names = found.certificates[found.batches[-1].places[-1]]
    signed = [last, *(account.order(names) for _ in range(found.again))]
    assert "for this exact set of identifiers in the last 168h0m0s" in refusal(account, names)
    order_all(account, [[f"new{number}.sandbox.test"] for number in range(found.new["sandbox.test"])])
    assert 'already issued for "sandbox.test" in the last 168h0m0s' in refusal(account, ["another.sandbox.test"])

    # Of a serial that DER begins with a zero byte, Pebble knows it without one alone: one in 256 is such a serial.
    known = next(each for each in signed if each.serial_number.bit_length() % 8)
    account.order(names, replaces=ari_identifier(known))
    issued = len(found.certificates) + found.again + found.new["sandbox.test"] + 1
    assert limits.issued == issued, "a renewal that ARI asks for meets no limit"


def test_another_host_is_signed_when_the_plan_says_and_not_before(ca: AcmeProxy, account: Account) -> None:
    found = Shape(50).rollout()
    assert found.new == {"sandbox.test": 0}
    ca.limits = limits = RateLimits(CaLimits())
    play(account, limits, found)
    limits.move(found.another["sandbox.test"] - 1)
    assert "retry after 2026-01-01 03:21:36 UTC" in refusal(account, ["another.sandbox.test"]), "after 201.6 minutes"
    limits.move(1)
    account.order(["another.sandbox.test"])


def test_a_host_that_joins_a_shared_certificate_costs_one_more_of_the_domains(ca: AcmeProxy, account: Account) -> None:
    before, after = (Shape(count, grouping="shared").rollout() for count in (3, 4))
    ca.limits = limits = RateLimits(CaLimits(certificates=(2, 7 * DAY)))
    account.order(before.certificates[0])
    account.order(before.certificates[0])
    account.order(after.certificates[0])
    assert 'certificates (2) already issued for "sandbox.test"' in refusal(account, ["another.sandbox.test"]), (
        "the same names again took none of them, the joined host one"
    )
    assert limits.issued == 3


def test_the_limits_of_accounts_and_of_failed_authorizations_are_kept_too(acme: AcmeProxy, tmp_path: Path) -> None:
    """In front of the sandbox's own Pebble, which looks at what it is told."""
    bundle = tmp_path / "ca.crt"
    bundle.write_text(acme.ca_bundle)
    acme.limits = limits = RateLimits(CaLimits(accounts=(2, 3 * HOUR)))
    accounts = [Account(acme.url, bundle) for _ in range(2)]
    try:
        with pytest.raises(messages.Error, match=r"too many new registrations \(2\) from this IP address"):
            Account(acme.url, bundle)
        for _ in range(5):
            with pytest.raises(messages.Error) as failed:
                accounts[0].order(["nowhere.sandbox.test"])
            assert failed.value.code in ("dns", "connection", "unauthorized"), failed.value
        assert 'failed authorizations (5) for "nowhere.sandbox.test"' in refusal(accounts[0], ["nowhere.sandbox.test"])
        with pytest.raises(messages.Error) as failed:
            accounts[1].order(["nowhere.sandbox.test"])
        assert failed.value.code != "rateLimited", "another account's count is its own"
        limits.move(720)
        with pytest.raises(messages.Error) as failed:
            accounts[0].order(["nowhere.sandbox.test"])
        assert failed.value.code != "rateLimited", "one is back after twelve minutes"
    finally:
        acme.limits = None
        for each in accounts:
            each.close()


def ari_identifier(certificate: x509.Certificate) -> str:
    """Return what ARI calls a certificate (RFC 9773, section 4.1)."""
    key = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert key is not None, "the certificate says who signed it"
    serial = certificate.serial_number
    parts = (key, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
