"""The client: the roots that it trusts, by the ACME server that the stack uses, and what it says of errors."""

from pathlib import Path

import pytest

from components.problem import ProblemsError
from tests.unit.tlsctl.verify.support import deployed
from tlsctl.verify.client import choose_trust
from tlsctl.verify.environment import Environment

OWN = "https://ca.acme.dev/directory"


def signed(issuer: str, **servers: str) -> Environment:
    return deployed(acme={"email": "platform@acme.dev", "issuer": issuer, "servers": servers})


@pytest.mark.parametrize(
    ("environment", "label", "fix"),
    [
        pytest.param(signed("staging"), "staging roots", False, id="Let's Encrypt's staging"),
        pytest.param(signed("prod"), "system's", False, id="Let's Encrypt"),
        pytest.param(signed("prod", prod=OWN), "system's", True, id="another CA"),
        pytest.param(signed("staging", staging=OWN), "system's", True, id="another CA's staging"),
    ],
)
def test_the_roots_are_those_of_the_acme_server(environment: Environment, label: str, fix: bool) -> None:
    trust = choose_trust(environment, None)
    assert label in trust.label
    assert bool(trust.fix) is fix, "another CA usually has roots of its own, which --ca names"
    assert not trust.identified, "there is no client certificate"


@pytest.mark.parametrize("option", ["--ca", "--client-cert"])
@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_certificates_is_a_problem(tmp_path: Path, option: str, content: str | None) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ProblemsError, match=rf"{option}: {file}: "):
        choose_trust(deployed(), *((file,) if option == "--ca" else (None, file)))
