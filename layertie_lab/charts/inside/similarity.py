"""Pictures of how alike layers are: every pair as a heatmap, and similarity against what tying the pair costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from ..drawn import LayerChart
from ..frames import check, extent, of_method, rows
from ..run.parts import Width, figure, words_only
from ..run.strips import owner_index, owner_scale
from ..theme import vega_config

CAPTIONS = {
    "similarity": (
        "How alike each pair of layers is: the shade (and number) in row a, column b. Outlined pairs are tied to each"
        " other (use the same parameters), in their owner's colour; the small squares along the axes show each layer's"
        " owner. A white cross: not above what unrelated layers reach one time in twenty. A white dot, where a freshly"
        " initialised model was compared too: not above what the same pair shows there, before any training."
    ),
    "similarity_of_models": (
        "How alike each layer of the one model (rows) is to each of the other (columns): the shade (and number). Layers"
        " at the same share of the depth lie along the diagonal from the top left to the bottom right. The small"
        " squares along the axes show each layer's owner in its own model. A white cross: not above what unrelated"
        " layers reach one time in twenty; a white dot: not above what the pair shows freshly initialised."
    ),
    "weights": (
        "How alike one weight matrix is in each pair of layers: the cosine between its entries. Outlined pairs are tied"
        " and so equal; the small squares along the axes show each layer's owner. A white cross: not above what entries"
        " matched at random reach one time in twenty. Weights are not sampled, so there is no interval."
    ),
    "weights_of_models": (
        "How alike one weight matrix is in each layer of the one model (rows) and of the other (columns): the cosine"
        " between its entries. The small squares along the axes show each layer's owner in its own model. A white"
        " cross: not above what entries matched at random reach one time in twenty. Models from different seeds have"
        " no entries in common order, so that 0 says nothing about what they do."
    ),
    "similarity_against_cost": (
        "Would the similarity have told us what to tie? A dot per pair of layers: to the right, how alike they are;"
        " upwards, how much the loss rises at once if the later layer copies the earlier one, with the interval over"
        " probe sequences. The colour is that of the layer whose weights would be used. The scale upwards is stretched"
        " around the dashed zero. If alike layers are cheap to tie, the dots fall to the right and the rank correlation"
        " is below zero; its interval leaves out one layer at a time, and p (Mantel's) says how often names"
        " of layers dealt at random give as much. Nearness: what the order of the layers alone tells."
    ),
    "value_against_cost": (
        "Does the agent know? A dot per change of one tie: to the right, the value that the agent gives the action now;"
        " upwards, how much the loss rises at once if it were taken, with the interval over probe sequences. If it"
        " knows, dear ties have low values: the dots fall to the right, and the rank correlation is below zero; its"
        " interval leaves out one layer at a time. Nearness: what the order of the layers alone tells. A value is about"
        " what comes after training, the cost about what comes before, so that they need not agree."
    ),
}
"""Chart -> how to read it."""

_ROOM = 22
"""Pixels that a number needs in its cell."""
_PAIR = ["layer_a", "layer_b", "value", "method", "owner_a", "owner_b"]
_SCATTER = ["method", "layer", "answer", "owner", "similarity", "change", "low", "high", "counts"]


def similarity_heatmap(
    similarity: pl.DataFrame,
    *,
    method: str | None = None,
    names: Sequence[str] = ("layer a", "layer b"),
    size: int = 420,
    width: Width | None = None,
    height: int | None = None,
    dark: bool = False,
) -> alt.LayerChart:
    """Similarity of each pair of layers; pairs that are tied to each other are outlined in their owner's colour.

    Between two models nothing is outlined, for nothing is shared, and depths may differ.

    Args:
        similarity: Columns layer_a, layer_b, value, method, owner_a, owner_b; low and high (interval), null (what
            unrelated layers reach), fresh (what the pair shows untrained), models (1, or 2: rows of one model,
            columns of another), unit (what a value is, with its range) and least (the smallest that it can be) where
            known. Within one model a pair given once stands for both orders.
        method: Which method's rows to show; may be left out where there is one.
        names: Of the rows' and of the columns' layers, for the axes.
        size: The longer side of the plot in pixels.
        width: Width in its place, in pixels, or "container".
        height: Height in pixels; by default square cells.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or it is unclear which method is meant.
    """
    check(similarity, _PAIR, "a frame of similarities")
    if similarity.is_empty():
        words = "No similarity has been measured yet."
        return words_only(words, height=height or size // 2, width=size if width is None else width, dark=dark)
    frame, method = of_method(similarity, method)
    two = "models" in frame.columns and bool((frame["models"] == 2).any())
    pairs = rows(frame if two else _both_orders(frame))
    down, across = (len({row[end] for row in pairs}) for end in ("layer_a", "layer_b"))
    largest = size if width in (None, "container") else int(width)
    wide, tall = (max(60, round(largest * side / max(down, across))) for side in (across, down))
    room, tall = wide if width is None else width, height or tall
    cell = min(wide / across, tall / down)
    least = frame["least"][0] if "least" in frame.columns else 0.0
    signed = least < 0 or any((row["value"] or 0) < -0.1 for row in pairs)
    shades = alt.Scale(
        scheme="purpleorange" if signed else "viridis", domain=[-1, 1] if signed else [0, 1], clamp=True, reverse=signed
    )
    title = unit_of(frame, method)
    side = alt.Axis(offset=14, domain=False, ticks=False, grid=False, labelAngle=0)
    x = alt.X("layer_b:O", title=f"{names[1]} (0 = first)", axis=side, scale=alt.Scale(padding=0))
    y = alt.Y("layer_a:O", title=f"{names[0]} (0 = first)", axis=side, scale=alt.Scale(padding=0))
    base = alt.Chart(alt.InlineData(values=pairs))
    bar = alt.Legend(title=title, orient="bottom", direction="horizontal", gradientLength=min(wide, 200), offset=8)
    tips = _tips(frame, names, title)
    parts = [base.mark_rect().encode(x=x, y=y, color=alt.Color("value:Q", scale=shades, legend=bar), tooltip=tips)]
    if not two:
        parts += _outlines(base, x, y, max(1.5, min(4.0, cell / 9)), edge=down <= 24)
    parts += _keys(base, x, y)
    numbered = max(down, across) <= 12 and cell >= 20
    if numbered:
        dark_cell = "datum.value > 0.55 || datum.value < -0.8" if signed else "datum.value < 0.6"
        parts.append(
            # A narrow page has no room for numbers; the shade and the tip are left.
            base.mark_text(
                fontSize=max(9, min(14, int(cell) // 3)),
                baseline="middle",
                opacity=alt.expr(f"width < {across * _ROOM} ? 0 : 1"),
            ).encode(
                x=x,
                y=y,
                text=alt.Text("value:Q", format=".2f"),
                color=alt.condition(dark_cell, alt.value("#ffffff"), alt.value("#111111")),
            )
        )
    # Below the number, where there is one.
    below, area = cell * 0.32 if numbered else 0, min(36.0, (cell * 0.3) ** 2)
    itself = "" if two else "datum.layer_a != datum.layer_b && "
    mark: dict[str, Any] = {"opacity": 1, "size": area * 1.4, "yOffset": below}
    if "null" in frame.columns:
        parts.append(
            base.transform_filter(f"{itself}datum.value <= datum.null")
            .mark_point(shape="cross", filled=True, color="#ffffff", stroke="#111111", strokeWidth=0.6, **mark)
            .encode(x=x, y=y)
        )
    if "fresh" in frame.columns and frame["fresh"].null_count() < frame.height:
        fresh = f"{itself}isValid(datum.fresh) && datum.value <= datum.fresh && datum.value > datum.null"
        parts.append(
            base.transform_filter(fresh if "null" in frame.columns else fresh.rsplit(" && ", 1)[0])
            .mark_point(shape="circle", filled=True, color="#ffffff", stroke="#111111", strokeWidth=0.6, **mark)
            .encode(x=x, y=y)
        )
    layers = f"each of {down} layers with each of {across}" if two else f"each pair of {down} layers"
    extra: dict[str, Any] = {"resolve": alt.Resolve(scale={"color": "independent", "stroke": "independent"})}
    if room == "container":
        extra["autosize"] = alt.AutoSizeParams(type="fit-x", contains="padding")
    return LayerChart(
        layer=parts, height=tall, width=room, config=vega_config(dark), description=f"{title}, for {layers}.", **extra
    )


def similarity_against_cost(
    evidence: pl.DataFrame,
    correlations: pl.DataFrame | None = None,
    *,
    method: str | None = None,
    height: int = 300,
    width: Width = 460,
    dark: bool = False,
) -> alt.LayerChart:
    """A mark per pair of layers: how alike they are, and what it costs at once that the later copies the earlier.

    Args:
        evidence: `attribution.tie_evidence.similarity_and_cost`, with its unit on the axis. Pairs that do not count
            (the layer would use the weights it has) are left out.
        correlations: `analysis.attribution.tie_evidence.rank_correlations`, for the lines above the plot.
        method: Which method's rows to show; may be left out where there is one.
        height: Height of the plot in pixels.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or it is unclear which method is meant.
    """
    check(evidence, _SCATTER, "a frame of similarities and costs")
    frame, method = of_method(evidence, method) if not evidence.is_empty() else (evidence, "")
    frame = frame.filter("counts")
    if frame.is_empty():
        return words_only(
            "No tie that would change something has been asked about yet.", height=height, width=width, dark=dark
        )
    title = unit_of(frame, method)
    base = alt.Chart(alt.InlineData(values=rows(frame))).transform_calculate(
        colour=owner_index("owner"), pair="datum.layer + ' \u2192 ' + datum.answer"
    )
    x = alt.X("similarity:Q", title=title, scale=alt.Scale(zero=False, padding=12))
    # Losses differ by orders of magnitude between pairs, and may fall as well as rise.
    largest = extent(frame["change"])
    scale = alt.Scale(type="symlog", constant=largest / 50, padding=8, nice=False)
    axis = alt.Axis(values=_stretched(largest), format="~g")
    y = alt.Y("change:Q", title=["rise of the loss if tied now", "(nats per token)"], scale=scale, axis=axis)
    colour = alt.Color("colour:N", scale=owner_scale(), legend=None)
    tips = [
        alt.Tooltip("pair:N", title="layer \u2192 layer it would copy"),
        alt.Tooltip("owner:O", title="whose weights it would use"),
        alt.Tooltip("similarity:Q", title=title, format=".3f"),
        alt.Tooltip("change:Q", title="change of the loss", format="+.4f"),
        alt.Tooltip("low:Q", title="interval from", format="+.4f"),
        alt.Tooltip("high:Q", title="to", format="+.4f"),
    ]
    parts: list[Any] = [
        alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="reference").encode(y=alt.Y("zero:Q")),
        base.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_rule(strokeWidth=1.5, opacity=0.55)
        .encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(x=x, y=y, color=colour, tooltip=tips),
    ]
    if frame.height <= 30:
        parts.append(base.mark_text(style="label", align="left", dx=7, fontSize=11).encode(x=x, y=y, text="pair:N"))
    return figure(
        parts,
        height=height,
        width=width,
        dark=dark,
        title=alt.TitleParams(
            f"{frame.height} ties of one model",
            subtitle=_correlation_words(correlations, method),
            subtitleFontSize=12,
            frame="bounds",
        ),
        description=f"{title} against the change of the loss, for {frame.height} pairs of layers.",
    )


def unit_of(frame: pl.DataFrame, method: str) -> str:
    """What the values of a frame with rows are, or else the method's name."""
    return str(frame["unit"][0]) if "unit" in frame.columns and frame["unit"][0] else method


