"""`tlsctl verify`: what it prints, its exit codes, and how long it goes on."""

import json
from collections.abc import Callable

import pytest

from components.problem import Problem, ProblemsError
from tests.unit.tlsctl.verify.support import IP, SHOP, config, state
from tlsctl import __main__ as tlsctl
from tlsctl.reference import PAGE
from tlsctl.stack import Stack
from tlsctl.verify import command as verb
from tlsctl.verify import run
from tlsctl.verify.environment import environments
from tlsctl.verify.results import INGRESS, Report, Result

GOOD = Report([Result("record", SHOP, "ok", IP)], {})
BAD = Report([Result("record", SHOP, "failed", "points elsewhere", ("pulumi up --refresh",))], {})
COMMAND = ["verify", "--stack", "dev", "--config-file", "dev.yaml", "--resolver", "192.0.2.1"]
FIX = "pulumi up --stack dev --config-file dev.yaml --refresh"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    """What the next rounds see, in this order."""
    reports: list[Report] = []
    monkeypatch.setattr(verb, "read", lambda _: environments(state(), config(), "dev"))
    monkeypatch.setattr(run, "look", lambda *_: reports.pop(0))
    monkeypatch.setattr(verb, "PAUSE", 0.0)
    return reports


@pytest.mark.parametrize(("report", "code"), [(GOOD, 0), (BAD, 1)])
def test_the_exit_code_is_zero_only_if_all_is_ok(
    seen: list[Report], report: Report, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seen.append(report)
    assert tlsctl.main([*COMMAND, "--json"]) == code
    assert json.loads(capsys.readouterr().out)["ok"] is (code == 0), "and JSON says the same"


def test_an_interrupt_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Stack) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "read", interrupted)
    assert tlsctl.main(COMMAND) == 130


def test_people_read_the_problem_and_its_fix(seen: list[Report], capsys: pytest.CaptureFixture[str]) -> None:
    seen.append(BAD)
    tlsctl.main(COMMAND)
    printed = capsys.readouterr().out
    assert f"record ({SHOP}): points elsewhere\n    {FIX}\n" in printed, "the fix names stack and config file"
    assert "1 of 1 checks of the stack dev failed because of one problem." in printed


def test_machines_read_the_problem_and_its_fix(seen: list[Report], capsys: pytest.CaptureFixture[str]) -> None:
    seen.append(BAD)
    tlsctl.main([*COMMAND, "--json"])
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem == {
        "check": "record", "subjects": [SHOP], "where": f"record ({SHOP})", "what": "points elsewhere", "fix": [FIX],
    }  # fmt: skip


def test_what_a_failure_follows_from_is_said_beside_it(seen: list[Report], capsys: pytest.CaptureFixture[str]) -> None:
    seen.append(Report([*BAD.results, Result("resolver", SHOP, "failed", "no answer")], {}))
    tlsctl.main(COMMAND)
    assert f"no answer  because of record ({SHOP})" in capsys.readouterr().out


def test_many_hosts_that_are_ok_take_one_line(seen: list[Report], capsys: pytest.CaptureFixture[str]) -> None:
    hosts = [f"h{number}.acme.dev" for number in range(100)]
    results = [Result("record", host, "failed" if host == hosts[7] else "ok", IP) for host in hosts]
    seen.append(Report([Result("service", INGRESS, "ok", IP), *results], {}))
    tlsctl.main(COMMAND)
    printed = capsys.readouterr().out
    assert "✓ ingress, h0.acme.dev, h1.acme.dev and 97 more: every check is ok" in printed
    assert f"{hosts[7]}\n✗ record" in printed, "the one that failed is listed"


def test_watch_goes_on_until_all_is_ok(seen: list[Report]) -> None:
    seen += [BAD, BAD, GOOD, BAD]
    assert tlsctl.main([*COMMAND, "--json", "--watch"]) == 0
    assert seen == [BAD], "and no longer"


def test_watch_is_bounded(seen: list[Report]) -> None:
    seen += [BAD, BAD]
    assert tlsctl.main([*COMMAND, "--json", "--watch", "--timeout", "0"]) == 1


def unread(_: Stack) -> None:
    raise ProblemsError(Problem("stack dev", "is not deployed", ("pulumi up",)))


def read(_: Stack) -> object:
    return environments(state(), config(), "dev")


@pytest.mark.parametrize(
    ("reader", "options", "words"),
    [
        (unread, [], "stack dev is not deployed\n    pulumi up --stack dev --config-file dev.yaml\n"),
        (read, ["--resolver", "dns.google"], "--resolver: dns.google: "),
        (read, ["--ca", "/nonexistent.pem"], "--ca: /nonexistent.pem: No such file"),
    ],
)
def test_what_keeps_it_from_checking_is_a_problem_on_the_standard_error(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reader: Callable[[Stack], object],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.setattr(verb, "read", reader)
    assert tlsctl.main([*COMMAND, *options]) == 2, "nothing was checked"
    printed = capsys.readouterr()
    assert words in printed.err
    assert not printed.out, "what is read by machines stays empty"


def test_machines_read_what_keeps_it_from_checking(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "read", unread)
    assert tlsctl.main([*COMMAND, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["checks"]) == (False, []), "the same shape"
    assert document["problems"][0]["check"] is None, "it is the problem of no check"
    assert document["problems"][0]["fix"] == ["pulumi up --stack dev --config-file dev.yaml"]


def test_the_json_of_the_docs_has_the_keys_of_the_real_one(
    seen: list[Report], capsys: pytest.CaptureFixture[str]
) -> None:
    seen.append(BAD)
    tlsctl.main([*COMMAND, "--json"])
    real = json.loads(capsys.readouterr().out)
    shown = json.loads(PAGE.read_text().split("```json\n")[1].split("```")[0])
    assert shown.keys() == real.keys()
    for entries in ("problems", "checks"):
        assert shown[entries][0].keys() == real[entries][0].keys(), entries
