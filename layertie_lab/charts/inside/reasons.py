"""Why the agent acted so: its values on other maps, its inputs' shares, past decisions like it, and calibration."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import altair as alt
import polars as pl

from .. import palette
from ..frames import check, extent, rows, whole_ticks
from ..run.parts import Width, figure, words_only
from ..run.strips import owner_index, owner_scale

CAPTIONS = {
    "ablation": (
        "How the agent's values depend on the rest of the map: a cell per layer (across) and action (down). Its shade"
        " is the largest change of that action's value if that one layer copied another one than it does, everything"
        " else as it is; point at a cell to see which one. A pale column: the agent does not care for that layer."
    ),
    "inputs_integrated-gradients": (
        "Integrated gradients of the Q-network: what each input (the source of each layer) gives to the value of the"
        " proposed action, along the straight path from the all-tied map, whose inputs are all 0. Bars add up to the"
        " value less that on the all-tied map, but for the completeness error."
    ),
    "inputs_contribution": (
        "What each part of the agent's model gives to the value of the proposed action, beside keeping the tie; the"
        " bars add up to it exactly. Table: that layer copying that source. Count, position: how many owners and where."
        " Jumps, pooled: neighbours with different owners, distance to owners. Changing a tie: what any change costs."
    ),
    "precedents": (
        "The past decisions about the same layer with the most similar tie map (to the left). A dot's colour and word:"
        " what was done then. Upwards: the reward that followed, above the mean of the episode around it. Dots that"
        " lie high say that the action did well when the map was like this."
    ),
    "value_since": (
        "Has the agent changed its mind? The value of the action that was taken, on the map as it was then, to the"
        " agent before it learned from it (first dot) and later. Dashed: what came of it, as far as one decision tells:"
        " rewards are noisy. Dots that move towards the line: what came of it, and decisions like it, were learned."
    ),
    "calibration": (
        "A dot per decision that changed a tie: the value that the agent gave the action (across) and what came of it"
        " (upwards). If its values are right, the dots rise to the right and the rank correlation is above zero; the"
        " interval is a bootstrap of blocks of decisions. Returns, and values of them, are both less their means over"
        " the episode around, since both change while training goes on; of changes the first episode is left out."
        " Colour: the layer asked about. One run."
    ),
}
"""Chart -> how to read it."""


def ablation_matrix(
    ablation: pl.DataFrame, *, height: int = 260, width: Width = 460, dark: bool = False
) -> alt.LayerChart:
    """A cell per entry of the map and action: how far the value moves, at most, if that entry were another one.

    Args:
        ablation: Columns entry, source, present, answer, q_value, change (`agent.explanations.state_ablation`).
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(ablation, ["entry", "source", "answer", "change"], "a frame of ablations")
    if ablation.is_empty():
        return words_only("This agent's values read no map.", height=height, width=width, dark=dark)
    farthest = ablation.sort(pl.col("change").abs(), descending=True).group_by("entry", "answer").first()
    cells = rows(farthest.sort("entry", "answer"))
    largest = extent(farthest["change"])
    axis = alt.Axis(labelAngle=0, domain=False, ticks=False, grid=False)
    base = alt.Chart(alt.InlineData(values=cells))
    x = alt.X("entry:O", title="layer with another tie", axis=axis)
    y = alt.Y("answer:O", title="action", axis=axis)
    shade = alt.Color(
        "change:Q",
        scale=alt.Scale(scheme="purpleorange", domain=[-largest, largest], reverse=True),
        legend=alt.Legend(
            title="change of the value (units of reward)",
            orient="bottom",
            direction="horizontal",
            gradientLength=200,
            format=".2~g",
            tickCount=4,
        ),
    )
    tips = [
        alt.Tooltip("entry:O", title="layer"),
        alt.Tooltip("source:O", title="if it copied"),
        alt.Tooltip("answer:O", title="action"),
        alt.Tooltip("change:Q", title="change of its value", format="+.3~g"),
    ]
    return figure(
        [base.mark_rect().encode(x=x, y=y, color=shade, tooltip=tips)],
        height=height,
        width=width,
        dark=dark,
        description="Change of the agent's values if one entry of the map were different.",
    )


