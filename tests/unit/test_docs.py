"""What the pages say of the code is so."""

import re
from pathlib import Path

from config import reference as config_keys
from tlsctl import reference as checks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_page_of_config_keys_is_the_models_own() -> None:
    held = (DOCS / "configuration.md").read_text()
    assert held == config_keys.page(), "python -m config.reference > docs/configuration.md"


def test_the_page_of_checks_is_the_checks_own() -> None:
    held = (DOCS / "checks.md").read_text()
    assert held == checks.page(held), "python -m tlsctl.reference"


def test_every_test_that_holds_a_threat_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)((?:::\w+)+)`", (DOCS / "security.md").read_text())
    missing = [
        f"{file}{path}"
        for file, path in named
        if not all(
            re.search(rf"^ *(?:class|def) {name}\b", (ROOT / file).read_text(), re.MULTILINE)
            for name in path.split("::")[1:]
        )
    ]
    assert missing == []


def test_no_threat_is_without_a_test() -> None:
    tables = re.findall(r"^\| threat \|.*?\n\n", (DOCS / "security.md").read_text(), re.MULTILINE | re.DOTALL)
    rows = [row for table in tables for row in table.strip().splitlines()[2:]]
    assert len(rows) > 25, "of the identities and of the cluster"
    assert [row for row in rows if "`tests/" not in row] == []
