"""Which hosts a browser requests over one connection."""

import pytest

from tests.unit.tlsctl.verify.support import deployed, hosts
from tlsctl.verify.coalescing import shared


@pytest.mark.parametrize(
    ("grouping", "names", "connections"),
    [
        pytest.param("shared", ["a.acme.dev"], [], id="one host"),
        pytest.param("shared", ["a.acme.dev", "b.dev"], [("a.acme.dev", ["b.dev"])], id="names of one certificate"),
        pytest.param("perHost", ["a.acme.dev", "b.acme.dev"], [], id="no certificate covers the other host"),
        pytest.param(
            "perHost",
            ["a.acme.dev", "*.acme.dev", "acme.dev"],
            [("*.acme.dev", ["a.acme.dev"])],
            id="a wildcard covers a host with its own certificate",
        ),
        pytest.param(
            "shared",
            ["a.acme.dev", "*.acme.dev"],
            [("*.acme.dev", ["a.acme.dev"])],
            id="a wildcard in the same certificate",
        ),
    ],
)
def test_a_browser_has_one_connection_for_the_names_of_a_certificate(
    grouping: str, names: list[str], connections: list[tuple[str, list[str]]]
) -> None:
    stack = deployed(hosts=hosts(*names), challenge="dns01", certificate={"grouping": grouping})
    assert list(shared(stack)) == connections
