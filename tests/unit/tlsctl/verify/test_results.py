"""The graph of causes: one cause is one problem, however much follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tlsctl.verify.support import SECRET, SHOP
from tlsctl.verify.checks import CHECKS
from tlsctl.verify.results import INGRESS, Report, Result, State

API = "api.acme.dev"


def report(*failed: tuple[str, str]) -> Report:
    """What follows when these fail, each a check and its subject."""
    results = [Result(check, subject, "failed", f"{check} is wrong", (f"fix {check}",)) for check, subject in failed]
    return Report(results, {SECRET: (SHOP, API)})


def found(*failed: tuple[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    return [(problem.check, problem.subjects) for problem in report(*failed).problems]


def test_nothing_that_fails_is_no_problem() -> None:
    both: list[State] = ["ok", "skipped"]
    seen = Report([Result("record", SHOP, state, "") for state in both], {})
    assert seen.ok, "what is skipped is no failure"
    assert seen.problems == [], "and no problem"


def test_no_port_because_no_secret_because_no_certificate_because_of_the_record_is_one_problem() -> None:
    everything = (
        ("port-443", INGRESS), ("certificate", SECRET), ("secret", SECRET),
        ("record", SHOP), ("resolver", SHOP),
        *((check, host) for host in (SHOP, API) for check in ("handshake", "chain", "name", "expiry", "route", "hsts")),
    )  # fmt: skip
    assert found(*everything) == [("record", (SHOP,))], "the record alone is left unexplained"


@pytest.mark.parametrize(
    ("failed", "cause"),
    [
        pytest.param(["service", "port-80", "redirect", "challenge"], "service", id="the Service has no port 80"),
        pytest.param(["gateway", "handshake", "chain", "route", "hsts"], "gateway", id="the Gateway has no such host"),
        pytest.param(["record", "certificate", "secret"], "record", id="the ACME server looks elsewhere"),
        pytest.param(["issuer", "certificate", "secret", "expiry"], "issuer", id="the ACME server refuses"),
        pytest.param(["certificate", "expiry"], "certificate", id="the renewal fails"),
        pytest.param(["protocols", "ciphers"], "protocols", id="old versions bring old suites"),
        pytest.param(["secret", "chain"], "secret", id="the Secret is another one"),
        pytest.param(["route", "hsts"], "route", id="no application answers"),
    ],
)
def test_what_follows_is_not_a_problem_of_its_own(failed: list[str], cause: str) -> None:
    assert [check for check, _ in found(*((check, SHOP) for check in failed))] == [cause]


def test_what_is_ok_has_no_cause_whatever_fails_around_it() -> None:
    redirect = Result("redirect", SHOP, "ok", "301")
    seen = Report([Result("gateway", SHOP, "failed", "another host"), redirect], {})
    assert seen.because(redirect) == [], "a redirect that works is not because of the Gateway"


def test_two_causes_are_two_problems() -> None:
    assert found(("record", SHOP), ("protocols", SHOP)) == [("record", (SHOP,)), ("protocols", (SHOP,))]


def test_a_host_does_not_explain_another_one() -> None:
    assert found(("gateway", SHOP), ("handshake", API)) == [("gateway", (SHOP,)), ("handshake", (API,))]


def test_a_certificate_explains_its_hosts_and_no_others() -> None:
    other = "docs.acme.dev"
    assert found(("secret", SECRET), ("handshake", SHOP), ("handshake", other)) == [
        ("secret", (SECRET,)),
        ("handshake", (other,)),
    ]


def test_what_all_hosts_share_explains_each_of_them() -> None:
    assert found(("port-443", INGRESS), ("handshake", SHOP)) == [("port-443", (INGRESS,))]
    assert found(("issuer", INGRESS), ("certificate", SECRET)) == [("issuer", (INGRESS,))]


def test_a_host_explains_what_all_hosts_share() -> None:
    assert found(("gateway", SHOP), ("port-443", INGRESS)) == [("gateway", (SHOP,))]


def test_the_same_on_several_hosts_is_one_problem() -> None:
    assert found(("protocols", SHOP), ("protocols", API)) == [("protocols", (SHOP, API))]


@given(st.sets(st.sampled_from([(check, subject) for check in CHECKS for subject in (INGRESS, SECRET, SHOP, API)])))
def test_every_failure_is_a_problem_or_leads_to_one(failed: set[tuple[str, str]]) -> None:
    seen = report(*sorted(failed))
    assert bool(seen.problems) == bool(failed), "something fails, so something is named"
    itself = {(each.check, subject) for each in seen.problems for subject in each.subjects}
    for result in seen.results:
        because = seen.because(result)
        assert all(problem in seen.problems for problem in because), "a failure leads to problems only"
        assert bool(because) != ((result.check, result.subject) in itself), "or it is one itself"


def test_a_cause_is_a_check_and_none_is_its_own() -> None:
    def above(check: str, seen: tuple[str, ...] = ()) -> None:
        assert check in CHECKS, f"{check} is a check"
        assert check not in seen, f"{check} explains itself: {seen}"
        for cause in CHECKS[check].because:
            above(cause, (*seen, check))

    for check in CHECKS:
        above(check)


def test_what_is_wrong_twice_with_one_subject_is_two_problems() -> None:
    both = [Result("service", INGRESS, "failed", f"has no port {port}", (f"add {port}",)) for port in (80, 443)]
    assert [each.fix for each in Report(both, {}).problems] == [("add 80",), ("add 443",)], "each with its fix"


def test_a_problem_names_a_few_of_its_subjects_and_knows_all() -> None:
    hosts = [f"h{number}.acme.dev" for number in range(1000)]
    (problem,) = Report([Result("record", host, "failed", "no answer") for host in hosts], {}).problems
    assert problem.where == "record (h0.acme.dev, h1.acme.dev, h2.acme.dev and 997 more)"
    assert problem.subjects == tuple(hosts)
