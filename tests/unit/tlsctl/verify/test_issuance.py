"""Issuer, Certificates and Secrets are judged against what the program makes."""

import base64
import datetime
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.problem import Problem
from components.specs import acme
from tests.unit.certificates import BEGIN, certificate
from tests.unit.tlsctl.verify.support import SECRET, SHOP, deployed
from tlsctl.verify.issuance import judge_certificate, judge_issuer, judge_secret
from tlsctl.verify.results import Result

ISSUER = "letsencrypt-staging-istio"
DAY = datetime.timedelta(days=1)
DUE, END = BEGIN + 60 * DAY, BEGIN + 90 * DAY
LOST = "errored: Failed to create Order: 400 urn:ietf:params:acme:error:accountDoesNotExist: unable to find account"


def issuer(server: str = acme.DIRECTORIES[acme.STAGING], **condition: str) -> dict[str, Any]:
    return {"spec": {"acme": {"server": server}}, "status": {"conditions": [{"type": "Ready", **condition}]}}


@pytest.mark.parametrize(
    ("read", "words"),
    [
        pytest.param(None, "does not exist", id="deleted"),
        pytest.param(issuer(status="False", message="Failed to register ACME account: 403"), "account: 403", id="403"),
        pytest.param({"spec": issuer()["spec"]}, "not looked at it yet", id="new"),
        pytest.param(issuer("https://ca.acme.dev/dir", status="True"), "https://ca.acme.dev/dir", id="edited"),
    ],
)
def test_an_issuer_that_is_not_ready_or_edited_is_named_with_the_reason(read: Any, words: str) -> None:
    result = judge_issuer(deployed(), read)
    assert (result.state, words in result.detail) == ("failed", True), result.detail
    assert result.fix[-1] == "pulumi up --refresh"


def test_an_account_that_the_server_does_not_know_is_registered_again() -> None:
    stack, ready = deployed(), issuer(status="True")
    waits = Problem("Order", "pending: no answer yet")
    assert judge_issuer(stack, ready, [waits]).state == "ok"
    result = judge_issuer(stack, ready, [waits, Problem("Order", LOST)])
    assert result.state == "failed", "though it is Ready"
    assert result.fix == (
        f"kubectl --namespace cert-manager delete secret {ISSUER}-account-key",
        f"cmctl renew --namespace istio-system {SECRET}",
    ), "a renewal alone would fail again"


def test_an_answer_on_port_80_that_speaks_of_a_lost_account_costs_no_account() -> None:
    page = Problem(f"Challenge for {SHOP}", f'invalid: 403 unauthorized: Invalid response from http://{SHOP}: "{LOST}"')
    assert judge_issuer(deployed(), issuer(status="True"), [page]).state == "ok", "the fix deletes the account's key"


def object_of(ready: str = "True", spec: Mapping[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    wanted = {"issuerRef": {"kind": "ClusterIssuer", "name": ISSUER}, "dnsNames": [SHOP]}
    times = {
        "notBefore": "2026-01-01T00:00:00Z",
        "renewalTime": "2026-03-02T00:00:00Z",
        "notAfter": "2026-04-01T00:00:00Z",
    }
    conditions = [{"type": "Ready", "status": ready, "message": "Issuing certificate"}]
    return {"spec": {**wanted, **(spec or {})}, "status": {"conditions": conditions, **times, **status}}


def judged(read: Any, now: datetime.datetime = BEGIN, *problems: Problem) -> Result:
    return judge_certificate(deployed(), SECRET, read, problems, now)


@pytest.mark.parametrize(
    ("read", "words"),
    [
        pytest.param(None, "does not exist", id="deleted"),
        pytest.param(object_of(spec={"issuerRef": {"name": "other"}}), "names Issuer other", id="another issuer"),
        pytest.param(
            object_of(spec={"issuerRef": {"kind": "Issuer", "name": ISSUER}}),
            f"names Issuer {ISSUER}",
            id="another kind",
        ),
        pytest.param(object_of(spec={"dnsNames": ["api.acme.dev"]}), f"not request {SHOP}", id="a name is missing"),
    ],
)
def test_an_edited_certificate_is_restored_by_up(read: Any, words: str) -> None:
    result = judged(read)
    assert (result.state, words in result.detail) == ("failed", True), result.detail
    assert result.fix == ("pulumi up --refresh",)


def test_the_acme_server_explains_a_certificate_that_is_not_ready() -> None:
    result = judged(object_of("False"), BEGIN, Problem("Order", "invalid"), Problem("Challenge for shop", "404"))
    assert result.detail == "Order: invalid; Challenge for shop: 404", "down to the deepest object"
    assert result.fix[-1] == f"cmctl renew --namespace istio-system {SECRET}"


def test_the_own_fix_of_a_problem_comes_before_the_renewal() -> None:
    result = judged(object_of("False"), BEGIN, Problem("Order", "errored: paused", ("xdg-open 'https://page'",)))
    assert result.fix == ("xdg-open 'https://page'", f"cmctl renew --namespace istio-system {SECRET}")


@pytest.mark.parametrize(
    ("now", "state"),
    [
        pytest.param(BEGIN, "ok", id="new"),
        pytest.param(DUE + 4.4 * DAY, "ok", id="due, and takes its time"),
        pytest.param(DUE + 4.6 * DAY, "failed", id="late, as for the alert"),
        pytest.param(END + DAY, "failed", id="expired"),
    ],
)
def test_a_renewal_is_late_by_a_share_of_the_lifetime(now: datetime.datetime, state: str) -> None:
    assert judged(object_of(), now).state == state


def test_a_failing_renewal_is_reported_before_it_is_late() -> None:
    result = judged(object_of(failedIssuanceAttempts=2), DUE + DAY, Problem("Order", "errored: 429 rateLimited"))
    assert result.state == "failed"
    assert result.detail == "the renewal has failed 2 times: Order: errored: 429 rateLimited"


def data(private: ec.EllipticCurvePrivateKey, own: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    pem = serialization.Encoding.PEM
    key = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both = {"tls.crt": certificate(key=private).public_bytes(pem), "tls.key": key}
    return {entry: base64.b64encode(content).decode() for entry, content in both.items()}


ONE, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


@pytest.mark.parametrize(
    ("secret", "state", "words"),
    [
        pytest.param({"data": data(ONE, ONE)}, "ok", "", id="a certificate and its key"),
        pytest.param(None, "failed", "does not exist", id="deleted"),
        pytest.param({"data": None}, "failed", "no tls.crt", id="empty"),
        pytest.param({"data": {**data(ONE, ONE), "tls.key": ""}}, "failed", "no tls.key", id="no key"),
        pytest.param({"data": {"tls.crt": "eA==", "tls.key": "eA=="}}, "failed", "no PEM", id="not PEM"),
        pytest.param({"data": data(ONE, OTHER)}, "failed", "key is not its certificate's", id="another key"),
    ],
)
def test_a_secret_holds_a_certificate_and_its_key(secret: Any, state: str, words: str) -> None:
    result = judge_secret(deployed(), SECRET, secret)
    assert (result.state, words in result.detail) == (state, True), result.detail