def _stretched(largest: float) -> list[float]:
    """Ticks for a scale that is stretched around zero: 0, and 1 and 3 times powers of ten where they have room."""
    powers = range(math.floor(math.log10(largest / 50)), math.ceil(math.log10(largest)) + 1)
    steps = [step for power in powers for first in (1, 3) if (step := float(f"{first}e{power}")) >= largest / 30]
    return [-step for step in reversed(steps)] + [0.0] + steps


def _correlation_words(correlations: pl.DataFrame | None, method: str) -> list[str]:
    """The lines on the rank correlation, with interval and p-value where they are known."""
    if correlations is None:
        return []
    words = []
    for name, what in ((method, "rank correlation"), ("nearness", "nearness alone")):
        for row in rows(correlations.filter(method=name, measure="spearman")):
            if row["value"] is None:
                words.append(f"{what}: none, one side is the same for all pairs")
                continue
            interval = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
            p = "" if row["mantel_p"] is None else f", p {_p_value(row['mantel_p'])}"
            words.append(f"{what} {row['value']:.2f}{interval}{p}".replace("-", "\u2212"))
    return words


def _p_value(p: float) -> str:
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _tips(frame: pl.DataFrame, names: Sequence[str], title: str) -> list[alt.Tooltip]:
    known = (
        ("low", "interval from"),
        ("high", "to"),
        ("null", "unrelated layers reach"),
        ("fresh", "freshly initialised"),
        ("chance", "unrelated on average"),
    )
    return [
        alt.Tooltip("layer_a:O", title=names[0]),
        alt.Tooltip("layer_b:O", title=names[1]),
        alt.Tooltip("value:Q", title=title, format=".3f"),
        *(
            alt.Tooltip(f"{name}:Q", title=words, format=".3f")
            for name, words in known
            if name in frame.columns and frame[name].null_count() < frame.height
        ),
        alt.Tooltip("owner_a:O", title=f"owner of {names[0]}"),
        alt.Tooltip("owner_b:O", title=f"owner of {names[1]}"),
    ]


