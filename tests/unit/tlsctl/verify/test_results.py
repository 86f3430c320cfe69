"""The graph of causes: one cause is one problem, and explains every failure that follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tlsctl.verify.support import SECRET, SHOP
from tlsctl.verify.checks import CHECKS
from tlsctl.verify.results import INGRESS, Report, failed, ok, skipped

API, DOCS = "api.acme.dev", "docs.acme.dev"
Failures = list[tuple[str, str]]


def report(failures: Failures) -> Report:
    """The report of failures, each a check and its subject."""
    results = [failed(check, subject, f"{check} is wrong", (f"fix {check}",)) for check, subject in failures]
    return Report(results, {SECRET: (SHOP, API)})


def of_shop(*checks: str) -> Failures:
    return [(check, SHOP) for check in checks]


EVERYTHING = [
    ("port-443", INGRESS), ("certificate", SECRET), ("secret", SECRET), ("record", SHOP), ("resolver", SHOP),
    *((check, host) for host in (SHOP, API) for check in ("handshake", "chain", "name", "expiry", "route", "hsts")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("failures", "problems"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(EVERYTHING, [("record", (SHOP,))], id="no record, so no certificate, no Secret and no port"),
        pytest.param(of_shop("service", "port-80", "redirect", "challenge"), [("service", (SHOP,))], id="no port 80"),
        pytest.param(
            of_shop("gateway", "handshake", "chain", "route", "hsts"), [("gateway", (SHOP,))], id="no such host"
        ),
        pytest.param(
            of_shop("issuer", "certificate", "secret", "expiry"), [("issuer", (SHOP,))], id="the ACME server refuses"
        ),
        pytest.param(of_shop("certificate", "expiry"), [("certificate", (SHOP,))], id="the renewal fails"),
        pytest.param(of_shop("protocols", "ciphers"), [("protocols", (SHOP,))], id="old versions have old suites"),
        pytest.param(of_shop("secret", "chain"), [("secret", (SHOP,))], id="another Secret"),
        pytest.param(of_shop("route", "hsts"), [("route", (SHOP,))], id="no application answers"),
        pytest.param(of_shop("record", "protocols"), [("record", (SHOP,)), ("protocols", (SHOP,))], id="two causes"),
        pytest.param(
            [("gateway", SHOP), ("handshake", API)],
            [("gateway", (SHOP,)), ("handshake", (API,))],
            id="a host does not explain another one",
        ),
        pytest.param(
            [("secret", SECRET), ("handshake", SHOP), ("handshake", DOCS)],
            [("secret", (SECRET,)), ("handshake", (DOCS,))],
            id="a certificate explains only its own hosts",
        ),
        pytest.param([("port-443", INGRESS), ("handshake", SHOP)], [("port-443", (INGRESS,))], id="shared by hosts"),
        pytest.param([("issuer", INGRESS), ("certificate", SECRET)], [("issuer", (INGRESS,))], id="by certificates"),
        pytest.param([("gateway", SHOP), ("port-443", INGRESS)], [("gateway", (SHOP,))], id="a host explains a port"),
        pytest.param(
            [("protocols", SHOP), ("protocols", API)], [("protocols", (SHOP, API))], id="the same on several hosts"
        ),
    ],
)
def test_only_causes_are_problems(failures: Failures, problems: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(problem.check, problem.subjects) for problem in report(failures).problems] == problems


def test_a_failure_of_one_gateway_does_not_explain_that_of_another() -> None:
    inside = f"{INGRESS} internal"
    of_shop, of_docs = failed("handshake", SHOP, "reset"), failed("handshake", DOCS, "reset")
    results = [ok("port-443", INGRESS, "open"), failed("port-443", inside, "closed"), of_shop, of_docs]
    seen = Report(results, {}, {inside: inside, DOCS: inside})
    assert [problem.where for problem in seen.because(of_docs)] == [f"port-443 ({inside})"]
    assert seen.because(of_shop) == []


def test_what_is_ok_or_skipped_is_no_problem_and_has_no_cause() -> None:
    redirect = ok("redirect", SHOP, "301")
    seen = Report([failed("gateway", SHOP, "another host"), redirect], {})
    assert seen.because(redirect) == [], "a redirect that works is not because of the Gateway"
    assert Report([redirect, skipped("hsts", SHOP, "")], {}).ok


@given(st.sets(st.sampled_from([(check, subject) for check in CHECKS for subject in (INGRESS, SECRET, SHOP, API)])))
def test_every_failure_is_a_problem_or_leads_to_one(failures: set[tuple[str, str]]) -> None:
    seen = report(sorted(failures))
    assert bool(seen.problems) == bool(failures)
    own = {(problem.check, subject) for problem in seen.problems for subject in problem.subjects}
    for result in seen.results:
        because = seen.because(result)
        assert all(problem in seen.problems for problem in because)
        assert bool(because) != ((result.check, result.subject) in own), "it leads to others, or is one itself"


def test_the_causes_of_a_check_are_checks_without_a_circle() -> None:
    def follow(check: str, seen: tuple[str, ...] = ()) -> None:
        assert check in CHECKS
        assert check not in seen, f"{check} explains itself: {seen}"
        for cause in CHECKS[check].because:
            follow(cause, (*seen, check))

    for check in CHECKS:
        follow(check)


def test_two_failures_of_one_check_and_subject_are_two_problems() -> None:
    both = [failed("service", INGRESS, f"has no port {port}", (f"add {port}",)) for port in (80, 443)]
    assert [problem.fix for problem in Report(both, {}).problems] == [("add 80",), ("add 443",)], "each with its fix"
