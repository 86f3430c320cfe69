"""What the policies have in common: from a rule to a policy of the SDK, and what an unknown value does to it.

A rule is a generator of findings about one resource, so that it is tested without an engine. A preview may not know a
value that a rule reads. That ends the rule for this resource, or for the part of it that is `guarded`, and for nothing
else: it is a finding too, `Unjudged`. In production the preview fails for it, elsewhere it is an advice.

The engine prints a policy's description and the finding; the fix is put below it here, since the SDK's
`remediation_steps` only reach Pulumi Cloud.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
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
    """Something that a policy could not look at."""

    where: str
    """As in a Problem."""
    what: str
    """One sentence part: `spec.servers is not known in this preview`."""
    known_later: bool = False
    """Whether an `up` knows it. If so, production does not go without."""


Finding = Problem | Unjudged


def guarded(where: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings up to the first unknown value, and then that."""
    try:
        yield from findings
    except UnknownValueError as unknown:
        yield Unjudged(where, unknown_value(unknown), known_later=True)
    except CannotJudgeError as unknown:
        yield Unjudged(where, str(unknown), known_later=True)


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """A policy: what must hold, and how to find where it does not."""

    name: str
    description: str
    """What must hold, a sentence."""
    fix: tuple[str, ...]
    """Commands and other steps, where a problem has none of its own."""
    stops: str
    """What it refuses, for the table in docs/policies.md."""
    cannot_see: str
    """What it lets pass without a word, for the same table."""

    @abstractmethod
    def findings(self, resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
        """Yield what is wrong with a resource, or cannot be told."""

    @abstractmethod
    def policy(self) -> Policy:
        """Make the policy of the SDK."""

    def _report(self, findings: Iterable[Finding], report: ReportViolation, urn: str | None) -> None:
        for finding in findings:
            problem = _problem(finding)
            if problem:
                report(text([problem if problem.fix else replace(problem, fix=self.fix)]), urn)


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """Judges each resource alone, before it is created or changed."""

    find: Callable[[Resource], Iterable[Finding]]

    def findings(self, resource: PolicyResource, stack: Stack) -> Iterator[Finding]:  # noqa: ARG002 (it is judged alone)
        """Yield what is wrong with a resource, or cannot be told."""
        return guarded(resource.name, self.find(resource))

    def policy(self) -> Policy:
        """Make the policy of the SDK."""

        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            self._report(guarded(args.name, self.find(args)), report, None)

        return ResourceValidationPolicy(self.name, self.description, validate, remediation_steps="\n".join(self.fix))


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """Judges each resource by the others of its stack, once all are registered."""

    find: Callable[[PolicyResource, Stack], Iterable[Finding]]

    def findings(self, resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
        """Yield what is wrong with a resource, or cannot be told."""
        return guarded(resource.name, self.find(resource, stack))

    def policy(self) -> Policy:
        """Make the policy of the SDK."""

        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            stack = Stack(args.resources)
            for resource in stack.resources:
                self._report(self.findings(resource, stack), report, resource.urn)

        return StackValidationPolicy(self.name, self.description, validate, remediation_steps="\n".join(self.fix))


def judged(rules: Sequence[Rule]) -> Policy:
    """Make the policy that names what the others could not judge, without failing for it."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = Stack(args.resources)
        for resource in stack.resources:
            unjudged: dict[Finding, list[str]] = {}
            for rule in rules:
                for finding in rule.findings(resource, stack):
                    if _problem(finding) is None:
                        unjudged.setdefault(finding, []).append(rule.name)
            for finding, names in unjudged.items():
                report(f"{text([Problem(finding.where, finding.what)])} ({', '.join(names)})", resource.urn)

    return StackValidationPolicy(
        JUDGED,
        "Every policy has seen what it judges by.",
        validate,
        enforcement_level=EnforcementLevel.ADVISORY,
        remediation_steps="\n".join(_FIX_UNKNOWN),
    )


def _problem(finding: Finding) -> Problem | None:
    """Return what a preview fails for: None where it is enough to be told."""
    if isinstance(finding, Problem):
        return finding
    if finding.known_later and in_production():
        return Problem(finding.where, f"cannot be judged: {finding.what}", _FIX_UNKNOWN)
    return None
