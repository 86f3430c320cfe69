"""What would let `make faults` pass although something broke: a kill that misses, a cause too wide, a blind check."""

import os
import random
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import recording
from tests.faults import draw, invariants, page
from tests.faults.invariants import GRACE, NO_CAUSE, Ended, LogScan, Outage
from tests.faults.player import Player
from tests.faults.scenarios import SCENARIOS
from tests.faults.scenarios_acme import two_in_three
from tests.faults.stage import Course
from tests.faults.victims import CAUSES, processes
from tests.faults.watching import Sample

DICE = random.Random(1)  # noqa: S311 - no secret


def ended(code: int = 0, printed: str = "", seconds: float = 1.0) -> Ended:
    return Ended("up", code, printed, seconds, bound=10.0)


def test_docs_show_the_recorded_results() -> None:
    reports, text = recording.read(page.FILE), page.PAGE.read_text()
    assert text == page.page(reports), "python -m tests.faults.page"
    assert page.NOT_MEASURED not in text
    played = recording.recorded(reports, "scenario")
    assert [one["name"] for one in played] == [scenario.name for scenario in SCENARIOS], "each scenario was played"
    for one in played:
        assert f"| `{one['name']}` | {one['outcome']} |" in text
    rounds = recording.recorded(reports, "round")
    through = sum(one["outcome"] == "went through" for one in rounds)
    assert f"| all | {len(rounds)} | {through} |" in text


def test_every_part_is_killed_in_each_cycle_while_its_operation_runs() -> None:
    size = len(draw.VICTIMS)
    assert {draw.draw(3, number).victim for number in range(1, 1 + size)} == set(draw.VICTIMS) == set(CAUSES)
    for drawn in (draw.draw(1, number) for number in range(1, 500)):
        assert 0 <= drawn.after <= draw.OPERATIONS[drawn.operation], "it would be over"
        assert drawn.operation != "renewal" or drawn.victim not in (draw.ENGINE, draw.LANGUAGE_HOST)


def test_a_process_in_a_session_of_its_own_is_found_by_its_parent() -> None:
    # The engine starts its plugins like this.
    pipe = subprocess.PIPE
    with subprocess.Popen(["cat", "-"], stdin=pipe, stdout=pipe, start_new_session=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"x")
        child.stdin.flush()
        child.stdout.read(1)  # Its arguments are in /proc only when it runs.
        assert child.pid in processes("cat", "-", parent=os.getpid())
        assert child.pid not in processes("cat", "--"), "with other arguments it is another process"
        assert child.pid not in processes("cat", "-", parent=child.pid)
        child.stdin.close()


# Only the API server talks to etcd, and the ACME server asks DNS, so one failure may name both.
CONTROL_PLANE, NAMES = {draw.API_SERVER, draw.ETCD}, {draw.ACME, draw.DNS}
ALWAYS = """Updating (faults):
Diagnostics:
  pulumi:pulumi:Stack (faults):
    warning: using pulumi-language-python from $PATH at /bin/pulumi-language-python
    error: an unhandled error occurred: program exited with non-zero exit code: 1

Outputs:
  - issuer                : "letsencrypt-staging-istio"
"""


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("error: failed to discover package requirements: error reading from server: EOF", {draw.LANGUAGE_HOST}),
        ("transport: Error while dialing: dial tcp 127.0.0.1:34887: connection refused", {draw.LANGUAGE_HOST}),
        ("HTTPSConnection(host='10.244.0.1', port=6443): Connection refused", CONTROL_PLANE),
        ("failed to read resource state due to unreachable cluster.", CONTROL_PLANE),
        ("HTTPSConnectionPool(host='10.244.0.1', port=6443): Read timed out.", CONTROL_PLANE),
        ("cannot reach Cloud DNS at http://127.0.0.1:8053/dns/v1/: Connection refused", NAMES),
        ("letsencrypt-staging-istio has an account that the ACME server does not know", NAMES),
        (ALWAYS, set()),
    ],
)
def test_a_failure_names_the_part_that_was_killed_and_no_other(words: str, parts: set[str]) -> None:
    naming = {part for part, cause in CAUSES.items() if not invariants.cause_is_named([ended(1, words)], cause)}
    assert naming == parts or (naming and naming < parts)


def test_the_failure_of_a_scenario_is_not_mistaken_for_that_of_another() -> None:
    causes = [scenario.cause for scenario in SCENARIOS if scenario.cause]
    for cause in causes:
        assert [other for other in ("", *causes) if re.search(cause, other.replace("\\", ""))] == [cause]


def test_two_in_three_nonces_are_rejected() -> None:
    rejects = two_in_three(DICE)
    assert sum(rejects(f"/order/{number % 2}") for number in range(300)) == 200


@pytest.mark.parametrize(
    ("cause", "code", "printed", "broken"),
    [
        ("no space left", 1, "a\n  error: no space left\nb", ""),
        ("no space left", 0, "ok", "up had to fail, but went through: ok"),
        ("no space left", 1, "error: 42", "up failed without naming the cause: error: 42"),
        ("", 0, "ok", ""),
        ("", 1, "error: 42", "up had to go through, but failed: error: 42"),
    ],
)
def test_an_operation_has_to_end_as_the_scenario_says(
    monkeypatch: pytest.MonkeyPatch, cause: str, code: int, printed: str, broken: str
) -> None:
    monkeypatch.setattr(Player, "_repair", lambda *_: [])
    project: Any = SimpleNamespace(watch=None)
    course = Course(project, over=1.0)
    how = {"has_to_fail": bool(cause), "watched": False}
    played = Player(project, []).play(course, iter([ended(code, printed)]), cause or NO_CAUSE, **how)
    assert "; ".join(played.broken[:1]) == broken


def test_a_failed_request_counts_unless_the_gateway_was_away() -> None:
    failed = [Sample(5.0, 5.1, "refused")]
    assert invariants.requests_are_answered([Sample(5.0, 5.1)], None) == []
    assert invariants.requests_are_answered(failed, None) == ["1 of 1 requests failed, the first with refused"]
    assert invariants.requests_are_answered(failed, Outage(4.0, 6.0)) == [], "it could not be answered"
    assert invariants.requests_are_answered(failed, Outage(5.2, 6.0)), "it failed before the kill"
    assert invariants.requests_are_answered(failed, Outage(1.0, 4.9 - GRACE)), "the gateway was long back"


def test_a_traceback_and_a_command_over_its_bound_are_found() -> None:
    assert invariants.cause_is_named([ended(0, "Traceback (most recent call last)")], "etcdserver")
    assert invariants.cause_is_named([ended(-9)], "etcdserver") == [], "a killed command prints nothing"
    assert invariants.ends_in_its_bound([ended(seconds=11.0), ended()]) == ["up took 11 s of at most 10"]


def test_a_secret_is_found_in_a_log_also_if_it_was_written_in_two_parts(tmp_path: Path) -> None:
    log, scan = tmp_path / "a.log", LogScan([tmp_path])
    for text, broken in (("begin hun", []), ("begin hunter2", [f"the key is in {log}"])):
        log.write_text(text)
        shown = [(str(path), news) for path, news in scan.news()]
        assert invariants.no_secret_is_shown([("the key", "hunter2")], shown) == broken
