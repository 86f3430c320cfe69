"""Stack config of the bootstrap program, validated like the main program's: every error at once."""

import contextlib
import json
from typing import Annotated, Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import AfterValidator, Field, ValidationError

from settings.models import Identifier, Section
from settings.problems import config_error, problem_of


class Stack(Section):
    """A stack of the main program, and what its identities may touch."""

    name: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,13}[a-z0-9])?$")] = Field(
        description="the stack's name, of up to 15 lower-case letters, digits and hyphens", examples=["dev"]
    )
    zones: tuple[Identifier, ...] = Field(
        min_length=1, description="a list of names of Cloud DNS managed zones", examples=["ZONE"]
    )
    production: bool = Field(
        False, description="true where a pull request needs an approval to read the stack's state", examples=[True]
    )
    cluster_project: Identifier | None = Field(
        None, description="the cluster's project, if not gcp:project", examples=["PROJECT"]
    )
    dns_project: Identifier | None = Field(
        None, description="the zones' project, if not gcp:project", examples=["PROJECT"]
    )


def _each_once(stacks: tuple[Stack, ...]) -> tuple[Stack, ...]:
    # Not `min_length`, which does not count a stack that has an error of its own.
    if not stacks:
        raise ValueError("is empty")
    names = [stack.name for stack in stacks]
    if len(set(names)) < len(names):
        raise ValueError("has a name twice")
    return stacks


class Bootstrap(Section):
    """The whole config."""

    project: Identifier = Field(
        alias="gcp:project", description="the project of the buckets, the keys and the identities", examples=["PROJECT"]
    )
    repository_id: Annotated[str, Field(pattern=r"^[1-9]\d*$")] = Field(
        description="the number of the GitHub repository, which another one of the same name does not get",
        examples=['"$(gh api repos/OWNER/NAME --jq .id)"'],
    )
    location: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+\d+$")] = Field(
        description="a region, such as europe-west1", examples=["europe-west1"]
    )
    stacks: Annotated[tuple[Stack, ...], AfterValidator(_each_once)] = Field(
        description="a list of {name, zones}, each name once",
        examples=["""'[{"name":"dev","zones":["ZONE"]}]'"""],
    )


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
    # A string that is no JSON is left for the validation to refuse.
    with contextlib.suppress(json.JSONDecodeError, KeyError):
        raw["stacks"] = json.loads(raw["stacks"])
    try:
        return Bootstrap.model_validate(raw)
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_context=False)
        raise config_error([problem_of(error, Bootstrap) for error in errors]) from None
