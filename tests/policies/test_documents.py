"""JSON and YAML of any origin: what is read, and the bounds."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import RULES
from policies.documents import MAX_LENGTH, UnreadableError, parse
from tests.policies.support import advice, findings, kubernetes

DEEP = {
    "lists": "a: " + "[" * 100_000,
    "mappings": "{a: " * 100_000,
    "lists in blocks": "a:\n" + "- " * 100_000,
    "keys in blocks": "a:\n" + "? " * 100_000,
    "JSON": "[" * 100_000 + "]" * 100_000,
    "JSON that Python still reads": "[" * 200 + "]" * 200,
    "aliases": "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)),
    "merge keys": "a0: &a0 {k: v}\n" + "\n".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)),
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_a_deep_text_is_not_read(text: str) -> None:
    with pytest.raises(UnreadableError, match="too many values within each other"):
        parse(text)


def test_a_long_text_is_not_read() -> None:
    with pytest.raises(UnreadableError, match=f"longer than {MAX_LENGTH} characters"):
        parse("a" * (MAX_LENGTH + 1))


READ: dict[str, tuple[str, Any]] = {
    "a tag that nothing knows": ("a: !x b", [{"a": "b"}]),
    "a number of any length": ("a: " + "9" * 5000, [{"a": "9" * 5000}]),
    "a mapping as a key": ("{[a]: b, c: d}", [{0: ["a"], 1: "b", "c": "d"}]),
    "what comes before a mistake": ("a: b\n---\n{c: [d", [{"a": "b"}, {"c": ["d"]}]),
    "a lone surrogate": ("a: \ud800b", [{"a": "b"}]),
    "an alias": ("a: &x [b]\nc: *x", [{"a": ["b"], "c": ["b"]}]),
    "an alias of itself": ("a: &x [*x, b]", [{"a": [None, "b"]}]),
    "JSON that is no YAML": ('{"' + "a" * 2000 + '": "\\ud83d\\ude00"}', {"a" * 2000: "😀"}),
}


@pytest.mark.parametrize(("text", "value"), READ.values(), ids=READ)
def test_everything_else_is_read(text: str, value: Any) -> None:
    assert parse(text) == value


@given(
    st.recursive(st.none() | st.booleans() | st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part))
)
@settings(deadline=None)
def test_json_is_read_as_it_is(value: Any) -> None:
    assert parse(json.dumps(value)) == value


@given(st.text(alphabet="ab:-?*&!<>|[]{}#'\" \n\t\\%@,0\x00"))
@settings(deadline=None)
def test_no_text_is_too_much(text: str) -> None:
    parse(text)


def test_no_rule_fails_for_properties_that_are_nested_deeper_than_the_engine_can_send() -> None:
    # The limit of a message of protobuf is 49 lists.
    lists: Any = {}
    for _ in range(400):
        lists = {"apiVersion": "v1", "kind": "List", "items": [lists]}
    deep = kubernetes("core/v1:List", **lists)
    assert [findings(rule.policy(), deep) for rule in RULES] == [[]] * len(RULES)
    assert advice(deep) == []
