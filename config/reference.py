"""`python -m config.reference`: writes the table of keys into docs/configuration.md, from the models themselves."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.args import model_in
from config.models import SHARED, Gateway, Settings
from config.problems import accepted_by, is_list

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
_LONGEST_DEFAULT = 60


def page(text: str) -> str:
    """Return the text of the page with a row for each key; nested ones are written as a path.

    Raises:
        ValueError: the text has no table of keys.
    """
    rows = (f"| `{key}` | {accepted} | {default} |" for key, accepted, default in _rows(Settings, ""))
    return with_table(text, ["| key | accepted | default |", "| --- | --- | --- |", *rows])


def with_table(text: str, lines: Sequence[str]) -> str:
    """Return the text of a page with these lines in place of its table that has the same heading.

    Raises:
        ValueError: the text has no such table.
    """
    table = re.compile(rf"^{re.escape(lines[0])}\n.*?(?=\n\n)", re.DOTALL | re.MULTILINE)
    replaced, tables = table.subn(lambda _: "\n".join(lines), text)
    if not tables:
        raise ValueError(f"the page has no table {lines[0]}")
    return replaced


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        section = model_in(field.annotation)
        if model is Gateway and name in SHARED:
            yield key, f"as `{field.alias}`", "required" if field.is_required() else f"the stack's `{field.alias}`"
        elif section is None:
            yield key, accepted_by(field).replace("|", "\\|"), _default(field)
        else:
            yield from _rows(section, f"{key}{'[]' if is_list(field) else ''}.")


def _default(field: FieldInfo) -> str:
    default = field.default
    if field.is_required():
        return "required"
    if default in (None, (), {}, ""):
        return ""
    if isinstance(default, dict):
        text = ", ".join(f"{key}: {value}" for key, value in default.items())
    else:
        text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "all of them"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
