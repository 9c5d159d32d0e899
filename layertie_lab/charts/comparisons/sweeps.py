"""Pictures of a sweep: each policy with its intervals, its performance profile, loss against true parameters."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import altair as alt
import polars as pl

from ..drawn import FacetChart, HConcatChart, LayerChart, VConcatChart
from ..frames import check, rows
from ..palette import OWNER_COLOURS, POLICIES
from ..run.parts import names, words_only
from ..theme import vega_config

ROW = 26
"""Height of one policy's row, in pixels."""
METRICS = {
    "validation_loss": "validation loss (nats per token)",
    "best_validation_loss": "best validation loss (nats per token)",
    "perplexity": "perplexity",
    "bits_per_byte": "bits per byte",
}
"""Axis title of each metric."""

SweepChart = alt.HConcatChart | alt.FacetChart | alt.LayerChart

_SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross"]


def policy_intervals(
    results: pl.DataFrame,
    aggregates: pl.DataFrame,
    *,
    metric: str = "validation_loss",
    reference: str = "independent",
    setting: str | None = None,
    width: int = 330,
    dark: bool = False,
) -> alt.HConcatChart | alt.LayerChart:
    """One row per policy, best first: its runs with the interquartile mean, and beside it the difference by seed.

    Args:
        results: Columns policy, setting, seed, status and the metric, a row per run.
        aggregates: Columns of `analysis.statistics.aggregates.AGGREGATES`, of the same runs and metric.
        metric: Which column of the results.
        reference: The policy that differences are against.
        setting: Which setting to show; None = the first.
        width: Width of either plot in pixels.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A frame lacks a column.
    """
    check(results, ["policy", "setting", "seed", "status", metric], "a frame of results")
    bounds = ["iqm", "iqm_low", "iqm_high", "difference", "difference_low", "difference_high"]
    check(aggregates, ["setting", "policy", "seeds", "pairs", *bounds], "a frame of aggregates")
    chosen = setting if setting is not None or aggregates.is_empty() else aggregates["setting"][0]
    shown = aggregates.filter(pl.col("setting").eq_missing(pl.lit(chosen)), pl.col("seeds") > 0)
    runs = results.filter(pl.col("setting").eq_missing(pl.lit(chosen)), pl.col("status") == "finished").select(
        "policy", "seed", value=metric
    )
    where = f" with {chosen}" if chosen else ""
    if shown.is_empty() or runs.is_empty():
        return words_only(f"No run{where} is finished yet.", height=120, width=2 * width, dark=dark)
    order = shown["policy"].to_list()
    height = ROW * len(order)
    title = METRICS.get(metric, metric)
    scale = names(order, _colours(order))
    dots = (
        alt.Chart(alt.InlineData(values=rows(runs)))
        .mark_point(filled=True, size=36, opacity=0.8)
        .encode(
            x=alt.X("value:Q", title=title, scale=alt.Scale(zero=False)),
            y=_policies(order, labels=True),
            color=alt.Color("policy:N", scale=scale, legend=None),
            tooltip=[
                alt.Tooltip("policy:N"),
                alt.Tooltip("seed:O"),
                alt.Tooltip("value:Q", title=title, format=".4f"),
            ],
        )
    )
    left = [*_interval(shown, "iqm", "seeds", title, order, labels=True), dots]
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="reference").encode(x=alt.X("zero:Q", title=""))
    )
    words = f"difference from {reference}, by seed"
    right = [zero, *_interval(shown, "difference", "pairs", words, order, labels=False)]
    seeds = f"{shown['seeds'].min()} to {shown['seeds'].max()}" if shown["seeds"].n_unique() > 1 else shown["seeds"][0]
    return HConcatChart(
        hconcat=[
            LayerChart(
                layer=left,
                width=width,
                height=height,
                title=f"Interquartile mean, 95 % bootstrap, {seeds} seeds{where}",
            ),
            LayerChart(layer=right, width=width, height=height, title="Mean paired difference, 95 % t interval"),
        ],
        config=vega_config(dark),
        description=f"{title} of each of {len(order)} policies with intervals, and the difference from {reference}.",
    )


