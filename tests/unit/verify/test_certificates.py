"""A certificate is judged by itself: names, dates against its own lifetime, key."""

import datetime
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.verify.support import BEGIN, SHOP, certificate, deployed
from verify.certificates import covers, expiry, fraction_left, key, name, words
from verify.offers import intermediate

DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        ([SHOP], SHOP, True),
        (["*.acme.dev"], SHOP, True),
        (["*.acme.dev"], "*.acme.dev", True),
        (["*.acme.dev"], "acme.dev", False),
        (["*.acme.dev"], "a.shop.acme.dev", False),
        ([SHOP], "api.acme.dev", False),
        ([], SHOP, False),
    ],
)
def test_a_wildcard_stands_for_one_label(names: list[str], host: str, covered: bool) -> None:
    assert covers(names, host) is covered


def test_a_name_in_the_subject_alone_does_not_count() -> None:
    result = name(deployed(), SHOP, certificate(names=[]))
    assert (result.state, result.detail) == ("failed", "the certificate is for no name"), "as browsers see it"


@pytest.mark.parametrize(
    ("days", "state", "detail"),
    [
        pytest.param(-1, "failed", "is not valid before", id="not yet"),
        pytest.param(1, "ok", "89 days left, 99%", id="new"),
        pytest.param(61, "ok", "29 days left, 32%", id="renewal is due, and may take its time"),
        pytest.param(80, "failed", "renewal was due at 33%", id="renewal is overdue"),
        pytest.param(91, "failed", "expired on 2026-04-01", id="expired"),
    ],
)
def test_the_dates_are_judged_against_the_lifetime(days: int, state: str, detail: str) -> None:
    result = expiry(deployed(), SHOP, certificate(), BEGIN + days * DAY)
    assert result.state == state, result.detail
    assert detail in result.detail
    assert bool(result.mend) == (state == "failed"), "what fails has a command that mends it"


@pytest.mark.parametrize(("hours", "state"), [(100, "ok"), (140, "failed")])
def test_six_days_are_judged_like_ninety(hours: int, state: str) -> None:
    short = certificate(lifetime=datetime.timedelta(hours=160))
    assert expiry(deployed(), SHOP, short, BEGIN + datetime.timedelta(hours=hours)).state == state


def test_a_renewal_that_the_config_puts_later_is_not_overdue() -> None:
    late = deployed(certificate={"renewBeforePercentage": 10})
    assert expiry(late, SHOP, certificate(), BEGIN + 80 * DAY).state == "ok", "it is due with nine days left"


@given(st.datetimes(), st.timedeltas(DAY, 1000 * DAY), st.floats(-1, 2))
def test_what_is_left_goes_from_one_to_nothing(begin: datetime.datetime, span: datetime.timedelta, at: float) -> None:
    try:
        end, now = begin + span, begin + at * span
    except OverflowError:
        return
    assert fraction_left(begin, end, now) == pytest.approx(min(1, max(0, 1 - at)), abs=1e-6)


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
    result = key(deployed(), SHOP, certificate(key=private), intermediate())
    assert result.state == state, result.detail
    assert result.detail.startswith(seen)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "no answer in 3 s"),
        (ConnectionResetError(104, "Connection reset by peer"), "the gateway closes the connection"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "the gateway closes the connection"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
    ],
)
def test_errors_are_said_in_words(error: OSError, said: str) -> None:
    assert words(error) == said
