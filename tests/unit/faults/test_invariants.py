"""Each invariant finds its violations."""

from pathlib import Path

from tests.faults import invariants
from tests.faults.invariants import GRACE, Ended, LogScan, Outage
from tests.faults.watching import Sample


def ended(code: int = 0, printed: str = "", seconds: float = 1.0) -> Ended:
    return Ended("up", code, printed, seconds, bound=10.0)


def test_a_failed_request_counts_unless_the_gateway_was_away() -> None:
    failed = [Sample(5.0, 5.1, "refused")]
    assert invariants.requests_are_answered([Sample(5.0, 5.1)], None) == []
    assert invariants.requests_are_answered(failed, None) == ["1 of 1 requests failed, the first with refused"]
    assert invariants.requests_are_answered(failed, Outage(4.0, 6.0)) == [], "it could not be answered"
    assert invariants.requests_are_answered(failed, Outage(5.2, 6.0)), "it failed before the kill"
    assert invariants.requests_are_answered(failed, Outage(1.0, 4.9 - GRACE)), "the gateway was long back"


def test_a_failure_names_its_cause_and_has_no_traceback() -> None:
    assert invariants.cause_is_named([ended(1, "error: etcdserver is away")], "etcdserver") == []
    assert invariants.cause_is_named([ended(1, "error: 42")], "etcdserver"), "the cause is missing"
    assert invariants.cause_is_named([ended(0, "Traceback (most recent call last)")], "etcdserver")
    assert invariants.cause_is_named([ended(-9)], "etcdserver") == [], "a killed command prints nothing"


def test_a_failure_is_shown_by_the_line_that_names_its_cause() -> None:
    printed = "error: etcdserver is slow\n  error: etcdserver is away\nend"
    assert invariants.naming(ended(1, printed), "etcdserver") == "error: etcdserver is away"
    assert invariants.naming(ended(0, printed), "etcdserver") == "", "nothing failed"
    long = invariants.naming(ended(1, f"{'a' * 200} no space {'b' * 200}"), "no space")
    assert (len(long), "no space" in long) == (130, True), "of a long line, what is around it"
    assert invariants.naming(ended(1, "error: 42"), "etcdserver") == ""


def test_a_failure_is_quoted_from_pulumis_diagnostics() -> None:
    printed = (
        "Updating:\nDiagnostics:\n  a:\n    warning: using pulumi-x from $PATH\n    error: 42\n\nResources:\n    1"
    )
    assert invariants.tail(printed) == "a: | error: 42"
    assert invariants.tail("one\n\n  two\n") == "one | two"


def test_a_command_over_its_bound_is_named() -> None:
    assert invariants.ends_in_its_bound([ended(seconds=11.0), ended()]) == ["up took 11 s of at most 10"]


def test_a_secret_is_found_in_a_log_also_if_it_was_written_in_two_parts(tmp_path: Path) -> None:
    log, scan = tmp_path / "a.log", LogScan([tmp_path])
    log.write_text("begin hun")
    shown = [(str(path), text) for path, text in scan.news()]
    assert invariants.no_secret_is_shown([("the key", "hunter2")], shown) == []
    log.write_text("begin hunter2")
    shown = [(str(path), text) for path, text in scan.news()]
    assert invariants.no_secret_is_shown([("the key", "hunter2")], shown) == [f"the key is in {log}"]