def profile_chart(
    profiles: pl.DataFrame,
    *,
    metric: str = "validation_loss",
    reference: str = "independent",
    excess: bool = False,
    columns: int = 5,
    width: int = 130,
    height: int = 110,
    dark: bool = False,
) -> alt.FacetChart | alt.LayerChart:
    """The share of each policy's runs at or below a loss, a panel per policy: further left is better.

    Args:
        profiles: Columns of `analysis.statistics.aggregates.PROFILE`, panels in the order of its rows.
        metric: What the thresholds are.
        reference: The policy whose profile is drawn dashed in every panel.
        excess: Whether thresholds are above the reference's mean.
        columns: Panels in a row.
        width: Width of a panel in pixels.
        height: Its height.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: The frame lacks a column.
    """
    check(profiles, ["policy", "threshold", "share", "low", "high", "runs"], "a frame of profiles")
    if profiles.is_empty():
        words = "A profile needs two finished runs of a policy."
        return words_only(words, height=height, width=columns * width, dark=dark)
    order = list(dict.fromkeys(profiles["policy"]))
    title = METRICS.get(metric, metric) + (f" above {reference}'s mean" if excess else "")
    other = profiles.filter(policy=reference).select("threshold", reference="share")
    joined = profiles.join(other, on="threshold", how="left")
    base = alt.Chart().encode(
        x=alt.X("threshold:Q", title=None, scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=3))
    )
    share = alt.Y("share:Q", title="share of runs", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=3))
    colour = alt.Color("policy:N", scale=names(order, _colours(order)), legend=None)
    tips = [
        alt.Tooltip("policy:N"),
        alt.Tooltip("threshold:Q", title=title, format=".4f"),
        alt.Tooltip("share:Q", title="share at or below", format=".2f"),
        alt.Tooltip("low:Q", title="interval from", format=".2f"),
        alt.Tooltip("high:Q", title="to", format=".2f"),
        alt.Tooltip("runs:Q"),
    ]
    panel = LayerChart(
        layer=[
            base.mark_area(interpolate="step-after", opacity=0.22).encode(
                y=alt.Y("low:Q", title="share of runs"), y2="high:Q", color=colour
            ),
            base.mark_line(style="reference", interpolate="step-after").encode(y="reference:Q"),
            base.mark_line(interpolate="step-after", strokeWidth=2.5).encode(y=share, color=colour, tooltip=tips),
        ],
        width=width,
        height=height,
    )
    heading = alt.TitleParams(
        "Performance profiles, 95 % bootstrap, pointwise",
        subtitle=f"share of runs at or below a {title}; dashed: {reference}",
    )
    return FacetChart(
        spec=panel,
        data=alt.InlineData(values=rows(joined)),
        facet=alt.Facet("policy:N", sort=order, title=None, header=alt.Header(labelFontSize=13)),
        columns=columns,
        title=heading,
        config=vega_config(dark),
        description=f"Share of each policy's runs at or below each {title}.",
    )


