"""Groups of runs side by side: every run as a thin line, and each group's mean."""

from __future__ import annotations

from typing import Literal

import altair as alt
import polars as pl

from .frames import check, rows
from .palette import OWNER_COLOURS
from .parts import names, words_only
from .theme import vega_config

TITLES = {
    "validation-loss": "validation loss (nats per token)", "perplexity": "perplexity",
    "bits-per-byte": "bits per byte", "train-loss": "training loss (nats per token)",
    "trainable-parameters": "trainable parameters", "memory": "memory (bytes)",
}  # fmt: skip
"""Y title of each metric of `analysis.compare`."""


def compared_curves(
    curves: pl.DataFrame, *, metric: str, axis: str, where: float | None = None,
    width: int | Literal["container"] = 620, height: int = 300, dark: bool = False,
) -> alt.LayerChart:  # fmt: skip
    """The metric of every run (thin) and the mean of each group where all its runs have a value (thick).

    Args:
        curves: Columns group, run, seed, x, value (`analysis.compare.Compared.curves`).
        metric: A key of `TITLES`.
        axis: What x counts, in words.
        where: The x at which the groups are compared.
        width: In pixels.
        height: Of the plot, in pixels.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: The frame lacks a column.
    """
    check(curves, ["group", "run", "seed", "x", "value"], "a frame of curves")
    if curves.is_empty():
        return words_only("Nothing has been recorded yet.", height=height, width=width, dark=dark)
    groups = curves["group"].unique(maintain_order=True).to_list()
    runs = curves.group_by("group").agg(pl.col("run").n_unique().alias("runs"))
    means = (
        curves.group_by("group", "x").agg(pl.col("value").mean(), pl.col("run").n_unique().alias("count"))
        .join(runs, on="group").filter(pl.col("count") == pl.col("runs"), pl.col("runs") > 1).sort("group", "x")
    )  # fmt: skip
    colour = alt.Color(
        "group:N", scale=names(groups, OWNER_COLOURS[: len(groups)]), legend=alt.Legend(title=None, columns=4)
    )
    x = alt.X("x:Q", title=axis, scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(format="~s"))
    y = alt.Y("value:Q", title=TITLES.get(metric, metric), scale=alt.Scale(zero=False))
    thin = (
        alt.Chart(alt.InlineData(values=rows(curves)))
        .mark_line(strokeWidth=1.2, opacity=0.6, point=alt.OverlayMarkDef(size=14))
        .encode(
            x=x, y=y, color=colour, detail="run:N",
            tooltip=[
                alt.Tooltip("group:N"), alt.Tooltip("run:N"), alt.Tooltip("seed:O"), alt.Tooltip("x:Q", title=axis),
                alt.Tooltip("value:Q", format=".4f"),
            ],
        )
    )  # fmt: skip
    layers: list[alt.Chart] = [thin]
    if means.height:
        thick = alt.Chart(alt.InlineData(values=rows(means.select("group", "x", "value"))))
        layers.append(thick.mark_line(strokeWidth=3.5).encode(x=x, y=y, color=colour))
    if where is not None:
        rule = alt.Chart(alt.InlineData(values=[{"x": where}])).mark_rule(style="reference")
        layers.insert(0, rule.encode(x=x))
    return alt.LayerChart(
        layer=layers, width=width, height=height, config=vega_config(dark),
        title=alt.TitleParams(
            "Groups of runs", subtitle="Thin: a run each. Thick: a group's mean. Dashed: where they are compared."
        ),
        description=f"{TITLES.get(metric, metric)} of {len(groups)} groups of runs over {axis}.",
    )  # fmt: skip
