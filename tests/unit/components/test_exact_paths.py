"""A route for one whole path, through every part that knows routes."""

from typing import Any

import pytest

from components.inputs import InputsError
from components.problem import ProblemsError
from components.tls_gateway import TlsGateway
from tests.unit.components.test_components import TLS
from tests.unit.config.support import settings
from tests.unit.harness import VIRTUAL_SERVICE, run
from tlsctl.verify.requests import probes

ROUTE: Any = {"service": "shop", "namespace": "shops", "port": 80}
HEALTH: Any = {**ROUTE, "exact": "/health"}


def tls(*routes: Any) -> Any:
    return {**TLS, "hosts": [{"host": "shop.sandbox.test", "routes": routes}]}


def test_it_comes_before_every_prefix() -> None:
    made = run(lambda: TlsGateway("tls", tls(ROUTE, {**ROUTE, "path": "/health/more"}, HEALTH))).of(VIRTUAL_SERVICE)[0]

    uris = [route["match"][0]["uri"] for route in made.inputs["spec"]["http"]]
    assert uris == [{"exact": "/health"}, {"prefix": "/health/more"}, {"prefix": "/"}]


@pytest.mark.parametrize(
    ("routes", "problem"),
    [
        ([{**HEALTH, "path": "/"}], r"routes\[0\]: set exactly one of exact or path"),
        ([HEALTH, HEALTH], "is the path of an earlier route"),
        ([{**ROUTE, "exact": "health"}], r"routes\[0\].exact: 'health' is not a path that begins with /"),
    ],
)
def test_a_component_refuses_what_contradicts_itself(routes: list[Any], problem: str) -> None:
    with pytest.raises(InputsError, match=problem):
        run(lambda: TlsGateway("tls", tls(*routes)))


def test_stack_config_has_it_and_verify_asks_for_it() -> None:
    (host,) = settings(hosts=[{"host": "shop.sandbox.test", "routes": [HEALTH, ROUTE]}]).hosts

    assert [probe.path for probe in probes(host)] == ["/health", "/"]


def test_stack_config_refuses_both() -> None:
    with pytest.raises(ProblemsError, match="set exactly one of exact or path"):
        settings(hosts=[{"host": "shop.sandbox.test", "routes": [{**HEALTH, "path": "/"}]}])
