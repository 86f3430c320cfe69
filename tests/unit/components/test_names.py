"""Names: normalised or refused with a reason, covered by a wildcard or not."""

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.specs.names import (
    covers,
    dns_name,
    lies_in,
    matches,
    object_name,
    object_reference,
    stack_suffix,
)

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda label: label[2:4] != "--" and "domain" not in label
)
names = st.lists(labels, min_size=1, max_size=4).map(lambda parts: ".".join([*parts, "test"]))


@given(names)
def test_normalising_ignores_case_and_the_trailing_dot(name: str) -> None:
    assert dns_name(name.upper() + ".") == name


@given(st.text(max_size=300))
def test_any_text_is_a_normalised_name_or_refused_with_a_reason(text: str) -> None:
    try:
        name = dns_name(text)
    except ValueError as refused:
        name, reason = "", str(refused)
    if not name:
        assert reason.startswith(("is ", "has ", "lies ")), "the reason continues «key: value ...»"
        return
    assert dns_name(name) == name, "normalising twice changes nothing"
    assert name == name.lower()
    assert name.isascii()
    assert len(name) <= 253


@given(names, labels)
def test_a_zone_holds_itself_and_what_is_below_it_only(zone: str, label: str) -> None:
    assert all(lies_in(zone, host) for host in (zone, f"{label}.{zone}", f"*.{zone}", f"{label}.{zone}.".upper()))
    assert not lies_in(zone, f"{label}{zone}"), "ending alike is not lying below"


@pytest.mark.parametrize(
    ("name", "host", "covered"),
    [
        ("shop.x.test", "shop.x.test", True),
        ("*.x.test", "Shop.X.test", True),
        ("*.X.test.", "shop.x.test", True),
        ("*.x.test", "x.test", False),
        ("*.x.test", "a.shop.x.test", False),
        ("*.x.test", "*.x.test", True),
        ("*.x.test", "*.shop.x.test", False),
        ("shop.x.test", "*.x.test", False),
    ],
)
def test_a_wildcard_stands_for_one_label(name: str, host: str, covered: bool) -> None:
    assert covers(name, host) is covered


@pytest.mark.parametrize(
    ("name", "host", "taken"),
    [
        ("shop.x.test", "Shop.X.test.", True),
        ("*.x.test", "shop.x.test", True),
        ("*.x.test", "a.shop.x.test", True),
        ("*.x.test", "*.shop.x.test", True),
        ("*.x.test", "*.x.test", True),
        ("*.x.test", "x.test", False),
        ("*.x.test", "shopx.test", False),
        ("x.test", "shop.x.test", False),
        ("*.shop.x.test", "*.x.test", False),
    ],
)
def test_istio_gives_a_wildcard_the_names_of_any_number_of_labels(name: str, host: str, taken: bool) -> None:
    assert matches(name, host) is taken


def test_hosts_and_stacks_are_written_as_kubernetes_takes_names() -> None:
    assert object_name("shop.x.test") == "shop.x.test"
    assert object_name("*.x.test") == "x.test-wildcard"
    assert stack_suffix("Prod_EU.1") == "prod-eu-1"


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        *((name, True) for name in ("a", "istio-system/shop.acme.dev")),
        *((name, False) for name in ('a"} or vector(1) or x{a="', "a/b/c", "A", "", "/a", "a..b", "a\n")),
    ],
)
def test_a_reference_to_an_object_is_its_name_with_its_namespace_or_without(name: str, accepted: bool) -> None:
    with nullcontext() if accepted else pytest.raises(ValueError, match="is not NAME or NAMESPACE/NAME"):
        assert object_reference(name) == name
