"""`up` from an empty cluster until every host is served over HTTPS, verified."""

import datetime
from collections.abc import Callable, Sequence
from functools import partial

from sandbox.acme import STAGING
from sandbox.testing import client, eventually, items
from tests.bench import load, previews
from tests.bench.by_hand import ByHand
from tests.bench.flat_stack import planned
from tests.bench.results import Figure, Goal
from tests.bench.runs import Bench, timed
from tests.bench.stacks import ISTIO, empty, empty_cluster, hosts, stack

GROUP = "`up` from an empty cluster"
_SMALL = 2
_BEYOND = "`up` from an empty cluster, without its Order"
_BEYOND_NOTE = (
    "What is left when the Order's own time is taken off: the start of Pulumi, the installation of "
    "cert-manager, before which nothing can be ordered, and what each host needs beside its challenge."
)
_QUICK = 4
"""How many hosts do in place of many."""
_TIMEOUT = 900
"""Seconds for one `up`."""
_BY_HAND = (
    "with 2 hosts, `helm install --wait` of the same chart and values, `kubectl apply` of the same objects, "
    "one request for all record sets, and `kubectl wait` for the same conditions; with more, the Order's own time, "
    "from its creation until its CertificateRequest is Ready, which the objects say in whole seconds"
)


def small(bench: Bench) -> None:
    """Measure `up` of two hosts beside the same by hand; then, with the stack up, previews and load."""
    ours = stack(bench, "up-small", _SMALL)
    hand = ByHand(planned(ours), bench.folder)
    taken: dict[str, list[float]] = {"ours": [], "by hand": []}
    beyond: list[float] = []
    rounds = bench.times(5)
    for number in range(rounds):
        bench.say(f"up, {_SMALL} hosts: by hand, {number + 1} of {rounds}")
        try:
            taken["by hand"].append(timed(lambda: _until_served(hand.up, _SMALL)))
            bench.by_hand.append(taken["by hand"][-1] - ordered())
        finally:
            hand.down()
            empty_cluster()
        bench.say(f"up, {_SMALL} hosts: ours, {number + 1} of {rounds}")
        taken["ours"].append(timed(lambda: _until_served(ours.up, _SMALL)))
        beyond.append(taken["ours"][-1] - ordered())
        if number + 1 < rounds:
            empty(ours)
    goal = Goal(ratio=1.25)
    bench.results.add(Figure(GROUP, "2 hosts", taken["ours"], taken["by hand"], _BY_HAND, goal=goal))
    bench.results.add(_beyond(bench, "2 hosts", beyond))
    try:
        previews.no_change(bench, ours, _SMALL)
        load.measure(bench, ours, str(hosts(1)[0]["host"]))
    finally:
        empty(ours)


def thirty(bench: Bench) -> None:
    """Measure `up` of 30 hosts."""
    _many(bench, 30)


def hundred(bench: Bench) -> None:
    """Measure `up` of 100 hosts, and a preview then."""
    _many(bench, 100, look=True)


def _many(bench: Bench, number: int, *, look: bool = False) -> None:
    number = min(number, _QUICK) if bench.quick else number
    ours = stack(bench, f"up-{number}", number)
    bench.say(f"up, {number} hosts")
    try:
        took = timed(lambda: _until_served(partial(ours.up, timeout=_TIMEOUT), number))
        order = ordered()
        what = f"{number} hosts, HTTP-01"
        bench.results.add(Figure(GROUP, what, [took], [order], _BY_HAND, goal=Goal(ratio=1.1)))
        bench.results.add(_beyond(bench, what, [took - order]))
        if look:
            previews.no_change(bench, ours, number)
    finally:
        empty(ours)


def _beyond(bench: Bench, what: str, ours: list[float]) -> Figure:
    return Figure(_BEYOND, what, ours, bench.by_hand, "2 hosts by hand, without their Order", note=_BEYOND_NOTE)


def _until_served(make: Callable[[], object], number: int) -> None:
    make()
    trust = client.trusting(STAGING)
    for each in hosts(number):
        host = str(each["host"])
        eventually(f"{host} is served", lambda host=host: client.served(host, trust))  # type: ignore[misc]


def ordered() -> float:
    """Return the seconds from the first Order's creation until the last CertificateRequest is Ready."""
    orders = [each["metadata"]["creationTimestamp"] for each in items("orders.acme.cert-manager.io", ISTIO)]
    ready = [
        condition["lastTransitionTime"]
        for each in items("certificaterequests.cert-manager.io", ISTIO)
        for condition in each["status"]["conditions"]
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    return between(orders, ready)


def between(began: Sequence[str], ended: Sequence[str]) -> float:
    """Return the seconds from the first of some times to the last of others, as Kubernetes writes them."""
    first, last = min(began), max(ended)
    return (datetime.datetime.fromisoformat(last) - datetime.datetime.fromisoformat(first)).total_seconds()
