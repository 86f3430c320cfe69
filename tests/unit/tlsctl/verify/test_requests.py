"""Answers of the gateway are judged without one."""

from typing import Any

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
APPLICATION = {"x-envoy-upstream-service-time": "1"}
SHOP_ROUTE = {"service": "shop", "namespace": "shop", "port": 80}
PROBE = Probe("/", (), "shop", "shop", 80)


@pytest.mark.parametrize(
    ("status", "location", "redirected", "challenge_served"),
    [
        (301, f"{HTTPS}/", None, True),
        (308, HTTPS, None, True),
        (301, f"{HTTPS}:443/", None, True),
        (301, HTTPS + CHALLENGE, None, True),
        (302, f"{HTTPS}/", "plain HTTP is not redirected", False),
        (200, "", "plain HTTP is not redirected", True),
        (404, "", "plain HTTP is not redirected", True),
        (403, "", "plain HTTP is not redirected", False),
        (503, "", "plain HTTP is not redirected", False),
        (301, "https://other.dev/", "redirects elsewhere", False),
        (301, f"{HTTPS}.evil.dev/", "redirects elsewhere", False),
        (301, f"http://{SHOP}/", "redirects elsewhere", False),
    ],
)
def test_plain_http_is_redirected_permanently_to_the_same_host(
    status: int, location: str, redirected: str | None, challenge_served: bool
) -> None:
    answer = Answer(status, {"location": location})
    assert judge_redirect(SHOP, answer) == redirected
    assert (judge_challenge(SHOP, answer) is None) is challenge_served


@pytest.mark.parametrize(("challenge", "state"), [("http01", "failed"), ("dns01", "skipped")])
def test_a_closed_port_80_is_a_failure_if_names_are_proven_there(
    monkeypatch: pytest.MonkeyPatch, challenge: str, state: str
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("tlsctl.verify.requests.tcp", refuse)
    environment = deployed(challenge=challenge)
    assert port(environment, 80).state == state
    assert {result.state for result in plain(environment, SHOP, False)} == {state}
    assert port(environment, 443).state == "failed", "port 443 is always needed"


@pytest.mark.parametrize(
    ("host", "answer", "state", "text"),
    [
        pytest.param(SHOP_ROUTE, Answer(200, APPLICATION), "ok", "/ 200", id="served"),
        pytest.param(SHOP_ROUTE, Answer(404, APPLICATION), "ok", "/ 404", id="the application has no such page"),
        pytest.param(SHOP_ROUTE, Answer(503, APPLICATION), "ok", "/ 503", id="the application is busy"),
        pytest.param(SHOP_ROUTE, Answer(404, {}), "failed", "no route", id="the gateway knows no route"),
        pytest.param(SHOP_ROUTE, Answer(503, {}), "failed", "nothing serves shop on port 80", id="no Pod is ready"),
        pytest.param(SHOP_ROUTE, Answer(504, {}), "failed", "longer than the route's timeout", id="it is slow"),
        pytest.param(
            {"redirectTo": "acme.dev"},
            Answer(301, {"location": "https://acme.dev/"}),
            "ok",
            "https://acme.dev/",
            id="redirected",
        ),
        pytest.param(
            {"redirectTo": "acme.dev"},
            Answer(301, {"location": "https://other.dev/"}),
            "failed",
            "does not redirect to https://acme.dev/ but to https://other.dev/",
            id="redirected elsewhere",
        ),
        pytest.param({"owner": "team"}, Answer(200, APPLICATION), "ok", "/ 200", id="served by its owner"),
        pytest.param({"owner": "team"}, Answer(404, {}), "skipped", "team, the owner", id="another path of its owner"),
        pytest.param({**SHOP_ROUTE, "regex": "/a.*"}, Answer(404, {}), "skipped", "regular expression", id="a regex"),
        pytest.param(
            {"owner": "team"}, Answer(503, {}), "failed", "Service of a route of team", id="no Pod of its owner"
        ),
        pytest.param(
            {"redirectTo": "acme.dev"}, Answer(200, APPLICATION), "failed", "does not redirect", id="not redirected"
        ),
        pytest.param({"maintenance": True}, Answer(503, {}), "skipped", "in maintenance, as the config", id="down"),
        pytest.param({"maintenance": True}, Answer(200, APPLICATION), "failed", "answers", id="still up"),
        pytest.param({"maintenance": True}, Answer(503, APPLICATION), "failed", "answers", id="its own 503"),
    ],
)
def test_a_host_answers_as_the_config_says(host: dict[str, Any], answer: Answer, state: str, text: str) -> None:
    environment = deployed(hosts=[{"host": SHOP, **host}])
    (probe,) = probes(environment.hosts[SHOP])
    result = judge_route(environment, SHOP, {probe: answer})
    assert (result.state, text in result.detail) == (state, True), result.detail


@pytest.mark.parametrize(
    ("seconds", "header", "state"),
    [
        (0, None, "skipped"),
        (0, "max-age=60", "skipped"),
        (300, "max-age=300", "ok"),
        (300, 'max-age="300"; includeSubDomains', "ok"),
        (300, "max-age=3000", "failed"),
        (300, None, "failed"),
    ],
)
def test_hsts_is_what_the_config_says(seconds: int, header: str | None, state: str) -> None:
    answer = Answer(200, {"strict-transport-security": header} if header else {})
    assert judge_hsts(deployed(acme=PROD, tls={"hsts": seconds}), SHOP, {PROBE: answer}).state == state


def test_each_route_gets_a_request_that_it_matches() -> None:
    headers = [{"name": "X-Version", "exact": "beta"}, {"name": "cookie", "prefix": "beta="}]
    routes = [{**SHOP_ROUTE, "exact": "/health"}, SHOP_ROUTE, {**SHOP_ROUTE, "headers": headers}]
    environment = deployed(hosts=[{"host": SHOP, "routes": routes}])
    assert probes(environment.hosts[SHOP]) == [
        Probe("/health", (), "shop", "shop", 80),
        PROBE,
        Probe("/", (("x-version", "beta"), ("cookie", "beta=")), "shop", "shop", 80),
    ]
