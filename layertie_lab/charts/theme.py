"""One look for all charts, light or dark: a Vega-Lite `config` as plain values.

The specs name styles ("note", "hover", ...) instead of colours that depend on the page, so that a widget can change the
theme of a spec by replacing its `config` and nothing else.
"""

from __future__ import annotations

from typing import Any

from .palette import OWNER_COLOURS

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_LIGHT = {"ink": "#1d2321", "soft": "#56605b", "grid": "#e2e7e4", "halo": "#ffffff"}
_DARK = {"ink": "#e9edea", "soft": "#aab3ae", "grid": "#343b38", "halo": "#181c1a"}


def vega_config(dark: bool = False) -> dict[str, Any]:
    """The `config` of every chart.

    Args:
        dark: Whether the page behind the chart is dark. The chart's own background is transparent.
    """
    tone = _DARK if dark else _LIGHT
    ink, soft = tone["ink"], tone["soft"]
    return {
        "background": "transparent",
        "font": FONT,
        "padding": {"left": 4, "right": 12, "top": 4, "bottom": 4},
        # Vega finds a pointer over an empty part of a plot only where the plot has a fill, be it transparent.
        "view": {"stroke": None, "fill": "transparent"},
        "axis": {
            "labelColor": ink,
            "labelFontSize": 13,
            "titleColor": ink,
            "titleFontSize": 14,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "titleLimit": 0,
            "labelLimit": 0,
            "gridColor": tone["grid"],
            "domainColor": soft,
            "tickColor": soft,
            "tickSize": 4,
            "labelOverlap": "greedy",
            "labelFlush": False,
        },
        # Room for the labels before there are any: a chart without a legend is not laid out anew when they come.
        "axisX": {"grid": False, "tickCount": 6, "minExtent": 20},
        "axisXQuantitative": {"labelSeparation": 8},
        "axisY": {"minExtent": 44, "tickCount": 5},
        "legend": {
            "labelColor": ink,
            "labelFontSize": 13,
            "labelLimit": 0,
            "titleColor": ink,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "titleLimit": 0,
            "orient": "top",
            "direction": "horizontal",
            "offset": 30,
            "columnPadding": 14,
            "rowPadding": 4,
            "symbolSize": 90,
        },
        "title": {
            "color": ink,
            "fontSize": 16,
            "fontWeight": "bold",
            "anchor": "start",
            "frame": "group",
            "offset": 10,
            "subtitleColor": soft,
            "subtitleFontSize": 13,
            "limit": 0,
        },
        "range": {"category": OWNER_COLOURS},
        "style": {
            "note": {"color": soft, "fontSize": 15, "align": "center", "baseline": "middle"},
            "readout": {"color": ink, "fontSize": 13, "fontWeight": "bold", "align": "left", "baseline": "bottom"},
            "hover": {"color": ink, "strokeWidth": 1.5, "opacity": 0.8},
            "reference": {"color": soft, "strokeWidth": 1.5, "strokeDash": [5, 4]},
            "reference-label": {"color": soft, "fontSize": 12, "align": "right", "baseline": "bottom"},
            "halo": {"stroke": tone["halo"], "strokeWidth": 4, "strokeJoin": "round", "opacity": 0.85},
            "tick": {"color": soft, "strokeWidth": 1, "opacity": 0.55},
            "label": {"color": ink, "fontSize": 13, "baseline": "middle"},
            "outline": {"color": ink, "strokeWidth": 2, "filled": False},
            "interval": {"color": ink, "strokeWidth": 2},
            "on-colour": {"color": "#ffffff", "fontSize": 13, "fontWeight": "bold", "align": "center"},
        },
    }
