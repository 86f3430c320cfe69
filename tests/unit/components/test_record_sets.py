"""Record sets of others in the place of the stack's own."""

import pytest

from components.specs.record_sets import in_the_way

HOST, ELSEWHERE, OURS = "shop.a.test", "192.0.2.7", "192.0.2.1"
COMMANDS = {"take_over": "pulumi config set --path dns.takeOver"}


@pytest.mark.parametrize(
    ("there", "wanted", "what", "fix"),
    [
        ({(HOST, "A"): [ELSEWHERE]}, "A", f"leads to {ELSEWHERE}, where users are", "dns.takeOver true"),
        ({(HOST, "A"): [OURS, ELSEWHERE]}, "A", f"leads to {OURS}, {ELSEWHERE}", "dns.takeOver true"),
        (
            {(HOST, "CNAME"): ["lb.a.test."]},
            "A",
            "is a CNAME of lb.a.test.",
            "remove --zone zone-a --name shop",
        ),
        ({(HOST, "CNAME"): ["lb.a.test."]}, "AAAA", "is a CNAME of lb.a.test.", "AAAA ADDRESS"),
        ({(HOST, "TXT"): ["proof"]}, "CNAME", "has records of the type TXT", "delete shop.a.test. --zone zone-a"),
    ],
)
def test_what_is_there_is_named_with_the_way_out(
    there: dict[tuple[str, str], list[str]], wanted: str, what: str, fix: str
) -> None:
    (problem,) = in_the_way(there, [(HOST, wanted)], [OURS], "zone-a", commands=COMMANDS)
    assert problem.where == f"record set {HOST}. {wanted}"
    assert what in problem.what
    assert fix in "\n".join(problem.fix)


@pytest.mark.parametrize(
    ("there", "wanted", "values"),
    [
        ({}, "A", [OURS]),
        ({(HOST, "A"): [OURS]}, "A", [OURS]),
        ({(HOST, "A"): [ELSEWHERE]}, "A", None),
        ({(HOST, "A"): [ELSEWHERE]}, "AAAA", ["2001:db8::1"]),
        ({("other.a.test", "CNAME"): ["x."]}, "A", [OURS]),
        ({(HOST, "TXT"): ["v=spf1 -all"], (HOST, "CAA"): ['0 issue "a"']}, "A", [OURS]),
    ],
    ids=["nothing", "our address", "taken over", "another type", "another name", "types that may be beside it"],
)
def test_other_record_sets_are_in_nobodys_way(
    there: dict[tuple[str, str], list[str]], wanted: str, values: list[str] | None
) -> None:
    assert not list(in_the_way(there, [(HOST, wanted)], values, "zone-a"))
