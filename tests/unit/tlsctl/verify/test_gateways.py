"""The check of a stack with several gateways."""

from typing import Any

import pytest

from components.problem import ProblemsError
from tests.unit.tlsctl.verify.support import config as stack_config
from tests.unit.tlsctl.verify.support import state
from tlsctl.verify.environment import environments
from tlsctl.verify.results import INGRESS, Report, Result

WIKI = {"host": "wiki.sandbox.test", "service": "wiki", "namespace": "wiki", "port": 80}
INTERNAL: dict[str, Any] = {"name": "internal", "ingress": {"service": "internal-gateway"}, "hosts": [WIKI]}


def test_every_gateway_is_checked_at_its_own_address() -> None:
    live = {"internal": {"ingressIp": "10.0.0.9", "dnsRecords": {"wiki.sandbox.test": "10.0.0.9"}}}
    own, internal = environments(state(gateways=live), stack_config(gateways=[INTERNAL]), "dev")
    assert (own.gateway, internal.gateway) == ("", "internal")
    assert internal.ip == "10.0.0.9"
    assert list(internal.hosts) == ["wiki.sandbox.test"]


def test_a_gateway_that_is_not_deployed_is_reported() -> None:
    with pytest.raises(ProblemsError, match=r"has hosts that are not deployed: wiki\.sandbox\.test"):
        environments(state(), stack_config(gateways=[INTERNAL]), "dev")


def test_a_failure_of_one_gateway_does_not_explain_that_of_another() -> None:
    inside = f"{INGRESS} internal"
    results = [
        Result("port-443", INGRESS, "ok", "open"),
        Result("port-443", inside, "failed", "closed"),
        Result("handshake", "shop.sandbox.test", "failed", "reset"),
        Result("handshake", "wiki.sandbox.test", "failed", "reset"),
    ]
    report = Report(results, {}, {inside: inside, "wiki.sandbox.test": inside})
    assert [problem.where for problem in report.because(results[3])] == [f"port-443 ({inside})"]
    assert report.because(results[2]) == []
