"""What the policies have in common: from a pure function to a policy of the SDK, and how resources are told apart.

A rule is a generator of findings, each one sentence about one resource, so that it is tested without an engine. The
engine prints a policy's description and the finding; the remediation is put below it here, since the SDK's
`remediation_steps` only reach Pulumi Cloud.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from pulumi_policy import (
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

Resource = ResourceValidationArgs | PolicyResource
"""One resource: its inputs where a resource is judged alone, its outputs where the whole stack is."""

ResourceRule = Callable[[ResourceValidationArgs], Iterable[str]]
"""Yields what is wrong with the resource."""

StackRule = Callable[[list[PolicyResource]], Iterable[tuple[PolicyResource, str]]]
"""Yields a resource of the stack and what is wrong with it."""

_PRODUCTION = re.compile(r"(.*[-_.])?prod(uction)?([-_.].*)?")


def resource_policy(name: str, description: str, remediation: str, rule: ResourceRule) -> ResourceValidationPolicy:
    """Make the policy that judges each resource before it is created or changed."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for finding in rule(args):
            report(_text(finding, remediation), None)

    return ResourceValidationPolicy(name, description, validate, remediation_steps=remediation)


def stack_policy(name: str, description: str, remediation: str, rule: StackRule) -> StackValidationPolicy:
    """Make the policy that judges the resources of a stack together, once all are registered."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        # The engine gives them in no order, and the findings are to be the same each time.
        for resource, finding in rule(sorted(args.resources, key=lambda each: each.urn)):
            report(_text(finding, remediation), resource.urn)

    return StackValidationPolicy(name, description, validate, remediation_steps=remediation)


def _text(finding: str, remediation: str) -> str:
    return "\n".join([finding, *(f"    {line}" for line in remediation.splitlines())])


def is_kind(resource: Resource, group: str, *kinds: str) -> bool:
    """Tell whether it is a Kubernetes object of one of the kinds, in any version of the group."""
    module, _, kind = resource.resource_type.removeprefix("kubernetes:").rpartition(":")
    return resource.resource_type.startswith("kubernetes:") and module.rpartition("/")[0] == group and kind in kinds


def of_kind(resources: Iterable[PolicyResource], group: str, *kinds: str) -> Iterator[PolicyResource]:
    """Pick the Kubernetes objects of the kinds."""
    return (resource for resource in resources if is_kind(resource, group, *kinds))


def object_key(resource: Resource) -> tuple[str, str]:
    """Return a Kubernetes object's namespace ("" for a cluster-wide one) and name."""
    metadata = resource.props["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def in_production(resource: Resource) -> bool:
    """Tell by its stack's name: `prod` or `production`, alone or as a word of it (`prod-eu`)."""
    stack = resource.urn.removeprefix("urn:pulumi:").partition("::")[0]
    return bool(_PRODUCTION.fullmatch(stack))
