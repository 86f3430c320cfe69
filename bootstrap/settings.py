"""Stack config of the bootstrap program, validated like the main program's: every error at once."""

from typing import Annotated

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import Field

from components.rules.problem import ProblemsError
from settings import decode
from settings.models import Identifier, Section


class Bootstrap(Section):
    """The whole config."""

    project: Identifier = Field(
        alias="gcp:project", description="the project of the bucket, the key and the identities", examples=["PROJECT"]
    )
    repository_id: Annotated[str, Field(pattern=r"^[1-9]\d*$")] = Field(
        description="the number of the GitHub repository, which another one of the same name does not get",
        examples=['"$(gh api repos/OWNER/NAME --jq .id)"'],
    )
    location: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+\d+$")] = Field(
        description="a region, such as europe-west1", examples=["europe-west1"]
    )
    zones: tuple[Identifier, ...] = Field(
        min_length=1, description="a list of names of Cloud DNS managed zones", examples=["ZONE"]
    )
    environments: tuple[Annotated[str, Field(pattern=r"^[\w-]{1,30}$")], ...] = Field(
        ("dev", "prod"), min_length=1, description="a list of GitHub environments, one a stack", examples=["dev"]
    )
    cluster_project: Identifier | None = Field(
        None, description="the clusters' project, if not gcp:project", examples=["PROJECT"]
    )
    dns_project: Identifier | None = Field(
        None, description="the zones' project, if not gcp:project", examples=["PROJECT"]
    )


def load() -> Bootstrap:
    """Read and validate the stack's config.

    Raises:
        pulumi.RunError: with every problem of the config; the engine prints it without a traceback.
    """
    try:
        return decode(Bootstrap, {**get_config_env(), **CONFIG.get()}, pulumi.get_project(), pulumi.get_stack())
    except ProblemsError as error:
        raise pulumi.RunError(str(error)) from None
