"""Which record sets external-dns owns, by the names that its mapper gives TXT records (registry/mapper of v0.22.0)."""

import pytest

from components.specs.external_dns import Owner, handover, owners
from tlsctl.adopt.zone import owned

MADE = '"heritage=external-dns,external-dns/owner=prod,external-dns/resource=virtualservice/shop/shop"'
SHOP = ("shop.a.test", "A")
WILD = ("*.a.test", "A")


def zone(txt: str, *sets: tuple[str, str]) -> dict[tuple[str, str], list[str]]:
    """A zone with a TXT record of external-dns's, and these record sets."""
    return {(txt, "TXT"): [MADE], **{key: ["192.0.2.1"] for key in sets}}


@pytest.mark.parametrize(
    ("txt", "key"),
    [
        ("shop.a.test", SHOP),
        ("a-shop.a.test", SHOP),
        ("aaaa-shop.a.test", ("shop.a.test", "AAAA")),
        ("cname-shop.a.test", ("shop.a.test", "CNAME")),
        ("edns-a-shop.a.test", SHOP),
        ("ednsa-shop.a.test", SHOP),
        ("txt.a-shop.a.test", SHOP),
        ("a-txt.shop.a.test", SHOP),
        ("a-shop-txt.a.test", SHOP),
        ("shop-a-txt.a.test", SHOP),
        ("a-any.a.test", WILD),
        ("*.a.test", WILD),
    ],
)
def test_a_txt_record_owns_a_set_whatever_prefix_or_suffix_it_has(txt: str, key: tuple[str, str]) -> None:
    assert [owner.resource for owner in owners(zone(txt, key), {key})[key]] == ["virtualservice/shop/shop"]


@pytest.mark.parametrize(
    ("txt", "of"),
    [
        ("a-my-shop.a.test", ("my-shop.a.test", "A")),
        ("a-extra-shop.a.test", ("extra-shop.a.test", "A")),
        ("a-shop-eu.a.test", ("shop-eu.a.test", "A")),
        ("a-any.a.test", ("any.a.test", "A")),
        ("aaaa-shop.a.test", ("shop.a.test", "AAAA")),
    ],
)
def test_a_txt_record_of_another_set_owns_none_of_ours(txt: str, of: tuple[str, str]) -> None:
    assert owners(zone(txt, SHOP, WILD, of), {SHOP, WILD}) == {}


def test_a_txt_record_of_somebody_else_owns_nothing() -> None:
    for value in ('"v=spf1 -all"', '"heritage=cert-manager,external-dns/owner=x"', '"external-dns/owner=x"'):
        assert Owner.read("shop.a.test.", [value]) is None


def test_every_txt_record_goes_before_any_object_is_annotated_and_the_older_form_first() -> None:
    listed = [
        {"name": name, "type": kind, "rrdatas": [value]}
        for name, kind, value in [
            ("a-shop.a.test.", "TXT", MADE),
            ("shop.a.test.", "TXT", MADE),
            ("shop.a.test.", "A", "192.0.2.1"),
            ("a-blog.a.test.", "TXT", MADE),
            ("blog.a.test.", "A", "192.0.2.1"),
        ]
    ]
    (problem,) = owned(listed, ["shop.a.test", "blog.a.test"], "zone-a", "project-a")
    assert "shop.a.test. A" in problem.where
    assert "blog.a.test. A" in problem.where
    assert "owner id prod, for virtualservice/shop/shop" in problem.what
    words = [line.split()[:5] for line in problem.fix]
    deleted = [name for *command, name in words[:3] if command == ["gcloud", "dns", "record-sets", "delete"]]
    assert deleted.index("shop.a.test.") < deleted.index("a-shop.a.test.")
    assert "a-blog.a.test." in deleted
    assert words[3][:4] == ["kubectl", "--namespace", "shop", "annotate"], "once for the one object"
    assert len(words) == 5


def test_other_values_of_the_txt_record_are_kept() -> None:
    owner = Owner.read("shop.a.test.", ['"v=spf1 -all"', MADE])
    assert owner is not None
    (release, *_) = handover({SHOP: [owner]}, "zone-a").fix
    assert release.startswith("gcloud dns record-sets update shop.a.test. --zone zone-a --type TXT --rrdatas '\"v=spf1")


def test_a_txt_record_of_aaaa_owns_no_a_record() -> None:
    assert owners(zone("aaaa-shop.a.test", SHOP) | zone("edns-aaaa-shop.a.test", SHOP), {SHOP}) == {}


@pytest.mark.parametrize("txt", ["a-my.shop.a.test", "a-blog-shop.a.test", "edns-a-shop.a.test"])
def test_what_is_left_of_another_set_does_not_own_one_that_is_to_be_made(txt: str) -> None:
    assert owners(zone(txt), {SHOP}) == {}


@pytest.mark.parametrize("txt", ["shop.a.test", "a-shop.a.test"])
def test_a_set_that_is_to_be_made_is_owned_by_the_default_names(txt: str) -> None:
    assert list(owners(zone(txt), {SHOP})) == [SHOP], "external-dns would take it for its own"
