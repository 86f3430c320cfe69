"""Stack config of the bootstrap program. Every problem is reported at once, as in the main program."""

from collections.abc import Iterator
from typing import Annotated, Any

import pulumi
from pydantic import AfterValidator, Field

from components import engine
from components.fields import AccountUid, GoogleName
from components.problem import Problem, ProblemsError
from components.shell import Expression
from components.specs import dns01
from config.decoding import decode
from config.fields import Section
from config.problems import dotted, set_command


class Stack(Section):
    """A stack of the main program, and the resources that its identities may use."""

    name: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,13}[a-z0-9])?$")] = Field(
        description="the stack's name, of up to 15 lower-case letters, digits and hyphens", examples=["dev"]
    )
    zones: tuple[GoogleName, ...] = Field(
        min_length=1, description="a list of names of Cloud DNS managed zones", examples=["ZONE"]
    )
    production: bool = Field(
        False, description="true where no pull request may read the stack's state without an approval", examples=[True]
    )
    approved_previews: bool = Field(
        False,
        description="true once the environment NAME-preview has required reviewers: they approve each preview",
        examples=[True],
    )
    cluster_project: GoogleName | None = Field(
        None, description="the cluster's project, if not gcp:project", examples=["PROJECT"]
    )
    dns01_zone: GoogleName | None = Field(
        None, description="the managed zone that cert-manager may prove names in by DNS-01", examples=["ZONE"]
    )
    dns01_account: AccountUid | None = Field(
        None, description="the UID of cert-manager's ServiceAccount, which alone may then use dns01Zone"
    )
    role_suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{0,20}$")] = Field(
        "",
        description="letters, digits, _ and . at the end of the ids of the custom roles: that of a deleted role"
        " is taken for 37 days",
        examples=["_2"],
    )
    dns_project: GoogleName | None = Field(
        None, description="the zones' project, if not gcp:project", examples=["PROJECT"]
    )


def _unique_names(stacks: tuple[Stack, ...]) -> tuple[Stack, ...]:
    names = [stack.name for stack in stacks]
    if len(set(names)) < len(names):
        raise ValueError("has a name twice")
    return stacks


class Bootstrap(Section):
    """The whole config."""

    project: GoogleName = Field(
        alias="gcp:project", description="the project of the buckets, the keys and the identities", examples=["PROJECT"]
    )
    repository_id: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")] = Field(
        description="the number of the GitHub repository, which another one of the same name does not get",
        examples=[Expression('"$(gh api repos/OWNER/NAME --jq .id)"')],
    )
    location: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+[0-9]+$")] = Field(
        description="a region, such as europe-west1", examples=["europe-west1"]
    )
    stacks: Annotated[tuple[Stack, ...], AfterValidator(_unique_names)] = Field(
        description="a list of {name, zones}, each name once",
        examples=['[{"name":"dev","zones":["ZONE"]}]'],
    )


def _shared_access(config: Bootstrap, *_: Any) -> Iterator[Problem]:
    """Yield each stack with a zone for DNS-01 that the cluster of another stack could write."""
    projects = [stack.cluster_project or config.project for stack in config.stacks]
    for position, stack in enumerate(config.stacks):
        if (
            stack.dns01_zone
            and "dns01_account" not in stack.model_fields_set
            and projects.count(projects[position]) > 1
        ):
            path = ("stacks", position, "dns01Account")
            what = (
                f"is not set, so every cluster of the project {projects[position]}, which another stack uses as well,"
                f" could write the zone {stack.dns01_zone}; accepted: the UID of cert-manager's ServiceAccount"
            )
            yield Problem(dotted(path), what, (set_command(path, dns01.ACCOUNT_UID),))


def load() -> Bootstrap:
    """Read and validate the stack's config.

    Raises:
        pulumi.RunError: The config is invalid. The engine prints the problems without a traceback.
    """
    try:
        config, _ = engine.stack_config()
        return decode(Bootstrap, config, pulumi.get_project(), pulumi.get_stack(), cross_check=_shared_access)
    except ProblemsError as error:
        raise pulumi.RunError(str(error)) from None
