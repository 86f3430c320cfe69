"""The results of all checks, and the problems among them.

Every check is made, even where another one has failed. A failure is then traced along `Check.because` to the failures
that explain it. A failure that no other one explains is a problem, so one cause is reported as one problem.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from components.problem import Problem
from tlsctl.verify.checks import CHECKS

State = Literal["ok", "failed", "skipped"]

INGRESS = "ingress"
"""The subject of checks that concern every host of a gateway. The name of one of the stack's other gateways follows."""

_NAMED = 3
"""Subjects that one line names; there may be a thousand."""


@dataclass(frozen=True)
class Result:
    """What one check found out about one subject."""

    check: str
    """A key of `CHECKS`."""
    subject: str
    """A host, a Certificate, or `INGRESS`."""
    state: State
    """`skipped` where the check does not apply or cannot be made from here; that is no failure."""
    detail: str
    fix: tuple[str, ...] = ()
    """Commands in order; a failure that another one explains needs none."""


def ok(check: str, subject: str, detail: str) -> Result:
    """Return the result of a check that is ok."""
    return Result(check, subject, "ok", detail)


def failed(check: str, subject: str, detail: str, fix: Iterable[str] = ()) -> Result:
    """Return the result of a check that failed; `Environment.failed` adds the usual fix."""
    return Result(check, subject, "failed", detail, tuple(fix))


def skipped(check: str, subject: str, detail: str) -> Result:
    """Return the result of a check that was not made."""
    return Result(check, subject, "skipped", detail)


@dataclass(frozen=True, kw_only=True)
class CheckProblem(Problem):
    """A failed check that no other failure explains."""

    check: str
    subjects: tuple[str, ...]
    """Every subject that failed in the same way."""


@dataclass(frozen=True)
class Report:
    """All results, and the problems that follow from them."""

    results: Sequence[Result]
    certificates: Mapping[str, Sequence[str]]
    """The hosts of each Certificate: they relate the two kinds of subject."""
    shared: Mapping[str, str] = field(default_factory=dict)
    """For each subject the `INGRESS` subject of its gateway; `INGRESS` itself is the default."""
    _explanations: dict[Result, list[CheckProblem]] = field(default_factory=dict, init=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not any(self._failed.values())

    @cached_property
    def problems(self) -> Sequence[CheckProblem]:
        """Every failure that no other one explains; the same failure of several subjects is one problem."""
        return list(dict.fromkeys(self._problems.values()))

    def because(self, result: Result) -> list[CheckProblem]:
        """Return the problems that explain a failure; none if it is a problem itself."""
        if result not in self._explanations:
            causes = self._direct_causes(result)
            problems = (problem for cause in causes for problem in self.because(cause) or [self._problems[cause]])
            self._explanations[result] = list(dict.fromkeys(problems))
        return self._explanations[result]

    @cached_property
    def _problems(self) -> Mapping[Result, CheckProblem]:
        """The problem of each failure that no other one explains."""
        alike: dict[Result, list[Result]] = {}
        for result in self.results:
            if result.state == "failed" and not self._direct_causes(result):
                alike.setdefault(replace(result, subject=""), []).append(result)
        problems: dict[Result, CheckProblem] = {}
        for same, results in alike.items():
            subjects = tuple(result.subject for result in results)
            where = f"{same.check} ({some(subjects)})"
            problem = CheckProblem(where, same.detail, same.fix, check=same.check, subjects=subjects)
            problems |= dict.fromkeys(results, problem)
        return problems

    @cached_property
    def _failed(self) -> Mapping[str, Mapping[str, Sequence[Result]]]:
        """The failures of each check by subject, so that thousands of hosts are not searched for each of them."""
        failures: dict[str, dict[str, list[Result]]] = {check: {} for check in CHECKS}
        for result in self.results:
            if result.state == "failed":
                failures[result.check].setdefault(result.subject, []).append(result)
        return failures

    @cached_property
    def _certificates_of(self) -> Mapping[str, Sequence[str]]:
        certificates: dict[str, list[str]] = {}
        for name, hosts in self.certificates.items():
            for host in hosts:
                certificates.setdefault(host, []).append(name)
        return certificates

    def _direct_causes(self, result: Result) -> list[Result]:
        if result.state != "failed":
            return []
        subject = result.subject
        shared = self.shared.get(subject, INGRESS)
        related = (subject, shared, *self.certificates.get(subject, ()), *self._certificates_of.get(subject, ()))
        return [
            cause
            for check in CHECKS[result.check].because
            for other in dict.fromkeys(self._failed[check] if subject == shared else related)
            for cause in self._failed[check].get(other, ())
        ]


def some(subjects: Sequence[str]) -> str:
    """Name subjects in a line: the first ones, and how many more there are."""
    more = len(subjects) - _NAMED
    return ", ".join(subjects[:_NAMED]) + (f" and {more} more" if more > 0 else "")
