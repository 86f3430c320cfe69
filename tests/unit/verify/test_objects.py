"""The cluster's objects are judged against what the program would make."""

import base64
import datetime
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.problem import Problem
from components.specs import acme, istio, names
from tests.unit.verify.support import BEGIN, PROD, SECRET, SHOP, certificate, deployed
from tlsctl.verify.environment import Environment
from tlsctl.verify.results import Result
from tlsctl.verify.serving import judge_gateway
from tlsctl.verify.signing import judge_certificate, judge_issuer, judge_secret

ISSUER = "letsencrypt-staging-istio"
DAY = datetime.timedelta(days=1)
DUE, END = BEGIN + 60 * DAY, BEGIN + 90 * DAY


def issuer(server: str = acme.DIRECTORIES[acme.STAGING], **condition: str) -> dict[str, Any]:
    return {"spec": {"acme": {"server": server}}, "status": {"conditions": [{"type": "Ready", **condition}]}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(None, "does not exist", id="deleted"),
        pytest.param(issuer(status="False", message="Failed to register ACME account: 403"), "account: 403", id="403"),
        pytest.param({"spec": issuer()["spec"]}, "not looked at yet", id="new"),
        pytest.param(issuer("https://ca.acme.dev/dir", status="True"), "https://ca.acme.dev/dir", id="edited"),
    ],
)
def test_an_issuer_that_is_not_ready_or_not_ours_is_named_with_the_reason(found: Any, words: str) -> None:
    result = judge_issuer(deployed(), found)
    assert (result.state, words in result.detail) == ("failed", True), result.detail
    assert result.fix[-1] == "pulumi up --refresh"


def test_a_ready_issuer_is_ok() -> None:
    assert judge_issuer(deployed(), issuer(status="True")).state == "ok"


def test_an_issuer_of_the_gateways_namespace_is_looked_up_there() -> None:
    environment = deployed(acme={"email": "platform@acme.dev", "issuer": "staging", "issuerKind": "Issuer"})
    result = judge_issuer(environment, issuer(status="False", message="403"))

    assert result.detail == f"Issuer {ISSUER} is not Ready: 403"
    assert result.fix[0] == f"kubectl --namespace istio-system describe issuer {ISSUER}"


def object_of(ready: str = "True", spec: Mapping[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    wanted = {"issuerRef": {"kind": "ClusterIssuer", "name": ISSUER}, "dnsNames": [SHOP]}
    times = {
        "notBefore": "2026-01-01T00:00:00Z",
        "renewalTime": "2026-03-02T00:00:00Z",
        "notAfter": "2026-04-01T00:00:00Z",
    }
    conditions = [{"type": "Ready", "status": ready, "message": "Issuing certificate"}]
    return {"spec": {**wanted, **(spec or {})}, "status": {"conditions": conditions, **times, **status}}


def judged(found: Any, now: datetime.datetime = BEGIN, *problems: Problem) -> Result:
    return judge_certificate(deployed(), SECRET, found, problems, now)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(None, "does not exist", id="deleted"),
        pytest.param(object_of(spec={"issuerRef": {"name": "other"}}), "asks Issuer other", id="another issuer"),
        pytest.param(
            object_of(spec={"issuerRef": {"kind": "Issuer", "name": ISSUER}}),
            f"asks Issuer {ISSUER}",
            id="another kind",
        ),
        pytest.param(object_of(spec={"dnsNames": ["api.acme.dev"]}), f"not ask for {SHOP}", id="a name is missing"),
    ],
)
def test_a_certificate_that_was_edited_is_put_back_by_up(found: Any, words: str) -> None:
    result = judged(found)
    assert (result.state, words in result.detail) == ("failed", True), result.detail
    assert result.fix == ("pulumi up --refresh",)


def test_a_certificate_that_is_not_ready_is_explained_by_the_acme_server() -> None:
    result = judged(object_of("False"), BEGIN, Problem("Order", "invalid"), Problem("Challenge for shop", "404"))
    assert result.detail == "Order: invalid; Challenge for shop: 404", "its own words, down to the deepest"
    assert result.fix[-1] == f"cmctl renew --namespace istio-system {SECRET}"


