"""The pages that are made from the code are what the code makes."""

from pathlib import Path

from settings import reference as config_keys
from tlsctl import reference as checks

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_config_keys_is_the_models_own() -> None:
    held = (DOCS / "configuration.md").read_text()
    assert held == config_keys.page(), "python -m settings.reference > docs/configuration.md"


def test_the_page_of_checks_is_the_checks_own() -> None:
    held = (DOCS / "checks.md").read_text()
    assert held == checks.page(), "python -m tlsctl.reference > docs/checks.md"
