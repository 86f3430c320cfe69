"""What a host can answer beside its application: a redirect, maintenance, and what a route asks for and sets."""

import json
import uuid
from functools import partial
from typing import Any

import pytest

from sandbox.acme import PROD
from sandbox.testing import client, eventually, kubectl
from tests.sandbox.conftest import NewStack, only_istio
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

SITE, WWW = "site.sandbox.test", "www.site.sandbox.test"
HSTS = "max-age=300"
SHOP = {"service": "shop", "namespace": "shop", "port": 80}
API = {"service": "api", "namespace": "api", "port": 8080}
ORIGIN = "https://other.sandbox.test"
ROUTES = [
    {"path": "/", **SHOP},
    {"path": "/", **API, "headers": [{"name": "X-Version", "exact": "beta"}]},
    {"path": "/", **API, "headers": [{"name": "cookie", "prefix": "preview="}]},
    {"path": "/slow", **SHOP, "timeout": 1, "responseHeaders": {"x-frame-options": "SAMEORIGIN"}},
    {"exact": "/exact", **API, "rewrite": "/whole"},
    {"path": "/v1", **API, "rewrite": "/"},
    {"path": "/v2", **API, "rewrite": "/two"},
    {"path": "/half", **SHOP, "canary": {**API, "weight": 50}},
    {"path": "/copied", **SHOP, "mirror": API},
    {"path": "/shared", **API, "cors": {"allowOrigins": [ORIGIN], "allowMethods": ["PUT"], "allowCredentials": True}},
    {"regex": "(?i)/(v[0-9]+|old)/.*", **API},
    {"regex": r"/doc/\d+", **API, "rewrite": "/doc"},
]
GROUPS = {"regex": r"/shop(/|$)(.*)", **API, "rewrite": r"/\2"}
SITE_HOST = {
    "host": SITE,
    "routes": ROUTES,
    "responseHeaders": {"X-Frame-Options": "DENY", "x-share": "100% %HOSTNAME%"},
}


def site_host(api: str) -> dict[str, Any]:
    """Return the host; in the Gateway API, where expressions come after every path, with one that stands for `/`."""
    if api == "istio":
        return SITE_HOST
    broad = [{**route, "regex": "/.*"} for route in ROUTES if route.get("path") == "/"]
    for route in broad:
        del route["path"]
    return {**SITE_HOST, "routes": [*broad, *(route for route in ROUTES if route.get("path") != "/")]}


@pytest.fixture(scope="module")
def made(new_stack: NewStack) -> Stack:
    # HSTS is not for staging's certificates, which no browser trusts.
    return new_stack(
        "routes",
        acme={"issuer": "prod"},
        certificate={"secretName": "routes-certs"},
        tls={"hsts": 300},
        hosts=[{"host": WWW, "redirectTo": SITE}, SITE_HOST],
    )


@pytest.fixture(scope="module")
def shared(made: Stack, api: str) -> Stack:
    made.write_in(api)
    made.configure(hosts=[{"host": WWW, "redirectTo": SITE}, site_host(api)])
    return made


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """The stack, up and served."""
    shared.stand()
    eventually("the host is served", lambda: client.served(SITE, client.trusting(PROD)))
    return shared


def ask(host: str, path: str = "/", **headers: str) -> client.Answer:
    return client.https(host, client.trusting(PROD), client.Request(path, headers=headers))


@pytest.mark.usefixtures("stack")
def test_www_leads_to_the_other_name_with_path_and_query() -> None:
    answer = ask(WWW, "/cart/2?id=1&next=%2Fpay")
    assert (answer.status, answer.headers["location"]) == (301, f"https://{SITE}/cart/2?id=1&next=%2Fpay")
    assert answer.headers["strict-transport-security"] == HSTS, "a redirect over HTTPS has it as well"


@pytest.mark.usefixtures("stack")
def test_a_header_leads_to_another_application() -> None:
    assert ask(SITE).app == "shop", "without it, the path alone counts"
    assert ask(SITE, **{"X-Version": "beta"}).app == "api", "the whole value"
    assert ask(SITE, **{"X-Version": "beta2"}).app == "shop", "and not its beginning"
    assert ask(SITE, Cookie="preview=2; a=b").app == "api", "the beginning of a value"


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("path", "received"),
    [
        ("/exact?a=%20", "api /whole?a=%20"),
        ("/exact/more", "shop /exact/more"),
        ("/v1/users?id=1", "api /users?id=1"),
        ("/v1", "api /"),
        ("/v1/", "api /"),
        ("/v2/users", "api /two/users"),
        ("/v2", "api /two"),
        ("/v3/users", "api /v3/users"),
        ("/OLD/users", "api /OLD/users"),
        ("/v3", "shop /v3"),
        ("/doc/12", "api /doc"),
        ("/doc/x", "shop /doc/x"),
    ],
)
def test_a_path_leads_to_an_application_which_gets_the_path_of_its_route(path: str, received: str) -> None:
    assert seen(path) == received