def input_bars(
    inputs: pl.DataFrame, answer: int, *, height: int = 260, width: Width = 460, dark: bool = False
) -> alt.LayerChart:
    """A bar per input: what it gives to the value of one action.

    Args:
        inputs: Columns input, answer, value, total, completeness_error (`agent.explanations.input_attribution`).
        answer: Which action.
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(inputs, ["input", "answer", "value", "total", "completeness_error"], "a frame of input shares")
    chosen = inputs.filter(pl.col("answer") == answer)
    if chosen.is_empty():
        return words_only(
            "This agent's values have no inputs but layer and action.", height=height, width=width, dark=dark
        )
    total, error = chosen.row(0, named=True)["total"], chosen.row(0, named=True)["completeness_error"]
    base = alt.Chart(alt.InlineData(values=rows(chosen.with_row_index("place"))))
    y = alt.Y("input:N", title=None, sort=alt.EncodingSortField("place", op="min"), axis=alt.Axis(labelLimit=150))
    x = alt.X(
        "value:Q", title=[f"share of the value of action {answer}", "(units of reward)"], axis=alt.Axis(format=".3~g")
    )
    tips = [alt.Tooltip("input:N"), alt.Tooltip("value:Q", title="share", format="+.4~g")]
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="tick").encode(x=alt.X("zero:Q"))
    bars = base.mark_bar(color=palette.AGENT).encode(x=x, y=y, tooltip=tips)
    words = f"in all {total:+.3g}" + (f", completeness error {error:.1g}" if error else "")
    return figure(
        [bars, zero],
        height=height,
        width=width,
        dark=dark,
        description="Shares of the agent's inputs in a value.",
        title=_small(words),
    )


def calibration(
    frame: pl.DataFrame, agreement: dict[str, Any] | None, *, height: int = 260, width: Width = 460, dark: bool = False
) -> alt.LayerChart:
    """A dot per decision: the value that the agent gave the action, against what came of it.

    Args:
        frame: Columns decision, layer, choice, kept, by, predicted, realised, truncated (`statistics.calibration`).
            Actions that kept the tie and truncated returns are left out.
        agreement: Of `analysis.statistics.calibration.rank_agreement`, for the line above; None where there is none.
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(frame, ["decision", "choice", "kept", "predicted", "realised", "truncated"], "a frame of predictions")
    counted = frame.filter(~pl.col("kept") & ~pl.col("truncated"))
    if counted.is_empty():
        return words_only("No decision with a value has changed a tie yet.", height=height, width=width, dark=dark)
    base = alt.Chart(alt.InlineData(values=rows(counted))).transform_calculate(colour=owner_index("layer"))
    x = alt.X(
        "predicted:Q",
        title=["predicted: the agent's value", "(units of reward)"],
        scale=alt.Scale(zero=False, padding=8),
    )
    y = alt.Y(
        "realised:Q", title=["realised: what came of it", "(units of reward)"], scale=alt.Scale(zero=False, padding=8)
    )
    tips = [
        alt.Tooltip("decision:O"),
        alt.Tooltip("layer:O"),
        alt.Tooltip("choice:O", title="action"),
        alt.Tooltip("predicted:Q", format="+.3~g"),
        alt.Tooltip("realised:Q", format="+.3~g"),
    ]
    dots = base.mark_point(filled=True, size=45, opacity=0.85).encode(
        x=x, y=y, color=alt.Color("colour:N", scale=owner_scale(), legend=None), tooltip=tips
    )
    words = "too few decisions for a rank correlation"
    if agreement is not None and agreement["value"] is None:
        words = "no rank correlation: one side is the same for all"
    elif agreement is not None:
        words = f"rank correlation {agreement['value']:.2f} [{agreement['low']:.2f}, {agreement['high']:.2f}]"
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="reference").encode(y=alt.Y("zero:Q"))
    title = f"{counted.height} decisions; {words}".replace("-", "\u2212")
    return figure(
        [zero, dots],
        height=height,
        width=width,
        dark=dark,
        description="Predicted against realised rewards.",
        title=_small(title),
    )


