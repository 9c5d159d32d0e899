"""Pictures of what an analysis found about layers: similarity of pairs, attribution to each."""

from __future__ import annotations

from typing import Any, Literal

import altair as alt
import polars as pl

from ..core.errors import AnalysisError
from .frames import check, rows
from .palette import OWNER_COLOURS
from .parts import words_only
from .strips import owner_scale
from .theme import vega_config

SIMILARITY_TITLES = {
    "cka": "CKA of the residual stream (0 to 1)",
    "updates": "cosine of the layers' updates (-1 to 1)",
    "function": "cosine on the same input (-1 to 1)",
    "weights": "cosine of the weights (-1 to 1)",
}
"""Legend title for each method of `analysis.similarity`."""


def similarity_heatmap(
    similarity: pl.DataFrame,
    *,
    method: str | None = None,
    size: int = 420,
    dark: bool = False,
) -> alt.LayerChart:
    """Similarity of each pair of layers; pairs that are tied to each other are outlined in their owner's colour.

    Args:
        similarity: Columns layer_a, layer_b, value, method, owner_a, owner_b; low and high (interval) and null (what
            unrelated layers reach) where known. A pair given once stands for both orders.
        method: Which method's rows to show; may be left out where there is one.
        size: Width and height of the plot in pixels.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or it is unclear which method is meant.
    """
    check(similarity, ["layer_a", "layer_b", "value", "method", "owner_a", "owner_b"], "a frame of similarities")
    if similarity.is_empty():
        return words_only("No similarity has been measured yet.", height=size // 2, width=size, dark=dark)
    frame, method = _of_method(similarity, method)
    pairs = rows(_both_orders(frame))
    layers = len({row["layer_a"] for row in pairs})
    signed = method != "cka" or any((row["value"] or 0) < -0.1 for row in pairs)
    shades = alt.Scale(
        scheme="purpleorange" if signed else "viridis", domain=[-1, 1] if signed else [0, 1], clamp=True,
        reverse=signed,
    )  # fmt: skip
    title = SIMILARITY_TITLES.get(method, method)
    side = alt.Axis(offset=14, domain=False, ticks=False, grid=False, labelAngle=0)
    x = alt.X("layer_b:O", title="layer b (0 = first)", axis=side, scale=alt.Scale(padding=0))
    y = alt.Y("layer_a:O", title="layer a (0 = first)", axis=side, scale=alt.Scale(padding=0))
    tips = [
        alt.Tooltip("layer_a:O", title="layer a"),
        alt.Tooltip("layer_b:O", title="layer b"),
        alt.Tooltip("value:Q", title=title, format=".3f"),
        *(
            alt.Tooltip(f"{name}:Q", title=words, format=".3f")
            for name, words in (("low", "interval from"), ("high", "to"), ("null", "unrelated layers reach"))
            if name in frame.columns
        ),
        alt.Tooltip("owner_a:O", title="owner of a"),
        alt.Tooltip("owner_b:O", title="owner of b"),
    ]
    base = alt.Chart(alt.InlineData(values=pairs))
    colours = len(OWNER_COLOURS)
    bar = alt.Legend(title=title, orient="bottom", direction="horizontal", gradientLength=min(size, 260), offset=8)
    line = max(1.5, min(4.0, size / layers / 9))
    tied = base.transform_filter(
        "datum.owner_a == datum.owner_b && datum.layer_a != datum.layer_b"
    ).transform_calculate(tied=f"datum.owner_a % {colours}")
    parts = [
        base.mark_rect().encode(x=x, y=y, color=alt.Color("value:Q", scale=shades, legend=bar), tooltip=tips),
        # A white edge under the outline: owner colours alone do not stand out from every shade.
        tied.mark_rect(filled=False, stroke="#ffffff", strokeWidth=1.6 * line if layers <= 24 else 0).encode(x=x, y=y),
        tied.mark_rect(filled=False, strokeWidth=line).encode(
            x=x, y=y, stroke=alt.Stroke("tied:N", scale=owner_scale(), legend=None)
        ),
        *_keys(base, x, y, colours),
    ]
    if layers <= 12:
        dark_cell = "datum.value > 0.55 || datum.value < -0.8" if signed else "datum.value < 0.6"
        parts.append(
            base.mark_text(fontSize=max(9, min(14, size // layers // 3)), baseline="middle").encode(
                x=x, y=y, text=alt.Text("value:Q", format=".2f"),
                color=alt.condition(dark_cell, alt.value("#ffffff"), alt.value("#111111")),
            )
        )  # fmt: skip
    if "null" in frame.columns:
        cell = size / layers
        parts.append(
            base.transform_filter("datum.layer_a != datum.layer_b && datum.value <= datum.null")
            .mark_point(
                shape="cross", filled=True, opacity=1, color="#ffffff", stroke="#111111", strokeWidth=0.6,
                size=min(36.0, (cell * 0.3) ** 2),
                # Below the number, where there is one.
                yOffset=cell * 0.32 if layers <= 12 else 0,
            )
            .encode(x=x, y=y)
        )  # fmt: skip
    return _figure(parts, size, size, dark, f"{title}, for each pair of {layers} layers.")


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
    frame, method = _of_method(attribution, method)
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


def _of_method(frame: pl.DataFrame, method: str | None) -> tuple[pl.DataFrame, str]:
    methods = frame.get_column("method").unique(maintain_order=True).to_list()
    if method is None and len(methods) == 1:
        method = methods[0]
    if method is None or method not in methods:
        raise AnalysisError(
            f"Expected one method out of {', '.join(map(str, methods))}, but got {method!r}.",
            "Name it with method=...; a picture shows one.",
        )
    return frame.filter(pl.col("method") == method), method


def _both_orders(frame: pl.DataFrame) -> pl.DataFrame:
    swapped = frame.rename({"layer_a": "layer_b", "layer_b": "layer_a", "owner_a": "owner_b", "owner_b": "owner_a"})
    # A pair that is given in both orders keeps its own values (a measure need not be symmetric).
    pair = ["layer_a", "layer_b"]
    return pl.concat([frame, swapped.select(frame.columns)]).unique(pair, keep="first", maintain_order=True).sort(pair)


def _keys(base: alt.Chart, x: alt.X, y: alt.Y, colours: int) -> list[alt.Chart]:
    """Small squares along both axes in the colour of each layer's owner."""
    colour = alt.Fill("tied:N", scale=owner_scale(), legend=None)

    def squares(layer: str, owner: str) -> alt.Chart:
        each = base.transform_aggregate(groupby=[layer, owner], pairs="count()")
        return each.transform_calculate(tied=f"datum.{owner} % {colours}").mark_rect(clip=False)

    low, high = alt.value(alt.ExprRef(expr="height + 4")), alt.value(alt.ExprRef(expr="height + 12"))
    return [
        squares("layer_a", "owner_a").encode(x=alt.value(-12), x2=alt.value(-4), y=y, fill=colour),
        squares("layer_b", "owner_b").encode(x=x, y=low, y2=high, fill=colour),
    ]


def _figure(
    parts: list[alt.Chart], height: int, width: int | Literal["container"], dark: bool, description: str
) -> alt.LayerChart:
    extra: dict[str, Any] = {"resolve": alt.Resolve(scale={"color": "independent", "stroke": "independent"})}
    if width != height:
        extra["autosize"] = alt.AutoSizeParams(type="fit-x", contains="padding")
    return alt.LayerChart(
        layer=parts, height=height, width=width, config=vega_config(dark), description=description, **extra
    )
