"""Groups of runs in pictures that fill their place: differences by seed, loss against size, aligned tie maps."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from ..frames import check, rows
from ..palette import OWNER_COLOURS, POLICIES
from ..run.parts import Panel, Width, figure, legend, names, words_only
from ..run.strips import owner_scale
from .compare import TITLES as OF_RUNS

TITLES = {**OF_RUNS, "test-loss": "test loss (nats per token)"}
"""Y title of each metric: those of `compare.TITLES`, and what is read once and has no curve."""
CAPTIONS = {
    "compared_curves": (
        "Lower is better: thin lines are runs, thick ones the mean of a group, shaded with its 95 % interval over runs."
        " The interval (Student's t) is for each place by itself. Dashed: where the runs are compared; a diamond where"
        " each stands at its own amount."
    ),
    "seed_differences": (
        "Each dot is a seed: what the group has there minus what the group that it is held against has with the same"
        " seed. Diamond and line: their mean with its 95 % t interval. Left of zero is better; a line across zero tells"
        " nothing apart."
    ),
    "loss_and_size": (
        "Down and to the left is better: less loss with fewer parameters. Small: a run each, its trainable parameters"
        " counted once per storage. Large: a group's mean, the upright line its 95 % t interval. Dashed: the front of"
        " the fixed patterns among the groups, which need no agent and which an agent has to get below."
    ),
    "aligned_maps": (
        "One row per run, one block per layer, in the colour and with the number of the layer whose weights it uses."
        " Equal colours are tied; a framed block is independent."
    ),
}
"""Chart -> how to read it."""
ROW = 30
"""Height of a group's row, in pixels."""
LABEL = 30
"""Characters of a name beside a row."""
MOST_MAPS = 18
"""Tie maps below each other, before they are too small to be read."""


def colours_of(labels: Sequence[str]) -> list[str]:
    """A colour for each group: a policy's own, where the label is one, else one that no policy has."""
    free = (colour for colour in OWNER_COLOURS[len(POLICIES) :] * (1 + len(labels)))
    return [OWNER_COLOURS[POLICIES.index(label)] if label in POLICIES else next(free) for label in labels]


def seed_differences(
    dots: pl.DataFrame,
    estimates: pl.DataFrame,
    *,
    first: str,
    groups: Sequence[str],
    colours: Sequence[str],
    metric: str = "validation-loss",
    width: Width = "container",
    dark: bool = False,
) -> alt.LayerChart:
    """A row per group: the difference from the first group at each seed, their mean and its interval.

    Args:
        dots: Columns group, seed, difference (`analysis.statistics.groups.by_seed`).
        estimates: Columns group, value, low, high, pairs (`analysis.statistics.groups.differences`).
        first: The group that the others are held against.
        groups: The rows, from the top.
        colours: Of the rows.
        metric: A key of `TITLES`.
        width: Of the whole chart.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A frame lacks a column.
    """
    check(dots, ["group", "seed", "difference"], "a frame of differences")
    check(estimates, ["group", "value", "low", "high", "pairs"], "a frame of estimates")
    if dots.is_empty() and estimates.is_empty():
        return words_only("No seed is shared by two groups.", height=120, width=width, dark=dark)
    unit = TITLES[metric].rpartition(" (")[2].removesuffix(")").removesuffix(" per token")
    title = f"difference from {_short(first)} ({unit})"
    y = _rows(groups)
    colour = alt.Color("group:N", scale=names(list(groups), colours), legend=None)
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="reference").encode(x=alt.X("zero:Q"))
    base = alt.Chart(alt.InlineData(values=rows(estimates)))
    tips = [
        alt.Tooltip("group:N"),
        alt.Tooltip("value:Q", title="mean difference", format="+.4f"),
        alt.Tooltip("low:Q", title="interval from", format="+.4f"),
        alt.Tooltip("high:Q", title="to", format="+.4f"),
        alt.Tooltip("pairs:Q", title="seeds in pairs"),
    ]
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=True))
    layers = [
        zero,
        base.mark_rule(strokeWidth=3).encode(x=x, x2="high:Q", y=y, color=colour),
        alt.Chart(alt.InlineData(values=rows(dots)))
        .mark_point(filled=True, size=34, opacity=0.75, yOffset=-8)
        .encode(
            x=alt.X("difference:Q", title=title),
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("group:N"),
                alt.Tooltip("seed:O"),
                alt.Tooltip("difference:Q", format="+.4f"),
            ],
        ),
        base.mark_point(shape="diamond", filled=True, size=150, opacity=1).encode(
            x=alt.X("value:Q", title=title), y=y, color=colour, tooltip=tips
        ),
    ]
    about = f"Difference of {len(groups)} groups from {first}, by seed, with means and intervals."
    return figure(layers, height=ROW * len(groups), width=width, dark=dark, description=about)