@pytest.mark.parametrize(
    ("now", "state"),
    [
        pytest.param(BEGIN, "ok", id="new"),
        pytest.param(DUE + 4.4 * DAY, "ok", id="due, and takes its time"),
        pytest.param(DUE + 4.6 * DAY, "failed", id="late, as the alert has it"),
        pytest.param(END + DAY, "failed", id="expired"),
    ],
)
def test_a_renewal_is_late_by_a_share_of_the_lifetime(now: datetime.datetime, state: str) -> None:
    assert judged(object_of(), now).state == state


def test_a_renewal_that_fails_is_told_before_it_is_late() -> None:
    result = judged(object_of(failedIssuanceAttempts=2), DUE + DAY, Problem("Order", "errored: 429 rateLimited"))
    assert result.state == "failed", "there is time left, and it is told now"
    assert result.detail == "the renewal has failed 2 times: Order: errored: 429 rateLimited"


def data(private: ec.EllipticCurvePrivateKey, own: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    pem = serialization.Encoding.PEM
    key = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both = {"tls.crt": certificate(key=private).public_bytes(pem), "tls.key": key}
    return {entry: base64.b64encode(each).decode() for entry, each in both.items()}


ONE, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(None, "does not exist", id="deleted"),
        pytest.param({"data": None}, "no tls.crt", id="empty"),
        pytest.param({"data": {**data(ONE, ONE), "tls.key": ""}}, "no tls.key", id="no key"),
        pytest.param({"data": {"tls.crt": "eA==", "tls.key": "eA=="}}, "no PEM", id="not PEM"),
        pytest.param({"data": data(ONE, OTHER)}, "key is not its certificate's", id="another key"),
    ],
)
def test_a_secret_that_the_gateway_cannot_use_is_named(found: Any, words: str) -> None:
    result = judge_secret(deployed(), SECRET, found)
    assert (result.state, words in result.detail) == ("failed", True), result.detail


def test_a_certificate_and_its_key_are_ok() -> None:
    assert judge_secret(deployed(), SECRET, {"data": data(ONE, ONE)}).state == "ok"


Objects = dict[str, dict[str, Any]]


def made(environment: Environment) -> tuple[Objects, Objects]:
    """The Gateways and VirtualServices as the program makes them, by name."""
    http, tls = "http-dev", "tls-dev"
    settings = environment.settings
    selector = settings.ingress.selector
    credentials = list(environment.certificates.items())
    gateways = {
        http: istio.http_gateway_spec(selector, list(environment.hosts)),
        tls: istio.tls_gateway_spec(selector, credentials, settings.tls.min_version, settings.tls.cipher_suites),
    }
    services = {http: istio.redirect_spec(f"istio-system/{http}", list(environment.hosts))} | {
        names.object_name(host.host): istio.virtual_service_spec(
            f"istio-system/{tls}", host.served, settings.tls.hsts, list(environment.hosts)
        )
        for host in settings.hosts
    }
    return gateways, services


def served(environment: Environment, host: str, gateways: Objects, services: Objects) -> Result:
    both = ({name: {"spec": spec} for name, spec in each.items()} for each in (gateways, services))
    return judge_gateway(environment, host, *both)


@pytest.mark.parametrize("hosts", [[SHOP], ["*.acme.dev"], ["*.acme.dev", SHOP]])
@pytest.mark.parametrize("grouping", ["shared", "perHost"])
def test_what_the_program_makes_is_ok(hosts: list[str], grouping: str) -> None:
    environment = deployed(
        hosts=[{"host": host, "service": "shop", "namespace": "shop", "port": 80} for host in hosts],
        acme=PROD,
        challenge="dns01",
        certificate={"grouping": grouping},
        tls={"hsts": 300, "minVersion": "1.3"},
    )
    for host in hosts:
        result = served(environment, host, *made(environment))
        assert result.state == "ok", result.detail


