"""The command line: what it reads of a stack, and how it says that it cannot."""

import json
from typing import Any

import pytest

from tests.unit.verify.support import IP, SECRET, SHOP, config, state
from verify import __main__ as command
from verify import cluster
from verify.checks import Report, Result
from verify.environment import Environment, UnreadableError, environment, probe_name

HELD = Report([Result("record", SHOP, "ok", IP)], {})
BROKEN = Report([Result("record", SHOP, "failed", "points elsewhere", ("pulumi up",))], {})


def test_a_stack_is_read_from_its_state_and_its_config() -> None:
    read = environment(state(kubeconfig="~/.kube/config"), config())
    assert (read.stack, read.ip, read.hosts) == ("dev", IP, (SHOP,))
    assert read.certificates == {SECRET: (SHOP,)}, "as the program divides the hosts"
    assert read.kubeconfig == "~/.kube/config", "the cluster is the one that the stack was deployed to"


def test_a_kubeconfig_that_is_a_secret_of_the_stack_is_read() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47", "plaintext": json.dumps("apiVersion: v1\n")}
    assert environment(state(kubeconfig=secret), config()).kubeconfig == "apiVersion: v1\n"


@pytest.mark.parametrize(
    ("given", "settings", "words"),
    [
        pytest.param({"deployment": {}}, config(), "is not deployed: it has no outputs\n    pulumi up", id="new"),
        pytest.param(state(ingressIp=None), config(), "is not deployed", id="failed midway"),
        pytest.param(state(dnsRecords={"x": IP}), config(), f"not deployed: {SHOP}\n    pulumi up", id="a new host"),
        pytest.param(
            state(), config(challenge="x"), 'has a problem:\n  challenge: "x" is not accepted', id="bad config"
        ),
    ],
)
def test_a_stack_that_cannot_be_looked_at_is_refused_with_the_command(
    given: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnreadableError) as refused:
        environment(given, settings)
    assert words in str(refused.value)


def test_a_wildcard_is_asked_for_by_a_name_that_it_stands_for() -> None:
    assert probe_name("*.acme.dev") == "verify.acme.dev"


def test_a_cluster_that_does_not_answer_is_no_failure() -> None:
    server = "https://127.0.0.1:1"
    content = {
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
        "users": [{"name": "x", "user": {}}],
    }
    (result,) = cluster.look(environment(state(kubeconfig=json.dumps(content)), config()))
    assert (result.check, result.state) == ("cluster", "skipped"), "verify goes on from outside"
    assert result.detail.startswith(f"not read from here: {server} does not answer")


def test_a_context_that_is_not_there_is_no_failure() -> None:
    (result,) = cluster.look(environment(state(kubeconfig="/nonexistent"), config()))
    assert (result.check, result.state) == ("cluster", "skipped")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    """What the next looks see, in this order."""
    reports: list[Report] = []
    monkeypatch.setattr(command, "read", lambda *_: environment(state(), config()))
    monkeypatch.setattr(command, "look", lambda *_: reports.pop(0))
    monkeypatch.setattr(command, "_PAUSE", 0.0)
    return reports


@pytest.mark.parametrize(("report", "code"), [(HELD, 0), (BROKEN, 1)])
def test_the_exit_code_is_zero_only_when_all_holds(
    seen: list[Report], report: Report, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seen.append(report)
    assert command.main(["--resolver", "192.0.2.1", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["ok"] is (code == 0), "and JSON says the same"


def test_people_read_the_cause_and_the_command(seen: list[Report], capsys: pytest.CaptureFixture[str]) -> None:
    seen.append(BROKEN)
    command.main(["--resolver", "192.0.2.1"])
    printed = capsys.readouterr().out
    assert f"record ({SHOP}): points elsewhere\n    pulumi up\n" in printed
    assert "1 of 1 checks of the stack dev fail, from one cause." in printed


def test_watch_looks_again_until_all_holds(seen: list[Report]) -> None:
    seen += [BROKEN, BROKEN, HELD, BROKEN]
    assert command.main(["--resolver", "192.0.2.1", "--json", "--watch"]) == 0
    assert seen == [BROKEN], "and no longer"


def test_watch_is_bounded(seen: list[Report]) -> None:
    seen += [BROKEN, BROKEN]
    assert command.main(["--resolver", "192.0.2.1", "--json", "--watch", "--timeout", "0"]) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resolver", "dns.google"], "error: --resolver dns.google:"),
        (["--resolver", "192.0.2.1", "--ca", "/nonexistent.pem"], "error: --ca /nonexistent.pem: No such file"),
    ],
)
def test_an_option_that_cannot_be_used_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    def read(*_: object) -> Environment:
        return environment(state(), config())

    monkeypatch.setattr(command, "read", read)
    assert command.main(options) == 2, "nothing was looked at"
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed
