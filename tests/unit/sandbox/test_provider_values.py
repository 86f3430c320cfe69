"""Property values: what the engine sends is what the provider sees, and back."""

from __future__ import annotations

from typing import Any

from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from sandbox.providers.values import UNKNOWN, Secret, Unknown, contains, from_struct, reveal, to_struct

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
SIGNATURE = "4dabf18193072939515e22adb298388d"


def masks(value: Any) -> Any:
    return st.just(value) | st.just(Secret(value)) | st.just(UNKNOWN)


@given(st.dictionaries(st.text(max_size=3), PLAIN.flatmap(masks), max_size=4))
def test_values_come_back_as_they_were(properties: dict[str, Any]) -> None:
    assert from_struct(to_struct(properties)) == properties, "plain, secret and unknown values alike"


def test_an_output_value_is_what_it_holds() -> None:
    def output(**more: Any) -> dict[str, Any]:
        return {SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4", **more}

    struct = Struct()
    struct.update({"known": output(value="a"), "secret": output(value="b", secret=True), "unknown": output()})
    expected = {"known": "a", "secret": Secret("b"), "unknown": UNKNOWN}
    assert from_struct(struct) == expected, "the three states of an output"


def test_secrets_and_unknowns_are_found_and_revealed_at_any_depth() -> None:
    hidden = {"list": [{"key": Secret({"inner": Secret("x")})}]}
    assert contains(hidden, Secret), "the secret is found"
    assert not contains(hidden, Unknown), "and no unknown"
    assert contains({"list": [Secret([UNKNOWN])]}, Unknown), "an unknown is found in a secret"
    assert reveal(hidden) == {"list": [{"key": {"inner": "x"}}]}, "no wrapper is left"
    assert hidden["list"][0]["key"] == Secret({"inner": Secret("x")}), "the original keeps its own"
