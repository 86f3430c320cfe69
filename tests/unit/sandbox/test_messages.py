"""The messages between a sandbox and its command: the plan, events and the status."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from sandbox import messages
from sandbox.errors import SandboxError
from sandbox.messages import Doing, Done, Failed, PartStatus, Plan, Status, Up

EVENTS: list[messages.Event] = [Doing("etcd", 1, 2), Done("etcd", 1, 2, 0.5), Up(3.25), Failed("no\nluck")]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # The test has closed it.


def test_a_plan_arrives_as_it_was_made() -> None:
    modules = {"istio": Path("/m/istio"), "pebble": Path("/m/pebble")}
    plan = Plan({"etcd": Path("/opt/etcd")}, modules, Path("/home/me/.pulumi/plugins"), ("pulumi-resource-gcp",), True)
    assert Plan.load(plan.dump()) == plan, "paths are paths again"


def test_events_arrive_in_order_as_they_were_sent(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    for event in EVENTS:
        messages.write(writer, event)
    os.close(writer)
    assert list(messages.read(reader, timeout=5)) == EVENTS, "and the end of the writer ends them"


def test_a_missing_event_is_an_error(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    messages.write(writer, EVENTS[0])
    events = messages.read(reader, timeout=0.1)
    assert next(events) == EVENTS[0], "the first one came"
    with pytest.raises(SandboxError, match="no progress for 0 s"):
        next(events)


def test_a_status_arrives_as_it_was_sent() -> None:
    status = Status("x", "up", 9.5, 2**30, (Done("etcd", 1, 1, 0.5),), (PartStatus("etcd", 7, None, 0.4),), ("a",))
    assert Status.load(json.loads(json.dumps(asdict(status)))) == status, "as JSON"


@pytest.mark.parametrize("fields", [{}, {"name": "x", "state": "up", "steps": []}])
def test_the_status_of_another_version_is_an_error(fields: dict[str, object]) -> None:
    with pytest.raises(SandboxError, match="another version"):
        Status.load(fields)
