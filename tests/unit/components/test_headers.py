"""Headers and paths: nothing that is taken can break out of where it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.routes import redirect_loop
from components.specs import headers


@given(st.text())
def test_a_value_that_is_taken_is_one_line_of_visible_ascii(text: str) -> None:
    try:
        taken = headers.value(text)
    except ValueError:
        return
    assert taken == text.strip(), "no space at an end"
    assert taken.isascii(), "other characters have no one encoding"
    assert taken.isprintable(), "no line ends in it, and no NUL"


@given(st.text())
def test_a_path_that_is_taken_can_be_the_path_of_a_request(text: str) -> None:
    try:
        taken = headers.path_prefix(f"/{text}")
    except ValueError:
        return
    assert taken.isascii(), "a request has it percent-encoded"
    assert taken.isprintable(), "no line ends in it, and no NUL"
    assert not set(taken) & set(" ?#"), "none of them is in the path of a request"


@given(st.text())
def test_no_variable_of_envoy_is_left_in_a_literal(text: str) -> None:
    assert headers.literal(text).replace("%%", "") == text.replace("%", ""), "every per cent sign is doubled"


@pytest.mark.parametrize(
    "name", ["", "x a", "x:a", ":status", "x\n", "größe", "x%a", "a" * 129, "@request.auth.claims"]
)
def test_a_name_that_is_no_header_s_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not the name of a header|has 129 characters"):
        headers.name(name)


@pytest.mark.parametrize(
    ("targets", "host", "loop"),
    [
        ({"www.a.dev": "a.dev", "a.dev": ""}, "www.a.dev", []),
        ({"www.a.dev": "elsewhere.dev"}, "www.a.dev", []),
        ({"a.dev": "b.dev", "b.dev": "a.dev"}, "a.dev", ["a.dev", "b.dev", "a.dev"]),
        ({"*.a.dev": "a.dev", "a.dev": ""}, "*.a.dev", []),
        ({"*.a.dev": "www.a.dev"}, "*.a.dev", ["*.a.dev", "www.a.dev"]),
        ({"*.a.dev": "www.a.dev", "www.a.dev": ""}, "*.a.dev", []),
    ],
)
def test_redirects_in_a_circle_are_found(targets: dict[str, str], host: str, loop: list[str]) -> None:
    assert redirect_loop(targets, host) == loop
