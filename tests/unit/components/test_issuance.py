"""Why a certificate is not issued, where cert-manager's objects do not say it themselves."""

import subprocess
from typing import Any

import pytest

from components.kube.issuance import account_is_lost, chain_of_problems, silence, unpause_page
from components.problem import Problem, sentence
from components.specs import acme
from tests.unit.components.test_diagnosis import owned


def problems(authorization: dict[str, Any], *challenges: dict[str, Any], state: str = "pending") -> list[Problem]:
    """What is found of an Order with one authorization."""
    status = {"state": state, "authorizations": [{"initialState": "pending", **authorization}]}
    return chain_of_problems(
        "certs",
        [],
        [owned("Certificate", "certs", "certs-1", status={})],
        [owned("CertificateRequest", "certs-1", "certs-1-1", status=status)],
        [owned("Order", "certs-1-1", f"certs-1-1-{number}", spec=spec) for number, spec in enumerate(challenges)],
    )


def test_a_name_without_a_solver_is_reported_with_the_command() -> None:
    (problem,) = problems({"identifier": "blog.sandbox.test"})

    assert problem.what == "no solver of the issuer is for blog.sandbox.test", "cert-manager says so in an event alone"
    assert "set the input solvers[0].dns_names[0] to blog.sandbox.test" in problem.fix[0]


def test_a_wildcard_is_not_solved_by_a_challenge_of_its_domain() -> None:
    (problem, *_) = problems({"identifier": "a.test", "wildcard": True}, {"dnsName": "a.test"})

    assert problem.what == "no solver of the issuer is for *.a.test"
    assert not problems({"identifier": "a.test", "wildcard": True}, {"dnsName": "a.test", "wildcard": True})


@pytest.mark.parametrize(
    ("authorization", "challenges", "state"),
    [
        ({"identifier": "a.test"}, [{"dnsName": "a.test"}], "pending"),
        ({"identifier": "a.test", "initialState": "valid"}, [], "pending"),
        ({"identifier": "a.test"}, [], "ready"),
    ],
    ids=["it has a Challenge", "it was proven before", "the Order is ready"],
)
def test_a_name_that_needs_no_solver_is_not_mentioned(
    authorization: dict[str, Any], challenges: list[dict[str, Any]], state: str
) -> None:
    assert problems(authorization, *challenges, state=state) == []


PAUSED = (
    "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: Your account is temporarily prevented from"
    " requesting certificates for shop.acme.dev and possibly others. Please visit:"
    " https://sfe.letsencrypt.org/sfe/v1/unpause?jwt=eyJhbGciOi.eyJhdWQi.c2ln"
)


def test_a_paused_name_is_released_at_the_page_that_the_ca_names() -> None:
    order = owned("CertificateRequest", "r", "o", status={"state": "errored", "reason": PAUSED})
    request = owned("Certificate", "c", "r")

    (problem,) = chain_of_problems("c", [], [request], [order], [], server=acme.DIRECTORIES[acme.PROD])

    (fix,) = problem.fix
    assert fix.startswith("xdg-open 'https://sfe.letsencrypt.org/sfe/v1/unpause?jwt=eyJhbGciOi.eyJhdWQi.c2ln'")
    (problem,) = chain_of_problems("c", [], [request], [order], [], server="https://acme.other.test/directory")
    assert problem.fix == (), "it is not the CA's"


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.test/sfe/v1/unpause?jwt=a",
        "https://letsencrypt.org.evil.test/sfe/v1/unpause?jwt=a",
        "https://evil-letsencrypt.org/sfe/v1/unpause?jwt=a",
        "https://portal.letsencrypt.org@evil.test/sfe/v1/unpause?jwt=a",
        "https://evil.test\\@portal.letsencrypt.org/sfe/v1/unpause?jwt=a",
        "https://evil.test#.letsencrypt.org/sfe/v1/unpause?jwt=a",
        "https://portal.letsencrypt.org:8443@evil.test/sfe/v1/unpause?jwt=a",
        "https://community.letsencrypt.org/t/how-to/unpause?jwt=a",
        "http://portal.letsencrypt.org/sfe/v1/unpause?jwt=a",
        "https://portal.letsencrypt\u2024org/sfe/v1/unpause?jwt=a",
    ],
)
def test_a_page_that_is_not_the_cas_own_is_no_fix(page: str) -> None:
    assert not unpause_page(f"rateLimited: Please visit: {page}", acme.DIRECTORIES[acme.PROD])


def test_a_page_in_what_answered_on_port_80_is_no_fix() -> None:
    challenge = owned("Order", "o", "c", spec={"dnsName": "a.test"}, status={"state": "invalid", "reason": PAUSED})
    order = owned("CertificateRequest", "r", "o", status={"state": "invalid"})

    for problem in chain_of_problems(
        "c", [], [owned("Certificate", "c", "r")], [order], [challenge], server=acme.DIRECTORIES[acme.PROD]
    ):
        assert problem.fix == (), "the CA says it of an Order"


