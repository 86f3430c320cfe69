"""Hostile configs: a few hundred of them, and a fault for each check to find."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from components.problem import Problem, ProblemsError
from config.models import Settings
from tests.faults.hostile import checks, payloads, rendered, shape
from tests.faults.hostile.strategies import BASE, CANARY, KEYS, Hostile, keyed
from tests.faults.test_hostile import play
from tests.unit.harness import VIRTUAL_SERVICE, Registered

GOOD = Problem("a.b", "is bad; accepted: c", ("pulumi config set --path a.b c",))


def test_hostile_configs_break_nothing() -> None:
    result = play(300, seed=1)

    assert result.broken == []
    assert result.configs == result.valid + result.refused == 300
    assert min(result.valid, result.refused) > 50, "both sides are seen"
    assert result.kinds > 100, "they are of many kinds"


def test_every_key_of_the_settings_is_attacked_and_accepts_its_good_value() -> None:
    paths = {".".join(str(part) for part in key.path) for key in KEYS}

    assert set(paths) >= {"gcp:project", "hosts.0.routes.0.headers.0.exact", "gateways.0.dns.challengeZone.zone"}
    assert {str(key.path[0]) for key in KEYS} == {field.alias or name for name, field in Settings.model_fields.items()}
    for key in KEYS:
        config: dict[str, Any] = {}
        shape.put(config, key.path)
        value: Any = config
        for part in key.path:
            value = value[part]
        TypeAdapter(key.annotation).validate_python(value)


def broken(check: Iterator[str]) -> str:
    return "; ".join(check)


@pytest.mark.parametrize(
    ("fix", "what"),
    [
        ("pulumi config set a $(id)", "is not quoted"),
        ("pulumi config set a 'x'; id", "is not quoted"),
        ('pulumi config set a "$(id)"', "the shell works out"),
        ("pulumi config set a b c", "a word too many"),
        ("pulumi config set a", "a word too many or too few"),
        ("pulumi config set a --config-file=b", "an option was added"),
        ("rm -rf x", "is no program of a fix"),
        ("pulumi config set a 'b", "is not quoted"),
    ],
)
def test_a_fix_that_a_shell_would_misread_is_found(fix: str, what: str) -> None:
    assert what in broken(checks.words([Problem("a", "is bad", (fix,))]))


@pytest.mark.parametrize(
    "fix",
    [
        "pulumi config rm --path 'hosts[0]' && pulumi config set --path a.b 'x; y'",
        "pulumi config rm a, or pulumi config set --path a.b $'x\\ny'",
        'pulumi config set --path acme.caBundle "$(cat ca.pem)"',
        "pulumi config set -- a --config-file=b",
        "pulumi config set --secret kubeconfig < KUBECONFIG",
        "pulumi config    # lists the keys",
    ],
)
def test_a_quoted_fix_is_accepted(fix: str) -> None:
    assert broken(checks.words([Problem("a", "is bad", (fix,))])) == ""


def test_a_bad_report_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Hostile({}, holds_secret=True)
    assert broken(checks.report(config, ProblemsError(GOOD, heading="x"))) == ""
    assert "a secret is shown" in broken(checks.report(config, ProblemsError(GOOD, heading=CANARY)))
    assert "no fix" in broken(checks.report(config, ProblemsError(Problem("a", "accepted: b"), heading="x")))
    assert "no accepted" in broken(checks.report(config, ProblemsError(Problem("a", "b", ("c",)), heading="x")))
    monkeypatch.setattr("components.problem.visible", str)
    shown = broken(checks.report(config, ProblemsError(Problem("a", "\x1b; accepted: b\n", ("c",)), heading="x")))
    assert "U+001B reached the terminal" in shown
    assert "added a line" in shown


def test_markup_that_the_terminal_would_obey_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = [Problem("a", f"{text} is bad") for text in payloads.MARKUP]
    assert broken(checks.printed(hostile)) == ""
    monkeypatch.setattr("tlsctl.printing.Text", lambda text: Plain(text))
    assert "the terminal shows something else" in broken(checks.printed([Problem("a", "[red]x[/red]")]))


class Plain(str):
    def stylize(self, *_: object) -> None: ...


def test_markdown_that_takes_effect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in payloads.MARKDOWN:
        assert broken(checks.commented(text)) == ""
    monkeypatch.setattr("deploy.ci.report._backticks", lambda _, minimum: "`" * minimum)
    assert "a comment has" in broken(checks.commented("```\n# heading"))


def registered(**inputs: Any) -> str:
    resource = Registered(VIRTUAL_SERVICE, "x", inputs, str(inputs), "", frozenset(), False, "", "", "", "")
    return broken(rendered._registered(resource, Hostile({}, frozenset({"x"}), holds_secret=True)))


def test_a_resource_that_its_consumer_would_misread_is_found() -> None:
    route = {"match": [{"uri": {"prefix": "/"}}], "headers": {"response": {"set": {"a": "b"}}}}
    assert registered(spec={"http": [route]}, metadata={"name": "x"}) == ""
    assert "has the name" in registered(spec={"http": []}, metadata={"name": "x\ny"})
    assert "a secret is in the state" in registered(spec={"http": []}, note=CANARY)
    assert "PromQL" in registered(spec={"http": []}, rules=[{"expr": 'x{a="b"c"}'}])
    assert "compares with" in registered(spec={"http": []}, rules=[{"expr": 'x{a="b c"}'}])
    for value in ("a\nb", "%REQ(cookie)%", ""):
        spec = {"http": [{**route, "headers": {"response": {"set": {"a": value}}}}]}
        assert "the header a" in registered(spec=spec), value
    assert "a route matches" in registered(spec={"http": [{"match": [{"uri": {"prefix": "/\u202e"}}]}]})


def test_a_program_that_accepts_a_refused_config_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Hostile(keyed(BASE, False))
    with rendered.scratch():
        assert broken(rendered.registers_nothing(good)) == "", "the settings accept it"
        monkeypatch.setattr("tests.faults.hostile.rendered.is_accepted", lambda *_: False)
        assert "takes a config that the settings refuse" in broken(rendered.registers_nothing(good))
    monkeypatch.setattr("tests.faults.test_hostile.read_settings", lambda *_, **__: 1 / 0)
    assert "ZeroDivisionError in place of a report" in play(2, seed=1).broken[0]
