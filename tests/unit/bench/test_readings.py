"""The benchmark's readings: states of stacks, traces, the load, times; and the arithmetic of docs/limits.md."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.specs.acme import PROD
from config.limits import DAY, HOUR, LETS_ENCRYPT
from tests.bench.flat_stack import flattened, raw, require_same
from tests.bench.load import Seen, figures, read
from tests.bench.test_machine import memory
from tests.bench.test_preview import phases, spans
from tests.bench.test_up import seconds_between

ROOT = Path(__file__).parents[3]
HEAD = "urn:pulumi:dev::istio-gateway-tls"
STACK = f"{HEAD}::pulumi:pulumi:Stack::istio-gateway-tls-dev"
CLUSTER = f"{HEAD}::pulumi:providers:kubernetes::cluster"
COMPONENT = f"{HEAD}::a:index:Tls::tls"
GATEWAY = f"{HEAD}::a:index:Tls$kubernetes:x/v1:Gateway::tls-gateway"
ROUTE = f"{HEAD}::a:index:Tls$kubernetes:x/v1:VirtualService::tls-route"


def state() -> list[dict[str, Any]]:
    """The state of a stack with one component."""
    return [
        {"urn": STACK, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": {"url": "u"}},
        {
            "urn": CLUSTER, "custom": True, "type": "pulumi:providers:kubernetes", "id": "1",
            "inputs": {"kubeconfig": "k", "version": "4"}, "parent": STACK,
        },
        {
            "urn": f"{HEAD}::pulumi:providers:gcp::default_10", "custom": True, "id": "2",
            "type": "pulumi:providers:gcp", "inputs": {}, "parent": STACK,
        },
        {"urn": COMPONENT, "custom": False, "type": "a:index:Tls", "parent": STACK},
        {
            "urn": GATEWAY, "custom": True, "type": "kubernetes:x/v1:Gateway", "parent": COMPONENT,
            "inputs": {"kind": "Gateway", "spec": {}}, "provider": f"{CLUSTER}::1",
        },
        {
            "urn": ROUTE, "custom": True, "type": "kubernetes:x/v1:VirtualService", "parent": COMPONENT,
            "inputs": {"kind": "VirtualService"}, "provider": f"{CLUSTER}::1", "dependencies": [COMPONENT, GATEWAY],
            "propertyDependencies": {"spec": [GATEWAY]}, "resourceHooks": {"OnError": ["explain"]},
        },
    ]  # fmt: skip


def test_a_flat_program_registers_what_a_program_does_without_components_and_defaults() -> None:
    assert [resource["name"] for resource in raw(state())] == ["cluster", "tls-gateway", "tls-route"]
    assert next(iter(raw(state())))["inputs"] == {"kubeconfig": "k"}, "the SDK adds the version"


def test_what_is_not_known_cannot_be_registered() -> None:
    unknown = state()
    unknown[4]["inputs"]["spec"] = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    with pytest.raises(ValueError, match="tls-gateway has an input that is not known"):
        list(raw(unknown))


def test_two_programs_are_the_same_or_refused() -> None:
    assert require_same(state(), flattened(state(), "dev", "flat")) == 3
    with pytest.raises(ValueError, match="'kubernetes:x/v1:VirtualService': 1"):
        require_same(state(), state()[:-1])
    other = state()
    other[4]["inputs"] = {"kind": "Gateway", "spec": {"servers": []}}
    with pytest.raises(ValueError, match="tls-gateway"):
        require_same(state(), other)


def test_a_namespace_that_the_provider_adds_is_no_input() -> None:
    other = state()
    other[4]["inputs"] |= {"metadata": {"name": "tls", "namespace": "default"}}
    mine = state()
    mine[4]["inputs"] |= {"metadata": {"name": "tls"}}
    assert require_same(mine, other) == 3


def test_a_flat_state_has_every_resource_in_the_stack_itself() -> None:
    made = flattened(state(), "dev", "flat")
    route = made[-1]
    assert [resource["urn"].rpartition("::")[2] for resource in made] == [
        "istio-gateway-tls-flat", "cluster", "default_10", "tls-gateway", "tls-route",
    ]  # fmt: skip
    assert route["urn"] == "urn:pulumi:flat::istio-gateway-tls::kubernetes:x/v1:VirtualService::tls-route"
    assert route["parent"] == made[0]["urn"], "and not in a component"
    assert route["provider"] == f"{made[1]['urn']}::1"
    assert route["dependencies"] == [made[3]["urn"]], "the component is gone"
    assert "resourceHooks" not in route
    assert HEAD not in json.dumps(made), "nothing of the other stack is left"


def line(second: float, *, code: int = 200, error: str = "") -> str:
    """A result of the load; each took half a second."""
    at = f"2026-11-25T10:00:{second:012.9f}Z"
    return json.dumps({"timestamp": at, "latency": 500_000_000, "code": code, "error": error})


def test_the_load_counts_failures_and_the_longest_time_without_a_success() -> None:
    seen = read([line(0), line(1), line(2, code=503, error="503 Service Unavailable"), line(3.25), line(4, code=0)])
    assert (seen.requests, seen.failed, seen.problems) == (5, 2, ("503 Service Unavailable", "0"))
    assert seen.gap == pytest.approx(2.25), "from the second answer to the fourth"
    assert seen.seconds == pytest.approx(4.5)


def test_a_load_that_ends_in_failures_counts_the_time_until_its_end() -> None:
    assert read([line(0), line(1, code=503), line(9, code=503)]).gap == pytest.approx(9)
    assert read([line(0, code=503), line(9, code=503)]).gap == pytest.approx(9.5), "nothing succeeded at all"


def test_no_request_may_fail_under_load() -> None:
    failed, gap = figures("renewal", Seen(100, 1, 0.25, 10, ("EOF",)), Seen(100, 0, 0.1, 10))
    assert failed.met is False
    assert gap.ours == [250]


def test_the_time_of_orders_is_from_the_first_to_the_last() -> None:
    created, ready = ["2026-11-25T10:00:05Z", "2026-11-25T10:00:02Z"], ["2026-11-25T10:01:00Z", "2026-11-25T10:00:30Z"]
    assert seconds_between(created, ready) == 58


def test_the_memory_of_a_process_is_read() -> None:
    assert memory() > 1_000_000, "of this one at least"
    assert memory("no-such-program") == 0


def test_the_arithmetic_of_several_clusters() -> None:
    same = LETS_ENCRYPT[PROD].same_names
    waits = [max(0, clusters - same.tokens) * same.seconds / HOUR for clusters in (5, 6, 10)]
    assert waits == pytest.approx([0, 33.6, 168])
    signed = [same.tokens + int(days * DAY / same.seconds + 1e-9) for days in (30, 15)]
    assert signed == [26, 15]
    text = " ".join((ROOT / "docs" / "limits.md").read_text().split())
    for quoted in ("every 33.6 hours", "sixth waits 33.6 hours", "tenth 7 days", "26 clusters", "15 clusters"):
        assert quoted in text
    assert f"{LETS_ENCRYPT[PROD].certificates.tokens} certificates a week" in text


def span(name: str, begin: float, end: float) -> dict[str, Any]:
    nanoseconds = {"startTimeUnixNano": f"{begin * 1e9:.0f}", "endTimeUnixNano": f"{end * 1e9:.0f}"}
    return {"name": name, **nanoseconds}


def test_the_phases_of_a_preview_follow_each_other_from_the_first_to_the_last_moment() -> None:
    traced = [
        span("pulumi", 0, 20),
        span("pulumirpc.LanguageRuntime/Run", 1, 18),
        span("pulumirpc.ResourceMonitor/RegisterResource", 2, 2.5),  # the stack
        span("pulumirpc.ResourceProvider/Configure", 2.5, 2.6),  # of gcp, for a look-up
        span("pulumirpc.ResourceMonitor/RegisterResource", 3, 7),
        span("pulumirpc.ResourceProvider/Configure", 6, 7),
        span("pulumirpc.ResourceMonitor/RegisterResource", 8, 9),
        span("pulumirpc.ResourceMonitor/SignalAndWaitForShutdown", 12, 12),
    ]
    batches = [json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": half}]}]}) for half in (traced[:3], traced[3:])]
    assert phases(list(spans("\n".join(batches)))) == [1, 2, 4, 5, 8], "and nothing is left out"
