"""The audit as pictures: what a run claimed beside what was true of it, and where its gradients flow."""

from __future__ import annotations

from typing import Any, Literal

import altair as alt
import polars as pl

from .. import palette
from ..drawn import LayerChart, VConcatChart
from ..frames import LIMIT, check, largest, rows, thin_extremes
from ..run.parts import Width, figure, names, words_only
from ..theme import vega_config

CAPTIONS = {
    "audit": (
        "Dashed orange: what the official code would have printed; solid blue: what was true. Layers: those that the"
        " map calls independent, and distinct blocks in memory. Parameters: as the official code's count by layer"
        " prints them, and those that train, each storage once. Memory: what was allocated when the episode began,"
        " where the official code reads it, and what a training step needs, predicted from shapes; dotted green, on"
        " CUDA: the allocator's measured peak."
    ),
    "gradient_flow": (
        "One row per layer, one column per decision. Blue: the position alone gives its weights their gradient"
        " (owner). Green: its gradient is added to that of other positions (summed). Grey: no gradient of the"
        " weights comes from there (none): a frozen copy, or a layer not yet asked about."
    ),
}
"""Chart -> how to read it."""

Quantity = Literal["layers", "parameters", "memory"]

_BOOKS: dict[Quantity, tuple[tuple[str, str, str], ...]] = {
    "layers": (
        ("claimed_independent", "claimed: independent by the map", palette.CLAIMED_COUNT),
        ("true_blocks", "true: distinct blocks in memory", palette.TRUE_COUNT),
    ),
    "parameters": (
        ("claimed_parameters", "claimed: counted by layer", palette.CLAIMED_COUNT),
        ("true_parameters", "true: each storage once", palette.TRUE_COUNT),
    ),
    "memory": (
        ("claimed_bytes", "claimed: when the episode began", palette.CLAIMED_COUNT),
        ("true_bytes", "true: a training step (predicted)", palette.TRUE_COUNT),
        ("device_peak_bytes", "true: CUDA peak (measured)", palette.VALIDATION),
    ),
}
_TITLES: dict[Quantity, tuple[str, float]] = {
    "layers": ("layers (count)", 1.0),
    "parameters": ("trainable (thousands)", 1e3),
    "memory": ("memory (MB)", 1e6),
}
_GRADIENTS = {"owner": palette.AGENT, "summed": palette.VALIDATION, "none": palette.EXPLORED}
_NOTHING = "Nothing has been audited yet."


def claimed_and_true(
    audit: pl.DataFrame, what: Quantity = "layers", *, height: int = 150, width: Width = 680, dark: bool = False
) -> alt.LayerChart:
    """One quantity over the run, as claimed and as it truly was.

    Args:
        audit: The frame of an audit (`analysis.audit.rows.COLUMNS`).
        what: layers, parameters or memory.
        height: Height of the plot in pixels.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: The frame lacks a column.
    """
    if not _is_there(audit, [column for column, *_ in _BOOKS[what]]):
        return words_only(_NOTHING, height=height, width=width, dark=dark)
    return _finished(_counts(audit, what), height, width, dark, CAPTIONS["audit"])


def gradient_flow(audit: pl.DataFrame, *, height: int = 180, width: Width = 680, dark: bool = False) -> alt.LayerChart:
    """The weight gradient at each position over the run: owner, summed or none.

    Args:
        audit: As in `claimed_and_true`.
        height: Height of the plot in pixels.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: The frame lacks a column.
    """
    if not _is_there(audit, ["gradient"]) or audit["gradient"].null_count() == audit.height:
        return words_only(_NOTHING, height=height, width=width, dark=dark)
    return _finished(_flow(audit), height, width, dark, CAPTIONS["gradient_flow"])