@pytest.mark.usefixtures("stack")
def test_a_canary_gets_a_share_of_the_requests() -> None:
    apps = [ask(SITE, "/half").app for _ in range(60)]
    assert {"shop", "api"} == set(apps), "with half of them each, one gets all of 60 once in 10**17 times"


@pytest.mark.usefixtures("stack")
def test_a_mirror_gets_a_copy_of_each_request_and_the_client_the_routes_answer() -> None:
    path = f"/copied/{uuid.uuid4().hex}"
    assert ask(SITE, path).app == "shop"
    logged = partial(kubectl, "logs", "deployment/api", "--namespace", "api")
    assert eventually("the copy has arrived", lambda: path in logged())


@pytest.mark.usefixtures("stack")
def test_only_a_page_of_a_listed_origin_may_request_by_scripts() -> None:
    preflight = preflighted(ORIGIN)
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.headers["access-control-allow-methods"] == "PUT"
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in preflighted("https://foreign.sandbox.test").headers
    assert ask(SITE, "/shared", Origin=ORIGIN).headers["access-control-allow-origin"] == ORIGIN, "of the answer too"
    assert "access-control-allow-origin" not in ask(SITE, "/", Origin=ORIGIN).headers, "of no other route"


def preflighted(origin: str) -> client.Answer:
    """Return the answer to a request by which a browser asks whether a page of an origin may send another one."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    return client.https(SITE, client.trusting(PROD), client.Request("/shared", "OPTIONS", headers=headers))


def seen(path: str) -> str:
    """Return which application answers a path, and the path that it gets."""
    answer = ask(SITE, path)
    return f"{answer.app} {json.loads(answer.body)['path']}"


@only_istio
def test_a_rewrite_has_groups_of_the_expression(stack: Stack) -> None:
    with stack.changed(hosts=[{"host": WWW, "redirectTo": SITE}, {**SITE_HOST, "routes": [*ROUTES, GROUPS]}]):
        stack.up()
        eventually("the route is there", lambda: seen("/shop/cart"), until=lambda answer: answer == "api /cart")
        assert [seen("/shop"), seen("/shopping")] == ["api /", "shop /shopping"]
        assert stack.verify(ca=PROD.root_file).problems == []
    stack.up()


@pytest.mark.usefixtures("stack")
def test_a_slow_answer_ends_in_504_and_a_quick_one_does_not() -> None:
    assert ask(SITE, "/slow").app == "shop", "in time"
    assert ask(SITE, "/slow?delay=5").status == 504, "after its second"


@pytest.mark.usefixtures("stack")
def test_an_answer_has_the_headers_of_its_host_and_those_of_its_route_first() -> None:
    answer = ask(SITE)
    assert answer.headers.get_all("x-frame-options") == ["DENY"], "the host's header"
    assert answer.headers["x-share"] == "100% %HOSTNAME%", "as it is in the config, without Envoy's variables"
    assert answer.headers["strict-transport-security"] == HSTS, "beside the one that tls.hsts sets"
    assert ask(SITE, "/slow").headers.get_all("x-frame-options") == ["SAMEORIGIN"], "the route's own"


@only_istio
def test_maintenance_is_answered_by_the_gateway_and_ends(stack: Stack) -> None:
    with stack.changed(hosts=[{"host": WWW, "redirectTo": SITE}, {**SITE_HOST, "maintenance": True}]):
        stack.up()
        answer = eventually(
            "the host is in maintenance", lambda: ask(SITE, "/cart"), until=lambda seen: seen.status == 503
        )
        assert "maintenance" in answer.body, "in words"
        assert int(answer.headers["retry-after"]) > 0, "and for machines"
        assert answer.headers["strict-transport-security"] == HSTS
        assert ask(WWW).status == 301, "another host goes on"
        report = stack.verify(ca=PROD.root_file)
        assert report.problems == [], "what the config asks for is no failure"
        assert report.states("route") == {WWW: "ok", SITE: "skipped"}, "and maintenance does not count as ok"
    stack.up()
    eventually("the host is served again", lambda: client.served(SITE, client.trusting(PROD)))
    stack.assert_at_rest()
