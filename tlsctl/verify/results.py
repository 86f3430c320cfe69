"""What the checks saw, and the problems among it.

Every check is made, whatever became of the others. A failure is then traced along `because` to the failures that
explain it. A failure that no other explains is a problem: one cause is one problem, however much follows from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from components.problem import Problem
from tlsctl.verify.checks import CHECKS

State = Literal["ok", "failed", "skipped"]

INGRESS = "ingress"
"""The subject of what all hosts share; of another gateway than the stack's own, its name follows."""

_NAMED = 3
"""Subjects that a line names; there may be a thousand."""


@dataclass(frozen=True)
class Result:
    """What one check saw of one subject."""

    check: str
    """A key of `CHECKS`."""
    subject: str
    """A host, a Certificate, or `INGRESS`."""
    state: State
    """Skipped is what does not apply, or cannot be read from here; it is no failure."""
    detail: str
    """What was seen."""
    fix: tuple[str, ...] = ()
    """Commands, in order; a failure that others explain needs none."""


@dataclass(frozen=True, kw_only=True)
class CheckProblem(Problem):
    """A failed check that no other failure explains."""

    check: str
    subjects: tuple[str, ...]
    """More than one where the same was seen of several."""


@dataclass(frozen=True)
class Report:
    """All results, and what follows from them."""

    results: Sequence[Result]
    certificates: Mapping[str, Sequence[str]]
    """The hosts of each Certificate: what ties the two kinds of subject together."""
    shared: Mapping[str, str] = field(default_factory=dict)
    """What the hosts of a gateway share, for each of its subjects; `INGRESS` where it is not given."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not any(self._failed.values())

    @cached_property
    def problems(self) -> Sequence[CheckProblem]:
        """Every failure that no other explains; the same of several subjects is one problem."""
        return [
            CheckProblem(f"{check} ({some(subjects)})", detail, fix, check=check, subjects=tuple(subjects))
            for (check, detail, fix), subjects in self._unexplained.items()
        ]

    def because(self, result: Result) -> list[CheckProblem]:
        """Return the problems that explain a failure; none if it is one itself."""
        return [self.problems[place] for place in self._places(result)]

    def _places(self, result: Result) -> Sequence[int]:
        """Return which of the problems explain a failure."""
        if result not in self._found:
            places = (place for cause in self._direct(result) for place in self._places(cause) or [self._place[cause]])
            self._found[result] = list(dict.fromkeys(places))
        return self._found[result]

    @cached_property
    def _found(self) -> dict[Result, Sequence[int]]:
        return {}

    @cached_property
    def _unexplained(self) -> Mapping[tuple[str, str, tuple[str, ...]], Sequence[str]]:
        """The subjects of each problem, by what it says."""
        same: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
        for result in self.results:
            if result.state == "failed" and not self._direct(result):
                same.setdefault((result.check, result.detail, result.fix), []).append(result.subject)
        return same

    @cached_property
    def _place(self) -> Mapping[Result, int]:
        """The place among the problems of each failure that is one."""
        return {
            Result(check, subject, "failed", detail, fix): place
            for place, ((check, detail, fix), subjects) in enumerate(self._unexplained.items())
            for subject in subjects
        }

    @cached_property
    def _failed(self) -> Mapping[str, Mapping[str, Sequence[Result]]]:
        """The failures of each check, by subject: thousands of hosts are not searched for each of them."""
        failed: dict[str, dict[str, list[Result]]] = {check: {} for check in CHECKS}
        for result in self.results:
            if result.state == "failed":
                failed[result.check].setdefault(result.subject, []).append(result)
        return failed

    @cached_property
    def _certificates_of(self) -> Mapping[str, Sequence[str]]:
        """The Certificates of each host."""
        found: dict[str, list[str]] = {}
        for name, hosts in self.certificates.items():
            for host in hosts:
                found.setdefault(host, []).append(name)
        return found

    def _direct(self, result: Result) -> list[Result]:
        if result.state != "failed":
            return []
        subject = result.subject
        shared = self.shared.get(subject, INGRESS)
        related = (subject, shared, *self.certificates.get(subject, ()), *self._certificates_of.get(subject, ()))
        return [
            cause
            for check in CHECKS[result.check].because
            for each in dict.fromkeys(self._failed[check] if subject == shared else related)
            for cause in self._failed[check].get(each, ())
        ]


def some(subjects: Sequence[str]) -> str:
    """Name subjects in a line: the first ones, and how many more there are."""
    more = len(subjects) - _NAMED
    return ", ".join(subjects[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def ordered(results: Sequence[Result], subjects: Sequence[str]) -> list[Result]:
    """Return the results by subject and then in the checks' order."""
    checks = {check: index for index, check in enumerate(CHECKS)}
    places = {subject: index for index, subject in enumerate(subjects)}
    return sorted(results, key=lambda result: (places[result.subject], checks[result.check]))
