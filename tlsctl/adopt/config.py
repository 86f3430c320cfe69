"""The stack's config file: what is there stays as it is, and only what is missing is added."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.problem import Problem, ProblemsError
from components.specs import names
from config.production import PROJECT


def read(file: Path) -> dict[str, Any]:
    """Return a config file's content; of one that is not there, nothing.

    Raises:
        ProblemsError: it cannot be read.
    """
    try:
        found = yaml.safe_load(file.read_text()) if file.exists() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProblemsError(Problem(str(file), f"cannot be read: {type(error).__name__}")) from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not isinstance(found.get("config") or {}, dict):
        raise ProblemsError(Problem(str(file), "is not the config of a stack"))
    return found


def completed(
    document: Mapping[str, Any], decided: Mapping[str, Any], project: str
) -> tuple[dict[str, Any], list[str]]:
    """Return a config file's content with what is missing in it, and the keys that were kept though decided otherwise.

    Args:
        document: the file's content.
        decided: by key, without the project's prefix.
        project: of the gcp provider.
    """
    result = copy.deepcopy(dict(document))
    config = result.setdefault("config", {}) or {}
    result["config"] = config
    if is_placeholder(config.get("gcp:project", "")):
        del config["gcp:project"]
    config.setdefault("gcp:project", project)
    kept: list[str] = []
    for name, value in decided.items():
        full = f"{PROJECT}:{name}"
        config[full] = _completed(config[full], value, name, kept) if full in config else value
    return result, kept


def _completed(there: Any, decided: Any, path: str, kept: list[str]) -> Any:
    """Add to a mapping what it lacks; anything else is kept."""
    if not isinstance(there, dict) or not isinstance(decided, Mapping):
        if is_placeholder(there):
            return decided
        if there != decided:
            kept.append(path)
        return there
    merged = dict(there)
    for name, value in decided.items():
        merged[name] = _completed(there[name], value, f"{path}.{name}", kept) if name in there else value
    return merged


def is_placeholder(value: Any) -> bool:
    """Tell whether something in a value is what a template leaves to be filled in."""
    if isinstance(value, dict):
        return any(map(is_placeholder, value.values()))
    if isinstance(value, list):
        return any(map(is_placeholder, value))
    try:
        names.refuse_placeholder(str(value))
    except ValueError:
        return True
    return False


class _Dumper(yaml.SafeDumper):
    """With lists indented and certificates as blocks, as a person writes them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _string)


def write(file: Path, document: Mapping[str, Any]) -> None:
    """Write a config file."""
    file.write_text(yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, width=120))