def parameters_against_loss(
    results: pl.DataFrame, *, metric: str = "validation_loss", width: int = 680, height: int = 320, dark: bool = False
) -> alt.LayerChart:
    """Each run: its loss against the parameters that truly train at its end, counted once per storage.

    Args:
        results: Columns run, policy, setting, seed, status, trainable_parameters, owners, blocks and the metric.
        metric: What the y axis shows.
        width: Width of the plot in pixels.
        height: Its height.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: The frame lacks a column.
    """
    columns = ["run", "policy", "setting", "seed", "status", "trainable_parameters", "owners", "blocks", metric]
    check(results, columns, "a frame of results")
    runs = results.filter(pl.col("status") == "finished").select(columns)
    if runs.is_empty():
        return words_only("No run is finished yet.", height=height // 2, width=width, dark=dark)
    order = list(dict.fromkeys(runs["policy"]))
    title = METRICS.get(metric, metric)
    settings = list(dict.fromkeys(runs["setting"]))
    shape = (
        alt.Shape("setting:N", scale=names(settings, [_SHAPES[i % 6] for i in range(len(settings))]))
        if len(settings) > 1
        else alt.Shape("policy:N", scale=names(order, [_SHAPES[_place(policy) % 6] for policy in order]))
    )
    points = (
        alt.Chart(alt.InlineData(values=rows(runs)))
        .mark_point(filled=True, size=75, opacity=0.75)
        .encode(
            x=alt.X(
                "trainable_parameters:Q",
                title="trainable parameters at the end, counted once per storage",
                scale=alt.Scale(type="log", nice=False, padding=12),
                axis=alt.Axis(format="~s"),
            ),
            y=alt.Y(f"{metric}:Q", title=title, scale=alt.Scale(zero=False)),
            color=_legend(order),
            shape=shape,
            tooltip=[
                alt.Tooltip("policy:N"),
                alt.Tooltip("setting:N"),
                alt.Tooltip("seed:O"),
                alt.Tooltip(f"{metric}:Q", title=title, format=".4f"),
                alt.Tooltip("trainable_parameters:Q", title="trainable parameters", format=","),
                alt.Tooltip("owners:Q", title="independent layers"),
                alt.Tooltip("blocks:Q", title="distinct blocks"),
            ],
        )
    )
    return LayerChart(
        layer=[points],
        width=width,
        height=height,
        config=vega_config(dark),
        title="Loss against what truly trains",
        description=f"{title} against trainable parameters, one point per run.",
    )


def sweep_chart(
    charts: Sequence[alt.HConcatChart | alt.FacetChart | alt.LayerChart], *, dark: bool = False
) -> alt.VConcatChart:
    """Several of these under one another, with one theme."""
    parts = []
    for chart in charts:
        plain = chart.copy()
        plain.config = alt.Undefined  # only the outermost chart may have one
        parts.append(plain)
    whole = VConcatChart(vconcat=parts, spacing=40, config=vega_config(dark))
    return whole.resolve_scale(color="independent", shape="independent", x="independent", y="independent")


def _policies(order: Sequence[str], *, labels: bool) -> alt.Y:
    axis = alt.Axis(labels=labels, ticks=False, domain=False, grid=True, labelPadding=8, minExtent=0)
    return alt.Y("policy:N", sort=list(order), title=None, axis=axis, scale=alt.Scale(domain=list(order)))


def _interval(
    frame: pl.DataFrame, name: str, count: str, title: str, order: Sequence[str], *, labels: bool
) -> list[alt.Chart]:
    """The estimate as a mark and its interval as a line, a row per policy."""
    bounds = [name, f"{name}_low", f"{name}_high"]
    base = alt.Chart(alt.InlineData(values=rows(frame.select("policy", count, *bounds).drop_nulls()))).encode(
        y=_policies(order, labels=labels),
        tooltip=[
            alt.Tooltip("policy:N"),
            alt.Tooltip(f"{count}:Q"),
            *(alt.Tooltip(f"{bound}:Q", format=".4f") for bound in bounds),
        ],
    )
    x = alt.X(f"{name}_low:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
    return [
        base.mark_rule(style="interval").encode(x=x, x2=f"{name}_high:Q"),
        base.mark_point(style="interval", shape="diamond", filled=True, size=90, opacity=1).encode(
            x=alt.X(f"{name}:Q", title=title, scale=alt.Scale(zero=False))
        ),
    ]


def _place(policy: str) -> int:
    # The same policy has the same colour and shape in every chart, whichever others are in it.
    if policy in POLICIES:
        return POLICIES.index(policy)
    return len(POLICIES) + crc32(policy.encode()) % (len(OWNER_COLOURS) - len(POLICIES))


def _colours(order: Sequence[str]) -> list[str]:
    return [OWNER_COLOURS[_place(policy)] for policy in order]


def _legend(order: Sequence[str]) -> alt.Color:
    return alt.Color("policy:N", scale=names(order, _colours(order)), legend=alt.Legend(title=None, columns=5))
