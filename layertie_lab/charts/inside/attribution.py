"""Pictures of attribution: what each position does for the loss, by one method or by several that need not agree."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from ...core.errors import AnalysisError
from ..drawn import LayerChart, VConcatChart
from ..frames import check, of_method, rows
from ..palette import OWNER_COLOURS
from ..run.parts import Width, figure, words_only
from ..run.strips import owner_scale
from ..theme import vega_config

CAPTIONS = {
    "attribution": (
        "How much each layer contributes by the method named on the axis. A bar has the colour of the layer's owner;"
        " an arrow above names the owner of a tied layer; the upright line is the interval. Attribution is to the"
        " layer's position, so tied layers differ. Each bar is of its layer's own update, and later layers read what"
        " earlier ones wrote: bars of different layers do not add up to a whole."
    ),
    "attribution_of_token": (
        "How much each layer contributes to the loss of the picked token, by the method named on the axis: above zero"
        " the loss rises without it or by it, as the axis says. A bar has the colour of the layer's owner; an arrow"
        " above names the owner of a tied layer. One token: no interval."
    ),
    "attribution_methods": (
        "The same layers by several methods, one above the other, each with its own scale; a bar has the colour of the"
        " layer's owner, the upright line is the interval, and the completeness error says by how much the shares miss"
        " the difference that they should sum to. Methods ask different questions and may disagree: the tiles below"
        " rank the layers by each, bright = rank 1, the layer that lowers the loss most; a column with unlike"
        " tiles is a layer that they disagree on. Replaced: the nearest layer before or after with other weights"
        " stands in; a gap means that there is none."
    ),
}
"""Chart -> how to read it."""

_NEEDED = ["layer", "value", "method", "owner"]


def attribution_bars(
    attribution: pl.DataFrame,
    *,
    method: str | None = None,
    title: str | None = None,
    height: int = 220,
    width: Width = 680,
    dark: bool = False,
) -> alt.LayerChart:
    """One bar per layer in the colour of its owner, with its interval where known.

    Args:
        attribution: Columns layer, value, method, owner; low and high (interval) where known, and lowers: on which
            side of 0 the layer lowers the loss, above or (where there is no such column) below.
        method: Which method's rows to show; may be left out where there is one.
        title: Y title with the unit; None = the method's name, and the unit where there is a column unit.
        height: Height of the plot in pixels.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or it is unclear which method is meant.
    """
    check(attribution, _NEEDED, "a frame of attributions")
    if attribution.is_empty():
        return words_only("No attribution has been computed yet.", height=height, width=width, dark=dark)
    frame, method = of_method(attribution, method)
    unit = str(frame.get_column("unit")[0]) if "unit" in frame.columns else ""
    # Two lines, and of the unit what stands before its explanation: a title may not be longer than its axis.
    axis = title or [method, f"({unit.split(',')[0]})" if unit else "(attribution)"]
    parts = [
        *_bars(frame, axis, title or (f"{method} ({unit})" if unit else method), _layers()),
        _owners(frame, _layers()),
    ]
    words = [*_target_words(frame), *_error_words(frame)]
    heading: dict[str, Any] = {"title": _small_title(words)} if words else {}
    return figure(
        parts,
        height=height,
        width=width,
        dark=dark,
        description=f"Attribution ({method}) to each of {len(frame)} layers.",
        resolve=alt.Resolve(scale={"color": "independent", "stroke": "independent"}),
        **heading,
    )


def attribution_methods(
    attribution: pl.DataFrame,
    *,
    height: int = 110,
    width: int = 680,
    dark: bool = False,
) -> alt.VConcatChart | alt.LayerChart:
    """Methods one above the other over the same layers, each on its own scale, and how each ranks the layers.

    Methods are not averaged: where they disagree, the ranks below show where.

    Args:
        attribution: Columns as in `attribution_bars`; completeness_error and total where known.
        height: Height of each method's plot in pixels.
        width: Width of the plots in pixels, without their axes.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or a method has two rows of one layer.
    """
    check(attribution, _NEEDED, "a frame of attributions")
    if attribution.is_empty():
        return words_only("No attribution has been computed yet.", height=height, width=width, dark=dark)
    if attribution.select("method", "layer").is_duplicated().any():
        raise AnalysisError(
            "Expected one row per method and layer, but some have several.",
            "Give the frame of one model, one target and one baseline.",
        )
    methods = attribution.get_column("method").unique(maintain_order=True).to_list()
    panels: list[alt.LayerChart] = []
    for place, method in enumerate(methods):
        frame, _ = of_method(attribution, method)
        unit = str(frame.get_column("unit")[0]) if "unit" in frame.columns else ""
        # The last panel alone names the axis that all have.
        x = _layers(None) if len(methods) > 1 else _layers()
        parts = _bars(frame, unit.split(",")[0] or "attribution", f"{method} ({unit})" if unit else method, x)
        # The owners' names once: the colours say it everywhere.
        parts += [] if place else [_owners(frame, x)]
        panels.append(
            LayerChart(layer=parts, height=height, width=width, title=_small_title(_panel_words(frame, method)))
        )
    if len(methods) > 1:
        panels.append(_rank_tiles(attribution, methods, width))
    words = _target_words(attribution)
    heading: dict[str, Any] = {"title": _small_title(words)} if words else {}
    return VConcatChart(
        vconcat=panels,
        spacing=14,
        config=vega_config(dark),
        description=f"Attribution to each layer by {len(methods)} methods: {', '.join(methods)}.",
        resolve=alt.Resolve(scale={"color": "independent"}),
        **heading,
    )


def ranks(attribution: pl.DataFrame) -> pl.DataFrame:
    """How each method ranks the layers.

    Args:
        attribution: Columns layer, value, method; lowers where known, see `attribution_bars`.

    Returns:
        The frame with `rank`: 1 = the layer that lowers the loss most by this method; ties share the mean rank; null
        where there is no value.
    """
    above = pl.col("lowers") == "above" if "lowers" in attribution.columns else pl.lit(False)
    lowers = pl.when(above).then(pl.col("value")).otherwise(-pl.col("value"))
    return attribution.with_columns(rank=lowers.rank(descending=True).over("method"))


def rank_correlations(attribution: pl.DataFrame) -> pl.DataFrame:
    """Spearman's rank correlation of each two methods over the layers that both have a value for.

    Args:
        attribution: Columns layer, value, method; one row per method and layer.

    Returns:
        Columns method_a, method_b, rho (1: same order, -1: opposite; null under 3 layers), layers. Layers of one
        model are not a sample, so there is no interval.
    """
    table = ranks(attribution).select("method", "layer", "value", "rank").filter(pl.col("value").is_not_null())
    order = table.get_column("method").unique(maintain_order=True).to_list()
    found = []
    for place, a in enumerate(order):
        for b in order[place + 1 :]:
            both = table.filter(method=a).join(table.filter(method=b), on="layer")
            rho = both.select(pl.corr("rank", "rank_right", method="spearman")).item() if len(both) > 2 else None
            found.append((a, b, None if rho is None or rho != rho else rho, len(both)))
    schema = {"method_a": pl.String, "method_b": pl.String, "rho": pl.Float64, "layers": pl.Int64}
    return pl.DataFrame(found, schema=schema, orient="row")


def _layers(title: str | None = "layer (0 = first)") -> alt.X:
    # The same for bars and tiles, so that a layer stands at one place in all.
    scale = alt.Scale(paddingInner=0.1, paddingOuter=0.05)
    return alt.X("layer:O", title=title, scale=scale, axis=alt.Axis(labelAngle=0, labelSeparation=6))


def _bars(frame: pl.DataFrame, axis: str | list[str], name: str, x: alt.X) -> list[alt.Chart]:
    base = alt.Chart(alt.InlineData(values=rows(frame.sort("layer"))))
    interval = _known(frame, "low") and _known(frame, "high")
    shown = [
        ("low", "interval: low", interval),
        ("high", "interval: high", interval),
        ("completeness_error", "completeness error", _known(frame, "completeness_error")),
        ("neighbour", "block used", _known(frame, "neighbour")),
        ("baseline", "baseline", _known(frame, "baseline")),
    ]
    tips = [
        alt.Tooltip("layer:O", title="layer"),
        alt.Tooltip("owner:O", title="owner"),
        alt.Tooltip("value:Q", title=name, format=".4~g"),
        *(
            alt.Tooltip(f"{column}:N", title=words)
            if column in ("neighbour", "baseline")
            else alt.Tooltip(f"{column}:Q", title=words, format=".4~g")
            for column, words, known in shown
            if known
        ),
    ]
    bars = base.transform_filter("isValid(datum.value)").transform_calculate(
        colour=f"datum.owner % {len(OWNER_COLOURS)}"
    )
    parts = [
        # A layer without a value keeps its place on the axis.
        base.mark_point(opacity=0, size=0).encode(x=x),
        bars.mark_bar().encode(
            x=x,
            y=alt.Y("value:Q", title=axis),
            color=alt.Color("colour:N", scale=owner_scale(), legend=None),
            tooltip=tips,
        ),
        alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="tick").encode(y=alt.Y("zero:Q")),
    ]
    if interval:
        parts.append(
            base.transform_filter("isValid(datum.low) && isValid(datum.high)")
            .mark_rule(style="interval")
            .encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
        )
    return parts


def _owners(frame: pl.DataFrame, x: alt.X) -> alt.Chart:
    """An arrow to its owner above each tied layer."""
    room = f"width / {len(frame)}"
    return (
        alt.Chart(alt.InlineData(values=rows(frame.sort("layer"))))
        .transform_filter("datum.owner != datum.layer")
        .transform_calculate(to="'→' + datum.owner")
        .mark_text(style="label", dy=-8, align="center", fontSize=alt.ExprRef(expr=f"{room} < 18 ? 0 : 13"))
        .encode(x=x, y=alt.value(0), text="to:N")
    )


def _rank_tiles(attribution: pl.DataFrame, methods: list[str], width: int) -> alt.LayerChart:
    frame = ranks(attribution).filter(pl.col("rank").is_not_null())
    layers = attribution.get_column("layer").n_unique()
    base = alt.Chart(alt.InlineData(values=rows(frame.select("method", "layer", "owner", "value", "rank"))))
    y = alt.Y("method:N", sort=methods, title=None, axis=alt.Axis(domain=False, ticks=False))
    shade = alt.Color("rank:Q", scale=alt.Scale(scheme="viridis", domain=[1, layers], reverse=True), legend=None)
    tips = [alt.Tooltip(f"{name}", title=words) for name, words in (("method:N", "method"), ("layer:O", "layer"))]
    tips.append(alt.Tooltip("rank:Q", title=f"rank of {layers} (1 lowers the loss most)"))
    # The middle of viridis is where white and black are equally readable.
    readable = alt.condition(f"datum.rank > {0.55 * (layers + 1)}", alt.value("#ffffff"), alt.value("#111111"))
    size = max(0, min(13, width // layers // 2)) if width // layers >= 16 else 0
    return LayerChart(
        layer=[
            base.mark_rect().encode(x=_layers(), y=y, color=shade, tooltip=tips),
            base.mark_text(fontSize=size, baseline="middle").encode(
                x=_layers(), y=y, text=alt.Text("rank:Q", format=".3~g"), color=readable
            ),
        ],
        width=width,
        height=26 * len(methods),
        title=_small_title(_agreement_words(attribution)),
    )


def _agreement_words(attribution: pl.DataFrame) -> str:
    found = rank_correlations(attribution).filter(pl.col("rho").is_not_null()).sort("rho")
    rank = "Rank by each method: 1 = lowers the loss most"
    if found.is_empty():
        return rank
    least = found.row(0, named=True)
    return f"{rank} · least alike: {least['method_a']} and {least['method_b']}, Spearman's rho {least['rho']:.2f}"


def _panel_words(frame: pl.DataFrame, method: str) -> str:
    side = frame["lowers"][0] if "lowers" in frame.columns else "below"
    words = [method, f"{side} 0: lowers the loss"]
    return " · ".join([*words, *_error_words(frame)])


def _error_words(frame: pl.DataFrame) -> list[str]:
    if not (_known(frame, "completeness_error") and _known(frame, "total")):
        return []
    error = frame.select(pl.col("completeness_error").max()).item()
    return [f"completeness error up to {error:.2g} of {frame.get_column('total')[0]:.2g}".replace("-", "\u2212")]


def _target_words(frame: pl.DataFrame) -> list[str]:
    if not (_known(frame, "target_sequence") and _known(frame, "target_position")):
        return []
    sequence, position = frame.select("target_sequence", "target_position").drop_nulls().row(0)
    return ["one token: no interval", f"after position {position} of sequence {sequence}"]


def _known(frame: pl.DataFrame, column: str) -> bool:
    return column in frame.columns and frame.get_column(column).null_count() < len(frame)


def _small_title(words: str | list[str]) -> alt.TitleParams:
    # From the chart's edge, not the plot's: on a narrow page its words need that room.
    return alt.TitleParams(words, fontSize=13, fontWeight="normal", offset=20, frame="bounds")
