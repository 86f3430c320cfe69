"""Whole stack configs: a good one, with some of its keys made hostile."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from config.production import PROJECT
from config.reading import read_settings
from tests.faults.hostile import payloads, shape
from tests.faults.hostile.shape import Key, Path

KEYS = tuple(shape.keys())
FOREIGN = {str(key.path[0]) for key in KEYS if ":" in str(key.path[0])}
"""Keys of another namespace than the project's."""

BASE: dict[str, Any] = {
    "gcp:project": "platform",
    "acme": {"email": "platform@sandbox.test", "issuer": "staging"},
    "dns": {"zone": "sandbox"},
    "hosts": [{"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}],
}
"""A config that is accepted."""

CANARY = "hunter2canary"
"""The beginning of every secret value, which no report may hold."""
CANARY_NUMBER = 48_151_623
"""A secret that is a number."""


@dataclass
class Hostile:
    """A config.

    Attributes:
        config: As it is given to the settings, by full keys.
        secret: The full keys that are encrypted.
        done: What was made of the good config, in words.
        holds_secret: Whether a secret value is somewhere in it.
        secret_is_name: Whether that is where the name of an object belongs, which no state hides.
    """

    config: dict[str, Any]
    secret: frozenset[str] = frozenset()
    done: list[str] = field(default_factory=list)
    holds_secret: bool = False
    secret_is_name: bool = False


def _new(*documents: str) -> st.SearchStrategy[Any]:
    """Draw one of some JSON documents, made anew: what an attack does to it is not there for the next one."""
    return st.sampled_from(documents).map(json.loads)


_texts = st.sampled_from(payloads.TEXTS)
_inner = st.sampled_from(payloads.INNER)
_odd: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(payloads.NUMBERS),
    st.none(),
    _new(
        "[]", "{}", "[[]]", "[null]", '{"": ""}', '{"a": null}', "[{}, {}]", '["x"]', '{"x": {"y": [1, {"z": null}]}}'
    ),
    st.builds(payloads.nested, st.sampled_from([3, 30, 100, 900, 3000]), st.sampled_from(["list", "object"])),
    st.text(max_size=6),
)
_values = st.one_of(_texts, _texts, _odd)
_ways = st.sampled_from(["replace", "replace", "around", "around", "delete", "unknown", "misspelt", "double", "raw"])


@st.composite
def configs(draw: st.DrawFn) -> Hostile:
    """Draw a config: some keys set to what they accept, some made hostile, some of it secret.

    One of four takes only what the settings accept, so that what is made of it is seen as well.
    """
    mild = draw(st.sampled_from([True, False, False, False]))
    plain = copy.deepcopy(BASE)
    done: list[str] = []
    secret, hides, named = frozenset[str](), False, False
    for step in draw(_mild_steps if mild else _steps):
        tried = copy.deepcopy(plain) if mild else plain
        hidden = secret
        if step == "set":
            key = draw(st.sampled_from(KEYS))
            _prepare(tried, key.path)
            said = f"{_named(key.path)} set"
        elif step == "attack":
            said = _attack(draw, tried, draw(st.sampled_from(KEYS)))
        else:
            key = draw(st.sampled_from(KEYS))
            hidden, said = _hide(draw, tried, key)
            named = key.name
        if mild and not is_accepted(keyed(tried, encoded=False), hidden):
            continue
        plain, secret, hides = tried, hidden, hides or step == "hide"
        done.append(said)
    return Hostile(keyed(plain, draw(st.booleans())), secret, done, hides, named)


_steps = st.builds(
    lambda sets, attacks, hide: ["set"] * sets + ["attack"] * attacks + ["hide"] * hide,
    st.integers(0, 3), st.integers(1, 2), st.integers(0, 1),
)  # fmt: skip
_mild_steps = st.builds(
    lambda sets, attacks, hide: ["set"] * sets + ["attack"] * attacks + ["hide"] * hide,
    st.integers(1, 3), st.integers(2, 5), st.integers(0, 1),
)  # fmt: skip


def is_accepted(config: dict[str, Any], secret: frozenset[str]) -> bool:
    """Return whether the settings take a config of full keys."""
    try:
        read_settings(config, "dev", secret=secret)
    except Exception:
        return False  # whatever it was: those that are not mild meet it as well
    return True


def keyed(config: dict[str, Any], encoded: bool) -> dict[str, Any]:
    """Return a config by full keys, as the settings take it."""
    full = {key if key in FOREIGN else f"{PROJECT}:{key}": value for key, value in config.items()}
    return {key: _encoded(value) for key, value in full.items()} if encoded else full


def _attack(draw: st.DrawFn, config: dict[str, Any], key: Key) -> str:
    """Make one key hostile, and return what was done."""
    way, where = draw(_ways), _named(key.path)
    value: Any
    if way == "raw":
        config[str(key.path[0])] = value = draw(st.sampled_from(payloads.RAW))
        return f"{key.path[0]} is the text {value[:60]!r}"
    _prepare(config, key.path)
    parent, last = _parent(config, key.path)
    if parent is None:
        return f"{where} is out of reach"
    if way == "delete":
        del parent[last]
        return f"{where} deleted"
    if way in ("unknown", "misspelt"):
        name = (
            draw(_texts) if way == "unknown" else f"{str(last)[:-1]}{draw(st.sampled_from(['', 'x', '.', '$', ' ']))}"
        )
        parent[name] = value = draw(_values)
        return f"{where} has beside it {_cut(name)} with {_cut(value)}"
    there = parent[last]
    if way == "double" and isinstance(there, list) and there:
        there.append(there[0])
        return f"the first of {where} doubled"
    if way == "around" and isinstance(there, str):
        text, at = draw(_inner), draw(st.sampled_from([0, 2, len(there)]))
        parent[last] = value = there[:at] + text + there[at:]
    elif way == "around" and isinstance(there, dict):
        parent[last] = value = {draw(_inner): draw(_values), **there, "b": draw(_values)}
    elif way == "around" and isinstance(there, list):
        parent[last] = value = [*there, draw(_values)]
    else:
        parent[last] = value = draw(_values)
    return f"{where} is {_cut(value)}"


def _hide(draw: st.DrawFn, config: dict[str, Any], key: Key) -> tuple[frozenset[str], str]:
    """Put a secret value somewhere, where it belongs or not; return the keys that are encrypted by it."""
    _prepare(config, key.path)
    parent, last = _parent(config, key.path)
    if parent is None:
        return frozenset(), "no secret"
    value = draw(
        st.one_of(
            st.builds(lambda more: CANARY + more, _inner),
            st.just(CANARY),
            st.just(CANARY_NUMBER),
            _new(*(json.dumps(each) for each in ([CANARY], {"a": CANARY}, {"a": [{"b": CANARY}]}))),
        )
    )
    beside = draw(st.sampled_from(["in its place", "in its place", "beside it", "misspelt"]))
    name = {"in its place": last, "beside it": "unknown", "misspelt": f"{last}x"}[beside]
    parent[name if isinstance(parent, dict) else last] = value
    top = str(key.path[0])
    # What is never shown need not be encrypted for that.
    if key.hidden and beside == "in its place" and draw(st.booleans()):
        return frozenset(), f"{_named(key.path)} is a secret in plain text"
    if len(key.path) == 1 and beside != "in its place":
        top = str(name)
    return frozenset([top if top in FOREIGN else f"{PROJECT}:{top}"]), f"a secret {_named(key.path)}, {beside}"


def _prepare(config: dict[str, Any], path: Path) -> None:
    try:
        shape.put(config, path)
    except (TypeError, KeyError, IndexError, AttributeError):
        return  # an earlier attack has taken the way to it


def _parent(config: dict[str, Any], path: Path) -> tuple[Any, Any]:
    """Return what holds a key, and its name there; None where an earlier attack is in the way."""
    at: Any = config
    for part in path[:-1]:
        try:
            at = at[part]
        except (TypeError, KeyError, IndexError):
            return None, None
    held = isinstance(at, dict) and path[-1] in at
    return (at, path[-1]) if held else (None, None)


def _encoded(value: Any) -> Any:
    """Return a value as the engine hands it over: objects as JSON, the rest as text."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except RecursionError:
        return value


def _named(path: Path) -> str:
    return ".".join(map(str, path))


def _cut(value: Any) -> str:
    try:
        return ascii(value)[:80]
    except (RecursionError, ValueError):
        return "too deep or too long to be shown"