def _both_orders(frame: pl.DataFrame) -> pl.DataFrame:
    swapped = frame.rename({"layer_a": "layer_b", "layer_b": "layer_a", "owner_a": "owner_b", "owner_b": "owner_a"})
    # A pair that is given in both orders keeps its own values (a measure need not be symmetric).
    pair = ["layer_a", "layer_b"]
    return pl.concat([frame, swapped.select(frame.columns)]).unique(pair, keep="first", maintain_order=True).sort(pair)


def _outlines(base: alt.Chart, x: alt.X, y: alt.Y, line: float, *, edge: bool) -> list[alt.Chart]:
    """Tied pairs in their owner's colour."""
    tied = base.transform_filter(
        "datum.owner_a == datum.owner_b && datum.layer_a != datum.layer_b"
    ).transform_calculate(tied=owner_index("owner_a"))
    return [
        # A white edge under the outline: owner colours alone do not stand out from every shade.
        tied.mark_rect(filled=False, stroke="#ffffff", strokeWidth=1.6 * line if edge else 0).encode(x=x, y=y),
        tied.mark_rect(filled=False, strokeWidth=line).encode(
            x=x, y=y, stroke=alt.Stroke("tied:N", scale=owner_scale(), legend=None)
        ),
    ]


def _keys(base: alt.Chart, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Small squares along both axes in the colour of each layer's owner."""
    colour = alt.Fill("tied:N", scale=owner_scale(), legend=None)

    def squares(layer: str, owner: str) -> alt.Chart:
        each = base.transform_aggregate(groupby=[layer, owner], pairs="count()")
        return each.transform_calculate(tied=owner_index(owner)).mark_rect(clip=False)

    low, high = alt.value(alt.ExprRef(expr="height + 4")), alt.value(alt.ExprRef(expr="height + 12"))
    return [
        squares("layer_a", "owner_a").encode(x=alt.value(-12), x2=alt.value(-4), y=y, fill=colour),
        squares("layer_b", "owner_b").encode(x=x, y=low, y2=high, fill=colour),
    ]