def audit_chart(audit: pl.DataFrame, *, width: int = 680, dark: bool = False) -> alt.VConcatChart | alt.LayerChart:
    """All of it: layers, parameters, memory, gradients, one below the other.

    Args:
        audit: As in `claimed_and_true`.
        width: Width of each plot in pixels, without its axis.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: The frame lacks a column.
    """
    columns = [column for book in _BOOKS.values() for column, *_ in book]
    if not _is_there(audit, [*columns, "gradient"]):
        return words_only(_NOTHING, height=200, width=width, dark=dark)
    panels = [LayerChart(layer=[_counts(audit, what)], height=130, width=width) for what in _BOOKS]
    if audit["gradient"].null_count() < audit.height:
        panels.append(LayerChart(layer=[_flow(audit)], height=160, width=width))
    return (
        VConcatChart(vconcat=panels, config=vega_config(dark), description=CAPTIONS["audit"])
        .resolve_scale(color="independent", strokeDash="independent")
        .resolve_legend(color="independent", strokeDash="independent")
    )


def _is_there(audit: pl.DataFrame, columns: list[str]) -> bool:
    check(audit, ["decision", *columns], "the frame of an audit")
    return not audit.is_empty()


def _x() -> alt.X:
    return alt.X(
        "decision:Q", title="decision (0 = the start)", scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1)
    )


def _counts(audit: pl.DataFrame, what: Quantity) -> alt.Chart:
    title, unit = _TITLES[what]
    books = [book for book in _BOOKS[what] if audit[book[0]].null_count() < audit.height]
    long: list[dict[str, Any]] = []
    # Drawn in this order: a dashed line is seen above a solid one of the same values, and not below it.
    for column, label, _ in reversed(books):
        series = audit.select("decision", value=pl.col(column) / unit).drop_nulls().sort("decision")
        long += [row | {"book": label} for row in rows(thin_extremes(series, "value", limit=LIMIT // 3))]
    labels = [label for _, label, _ in books]
    key = alt.Legend(title=None, columns=1, labelLimit=0)
    base = alt.Chart(alt.InlineData(values=long)).encode(
        x=_x(),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickMinStep=1 if unit == 1 else 0)),
        color=alt.Color("book:N", scale=names(labels, [colour for *_, colour in books]), legend=key),
        strokeDash=alt.StrokeDash(
            "book:N", scale=alt.Scale(domain=labels, range=[[6, 4], [1, 0], [2, 2]][: len(labels)]), legend=key
        ),
        tooltip=[
            alt.Tooltip("decision:Q", title="after decision"),
            alt.Tooltip("book:N", title="book"),
            alt.Tooltip("value:Q", title=title, format=",.4~f"),
        ],
    )
    # What holds after a decision holds until the next.
    return base.mark_line(interpolate="step-after", strokeWidth=2)


def _flow(audit: pl.DataFrame) -> alt.Chart:
    long = (
        audit.select("decision", "gradient")
        .drop_nulls()
        .sort("decision")
        .with_columns(layer=pl.int_ranges(pl.col("gradient").list.len()))
        .explode("gradient", "layer")
    )
    last = int(largest(audit.get_column("decision"))) + 1
    changed = pl.col("gradient") != pl.col("gradient").shift(1).over("layer")
    spells = (
        long.filter(changed.fill_null(True))
        .with_columns(until=pl.col("decision").shift(-1, fill_value=last).over("layer"))
        .sort("decision", "layer")
    )
    if spells.height > LIMIT:
        # What lasts longest is what a picture of many decisions can show.
        spells = spells.top_k(LIMIT, by=pl.col("until") - pl.col("decision")).sort("decision", "layer")
    cells = alt.Chart(alt.InlineData(values=rows(spells)))
    return cells.mark_rect().encode(
        x=_x(),
        x2="until:Q",
        y=alt.Y("layer:O", title="layer (0 = first)", sort="descending", scale=alt.Scale(paddingInner=0.08)),
        color=alt.Color(
            "gradient:N",
            scale=names(list(_GRADIENTS), list(_GRADIENTS.values())),
            legend=alt.Legend(title="weight gradient", symbolType="square", symbolOpacity=1),
        ),
        tooltip=[
            alt.Tooltip("layer:O", title="layer"),
            alt.Tooltip("gradient:N", title="weight gradient there"),
            alt.Tooltip("decision:Q", title="from decision"),
        ],
    )


def _finished(layer: alt.Chart, height: int, width: Width, dark: bool, description: str) -> alt.LayerChart:
    return figure([layer], height=height, width=width, dark=dark, description=description)
