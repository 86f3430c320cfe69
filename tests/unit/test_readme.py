"""The README's table of keys is the models' own."""

from pathlib import Path

from settings.reference import table

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_holds_the_table_of_config_keys_that_the_models_give() -> None:
    text = README.read_text()
    held = text.split("<!-- python -m settings.reference -->\n")[1].split("\n<!-- end -->")[0]
    assert held.strip() == table(), "paste the output of `python -m settings.reference` between its two comments"
