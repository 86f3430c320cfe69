"""What all policies share: how a rule becomes a policy of the SDK, and what happens to unknown values.

A rule is a generator of findings about one subject, so tests need no engine. What a rule cannot judge, such as a value
that is unknown to the preview, is reported as `Unjudged`: in production that fails the preview, elsewhere it is an
advisory.

The engine prints a policy's description and the finding. The fix is part of the finding, because the SDK's
`remediation_steps` only reach Pulumi Cloud.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Generic, Protocol, TypeVar

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from components.problem import Problem, text
from policies.objects import CannotJudgeError, Resource, Stack, unknown_value
from policies.stack_config import in_production

JUDGED = "everything-is-judged"

_FIX_UNKNOWN = (
    "write the value out in the program",
    "pulumi up --target URN    # or create what it comes from first",
)


@dataclass(frozen=True)
class Unjudged:
    """Something that a rule could not judge."""

    where: str
    """As in a Problem."""
    what: str
    """As in a Problem: `spec.servers is not known in this preview`."""
    fix: tuple[str, ...] = ()
    """Steps by which the rule can judge it. Without them it is a mere advisory; with them, production refuses it."""


Finding = Problem | Unjudged


class Subject(Protocol):
    """What a rule judges: a Kubernetes object, a listener, a record."""

    @property
    def where(self) -> str:
        """The subject as findings name it."""


S = TypeVar("S", bound=Subject)


def guarded(where: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings; the first unknown value ends them and is reported."""
    try:
        yield from findings
    except UnknownValueError as error:
        yield Unjudged(where, unknown_value(error), _FIX_UNKNOWN)
    except CannotJudgeError as error:
        yield Unjudged(where, str(error), _FIX_UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[S]):
    """A policy: what must hold, and how to find violations."""

    name: str
    description: str
    """What must hold, as a sentence."""
    fix: tuple[str, ...]
    """Commands and other steps, for problems without a fix of their own."""
    cannot_see: str
    """What the rule cannot detect, for the table in docs/policies.md."""
    subjects: Callable[[Resource], Iterable[S]]
    """Picks what to judge from a resource."""
    find: Callable[[S, Stack], Iterable[Finding]]
    """Yields the findings about one subject."""
    needs_stack: bool = True
    """Whether it judges all resources after they are registered, or each one before it is created or changed."""

    def policy(self) -> Policy:
        """Return the policy for the SDK."""
        if self.needs_stack:
            return _stack_policy(self.name, self.description, self._messages, self.fix)

        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            for message in self._messages(args, Stack([])):
                report(message, None)

        return ResourceValidationPolicy(self.name, self.description, validate, remediation_steps="\n".join(self.fix))

    def findings(self, resource: Resource, stack: Stack) -> Iterator[Finding]:
        """Yield the findings about a resource."""
        judged = (guarded(subject.where, self.find(subject, stack)) for subject in self.subjects(resource))
        return guarded(resource.name, chain.from_iterable(judged))

    def _messages(self, resource: Resource, stack: Stack) -> Iterator[str]:
        for problem in filter(None, map(_problem, self.findings(resource, stack))):
            yield text([problem if problem.fix else replace(problem, fix=self.fix)])


def unjudged_policy(rules: Sequence[Rule[Any]]) -> Policy:
    """Return the policy that reports, without failing, what the rules could not judge."""

    def messages(resource: Resource, stack: Stack) -> Iterator[str]:
        rules_by_finding: dict[Finding, list[str]] = {}
        for rule in rules:
            for finding in rule.findings(resource, stack):
                if _problem(finding) is None:
                    rules_by_finding.setdefault(finding, []).append(rule.name)
        for finding, names in rules_by_finding.items():
            yield f"{text([Problem(finding.where, finding.what)])} ({', '.join(names)})"

    description = "Every policy has seen what it judges by."
    return _stack_policy(JUDGED, description, messages, _FIX_UNKNOWN, EnforcementLevel.ADVISORY)


def _stack_policy(
    name: str,
    description: str,
    messages: Callable[[Resource, Stack], Iterable[str]],
    fix: Sequence[str],
    level: EnforcementLevel | None = None,
) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = Stack(args.resources)
        for resource in stack.resources:
            for message in messages(resource, stack):
                report(message, resource.urn)

    return StackValidationPolicy(name, description, validate, level, remediation_steps="\n".join(fix))


def _problem(finding: Finding) -> Problem | None:
    """Return what the preview fails for, or None for a mere advisory."""
    if isinstance(finding, Problem):
        return finding
    if finding.fix and in_production():
        return Problem(finding.where, f"cannot be judged: {finding.what}", finding.fix)
    return None
