"""`tlsctl verify`: what it prints, and its exit codes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.problem import Problem, ProblemsError
from tests.unit.tlsctl.verify.support import IP, SHOP, config, state
from tlsctl import __main__ as tlsctl
from tlsctl.reference import PAGE
from tlsctl.stack import Stack
from tlsctl.verify import command as verb
from tlsctl.verify import run
from tlsctl.verify.environment import environments
from tlsctl.verify.results import INGRESS, Report, failed, ok

GOOD = Report([ok("record", SHOP, IP)], {})
BAD = Report([failed("record", SHOP, "points elsewhere", ("pulumi up --refresh",))], {})
COMMAND = ["verify", "--stack", "dev", "--config-file", "dev.yaml", "--resolver", "192.0.2.1"]
FIX = "pulumi up --stack dev --config-file dev.yaml --refresh"


def read(_: Stack) -> object:
    return environments(state(), config(), "dev")


def unread(_: Stack) -> None:
    raise ProblemsError(Problem("stack dev", "is not deployed", ("pulumi up",)))


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command with a report, and return its output."""
    monkeypatch.setattr(verb, "read", read)

    def run_with(report: Report, *options: str) -> str:
        monkeypatch.setattr(run, "look", lambda *_: report)
        assert tlsctl.main([*COMMAND, *options]) == (0 if report.ok else 1), "only 0 if all is ok"
        return capsys.readouterr().out

    return run_with


def test_people_read_the_problem_and_its_fix(printed: Callable[..., str]) -> None:
    output = printed(BAD)
    assert f"record ({SHOP}): points elsewhere\n    {FIX}\n" in output, "the fix names stack and config file"
    assert "1 of 1 checks of the stack dev failed because of one problem." in output


def test_machines_read_the_same_with_the_keys_of_the_docs(printed: Callable[..., str]) -> None:
    assert json.loads(printed(GOOD, "--json"))["ok"]
    real = json.loads(printed(BAD, "--json"))
    assert not real["ok"]
    assert real["problems"] == [
        {"check": "record", "subjects": [SHOP], "where": f"record ({SHOP})", "what": "points elsewhere", "fix": [FIX]}
    ]
    shown: dict[str, Any] = json.loads(PAGE.read_text().split("```json\n")[1].split("```")[0])
    assert shown.keys() == real.keys()
    for entries in ("problems", "checks"):
        assert shown[entries][0].keys() == real[entries][0].keys(), entries


def test_the_cause_of_a_failure_is_shown_beside_it(printed: Callable[..., str]) -> None:
    report = Report([*BAD.results, failed("resolver", SHOP, "no answer")], {})
    assert f"no answer  because of record ({SHOP})" in printed(report)


def test_many_hosts_that_are_ok_take_one_line(printed: Callable[..., str]) -> None:
    hosts = [f"h{number}.acme.dev" for number in range(100)]
    results = [failed("record", host, IP) if host == hosts[7] else ok("record", host, IP) for host in hosts]
    output = printed(Report([ok("service", INGRESS, IP), *results], {}))
    assert "✓ ingress, h0.acme.dev, h1.acme.dev and 97 more: every check is ok" in output
    assert f"{hosts[7]}\n✗ record" in output, "the one that failed is listed"


def test_an_interrupt_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Stack) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "read", interrupted)
    assert tlsctl.main(COMMAND) == 130


@pytest.mark.parametrize(
    ("reader", "options", "text"),
    [
        (unread, [], "stack dev is not deployed\n    pulumi up --stack dev --config-file dev.yaml\n"),
        (read, ["--resolver", "dns.google"], "--resolver: dns.google: "),
        (read, ["--ca", "/nonexistent.pem"], "--ca: /nonexistent.pem: No such file"),
    ],
)
def test_what_prevents_the_checks_is_a_problem_on_the_standard_error(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reader: Callable[[Stack], object],
    options: list[str],
    text: str,
) -> None:
    monkeypatch.setattr(verb, "read", reader)
    assert tlsctl.main([*COMMAND, *options]) == 2, "nothing was checked"
    output = capsys.readouterr()
    assert text in output.err
    assert not output.out, "what machines read stays empty"


def test_machines_read_what_prevents_the_checks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "read", unread)
    assert tlsctl.main([*COMMAND, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["checks"]) == (False, []), "the same shape"
    (problem,) = document["problems"]
    assert (problem["check"], problem["fix"]) == (None, ["pulumi up --stack dev --config-file dev.yaml"])
