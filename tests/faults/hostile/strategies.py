"""Whole stack configs: a good one, with some of its keys made hostile."""

import copy
import json
import reprlib
from dataclasses import dataclass
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
"""The beginning of every secret text, which no report may hold."""
CANARY_NUMBER = 48_151_623
"""A secret that is a number."""


@dataclass
class Hostile:
    """A config.

    Attributes:
        config: The config that the settings get, by full keys.
        secret: The full keys that are encrypted.
        holds_secret: Whether a secret value is somewhere in it.
        secret_is_name: Whether the secret is at the name of an object, which no state hides.
    """

    config: dict[str, Any]
    secret: frozenset[str] = frozenset()
    holds_secret: bool = False
    secret_is_name: bool = False

    def __str__(self) -> str:
        """Show the keys that differ from those of the good config, cut short."""
        good, cut = keyed(BASE, encoded=False), reprlib.Repr()
        cut.maxstring = cut.maxother = 80
        return cut.repr({key: value for key, value in self.config.items() if good.get(key) != value})


def _new(*documents: str) -> st.SearchStrategy[Any]:
    """Draw a value from JSON documents, decoded each time: an attack may change it."""
    return st.sampled_from(documents).map(json.loads)


_texts = st.sampled_from(payloads.TEXTS)
_inner = st.sampled_from(payloads.INNER)
_values: st.SearchStrategy[Any] = st.one_of(
    _texts,
    _texts,
    st.sampled_from(payloads.NUMBERS),
    st.none(),
    _new(
        "[]", "{}", "[[]]", "[null]", '{"": ""}', '{"a": null}', "[{}, {}]", '["x"]', '{"x": {"y": [1, {"z": null}]}}'
    ),
    st.builds(payloads.nested, st.sampled_from([3, 30, 100, 900, 3000]), st.sampled_from(["list", "object"])),
    st.text(max_size=6),
)
_ways = st.sampled_from(["replace", "replace", "around", "around", "delete", "unknown", "misspelt", "double", "raw"])
_secrets = st.one_of(
    st.builds(lambda more: CANARY + more, _inner),
    st.just(CANARY),
    st.just(CANARY_NUMBER),
    _new(*(json.dumps(value) for value in ([CANARY], {"a": CANARY}, {"a": [{"b": CANARY}]}))),
)


@st.composite
def configs(draw: st.DrawFn) -> Hostile:
    """Draw a config: some keys set to values that they accept, some made hostile, some of it secret.

    One in four keeps only the changes that the settings accept, so that the program's resources are examined as well.
    """
    mild = draw(st.sampled_from([True, False, False, False]))
    sets, attacks = draw(st.integers(int(mild), 3)), draw(st.integers(2, 5) if mild else st.integers(1, 2))
    hides = draw(st.integers(0, 1))
    hostile = Hostile(copy.deepcopy(BASE))
    for step in ["set"] * sets + ["attack"] * attacks + ["hide"] * hides:
        tried = copy.deepcopy(hostile) if mild else hostile
        key = draw(st.sampled_from(KEYS))
        if step == "set":
            _put(tried.config, key.path)
        elif step == "attack":
            _attack(draw, tried.config, key)
        else:
            _hide(draw, tried, key)
        if not mild or is_accepted(keyed(tried.config, encoded=False), tried.secret):
            hostile = tried
    hostile.config = keyed(hostile.config, draw(st.booleans()))
    return hostile


def is_accepted(config: dict[str, Any], secret: frozenset[str]) -> bool:
    """Return whether the settings accept a config of full keys."""
    try:
        read_settings(config, "dev", secret=secret)
    except Exception:
        return False  # Any other exception than a report is noticed with the configs that are not mild.
    return True


def keyed(config: dict[str, Any], encoded: bool) -> dict[str, Any]:
    """Return a config by full keys, as the settings get it; encoded as the engine does."""
    full = {key if key in FOREIGN else f"{PROJECT}:{key}": value for key, value in config.items()}
    return {key: _encoded(value) for key, value in full.items()} if encoded else full


def _attack(draw: st.DrawFn, config: dict[str, Any], key: Key) -> None:
    """Make a key hostile."""
    way = draw(_ways)
    if way == "raw":
        config[str(key.path[0])] = draw(st.sampled_from(payloads.RAW))
        return
    parent, last = _put(config, key.path), key.path[-1]
    if parent is None:
        return
    value = parent[last]
    if way == "delete":
        del parent[last]
    elif way == "unknown":
        parent[draw(_texts)] = draw(_values)
    elif way == "misspelt":
        parent[f"{str(last)[:-1]}{draw(st.sampled_from(['', 'x', '.', '$', ' ']))}"] = draw(_values)
    elif way == "double" and isinstance(value, list) and value:
        value.append(value[0])
    elif way == "around" and isinstance(value, str):
        at = draw(st.sampled_from([0, 2, len(value)]))
        parent[last] = value[:at] + draw(_inner) + value[at:]
    elif way == "around" and isinstance(value, dict):
        parent[last] = {draw(_inner): draw(_values), **value, "b": draw(_values)}
    elif way == "around" and isinstance(value, list):
        parent[last] = [*value, draw(_values)]
    else:
        parent[last] = draw(_values)


def _hide(draw: st.DrawFn, hostile: Hostile, key: Key) -> None:
    """Put a secret value somewhere, where it belongs or not, and encrypt the key that then holds it."""
    hostile.holds_secret, hostile.secret_is_name = True, key.name
    parent, last = _put(hostile.config, key.path), key.path[-1]
    if parent is None:
        return
    place = draw(st.sampled_from(["instead", "instead", "beside", "misspelt"]))
    name = {"instead": last, "beside": "unknown", "misspelt": f"{last}x"}[place]
    parent[name] = draw(_secrets)
    # A value that is never shown need not be encrypted.
    if not key.field.repr and place == "instead" and draw(st.booleans()):
        return
    top = str(name if len(key.path) == 1 else key.path[0])
    hostile.secret = frozenset([top if top in FOREIGN else f"{PROJECT}:{top}"])


def _put(config: dict[str, Any], path: Path) -> Any:
    """Set a key to a good value, and return the section that holds it; None if an earlier attack has replaced it."""
    try:
        return shape.put(config, path)
    except (TypeError, KeyError, IndexError, AttributeError):
        return None


def _encoded(value: Any) -> Any:
    """Return a value as the engine passes it: texts as they are, the rest as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except RecursionError:
        return value
