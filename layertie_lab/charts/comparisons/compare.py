"""Groups of runs side by side: every run as a thin line, each group's mean, and the interval around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from ..drawn import LayerChart
from ..frames import LIMIT, check, rows, thin_extremes
from ..palette import OWNER_COLOURS
from ..run.parts import Panel, Width, legend, names, words_only
from ..theme import vega_config

TITLES = {
    "validation-loss": "validation loss (nats per token)", "perplexity": "perplexity",
    "bits-per-byte": "bits per byte", "train-loss": "training loss (nats per token)",
    "trainable-parameters": "trainable parameters", "memory": "memory (bytes)",
}  # fmt: skip
"""Y title of each metric of `analysis.statistics.compare`."""
AXES = {
    "steps": "optimizer steps", "tokens": "tokens of training", "parameters": "optimizer steps",
    "flops": "training operations (FLOPs)", "time": "seconds of training",
}  # fmt: skip
"""X title of what runs are brought to the same amount of. Parameters go up and down, so their curves run over steps."""
COLUMNS = ["group", "run", "seed", "step", "x", "value"]
_FEW = 60
"""Rows of a run up to which each of them is a dot as well."""


def compared_curves(
    curves: pl.DataFrame,
    points: pl.DataFrame | None = None,
    *,
    metric: str = "validation-loss",
    at: str = "steps",
    bands: pl.DataFrame | None = None,
    colours: Sequence[str] | None = None,
    width: Width = 620,
    height: int = 300,
    dark: bool = False,
) -> alt.LayerChart:
    """The metric of every run (thin) and the mean of each group's lines as far as all of them go (thick).

    Args:
        curves: Columns group, run, seed, step, x, value (`analysis.statistics.compare.Compared.curves`).
        points: The same columns: where each run is compared (`Compared.points`). Equal for all, it is a dashed line;
            with at="parameters" a diamond per run.
        metric: A key of `TITLES`.
        at: A key of `AXES`.
        bands: Columns group, at, low, high: an interval around each group's mean (`analysis.statistics.groups.bands`).
        colours: Of the groups, in the order of the frame; None = those of the first owners.
        width: Of the plot in pixels, or "container", and then of the whole chart.
        height: Of the plot, in pixels.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A frame lacks a column.
    """
    check(curves, COLUMNS, "a frame of curves")
    if points is not None:
        check(points, COLUMNS, "a frame of points")
    if curves.is_empty():
        return words_only("Nothing has been recorded yet.", height=height, width=width, dark=dark)
    over_steps = at == "parameters"
    place = "step" if over_steps else "x"
    groups = curves["group"].unique(maintain_order=True).to_list()
    curves = curves.with_columns(at=pl.col(place).cast(pl.Float64)).sort("at", maintain_order=True)
    colour = alt.Color(
        "group:N",
        scale=names(groups, colours or OWNER_COLOURS[: len(groups)]),
        legend=legend(Panel(width=width), columns=4, narrow=2, symbolOpacity=1)
        if width == "container"
        else alt.Legend(title=None, columns=4, symbolOpacity=1),
    )
    title, counts = TITLES.get(metric, metric), metric in ("trainable-parameters", "memory")
    # Half a second is not "500m".
    ticks = alt.Axis(format="~g") if at == "time" else alt.Axis(format="~s", tickMinStep=1)
    x = alt.X("at:Q", title=AXES[at], scale=alt.Scale(zero=False, nice=False), axis=ticks)
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format="~s" if counts else "~g"))
    tooltip = [
        alt.Tooltip("group:N"),
        alt.Tooltip("run:N"),
        alt.Tooltip("seed:O"),
        alt.Tooltip("step:Q", format=",.0f"),
        *([] if at == "steps" else [alt.Tooltip("x:Q", title=at, format=",.4~g" if at == "time" else ",.0f")]),
        alt.Tooltip("value:Q", title=metric, format=",.0f" if counts else ".4f"),
    ]
    drawn, dots = _thinned(curves)
    layers: list[alt.Chart] = []
    if points is not None and not over_steps:
        rule = alt.Chart(alt.InlineData(values=[{"at": points["x"].max()}])).mark_rule(style="reference")
        layers.append(rule.encode(x=x))
    if bands is not None and bands.height:
        around = alt.Chart(alt.InlineData(values=rows(bands.select("group", "at", "low", "high"))))
        layers.append(
            around.mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q", color=colour)
        )
    layers.append(
        alt.Chart(alt.InlineData(values=rows(drawn)))
        .mark_line(strokeWidth=1.2, opacity=0.6, point=alt.OverlayMarkDef(size=14) if dots else False)
        .encode(x=x, y=y, color=colour, detail="run:N", tooltip=tooltip)
    )
    means = _means(curves)
    if means.height:
        thick = alt.Chart(alt.InlineData(values=rows(means))).mark_line(strokeWidth=3.5)
        layers.append(thick.encode(x=x, y=y, color=colour))
    if points is not None and over_steps:
        diamonds = alt.Chart(alt.InlineData(values=rows(points.with_columns(at=pl.col(place)))))
        layers.append(
            diamonds.mark_point(shape="diamond", filled=True, size=110, opacity=1).encode(
                x=x, y=y, color=colour, tooltip=tooltip
            )
        )
    shaded = ["Shaded: its interval over runs."] if bands is not None and bands.height else []
    words = ["Thin: a run each.", *(["Thick: a group's mean."] if means.height else []), *shaded]
    if points is not None:
        words.append("Diamonds: where each is compared." if over_steps else "Dashed: where they are compared.")
    fitted: dict[str, Any] = {}
    if width == "container":
        fitted["autosize"] = alt.AutoSizeParams(type="fit-x", contains="padding")
    return LayerChart(
        **fitted,
        layer=layers,
        width=width,
        height=height,
        config=vega_config(dark),
        title=alt.TitleParams("Groups of runs", subtitle=" ".join(words)),
        description=f"{title} of {len(groups)} groups of runs over {AXES[at]}.",
    )


def _thinned(curves: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """Rows that a browser draws without delay, and whether they are few enough for dots."""
    runs = curves.partition_by("run", maintain_order=True)
    most = max(100, LIMIT // len(runs))
    few = max(run.height for run in runs) <= _FEW and curves.height <= LIMIT
    return pl.concat([thin_extremes(run, "value", limit=most) for run in runs]), few


def _means(curves: pl.DataFrame) -> pl.DataFrame:
    """Columns group, at, value: the mean of the straight-lined curves of each group of two runs or more."""
    found = []
    for (group,), members in curves.partition_by("group", as_dict=True, maintain_order=True).items():
        lines = [(run["at"].to_numpy(), run["value"].to_numpy()) for run in members.partition_by("run")]
        first, last = max(float(xs[0]) for xs, _ in lines), min(float(xs[-1]) for xs, _ in lines)
        places = members.filter(pl.col("at").is_between(first, last))["at"].unique().sort()
        if len(lines) < 2 or places.is_empty():
            continue
        values = np.mean([np.interp(places.to_numpy(), xs, ys) for xs, ys in lines], axis=0)
        found.append(pl.DataFrame({"group": [group] * len(places), "at": places, "value": values}))
    none = pl.DataFrame(schema={"group": pl.String, "at": pl.Float64, "value": pl.Float64})
    return pl.concat([none, *(thin_extremes(mean, "value", limit=1_000) for mean in found)])
