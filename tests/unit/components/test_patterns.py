"""Regular expressions that Python and RE2 read in the same way, and rewrites by their groups."""

import re

import pytest

from components.specs.patterns import group_count, last_group, path_regex, rewrite


@pytest.mark.parametrize(
    "regex",
    [
        r"/v[0-9]+/.*", r"(?i)/a(/|$)(.*)", r"/x\.(?:php|html)", r"/\d{4}/\w+", "/[^/]+",
        "/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ],
)  # fmt: skip
def test_what_both_read_is_accepted(regex: str) -> None:
    assert path_regex(regex) == regex


@pytest.mark.parametrize(
    ("regex", "reason"),
    [
        ("/(", "is not a regular expression"),
        ("/(?=a)", "begins with (?"),
        ("/(?P<a>b)", "begins with (?"),
        ("/a++", "possessive"),
        (r"/(a)\1", r"has \1"),
        (r"/a\Z", r"has \Z"),
        ("/a\\", "has \\,"),
        ("/[[:alpha:]]", "by name"),
        ("/a{,5}", "without its lowest"),
        ("/a b", "not visible ASCII"),
        ("/a{1001}", "more than 1000"),
        ("/a{1001,}", "more than 1000"),
        ("/(a{100}){100}", "more than 1000"),
        ("/" + 1024 * "a", "at most 1024"),
    ],
)
def test_what_envoy_refuses_or_reads_in_another_way_is_refused(regex: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        path_regex(regex)


def test_a_rewrite_names_groups_by_a_digit() -> None:
    assert (last_group(rewrite(r"/a/\2/\1")), last_group("/a"), group_count(r"(?i)/a(/|$)(?:b)(.*)")) == (2, 0, 2)
    for text in (r"/\0", r"/\a", "/a\\", "a", "/a?b=c"):
        with pytest.raises(ValueError, match=r"backslash|path"):
            rewrite(text)
