"""The stack's config file: existing values stay as they are, and only missing ones are added."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.problem import Problem, ProblemsError
from components.specs import names
from config.production import PROJECT


def read(file: Path) -> dict[str, Any]:
    """Return a config file's content, or an empty one where the file does not exist.

    Raises:
        ProblemsError: it cannot be read, or is not the config of a stack.
    """
    try:
        content = yaml.safe_load(file.read_text()) if file.exists() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProblemsError(Problem(str(file), f"cannot be read: {type(error).__name__}")) from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not isinstance(content.get("config") or {}, dict):
        raise ProblemsError(Problem(str(file), "is not the config of a stack"))
    return content


def completed(
    document: Mapping[str, Any], decided: Mapping[str, Any], project: str
) -> tuple[dict[str, Any], list[str]]:
    """Return a config file's content with missing values added, and the keys that were kept with another value."""
    result = copy.deepcopy(dict(document))
    config = result["config"] = result.get("config") or {}
    if is_placeholder(config.get("gcp:project", "")):
        del config["gcp:project"]
    if config.setdefault("gcp:project", project) != project:
        decided = {**decided, "dns": {**decided.get("dns", {}), "project": project}}
    kept: list[str] = []
    for name, value in decided.items():
        full = f"{PROJECT}:{name}"
        config[full] = _completed(config[full], value, name, kept) if full in config else value
    return result, kept


def _completed(existing: Any, decided: Any, path: str, kept: list[str]) -> Any:
    """Add to a mapping what it lacks; keep anything else, and note its path if it differs."""
    if not isinstance(existing, dict) or not isinstance(decided, Mapping):
        if is_placeholder(existing):
            return decided
        if existing != decided:
            kept.append(path)
        return existing
    merged = dict(existing)
    for name, value in decided.items():
        merged[name] = _completed(merged[name], value, f"{path}.{name}", kept) if name in merged else value
    return merged


def is_placeholder(value: Any) -> bool:
    """Tell whether a value contains what a template leaves to be filled in."""
    if isinstance(value, dict | list):
        return any(map(is_placeholder, value.values() if isinstance(value, dict) else value))
    try:
        names.refuse_placeholder(str(value))
    except ValueError:
        return True
    return False


class _Dumper(yaml.SafeDumper):
    """Indents lists and writes certificates as blocks, as a person would."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def write(file: Path, document: Mapping[str, Any]) -> None:
    """Write a config file."""
    file.write_text(yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, width=120))
