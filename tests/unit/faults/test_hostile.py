"""Hostile configs: a few hundred of them, and a fault for each check to find."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.problem import Problem, ProblemsError
from config.models import Settings
from tests.faults.hostile import checks, payloads, rendered, shape
from tests.faults.hostile.strategies import BASE, CANARY, KEYS, Hostile, keyed
from tests.faults.test_hostile import play
from tests.unit.harness import VIRTUAL_SERVICE, Registered

SECRET = Hostile({}, frozenset({"x"}), holds_secret=True)


def broken(check: Iterator[str]) -> str:
    return "; ".join(check)


def test_hostile_configs_break_nothing() -> None:
    result = play(300, seed=1)

    assert result.broken == []
    assert result.configs == result.valid + result.refused == 300
    assert min(result.valid, result.refused) > 50, "both sides are seen"
    assert result.kinds > 100, "they are of many kinds"


def test_every_key_of_the_settings_is_attacked_and_accepts_its_good_value() -> None:
    paths = {".".join(map(str, key.path)) for key in KEYS}

    assert paths >= {"gcp:project", "hosts.0.routes.0.headers.0.exact", "gateways.0.dns.challengeZone.zone"}
    assert {str(key.path[0]) for key in KEYS} == {field.alias or name for name, field in Settings.model_fields.items()}
    for key in KEYS:
        value: Any = {}
        shape.put(value, key.path)
        for part in key.path:
            value = value[part]
        assert shape.accepts(key.field, value), key.path


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
        ("pulumi config rm --path 'hosts[0]' && pulumi config set --path a.b 'x; y'", ""),
        ("pulumi config rm a, or pulumi config set --path a.b $'x\\ny'", ""),
        ('pulumi config set --path acme.caBundle "$(cat ca.pem)"', ""),
        ("pulumi config set -- a --config-file=b", ""),
        ("pulumi config set --secret kubeconfig < KUBECONFIG", ""),
    ],
)
def test_a_fix_that_a_shell_would_misread_is_found(fix: str, what: str) -> None:
    problems = broken(checks.words([Problem("a", "is bad", (fix,))]))
    assert what in problems if what else problems == ""


@pytest.mark.parametrize(
    ("heading", "problem", "what"),
    [
        ("x", Problem("a.b", "is bad; accepted: c", ("d",)), ""),
        (CANARY, Problem("a.b", "is bad; accepted: c", ("d",)), "a secret is shown"),
        ("x", Problem("a", "accepted: b"), "no fix"),
        ("x", Problem("a", "b", ("c",)), "no accepted"),
        ("x", Problem("a", "\x1b; accepted: b", ("c",)), "U+001B reached the terminal"),
        ("x", Problem("a", "accepted: b\n", ("c",)), "added a line"),
    ],
)
def test_a_bad_report_is_found(monkeypatch: pytest.MonkeyPatch, heading: str, problem: Problem, what: str) -> None:
    monkeypatch.setattr("components.problem.visible", str)
    problems = broken(checks.report(SECRET, ProblemsError(problem, heading=heading)))
    assert what in problems if what else problems == ""


class Plain(str):
    def stylize(self, *_: object) -> None: ...


def test_markup_and_markdown_that_take_effect_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert broken(checks.printed([Problem("a", text) for text in payloads.MARKUP])) == ""
    assert [broken(checks.commented(text)) for text in payloads.MARKDOWN if broken(checks.commented(text))] == []
    monkeypatch.setattr("tlsctl.printing.Text", lambda text: Plain(text))
    monkeypatch.setattr("deploy.ci.report._backticks", lambda _, minimum: "`" * minimum)
    assert "the terminal shows something else" in broken(checks.printed([Problem("a", "[red]x[/red]")]))
    assert "a comment has" in broken(checks.commented("```\n# heading"))


def header(value: str) -> dict[str, Any]:
    return {"spec": {"http": [{"headers": {"response": {"set": {"a": value}}}}]}}


NOTHING: dict[str, Any] = {"spec": {"http": []}}


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        (header("b") | {"metadata": {"name": "x"}}, ""),
        (NOTHING | {"metadata": {"name": "x\ny"}}, "has the name"),
        (NOTHING | {"note": CANARY}, "a secret is in the state"),
        (NOTHING | {"rules": [{"expr": 'x{a="b"c"}'}]}, "PromQL is not parsed"),
        (NOTHING | {"rules": [{"expr": 'x{a="b c"}'}]}, "compares with"),
        (header("a\nb"), "the header a"),
        (header("%REQ(cookie)%"), "the header a"),
        (header(""), "the header a"),
        ({"spec": {"http": [{"match": [{"uri": {"prefix": "/\u202e"}}]}]}}, "a route matches"),
    ],
)
def test_a_resource_that_its_consumer_would_misread_is_found(inputs: dict[str, Any], what: str) -> None:
    resource = Registered(VIRTUAL_SERVICE, "x", inputs, str(inputs), "", frozenset(), False, "", "", "")
    problems = broken(rendered._registered(resource, SECRET))
    assert what in problems if what else problems == ""


def test_a_program_that_accepts_a_refused_config_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Hostile(keyed(BASE, False))
    assert broken(rendered.registers_nothing(good)) == "", "the settings accept it"
    monkeypatch.setattr("tests.faults.hostile.rendered.is_accepted", lambda *_: False)
    assert "takes a config that the settings refuse" in broken(rendered.registers_nothing(good))
    monkeypatch.setattr("tests.faults.test_hostile.read_settings", lambda *_, **__: 1 / 0)
    assert "ZeroDivisionError in place of a report" in play(2, seed=1).broken[0]
