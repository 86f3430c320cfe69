"""The roots that a client trusts, by the ACME server that the stack asks."""

from pathlib import Path

import pytest
from cryptography import x509

from components.problem import ProblemsError
from tests.unit.verify.support import deployed
from tlsctl.verify.environment import Environment
from tlsctl.verify.trust import LETS_ENCRYPT_STAGING, choose

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
    trust = choose(environment, None)
    assert label in trust.label
    assert bool(trust.fix) is fix, "another CA mostly has roots of its own, to be named with --ca"


def test_a_file_that_is_named_is_taken() -> None:
    trust = choose(signed("prod"), LETS_ENCRYPT_STAGING)
    assert len(trust.context.get_ca_certs()) == 4, "its roots, and no others"


def test_a_file_without_roots_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ProblemsError, match=r"empty\.pem"):
        choose(signed("prod"), tmp_path / "empty.pem")


def test_the_staging_roots_are_four_and_no_root_of_the_public() -> None:
    roots = choose(signed("staging"), None).context.get_ca_certs(binary_form=True)
    names = [x509.load_der_x509_certificate(root).subject.rfc4514_string() for root in roots]
    assert len(names) == 4, "X1, X2, YR and YE"
    assert all("(STAGING)" in name for name in names), names


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_client_certificate_that_is_none_is_told(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "client.pem"
    if content:
        file.write_text(content)

    with pytest.raises(ProblemsError, match=rf"--client-cert: {file}: "):
        choose(deployed(), None, file)


def test_only_a_client_with_a_certificate_is_identified() -> None:
    assert not choose(deployed(), None).identified, "it is not asked for what is behind a client CA"
