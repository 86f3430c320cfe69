"""The client: the roots that it trusts, by the ACME server that the stack uses, and what it says of errors."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from components.problem import ProblemsError
from tests.unit.tlsctl.verify.support import deployed
from tlsctl.verify.client import LETS_ENCRYPT_STAGING, choose_trust, describe
from tlsctl.verify.environment import Environment

OWN = "https://ca.acme.dev/directory"


def signed(issuer: str, **servers: str) -> Environment:
    return deployed(acme={"email": "platform@acme.dev", "issuer": issuer, "servers": servers})


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "no answer in 3 s"),
        (ConnectionResetError(104, "Connection reset by peer"), "the gateway closes the connection"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "the gateway closes the connection"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
    ],
)
def test_errors_of_connections_are_described(error: Exception, text: str) -> None:
    assert describe(error) == text


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


@pytest.mark.parametrize("file", [None, LETS_ENCRYPT_STAGING], ids=["by the issuer", "--ca"])
def test_the_staging_roots_are_four_and_none_is_public(file: Path | None) -> None:
    roots = choose_trust(signed("prod" if file else "staging"), file).context.get_ca_certs(binary_form=True)
    names = [x509.load_der_x509_certificate(root).subject.rfc4514_string() for root in roots]
    assert len(names) == 4, "X1, X2, YR and YE"
    assert all("(STAGING)" in name for name in names), names


@pytest.mark.parametrize("option", ["--ca", "--client-cert"])
@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_certificates_is_a_problem(tmp_path: Path, option: str, content: str | None) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ProblemsError, match=rf"{option}: {file}: "):
        choose_trust(deployed(), *((file,) if option == "--ca" else (None, file)))
