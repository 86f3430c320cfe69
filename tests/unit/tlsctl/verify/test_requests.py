"""What a client is answered, judged without one."""

import pytest

from tests.unit.tlsctl.verify.support import PROD, SHOP, deployed
from tlsctl.verify.client import Answer
from tlsctl.verify.requests import (
    CHALLENGE,
    Probe,
    judge_challenge,
    judge_hsts,
    judge_redirect,
    judge_route,
    plain,
    port,
    probes,
)

HTTPS = f"https://{SHOP}"
FROM_APPLICATION = {"x-envoy-upstream-service-time": "1"}


@pytest.mark.parametrize(
    ("status", "location", "wrong"),
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
def test_plain_http_is_redirected_for_good_to_the_same_host(status: int, location: str, wrong: str | None) -> None:
    assert judge_redirect(SHOP, Answer(status, {"location": location})) == wrong


@pytest.mark.parametrize(
    ("status", "location", "served"),
    [(200, "", True), (404, "", True), (301, HTTPS + CHALLENGE, True), (301, "https://other.dev/", False),
     (403, "", False), (503, "", False)],
)  # fmt: skip
def test_the_challenge_path_comes_to_the_gateway(status: int, location: str, served: bool) -> None:
    assert (judge_challenge(SHOP, Answer(status, {"location": location})) is None) is served


@pytest.mark.parametrize(("challenge", "state"), [("http01", "failed"), ("dns01", "skipped")])
def test_a_closed_port_80_is_a_failure_where_names_are_proven_there(
    monkeypatch: pytest.MonkeyPatch, challenge: str, state: str
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("tlsctl.verify.requests.tcp", refuse)
    environment = deployed(challenge=challenge)

    assert port(environment, 80).state == state
    assert {each.state for each in plain(environment, SHOP, False)} == {state}
    assert port(environment, 443).state == "failed", "port 443 is always needed"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Answer(200, FROM_APPLICATION), None, id="served"),
        pytest.param(Answer(404, FROM_APPLICATION), None, id="the application has no such page"),
        pytest.param(Answer(503, FROM_APPLICATION), None, id="the application is busy"),
        pytest.param(Answer(404, {}), "no route", id="the gateway knows no route"),
        pytest.param(Answer(503, {}), "nothing serves shop on port 80", id="no Pod is ready"),
        pytest.param(Answer(504, {}), "longer than the route's timeout", id="the application is slow"),
    ],
)
def test_the_gateways_own_errors_are_told_from_the_applications(answer: Answer, words: str | None) -> None:
    result = judge_route(deployed(), SHOP, {Probe("/", (), "shop", "shop", 80): answer})
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
    assert (
        judge_hsts(deployed(acme=PROD, tls={"hsts": wanted}), SHOP, {Probe("/", (), "shop", "shop", 80): answer}).state
        == state
    )


@pytest.mark.parametrize(
    ("host", "answer", "state", "words"),
    [
        pytest.param(
            {"redirectTo": "acme.dev"},
            Answer(301, {"location": "https://acme.dev/"}),
            "ok",
            "https://acme.dev/",
            id="www",
        ),
        pytest.param(
            {"redirectTo": "acme.dev"},
            Answer(301, {"location": "https://other.dev/"}),
            "failed",
            "does not redirect to https://acme.dev/ but to https://other.dev/",
            id="elsewhere",
        ),
        pytest.param(
            {"redirectTo": "acme.dev"}, Answer(200, FROM_APPLICATION), "failed", "does not redirect", id="not"
        ),
        pytest.param(
            {"maintenance": True}, Answer(503, {}), "skipped", "in maintenance, as the config says", id="down"
        ),
        pytest.param({"maintenance": True}, Answer(200, FROM_APPLICATION), "failed", "answers", id="still up"),
        pytest.param(
            {"maintenance": True},
            Answer(503, FROM_APPLICATION),
            "failed",
            "answers",
            id="the application's 503",
        ),
    ],
)
def test_a_host_without_an_application_answers_as_the_config_says(
    host: dict[str, object], answer: Answer, state: str, words: str
) -> None:
    environment = deployed(hosts=[{"host": SHOP, **host}])
    (probe,) = probes(environment.hosts[SHOP])

    result = judge_route(environment, SHOP, {probe: answer})

    assert (result.state, words in result.detail) == (state, True), result.detail


def test_a_route_that_asks_for_a_header_is_asked_with_it() -> None:
    there = {"service": "shop", "namespace": "shop", "port": 80}
    beta = {**there, "headers": [{"name": "X-Version", "exact": "beta"}, {"name": "cookie", "prefix": "beta="}]}
    environment = deployed(hosts=[{"host": SHOP, "routes": [there, beta]}])

    assert [probe.headers for probe in probes(environment.hosts[SHOP])] == [
        (),
        (("x-version", "beta"), ("cookie", "beta=")),
    ], "each route is seen, with values that it takes"