def value_since(
    since: pl.DataFrame, realised: float | None, *, height: int = 260, width: Width = 460, dark: bool = False
) -> alt.LayerChart:
    """The value of one action in one state, to the agent as it was then and later, beside what came of it.

    Args:
        since: Columns learned (decisions that the agent had learned from), layer, answer, value.
        realised: What came of the action, drawn as a dashed line; None where it is not known.
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(since, ["learned", "layer", "answer", "value"], "a frame of later values")
    if since.is_empty():
        return words_only("This agent gave the action no value.", height=height, width=width, dark=dark)
    base = alt.Chart(alt.InlineData(values=rows(since))).transform_calculate(colour=owner_index("answer"))
    ticks = alt.Axis(values=whole_ticks(since["learned"], zero=False), format="d")
    x = alt.X(
        "learned:Q", title="decisions learned from", axis=ticks, scale=alt.Scale(zero=False, nice=False, padding=8)
    )
    y = alt.Y(
        "value:Q",
        title=["value of the action", "(units of reward)"],
        scale=alt.Scale(zero=False, padding=8),
        axis=alt.Axis(format=".3~g"),
    )
    tips = [alt.Tooltip("learned:O", title="decisions learned from"), alt.Tooltip("value:Q", format="+.3~g")]
    layers: list[Any] = [
        base.mark_line(style="reference").encode(x=x, y=y),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=x, y=y, color=alt.Color("colour:N", scale=owner_scale(), legend=None), tooltip=tips
        ),
    ]
    title = f"value then {since['value'][0]:+.3g}, now {since['value'][-1]:+.3g}"
    if realised is not None:
        came = alt.Chart(alt.InlineData(values=[{"realised": realised}]))
        layers.insert(0, came.mark_rule(strokeDash=[5, 4], color=palette.TRUE_COUNT).encode(y=alt.Y("realised:Q")))
        title += f"; what came of it {realised:+.3g}"
    return figure(
        layers,
        height=height,
        width=width,
        dark=dark,
        description="Value of the action since.",
        title=_small(title.replace("-", "\u2212")),
    )


def precedents(frame: pl.DataFrame, *, height: int = 260, width: Width = 460, dark: bool = False) -> alt.LayerChart:
    """A dot per past decision about the same layer: how unlike its map was, and what reward came of it.

    Args:
        frame: Columns decision, distance, choice, layer, by, reward, above_trend
            (`analysis.statistics.precedents.nearest_decisions`).
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(frame, ["decision", "distance", "choice", "layer", "above_trend"], "a frame of past decisions")
    if frame.is_empty():
        return words_only("This layer has not been asked about before.", height=height, width=width, dark=dark)
    base = alt.Chart(alt.InlineData(values=rows(frame))).transform_calculate(
        colour=owner_index("choice"),
        words="datum.choice == datum.layer ? 'own' : '\u2192' + datum.choice",
    )
    x = alt.X(
        "distance:Q",
        title="entries of the tie map that differ",
        scale=alt.Scale(nice=True, zero=True),
        axis=alt.Axis(values=whole_ticks(frame["distance"]), format="d"),
    )
    y = alt.Y("above_trend:Q", title=["reward above its trend", "(units of reward)"], axis=alt.Axis(format=".3~g"))
    colour = alt.Color("colour:N", scale=owner_scale(), legend=None)
    tips = [
        alt.Tooltip("decision:O"),
        alt.Tooltip("choice:O", title="action"),
        alt.Tooltip("reward:Q", format=".4~g"),
        alt.Tooltip("above_trend:Q", title="above its trend", format="+.3~g"),
        alt.Tooltip("distance:Q", title="entries that differ"),
    ]
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="reference").encode(y=alt.Y("zero:Q"))
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, color=colour, tooltip=tips)
    names = base.mark_text(style="label", align="left", dx=8).encode(x=x, y=y, text="words:N")
    return figure(
        [zero, dots, names], height=height, width=width, dark=dark, description="Past decisions about the same layer."
    )


def _small(words: str) -> alt.TitleParams:
    return alt.TitleParams(wrap(words, 34), fontSize=12, fontWeight="normal")
