"""Whom a client trusts, by the ACME server that the stack asks."""

from pathlib import Path

import pytest
from cryptography import x509

from tests.unit.verify.support import deployed
from verify.environment import Environment
from verify.trust import LETS_ENCRYPT_STAGING, choose

OWN = "https://ca.acme.dev/directory"


def signed(issuer: str, **servers: str) -> Environment:
    return deployed(acme={"email": "platform@acme.dev", "issuer": issuer, "servers": servers})


@pytest.mark.parametrize(
    ("environment", "label", "file", "mend"),
    [
        pytest.param(signed("staging"), "staging roots", LETS_ENCRYPT_STAGING, False, id="Let's Encrypt's staging"),
        pytest.param(signed("prod"), "system's", None, False, id="Let's Encrypt"),
        pytest.param(signed("prod", prod=OWN), "system's", None, True, id="a server of one's own"),
        pytest.param(signed("staging", staging=OWN), "system's", None, True, id="and another for staging"),
    ],
)
def test_the_roots_are_those_of_the_acme_server(
    environment: Environment, label: str, file: Path | None, mend: bool
) -> None:
    trust = choose(environment, None)
    assert (label in trust.label, trust.file) == (True, file)
    assert bool(trust.mend) is mend, "a server of one's own mostly has roots of its own, to be named with --ca"


def test_a_file_that_is_named_is_taken() -> None:
    assert choose(signed("prod"), LETS_ENCRYPT_STAGING).file == LETS_ENCRYPT_STAGING


def test_the_staging_roots_are_four_and_no_root_of_the_public() -> None:
    roots = choose(signed("staging"), None).context().get_ca_certs(binary_form=True)
    names = [x509.load_der_x509_certificate(root).subject.rfc4514_string() for root in roots]
    assert len(names) == 4, "X1, X2, YR and YE"
    assert all("(STAGING)" in name for name in names), names
