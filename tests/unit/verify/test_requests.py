"""What a client is answered, and what the gateway offers, judged without one."""

import pytest

from tests.unit.verify.support import PROD, SHOP, deployed
from verify.offers import intermediate, judge
from verify.requests import CHALLENGE, Answer, judge_challenge, judge_hsts, judge_redirect, judge_route

GOOD = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
OLD = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
HTTPS = f"https://{SHOP}"
FROM_APPLICATION = {"x-envoy-upstream-service-time": "1"}


@pytest.mark.parametrize(
    ("status", "location", "fault"),
    [
        (301, f"{HTTPS}/", None),
        (308, HTTPS, None),
        (301, f"{HTTPS}:443/", None),
        (302, f"{HTTPS}/", "plain HTTP is not redirected"),
        (200, "", "plain HTTP is not redirected"),
        (301, "https://other.dev/", "redirects elsewhere"),
        (301, f"{HTTPS}.evil.dev/", "redirects elsewhere"),
        (301, f"http://{SHOP}/", "redirects elsewhere"),
    ],
)
def test_plain_http_is_redirected_for_good_to_the_same_host(status: int, location: str, fault: str | None) -> None:
    assert judge_redirect(SHOP, Answer(status, {"location": location})) == fault


@pytest.mark.parametrize(
    ("status", "location", "served"),
    [(200, "", True), (404, "", True), (301, HTTPS + CHALLENGE, True), (301, "https://other.dev/", False),
     (403, "", False), (503, "", False)],
)  # fmt: skip
def test_the_challenge_path_comes_to_the_gateway(status: int, location: str, served: bool) -> None:
    assert (judge_challenge(SHOP, Answer(status, {"location": location})) is None) is served


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Answer(200, FROM_APPLICATION), None, id="served"),
        pytest.param(Answer(404, FROM_APPLICATION), None, id="the application has no such page"),
        pytest.param(Answer(503, FROM_APPLICATION), None, id="the application is busy"),
        pytest.param(Answer(404, {}), "no route", id="the gateway knows no route"),
        pytest.param(Answer(503, {}), "nothing serves shop on port 80", id="no Pod is ready"),
    ],
)
def test_the_gateways_own_errors_are_told_from_the_applications(answer: Answer, words: str | None) -> None:
    result = judge_route(deployed(), SHOP, {"/": answer})
    assert (result.state == "ok") is (words is None), result.detail
    assert words is None or words in result.detail


@pytest.mark.parametrize(
    ("wanted", "header", "state"),
    [
        (0, None, "skipped"),
        (0, "max-age=60", "skipped"),
        (300, "max-age=300", "ok"),
        (300, 'max-age="300"; includeSubDomains', "ok"),
        (300, "max-age=3000", "failed"),
        (300, None, "failed"),
    ],
)
def test_hsts_is_what_the_config_says(wanted: int, header: str | None, state: str) -> None:
    answer = Answer(200, {"strict-transport-security": header} if header else {})
    assert judge_hsts(deployed(acme=PROD, tls={"hsts": wanted}), SHOP, {"/": answer}).state == state


@pytest.mark.parametrize(
    ("minimum", "offer", "failed"),
    [
        pytest.param("1.2", {"TLSv1.2": {GOOD}, "TLSv1.3": {"TLS_AES_128_GCM_SHA256"}}, [], id="the profile"),
        pytest.param("1.2", {"TLSv1.1": {OLD}, "TLSv1.2": {GOOD}}, ["protocols", "ciphers"], id="an old version"),
        pytest.param("1.2", {"TLSv1.2": {GOOD, OLD}}, ["ciphers"], id="an old suite"),
        pytest.param("1.3", {"TLSv1.2": {GOOD}, "TLSv1.3": set()}, ["protocols"], id="below the stack's own minimum"),
    ],
)
def test_the_offer_is_judged_by_the_profile_and_the_config(
    minimum: str, offer: dict[str, set[str]], failed: list[str]
) -> None:
    results = judge(deployed(tls={"minVersion": minimum}), SHOP, offer, intermediate())
    assert [result.check for result in results if result.state == "failed"] == failed
