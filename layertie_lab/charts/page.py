"""A chart as one HTML page that needs no network."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..core.errors import AnalysisError
from .palette import DARK_PAGE, LIGHT_PAGE


def to_html(chart: alt.TopLevelMixin, *, title: str = "", dark: bool = False) -> str:
    """The page's text, about a megabyte: the chart with Vega inside, to be opened from disk or sent by mail.

    Args:
        chart: Any chart of this package.
        title: Title of the page.
        dark: Whether the page is dark; give the chart the same.

    Raises:
        AnalysisError: The package vl-convert-python, which brings Vega along, is not installed.
    """
    options: dict[str, Any] = {"actions": {"export": True, "source": False, "compiled": False, "editor": False}}
    try:
        page: str = chart.to_html(inline=True, embed_options=options)
    except (ImportError, ValueError) as error:
        if "vl-convert" not in str(error) and "vl_convert" not in str(error):
            raise
        raise AnalysisError(
            f"Expected the package vl-convert-python, which holds Vega for pages without a network, but: {error}",
            "Install it with: pip install vl-convert-python",
        ) from error
    colour = DARK_PAGE if dark else LIGHT_PAGE
    plain = title.replace("&", "&amp;").replace("<", "&lt;")
    head = f"<head>\n<title>{plain}</title>\n<style>body {{ background: {colour}; margin: 1rem; }}</style>"
    return page.replace("<head>", head, 1)
