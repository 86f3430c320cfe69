"""Figures as pictures: bars of ours and of the floor, in SVG, the same text from the same figures."""

import re
import statistics
import sys
from collections.abc import Sequence

import pygal  # type: ignore[import-untyped]
from pygal.style import CleanStyle  # type: ignore[import-untyped]

from tests.bench.results import Figure

# It hooks its plugins into all imports, by an interface that Python warns of; there are none here.
sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != pygal.__name__]

# A page may be dark.
_STYLE = CleanStyle(
    background="white", font_family="Verdana, DejaVu Sans, sans-serif", label_font_size=12, value_font_size=12
)
_ROW = 46
"""Pixels of height for each figure."""


def bars(title: str, figures: Sequence[Figure], name: str) -> str:
    """Return a picture of the figures, which have one unit; `name` is unlike that of any other picture."""
    unit = figures[0].unit
    chart = pygal.HorizontalBar(
        # Nothing is loaded, and nothing runs: it is shown as an image.
        js=[], title=f"{title} ({unit})" if unit else title, style=_STYLE, disable_xml_declaration=True,
        width=900, height=120 + _ROW * len(figures), print_values=True, legend_at_bottom=True,
        value_formatter=lambda value: f"{value:.1f}", explicit_size=True, margin=20,
    )  # fmt: skip
    # The first is at the bottom.
    shown = list(reversed(figures))
    chart.x_labels = [each.name for each in shown]
    if any(each.floor for each in shown):
        chart.add("floor", [statistics.median(each.floor) if each.floor else None for each in shown])
    chart.add("ours", [statistics.median(each.ours) if each.ours else None for each in shown])
    drawn = chart.render(is_unicode=True).replace(str(chart.uuid), name)
    # It says on which day it was drawn, and tells scripts that are not there what it shows.
    drawn = re.sub(r"<!--.*?-->|<script.*?</script>", "", drawn, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"
