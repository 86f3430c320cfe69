"""`up` from an empty cluster until every host is served over HTTPS, verified; and what is measured of a stack then."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pytest

from sandbox.acme import STAGING
from sandbox.testing import ISTIO, ZONES, client, cloud_dns, eventually, items
from tests.bench.by_hand import ByHand
from tests.bench.conftest import GATEWAY_API, Bench, destroy, empty_cluster, hosts, log, suffix, timed
from tests.bench.figures import UP, UP_DNS01, UP_WITHOUT_ORDER, Figure
from tests.bench.flat_stack import planned
from tests.bench.load import measure_load
from tests.bench.test_preview import measure_no_change
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.bench

_SMALL = 2
_TIMEOUT = 1200
"""Seconds for one `up`."""
_AT_ONCE = 64
"""Resources that Pulumi makes at once: its default is 4 a core, and a resource that waits for its Order takes one."""


@pytest.mark.parametrize("grouping", ["shared", pytest.param(GATEWAY_API, id="gateway")])
def test_up_2(bench: Bench, grouping: str) -> None:
    stack, api = bench.stack("up-small", _SMALL, grouping), suffix(grouping)
    try:
        _measure_up(bench, stack, f"2 hosts{api}", _SMALL, runs=5, goal=1.25)
        measure_no_change(bench, stack, _SMALL, api)
        measure_load(bench, stack, str(hosts(1)[0]["host"]), api)
    finally:
        destroy(stack)


@pytest.mark.parametrize("grouping", ["shared", pytest.param(GATEWAY_API, id="gateway")])
@pytest.mark.parametrize("number", [pytest.param(30, id="up_30"), pytest.param(100, id="up_100")])
def test_up_many(bench: Bench, number: int, grouping: str) -> None:
    preview, number = number == 100, bench.hosts(number)
    stack, api = bench.stack(f"up-{number}", number, grouping), suffix(grouping)
    if api:
        stack.environment |= {"PULUMI_PARALLEL": str(_AT_ONCE)}
    try:
        _measure_up(bench, stack, f"{number} hosts, HTTP-01{api}", number, runs=3, goal=1.1)
        if preview:
            measure_no_change(bench, stack, number, api)
    finally:
        destroy(stack)


# A certificate for each of 1,000 hosts is not tried: it is five times as much of the same.
@pytest.mark.parametrize(
    ("grouping", "number"),
    [
        pytest.param("perHost", 200, id="scale_perhost"),
        pytest.param(GATEWAY_API, 200, id="scale_perhost_gateway"),
        pytest.param("shared", 1000, id="scale_shared"),
    ],
)
def test_up_dns01(bench: Bench, grouping: str, number: int) -> None:
    number = bench.hosts(number)
    stack = bench.stack(f"scale-{number}", number, grouping)
    stack.environment |= {"PULUMI_PARALLEL": str(_AT_ONCE), "PULUMI_SKIP_CHECKPOINTS": "true"}
    stack.configure(
        challenge="dns01", acme={"dnsZones": None, "waitInsteadOfSelfCheck": 1}, dns={"workloadIdentity": True}
    )
    log.info("up, %d hosts, DNS-01, %s", number, grouping)
    try:
        took = _until_served(partial(stack.up, timeout=_TIMEOUT), hosts(number)[-1:])
        certificates = len(items("certificates.cert-manager.io", ISTIO))
        name = f"{number:,} hosts, {grouping} ({certificates:,} certificates)"
        bench.record(Figure(UP_DNS01, name, [took], [order_seconds()]))
    finally:
        destroy(stack)
        _remove_text_records()


def _measure_up(bench: Bench, stack: Stack, name: str, number: int, runs: int, goal: float) -> None:
    """Record `up` of so many hosts beside the same by hand, in turns; the last time, the stack stays."""
    hand, runs = ByHand(planned(stack), bench.folder), bench.runs(runs)
    ours, floor, without_order, floor_without_order = [], [], [], []
    for run in range(runs):
        log.info("up: %s: by hand, %d of %d", name, run + 1, runs)
        took, order = _by_hand(hand, number)
        floor.append(took)
        floor_without_order.append(took - order)
        log.info("up: %s: ours, %d of %d", name, run + 1, runs)
        ours.append(_until_served(partial(stack.up, timeout=_TIMEOUT), hosts(number)))
        without_order.append(ours[-1] - order_seconds())
        if run + 1 < runs:
            destroy(stack)
    bench.record(Figure(UP, name, ours, floor, most_ratio=goal))
    bench.record(Figure(UP_WITHOUT_ORDER, name, without_order, floor_without_order))


def _by_hand(hand: ByHand, number: int) -> tuple[float, float]:
    """Return the seconds until so many hosts are served by hand, and those of their Orders; it leaves nothing."""
    try:
        return _until_served(hand.up, hosts(number)), order_seconds()
    finally:
        hand.down()
        empty_cluster()


def _until_served(up: Callable[[], object], awaited: Sequence[Mapping[str, object]]) -> float:
    """Return the seconds until these hosts are served."""

    def work() -> None:
        up()
        trust = client.trusting(STAGING)
        for host in awaited:
            eventually(f"{host['host']} is served", partial(client.served, str(host["host"]), trust))

    return timed(work)


def order_seconds() -> float:
    """Return the seconds from the first Order's creation until the last CertificateRequest is Ready."""
    orders = [order["metadata"]["creationTimestamp"] for order in items("orders.acme.cert-manager.io", ISTIO)]
    ready = [
        condition["lastTransitionTime"]
        for request in items("certificaterequests.cert-manager.io", ISTIO)
        for condition in request["status"]["conditions"]
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    return seconds_between(orders, ready)


def seconds_between(began: Sequence[str], ended: Sequence[str]) -> float:
    """Return the seconds from the earliest of some times to the latest of others, as Kubernetes writes them."""
    first, last = min(began), max(ended)
    return (datetime.datetime.fromisoformat(last) - datetime.datetime.fromisoformat(first)).total_seconds()


def _remove_text_records() -> None:
    """Remove TXT records that an interrupted challenge has left."""
    left = [record for record in cloud_dns("GET")["rrsets"] if record["type"] == "TXT"]
    if left:
        cloud_dns("POST", "/sandbox/changes", {"deletions": left}, below=ZONES)
