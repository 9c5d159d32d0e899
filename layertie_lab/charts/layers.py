"""Pictures of what an analysis found about layers: attribution to each."""

from __future__ import annotations

from typing import Any, Literal

import altair as alt
import polars as pl

from .frames import check, of_method, rows
from .palette import OWNER_COLOURS
from .parts import words_only
from .strips import owner_scale
from .theme import vega_config


def attribution_bars(
    attribution: pl.DataFrame,
    *,
    method: str | None = None,
    title: str | None = None,
    height: int = 220,
    width: int | Literal["container"] = 680,
    dark: bool = False,
) -> alt.LayerChart:
    """One bar per layer in the colour of its owner, with its interval where known.

    Args:
        attribution: Columns layer, value, method, owner; low and high (interval) where known.
        method: Which method's rows to show; may be left out where there is one.
        title: Y title with the unit; None = the method's name, and the unit where there is a column unit.
        height: Height of the plot in pixels.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or it is unclear which method is meant.
    """
    check(attribution, ["layer", "value", "method", "owner"], "a frame of attributions")
    if attribution.is_empty():
        return words_only("No attribution has been computed yet.", height=height, width=width, dark=dark)
    frame, method = of_method(attribution, method)
    bars = rows(frame.sort("layer"))
    x = alt.X("layer:O", title="layer (0 = first)", axis=alt.Axis(labelAngle=0, labelSeparation=6))
    base = alt.Chart(alt.InlineData(values=bars)).transform_calculate(colour=f"datum.owner % {len(OWNER_COLOURS)}")
    unit = str(frame.get_column("unit")[0]) if "unit" in frame.columns else ""
    # Two lines, and of the unit what stands before its explanation: a title may not be longer than its axis.
    value = alt.Y("value:Q", title=title or [method, f"({unit.split(',')[0]})" if unit else "(attribution)"])
    room = f"width / {len(bars)}"
    interval = {"low", "high"} <= set(frame.columns)
    tips = [
        alt.Tooltip("layer:O", title="layer"),
        alt.Tooltip("owner:O", title="owner"),
        alt.Tooltip("value:Q", title=title or (f"{method} ({unit})" if unit else method), format=".4~g"),
        *(alt.Tooltip(f"{name}:Q", title=f"interval: {name}", format=".4~g") for name in ("low", "high") if interval),
    ]
    parts = [
        base.mark_bar().encode(
            x=x, y=value, color=alt.Color("colour:N", scale=owner_scale(), legend=None), tooltip=tips
        ),
        alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="tick").encode(y=alt.Y("zero:Q")),
        base.transform_filter("datum.owner != datum.layer")
        .transform_calculate(to="'→' + datum.owner")
        .mark_text(style="label", dy=-8, align="center", fontSize=alt.ExprRef(expr=f"{room} < 18 ? 0 : 13"))
        .encode(x=x, y=alt.value(0), text="to:N"),
    ]
    if interval:
        parts.append(
            base.transform_filter("isValid(datum.low) && isValid(datum.high)")
            .mark_rule(style="interval")
            .encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
        )
    return _figure(parts, height, width, dark, f"Attribution ({method}) to each of {len(bars)} layers.")


def _figure(
    parts: list[alt.Chart], height: int, width: int | Literal["container"], dark: bool, description: str
) -> alt.LayerChart:
    extra: dict[str, Any] = {"resolve": alt.Resolve(scale={"color": "independent", "stroke": "independent"})}
    if width != height:
        extra["autosize"] = alt.AutoSizeParams(type="fit-x", contains="padding")
    return alt.LayerChart(
        layer=parts, height=height, width=width, config=vega_config(dark), description=description, **extra
    )