def loss_and_size(
    points: pl.DataFrame,
    averages: pl.DataFrame,
    best: pl.DataFrame,
    *,
    groups: Sequence[str],
    colours: Sequence[str],
    metric: str = "validation-loss",
    width: Width = "container",
    height: int = 250,
    dark: bool = False,
) -> alt.LayerChart:
    """The metric against the parameters that truly train: runs, means of groups, and the front of the fixed patterns.

    Args:
        points: Columns group, run, seed, parameters, value (`analysis.statistics.groups.sizes`).
        averages: Columns group, parameters, value, low, high (`analysis.statistics.groups.means`).
        best: The same columns: the front (`analysis.statistics.groups.front`); may be empty.
        groups: All groups.
        colours: Of the groups.
        metric: A key of `TITLES`.
        width: Of the whole chart.
        height: Of the plot, in pixels.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A frame lacks a column.
    """
    check(points, ["group", "run", "seed", "parameters", "value"], "a frame of sizes")
    columns = ["group", "parameters", "value", "low", "high"]
    check(averages, columns, "a frame of means")
    check(best, columns, "a frame of the front")
    if points.is_empty():
        return words_only("Nothing has been recorded yet.", height=height, width=width, dark=dark)
    title = TITLES[metric]
    x = alt.X(
        "parameters:Q",
        title="trainable parameters",
        scale=alt.Scale(type="log", nice=False, padding=16),
        axis=alt.Axis(format="~s", tickCount=6),
    )
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False))
    shown = legend(Panel(width=width), columns=5, narrow=2, symbolOpacity=1)
    colour = alt.Color("group:N", scale=names(list(groups), colours), legend=shown)
    base = alt.Chart(alt.InlineData(values=rows(averages)))
    layers: list[alt.Chart] = []
    if best.height > 1:
        edge = alt.Chart(alt.InlineData(values=rows(best.select("parameters", "value"))))
        layers.append(edge.mark_line(style="reference", interpolate="step-after", strokeDash=[5, 4]).encode(x=x, y=y))
    layers += [
        alt.Chart(alt.InlineData(values=rows(points)))
        .mark_point(filled=True, size=28, opacity=0.45)
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("group:N"),
                alt.Tooltip("seed:O"),
                alt.Tooltip("value:Q", title=metric, format=".4f"),
                alt.Tooltip("parameters:Q", format=",.0f"),
            ],
        ),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2.5)
        .encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q", color=colour),
        base.mark_point(shape="diamond", filled=True, size=150, opacity=1).encode(
            x=x,
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("group:N"),
                alt.Tooltip("value:Q", title=f"mean {metric}", format=".4f"),
                alt.Tooltip("low:Q", title="interval from", format=".4f"),
                alt.Tooltip("high:Q", title="to", format=".4f"),
                alt.Tooltip("parameters:Q", title="mean parameters", format=",.0f"),
            ],
        ),
    ]
    about = f"{title} against trainable parameters of {len(groups)} groups, with the front of the fixed patterns."
    return figure(layers, height=height, width=width, dark=dark, description=about)


def aligned_maps(
    maps: pl.DataFrame, *, most: int = MOST_MAPS, width: Width = "container", row: int = 22, dark: bool = False
) -> alt.LayerChart:
    """Tie maps below each other, a row per run and a column per layer.

    Args:
        maps: Columns run, group, layer, owner, block (`analysis.statistics.groups.last_maps`).
        most: Most rows.
        width: Of the whole chart.
        row: Height of a row, in pixels.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: The frame lacks a column.
    """
    check(maps, ["run", "group", "layer", "owner", "block"], "a frame of tie maps")
    if maps.is_empty():
        return words_only("No tie map is recorded.", height=120, width=width, dark=dark)
    order = maps["run"].unique(maintain_order=True).to_list()[:most]
    shown = maps.filter(pl.col("run").is_in(order))
    layers = int(shown["layer"].n_unique())
    colours = len(owner_scale().to_dict()["domain"])
    cells = shown.with_columns(
        colour=pl.col("owner") % colours,
        left=pl.col("layer") - 0.46,
        right=pl.col("layer") + 0.46,
        own=pl.col("owner") == pl.col("layer"),
    )
    room = f"width / {layers}"
    size = alt.ExprRef(expr=f"{room} < 15 ? 0 : min(13, {room} * 0.5)")
    axis = alt.Axis(values=list(range(0, layers, 1 + layers // 24)), format="d", grid=False, domain=False, ticks=False)
    scale = alt.Scale(domain=[-0.6, layers - 0.4], nice=False)
    x = alt.X("left:Q", title="layer (0 = first)", scale=scale, axis=axis)
    base = alt.Chart(alt.InlineData(values=rows(cells)))
    tips = [
        alt.Tooltip("run:N"),
        alt.Tooltip("group:N"),
        alt.Tooltip("layer:O"),
        alt.Tooltip("owner:O", title="its owner by the map"),
        alt.Tooltip("block:O", title="first layer with the same storage"),
    ]
    y = _rows(order, "run")
    colour = alt.Color("colour:N", scale=owner_scale(), legend=None)
    blocks = base.mark_rect(cornerRadius=3).encode(x=x, x2="right:Q", y=y, color=colour, tooltip=tips)
    framed = (
        base.transform_filter("datum.own").mark_rect(style="outline", cornerRadius=3).encode(x=x, x2="right:Q", y=y)
    )
    numbers = base.mark_text(style="on-colour", baseline="middle", fontSize=size).encode(
        x=alt.X("layer:Q"), y=y, text="owner:N"
    )
    about = f"The tie maps of {len(order)} runs, below each other."
    return figure([blocks, framed, numbers], height=row * len(order), width=width, dark=dark, description=about)


def _rows(order: Sequence[str], field: str = "group") -> alt.Y:
    label = f"length(datum.label) > {LABEL} ? slice(datum.label, 0, {LABEL - 1}) + '…' : datum.label"
    axis = alt.Axis(ticks=False, domain=False, grid=field == "group", labelPadding=8, labelExpr=label)
    return alt.Y(f"{field}:N", sort=list(order), title=None, axis=axis, scale=alt.Scale(domain=list(order)))


def _short(label: str) -> str:
    return label if len(label) <= LABEL else f"{label[: LABEL - 1]}…"
