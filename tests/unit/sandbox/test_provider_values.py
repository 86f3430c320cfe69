"""Property values: a provider gets what the engine sends, and the engine what the provider returns."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.providers.values import UNKNOWN, Secret, from_struct, mask, to_struct

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def masks(value: Any) -> Any:
    return st.just(value) | st.just(Secret(value)) | st.just(UNKNOWN)


@given(st.dictionaries(st.text(max_size=3), PLAIN.flatmap(masks), max_size=4))
def test_values_come_back_as_they_were(properties: dict[str, Any]) -> None:
    assert from_struct(to_struct(properties)) == properties, "plain, secret and unknown values alike"


def test_outputs_are_masked_where_the_inputs_are_secret_and_only_there() -> None:
    outputs = {"data": {"open": "a", "hidden": "b"}, "list": ["c"], "uid": "1"}
    inputs = {"data": {"open": "a", "hidden": Secret("b")}, "list": [Secret("c")], "other": Secret("d")}
    masked = {"data": {"open": "a", "hidden": Secret("b")}, "list": Secret(["c"]), "uid": "1"}
    assert mask(outputs, inputs) == masked
