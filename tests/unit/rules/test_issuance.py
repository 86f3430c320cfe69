"""Why a certificate is not issued, where cert-manager's objects do not say it themselves."""

from typing import Any

import pytest

from components.rules.issuance import chain_of_problems
from components.rules.problem import Problem


def owned(kind: str, owner: str, name: str, **parts: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "ownerReferences": [{"kind": kind, "name": owner}]}, **parts}


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


def test_a_name_that_no_solver_is_for_is_told_with_the_command() -> None:
    (found,) = problems({"identifier": "blog.sandbox.test"})

    assert found.what == "no solver of the issuer is for blog.sandbox.test", "cert-manager says so in an event alone"
    assert "acme.dnsNames" in found.fix[0], "and where it is to be listed"


def test_a_wildcard_is_not_solved_by_a_challenge_of_its_domain() -> None:
    (found, *_) = problems({"identifier": "a.test", "wildcard": True}, {"dnsName": "a.test"})

    assert found.what == "no solver of the issuer is for *.a.test"
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
