"""What a host can answer beside its application: a redirect, maintenance, and what a route asks for and sets."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.acme import PROD
from sandbox.testing import client, eventually
from sandbox.testing.cluster import secrets_removed
from sandbox.testing.engine import TIMEOUT
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

SITE, WWW = "site.sandbox.test", "www.site.sandbox.test"
SECRET = "routes-certs"
HSTS = "max-age=300"
SHOP = {"service": "shop", "namespace": "shop", "port": 80}
API = {"service": "api", "namespace": "api", "port": 8080}
ROUTES = [
    {"path": "/", **SHOP},
    {"path": "/", **API, "headers": [{"name": "X-Version", "exact": "beta"}]},
    {"path": "/", **API, "headers": [{"name": "cookie", "prefix": "preview="}]},
    {"path": "/slow", **SHOP, "timeout": 1, "retries": 0, "responseHeaders": {"x-frame-options": "SAMEORIGIN"}},
]
SITE_HOST = {
    "host": SITE,
    "routes": ROUTES,
    "responseHeaders": {"X-Frame-Options": "DENY", "x-share": "100% %HOSTNAME%"},
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with secrets_removed(SECRET), Stack("routes", tmp_path_factory.mktemp("stacks")) as stack:
        # HSTS is not for staging's certificates, which no browser trusts.
        stack.configure(
            acme={"issuer": "prod"},
            certificate={"secretName": SECRET},
            tls={"hsts": 300},
            hosts=[{"host": WWW, "redirectTo": SITE}, SITE_HOST],
        )
        stack.up()
        eventually("the host is served", lambda: client.served(SITE, client.trusting(PROD)))
        yield stack


def ask(host: str, path: str = "/", **headers: str) -> client.Answer:
    return client.https(host, client.trusting(PROD), client.Request(path, headers=headers))


def app(answer: client.Answer) -> str:
    """The application that answered."""
    return str(answer.json()["app"])


@pytest.mark.usefixtures("stack")
def test_www_leads_to_the_other_name_with_path_and_query() -> None:
    answer = ask(WWW, "/cart/2?id=1&next=%2Fpay")
    assert (answer.status, answer.headers["location"]) == (301, f"https://{SITE}/cart/2?id=1&next=%2Fpay")
    assert answer.headers["strict-transport-security"] == HSTS, "a redirect over HTTPS has it as well"


@pytest.mark.usefixtures("stack")
def test_a_header_leads_to_another_application() -> None:
    assert app(ask(SITE)) == "shop", "without it, the path alone counts"
    assert app(ask(SITE, **{"X-Version": "beta"})) == "api", "the whole value"
    assert app(ask(SITE, **{"X-Version": "beta2"})) == "shop", "and not its beginning"
    assert app(ask(SITE, Cookie="preview=2; a=b")) == "api", "the beginning of a value"


@pytest.mark.usefixtures("stack")
def test_a_slow_answer_ends_in_504_and_a_quick_one_does_not() -> None:
    assert app(ask(SITE, "/slow")) == "shop", "in time"
    assert ask(SITE, "/slow?delay=5").status == 504, "after its second"


@pytest.mark.usefixtures("stack")
def test_an_answer_has_the_headers_of_its_host_and_those_of_its_route_first() -> None:
    answer = ask(SITE)
    assert answer.headers.get_all("x-frame-options") == ["DENY"], "of the host"
    assert answer.headers["x-share"] == "100% %HOSTNAME%", "as it is in the config: no variable of Envoy's"
    assert answer.headers["strict-transport-security"] == HSTS, "beside the one that tls.hsts sets"
    assert ask(SITE, "/slow").headers.get_all("x-frame-options") == ["SAMEORIGIN"], "the route's own"


def verify(stack: Stack) -> dict[str, Any]:
    """What `tlsctl verify` says to machines."""
    options = ["--stack", stack.name, "--config-file", str(stack.file), "--ca", "/run/sandbox/acme/prod-root.pem"]
    done = subprocess.run(
        [sys.executable, "-m", "tlsctl", "verify", "--json", *options],
        cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def states(report: dict[str, Any], check: str) -> dict[str, str]:
    return {each["subject"]: each["state"] for each in report["checks"] if each["check"] == check}


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
        report = verify(stack)
        assert report["problems"] == [], "what the config asks for is no failure"
        assert states(report, "route") == {WWW: "ok", SITE: "skipped"}, "nor does anybody call maintenance ok"
    stack.up()
    eventually("the host is served again", lambda: client.served(SITE, client.trusting(PROD)))
    stack.preview("--refresh", "--expect-no-changes")