def test_a_redirect_that_leaves_out_the_wildcard_is_named() -> None:
    given = {"service": "shop", "namespace": "shop", "port": 80}
    environment = deployed(hosts=[{"host": host, **given} for host in ("*.acme.dev", SHOP)], challenge="dns01")
    gateways, services = made(environment)
    services["http-dev"]["hosts"] = ["other"]
    for host in ("*.acme.dev", SHOP):
        result = served(environment, host, gateways, services)
        assert (result.state, "VirtualService http-dev is for other" in result.detail) == ("failed", True)


@pytest.mark.parametrize(
    ("where", "name", "change", "words"),
    [
        ("gateways", "http-dev", None, "Gateway http-dev does not exist"),
        ("gateways", "tls-dev", None, "Gateway tls-dev does not exist"),
        ("services", SHOP, None, f"VirtualService {SHOP} does not exist"),
        ("services", "http-dev", None, "VirtualService http-dev does not exist"),
        ("gateways", "tls-dev", {"selector": {"istio": "other"}}, "selects istio=other"),
        ("gateways", "tls-dev", {"servers": []}, "no server for it on port 443"),
        ("services", SHOP, {"hosts": ["other"]}, "is for other"),
        ("services", SHOP, {"gateways": ["istio-system/http-dev"]}, "is bound to istio-system/http-dev"),
        ("services", SHOP, {"http": []}, "does not answer as the config says"),
    ],
)
def test_what_was_deleted_or_edited_is_named(where: str, name: str, change: Any, words: str) -> None:
    environment = deployed()
    gateways, services = made(environment)
    objects = gateways if where == "gateways" else services
    if change is None:
        del objects[name]
    else:
        objects[name].update(change)
    result = served(environment, SHOP, gateways, services)
    assert (result.state, words in result.detail) == ("failed", True), result.detail


def test_another_secret_on_the_gateway_is_named() -> None:
    environment = deployed()
    gateways, services = made(environment)
    gateways["tls-dev"]["servers"][0]["tls"]["credentialName"] = "other"
    assert "presents Secret other" in served(environment, SHOP, gateways, services).detail


def test_hosts_may_be_qualified_by_a_namespace() -> None:
    environment = deployed()
    gateways, services = made(environment)
    gateways["tls-dev"]["servers"][0]["hosts"] = [f"*/{SHOP}"]
    assert served(environment, SHOP, gateways, services).state == "ok", "Istio serves it all the same"


LOST = "errored: Failed to create Order: 400 urn:ietf:params:acme:error:accountDoesNotExist: unable to find account"


@pytest.mark.parametrize(("kind", "namespace"), [("ClusterIssuer", "cert-manager"), ("Issuer", "istio-system")])
def test_an_account_that_the_server_does_not_know_is_registered_anew(kind: str, namespace: str) -> None:
    stack = deployed(acme={"email": "platform@acme.dev", "issuer": "staging", "issuerKind": kind})
    server = stack.settings.acme.servers.staging
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    found = {"spec": {"acme": {"server": server}}, "status": ready}

    assert judge_issuer(stack, found, ["pending: no answer yet"]).state == "ok"
    result = judge_issuer(stack, found, ["pending: no answer yet", LOST])
    assert result.state == "failed", "though it is Ready"
    assert "accountDoesNotExist" in result.detail, "in the server's words"
    assert result.fix == (
        f"kubectl --namespace {namespace} delete secret {ISSUER}-account-key",
        f"cmctl renew --namespace istio-system {SECRET}",
    ), "to renew alone would fail again"


def test_a_problem_with_a_fix_of_its_own_has_it_before_the_renewal() -> None:
    result = judged(object_of("False"), BEGIN, Problem("Order", "errored: paused", ("xdg-open 'https://page'",)))
    assert result.fix == ("xdg-open 'https://page'", f"cmctl renew --namespace istio-system {SECRET}")
