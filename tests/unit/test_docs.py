"""The pages that are made from the code are what the code makes."""

from pathlib import Path

from settings import reference

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_config_keys_is_the_models_own() -> None:
    held = (DOCS / "configuration.md").read_text()
    assert held == reference.page(), "python -m settings.reference > docs/configuration.md"
