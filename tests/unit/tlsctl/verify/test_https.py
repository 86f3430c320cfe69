"""A host that presents its certificate, and whose application does not answer."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.unit.certificates import certificate
from tests.unit.tlsctl.verify.support import SHOP, deployed
from tlsctl.verify.client import choose_trust
from tlsctl.verify.https import look
from tlsctl.verify.offers import intermediate


class Connection:
    """What a handshake leaves."""

    def getpeercert(self, *, binary_form: bool) -> bytes:
        assert binary_form
        return certificate().public_bytes(Encoding.DER)

    def version(self) -> str:
        return "TLSv1.3"


def test_a_route_that_does_not_answer_comes_with_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("tlsctl.verify.https.tls", lambda *_: Connection())
    monkeypatch.setattr("tlsctl.verify.https.ask", silent)
    stack = deployed()
    seen = look(stack, SHOP, choose_trust(stack, None), intermediate(), True)
    route = next(result for result in seen.results if result.check == "route")
    assert (route.state, route.detail) == ("failed", "/: no answer in 3 s")
    assert route.fix[0] == "kubectl --namespace shop get services,endpointslices,pods"
