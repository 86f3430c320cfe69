"""A certificate is judged by itself: names, dates against its own lifetime, key."""

import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import assume, given
from hypothesis import strategies as st

from components.specs import renewal
from tests.unit.certificates import BEGIN, LIFETIME, certificate
from tests.unit.tlsctl.verify.support import SHOP, deployed
from tlsctl.verify.https import judge_expiry, judge_key, judge_name
from tlsctl.verify.offers import intermediate

DAY = datetime.timedelta(days=1)
LEAF = certificate()


@pytest.mark.parametrize(("host", "state"), [(SHOP, "ok"), ("a.shop.acme.dev", "failed")])
def test_a_certificate_is_for_the_names_that_it_covers(host: str, state: str) -> None:
    assert judge_name(deployed(), host, certificate(["api.acme.dev", "*.ACME.dev"])).state == state


def test_a_name_in_the_subject_alone_does_not_count() -> None:
    result = judge_name(deployed(), SHOP, certificate(names=[]))
    assert (result.state, result.detail) == ("failed", "the certificate is for no name"), "as browsers see it"


@pytest.mark.parametrize(
    ("days", "state", "detail"),
    [
        pytest.param(-1, "failed", "is not valid before", id="not yet"),
        pytest.param(1, "ok", "89 days left, 99%", id="new"),
        pytest.param(61, "ok", "29 days left, 32%", id="renewal is due, and takes its time"),
        pytest.param(64.4, "ok", "25 days left", id="not late yet"),
        pytest.param(64.6, "failed", "renewal was due on 2026-03-02", id="late, as the alert has it"),
        pytest.param(91, "failed", "expired on 2026-04-01", id="expired"),
    ],
)
def test_the_dates_are_judged_against_the_lifetime(days: float, state: str, detail: str) -> None:
    result = judge_expiry(deployed(), SHOP, certificate(), BEGIN + days * DAY)
    assert result.state == state, result.detail
    assert detail in result.detail
    assert bool(result.fix) == (state == "failed"), "what fails has a fix"


@given(st.floats(0, 0.999), st.one_of(st.none(), st.integers(1, 99)))
def test_what_the_alerts_tell_is_what_verify_tells(share: float, percentage: int | None) -> None:
    """The alerts' expressions, on the same dates."""
    environment = deployed(certificate={"renewBeforePercentage": percentage} if percentage else {})
    now = BEGIN + share * LIFETIME
    late_by = share - (1 - (percentage / 100 if percentage else renewal.RENEWED_AT))
    overdue, near_expiry = late_by > renewal.OVERDUE, 1 - share < renewal.NEAR_EXPIRY
    # On the edge itself a float and a date may round to either side.
    assume(min(abs(late_by - renewal.OVERDUE), abs(1 - share - renewal.NEAR_EXPIRY)) > 1e-9)
    assert (judge_expiry(environment, SHOP, LEAF, now).state == "failed") == (overdue or near_expiry)


@pytest.mark.parametrize(
    ("private", "state", "seen"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ok", "ECDSA secp256r1"),
        (ec.generate_private_key(ec.SECP521R1()), "failed", "ECDSA secp521r1"),
        (rsa.generate_private_key(65537, 2048), "ok", "RSA 2048"),
        (rsa.generate_private_key(65537, 1024), "failed", "RSA 1024"),  # noqa: S505 - too short, on purpose
    ],
)
def test_the_key_is_one_of_the_profile(
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, state: str, seen: str
) -> None:
    result = judge_key(deployed(), SHOP, certificate(key=private), intermediate())
    assert result.state == state, result.detail
    assert result.detail.startswith(seen)