def test_a_page_is_of_the_ca_that_signs() -> None:
    page = "https://acme.corp.test/sfe/v1/unpause?jwt=a.b.c"
    words = f"rateLimited: visit {page}."

    assert unpause_page(words, "https://acme.corp.test:14000/dir") == page
    assert unpause_page(words, acme.DIRECTORIES[acme.PROD]) == ""
    assert unpause_page(words, "") == "", "the server is not known"


HOSTILE = "a; touch /tmp/b #$(id)`id`'\"\n--namespace=kube-system"


def test_names_of_objects_stay_one_word_of_a_command() -> None:
    lost = {"state": "errored", "reason": "Failed to create Order: 400 malformed: No Key ID in JWS header"}
    spec = {"issuerRef": {"kind": "Issuer", "name": HOSTILE}}
    order = owned("CertificateRequest", HOSTILE, HOSTILE, spec=spec, status=lost)
    request = owned("Certificate", "c", HOSTILE)
    for one in (order, request):
        one["metadata"]["namespace"] = HOSTILE
    waiting = owned("CertificateRequest", HOSTILE, HOSTILE, status={"state": "pending"})
    challenge = owned("Order", HOSTILE, "c", status={"state": "errored"})

    fixes = [fix for one in chain_of_problems("c", [], [request], [order], []) for fix in one.fix]
    fixes += [fix for one in chain_of_problems("c", [], [request], [waiting], [challenge]) for fix in one.fix]
    fixes += silence("Issuer", HOSTILE, HOSTILE).fix[:1]
    for fix in fixes:
        printed = subprocess.run(
            ["bash", "-c", f"kubectl() {{ printf '%s\\0' \"$@\"; }}; {fix}"],
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
        arguments = printed.stdout.split("\0")
        assert arguments[:2] == ["--namespace", HOSTILE], fix
        assert arguments[4].startswith(HOSTILE), fix
    assert len(fixes) == 3


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        ("400 urn:ietf:params:acme:error:accountDoesNotExist: unable to find account 1", True),
        ("acme: account does not exist", True),
        ("400 urn:ietf:params:acme:error:malformed: No Key ID in JWS header", True),
        ("400 urn:ietf:params:acme:error:malformed: Key ID (kid) in JWS header missing expected URL prefix", True),
        ('403 urn:ietf:params:acme:error:unauthorized: Account is not valid, has status "deactivated"', True),
        ("An account with the provided public key exists but is deactivated", True),
        ("403 urn:ietf:params:acme:error:unauthorized: Invalid response from http://shop/: 404", False),
        (PAUSED, False),
    ],
)
def test_a_lost_account_is_distinguished_from_other_refusals(words: str, lost: bool) -> None:
    assert account_is_lost(words) is lost, "a retry does not bring it back"


@pytest.mark.parametrize(("kind", "namespace"), [("ClusterIssuer", "cert-manager"), ("Issuer", "istio-system")])
def test_a_lost_account_is_reported_as_one_though_the_ca_complains_of_a_header(kind: str, namespace: str) -> None:
    status = {"state": "errored", "reason": "Failed to create Order: 400 malformed: No Key ID in JWS header"}
    spec = {"issuerRef": {"kind": kind, "name": "letsencrypt-prod-istio"}}
    order = owned("CertificateRequest", "r", "o", spec=spec, status=status)
    order["metadata"]["namespace"] = "istio-system"
    request = owned("Certificate", "c", "r")

    words, account = chain_of_problems("c", [], [request], [order], [])

    assert "No Key ID in JWS header" in words.what, "the CA's words come first"
    assert sentence(account) == f"{kind} letsencrypt-prod-istio has an account that the ACME server does not know"
    (fix,) = account.fix
    assert fix.startswith(f"kubectl --namespace {namespace} delete secret letsencrypt-prod-istio-account-key")


@pytest.mark.parametrize(("state", "waits"), [("errored", True), ("pending", False), ("invalid", False)])
def test_an_order_whose_challenge_has_errored_is_released_by_the_fix(state: str, waits: bool) -> None:
    request = owned("Certificate", "certs", "certs-1", status={})
    request["metadata"]["namespace"] = "istio-system"
    order = owned("CertificateRequest", "certs-1", "certs-1-1", status={"state": "pending"})
    reason = "400 urn:ietf:params:acme:error:badNonce: JWS has an invalid anti-replay nonce"
    challenge = owned("Order", "certs-1-1", "c", spec={"dnsName": "a.test"}, status={"state": state, "reason": reason})

    reported, *stuck = chain_of_problems("certs", [], [request], [order], [challenge])

    assert "badNonce" in reported.what, "the reason comes first"
    assert bool(stuck) is waits, (
        "the ACME server ends the order of a challenge that is invalid, and cert-manager retries"
    )
    fixes = [fix for problem in stuck for fix in problem.fix]
    assert fixes == ["kubectl --namespace istio-system delete certificaterequest certs-1"] * waits
