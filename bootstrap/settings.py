"""Stack config of the bootstrap program, validated like the main program's: every error at once."""

import contextlib
import json
from typing import Annotated, Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import Field, ValidationError

from settings.models import Identifier, Section
from settings.problems import config_error, problem_of


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


_LISTS = ("zones", "environments")


def load() -> Bootstrap:
    """Read and validate the stack's config.

    Raises:
        pulumi.RunError: with every problem of the config; the engine prints it without a traceback.
    """
    config = {**get_config_env(), **CONFIG.get()}
    prefix = f"{pulumi.get_project()}:"
    raw: dict[str, Any] = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    if "gcp:project" in config:
        raw["gcp:project"] = config["gcp:project"]
    for key in _LISTS:
        # A string that is no JSON is left for the validation to refuse.
        with contextlib.suppress(json.JSONDecodeError, KeyError):
            raw[key] = json.loads(raw[key])
    try:
        return Bootstrap.model_validate(raw)
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_context=False)
        raise config_error([problem_of(error, Bootstrap) for error in errors]) from None
