"""Panels over a run whose x axis is the decision or the step: loss, reward, epsilon, parameters, blocks, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import altair as alt

from .. import palette
from ..captions import OVERRIDE, ZOOM, ZOOM_BOTH
from .parts import (
    MAIN,
    REFERENCE_DATA,
    SHORT_ZERO,
    Panel,
    Rows,
    assemble,
    current,
    empty_note,
    held,
    hover_rule,
    legend,
    names,
    readout,
    table,
    value,
)

CAPTIONS = {
    "loss": (
        "Grey line: training loss of each step's batch, before the update. Green points: validation loss, with bars of"
        " one standard error over its windows. Dashed line: the unigram baseline, the loss of guessing from token"
        f" frequencies alone, without context. Each tick at the bottom is a decision; {OVERRIDE}. {ZOOM_BOTH}"
    ),
    "perplexity": (
        "The loss as perplexity (its exponential: among how many equally likely tokens the model is left guessing), on"
        " a logarithmic axis. Grey line: each training step. Green points: validation, with bars of one standard error."
        f" Dashed line: the unigram baseline. Each tick at the bottom is a decision; {OVERRIDE}. {ZOOM_BOTH}"
    ),
    "reward": (
        "One mark per decision: what the agent was told after its steps. Blue dot: its proposal was carried out; hollow"
        f" grey ring: that proposal was a random draw; {OVERRIDE}. Thick line: mean of the last 20 decisions."
        f" Dashed line: zero. {ZOOM_BOTH}"
    ),
    "epsilon": (
        "The probability that the agent's proposal is a random draw instead of what looks best to it, at each"
        f" decision. {ZOOM}"
    ),
    "parameters": (
        "Parameters that receive gradients, in percent of the same model with nothing tied. Solid blue: each storage"
        " counted once. Dashed orange: what the official code's count would print; it counts shared storage more than"
        f" once. {ZOOM}"
    ),
    "blocks": (
        "Solid blue: blocks of parameters that are truly distinct in memory. Dashed orange: layers that the tie map"
        f" calls independent. They part where the official code's bookkeeping merges storages. {ZOOM}"
    ),
    "memory": (
        "Training memory by component, stacked: parameters, gradients, optimizer state, and activations saved"
        f" for the backward pass (predicted from shapes), in millions of bytes, per decision. {ZOOM}"
    ),
}
"""Chart -> how to read it."""

_WHO = "'decision ' + datum.decision + ' · step ' + datum.step"
_ANSWER = "(datum.{0} == datum.layer ? 'on its own' : 'tie to ' + datum.{0})"
_DECISION_TIPS = [
    alt.Tooltip("decision:Q", title="decision"),
    alt.Tooltip("layer:Q", title="layer asked about"),
    alt.Tooltip("said:N", title="proposed by the agent"),
    alt.Tooltip("done:N", title="committed"),
    alt.Tooltip("by:N", title="decided by"),
]


def _in_words(base: alt.Chart) -> alt.Chart:
    return base.transform_calculate(said=_ANSWER.format("proposed"), done=_ANSWER.format("choice"))


def override_marks(
    panel: Panel, y: Any, *, shift: float = 0.0, place: Callable[[alt.Chart], alt.Chart] | None = None
) -> alt.Chart:
    """A yellow diamond with a dark edge at each decision whose action a person or a replay chose against the proposal.

    Args:
        panel: The layout.
        y: The y encoding.
        shift: Added to the place on the x axis.
        place: Gives rows of decisions their place on the x axis ("at") and what `y` encodes; None = at the decision.
    """
    key = legend(panel)
    decisions = table("decisions").transform_filter("datum.overridden")
    where = f"{panel.at(by='decision')} + {shift}"
    placed = decisions.transform_calculate(at=where) if place is None else place(decisions)

    def one(value: str) -> alt.Scale:
        return names(["override"], [value])

    return (
        _in_words(placed)
        .transform_calculate(mark="'override'")
        .mark_point(size=110, opacity=1, strokeWidth=1.5, clip=True)
        .encode(
            x=panel.axis(),
            y=y,
            shape=alt.Shape("mark:N", scale=one("diamond"), legend=key),
            fill=alt.Fill("mark:N", scale=one(palette.OVERRIDE), legend=key),
            stroke=alt.Stroke("mark:N", scale=one(palette.OVERRIDE_EDGE), legend=key),
            tooltip=_DECISION_TIPS,
        )
    )


def loss(
    panel: Panel,
    rows: Rows | None = None,
    *,
    y: Literal["loss", "perplexity"] = "loss",
    splits: Sequence[str] = ("validation",),
) -> alt.LayerChart:
    """Training loss of every step and evaluations with one standard error, as nats per token or as perplexity.

    Args:
        panel: The layout.
        rows: Rows of steps, evaluations, decisions and `reference` to begin with.
        y: "perplexity" shows exp of the same numbers on a logarithmic axis.
        splits: Which splits' evaluations to show.
    """
    log = y == "perplexity"
    # The baseline alone would be the axis's one number, with all its digits.
    words = "length(data('steps')) + length(data('evaluations')) ? datum.label : ''"
    axis = alt.Y(
        "y:Q",
        title="perplexity (log scale)" if log else "loss (nats per token)",
        scale=alt.Scale(type="log", nice=False, padding=6) if log else alt.Scale(zero=False, nice=True, padding=6),
        axis=alt.Axis(format="~g", gridOpacity=0.5, labelExpr=words) if log else alt.Axis(labelExpr=words),
    )

    def shown(expression: str) -> str:
        return f"exp({expression})" if log else expression

    series = ["training, each step", *(f"{split} ± 1 s.e." for split in splits)]
    scale = names(series, [palette.TRAIN, *(palette.SPLIT_COLOURS[split] for split in splits)])
    colour = {"scale": scale, "legend": legend(panel, symbolType="circle", symbolStrokeWidth=0, symbolOpacity=1)}
    train = (
        table("steps")
        .transform_calculate(at=panel.at(by="step"), y=shown("datum.loss"), series=f"'{series[0]}'")
        .mark_line(strokeWidth=1.2, clip=True)
        .encode(x=panel.axis(), y=axis, color=alt.Color("series:N", **colour))
        .properties(name=MAIN)
    )
    layers: list[alt.Chart] = [train]
    for split, label in zip(splits, series[1:], strict=True):
        points = (
            table("evaluations")
            .transform_filter(f"datum.split == '{split}'")
            .transform_calculate(
                at=panel.at(by="step"),
                y=shown("datum.loss"),
                low=shown("datum.loss - datum.standard_error"),
                high=shown("datum.loss + datum.standard_error"),
                series=f"'{label}'",
            )
        )
        tips = [
            alt.Tooltip("step:Q", title="step"),
            alt.Tooltip("loss:Q", title=f"{split} loss (nats per token)", format=".4f"),
            alt.Tooltip("standard_error:Q", title="standard error", format=".4f"),
            alt.Tooltip("perplexity:Q", title="perplexity", format=".4~g"),
            alt.Tooltip("bits_per_byte:Q", title="bits per byte", format=".3f"),
        ]
        of = alt.Color("series:N", **colour)
        layers += [
            points.mark_rule(strokeWidth=2, clip=True).encode(x=panel.axis(), y=alt.Y("low:Q"), y2="high:Q", color=of),
            points.mark_line(strokeWidth=2, clip=True).encode(x=panel.axis(), y=axis, color=of),
            points.mark_point(filled=True, size=45, opacity=1, clip=True).encode(
                x=panel.axis(), y=axis, color=of, tooltip=tips
            ),
        ]
    # A decision's last step, since what the curve has there is what the action has come to.
    last_step = alt.LookupData(data=alt.NamedData(name="steps"), key="decision", fields=["step", "loss"])

    def on_the_curve(decisions: alt.Chart) -> alt.Chart:
        return (
            decisions.transform_lookup("decision", from_=last_step, as_=["last_step", "last_loss"])
            # Of a thinned run some decisions have no step; their mean is near the curve.
            .transform_calculate(step="isValid(datum.last_step) ? datum.last_step : datum.step")
            .transform_calculate(
                at=f"isValid(datum.last_step) ? {panel.at(by='step')} : {panel.at(by='decision')}",
                y=f"isValid(datum.last_loss) ? {shown('datum.last_loss')} : {shown('datum.train_loss')}",
            )
        )

    floor = table(REFERENCE_DATA).transform_filter("datum.name == 'unigram'").transform_calculate(y=shown("datum.loss"))
    label = "'unigram baseline: ' + format(datum.y, '.3~g')"
    # It stands at the right end of its line, where no curve is: below it as long as they all are above, then above
    # it and them, so that it changes sides once.
    losses = [f"pluck(data('{name}'), 'loss')" for name in ("steps", "evaluations")]
    late = [f"slice({each}, ceil((1 - min(0.6, 150 / width)) * length({each})))" for each in losses]
    lowest = f"min({', '.join(f'(extent({each})[0] || datum.loss)' for each in losses)})"
    highest = f"max(datum.loss, {', '.join(f'(extent({each})[1] || datum.loss)' for each in late)})"
    named = floor.transform_calculate(label=label, over=f"{lowest} < datum.loss").transform_calculate(
        y=f"datum.over ? {highest} : datum.loss"
    )
    named = named.transform_calculate(y="exp(datum.y)") if log else named
    at_the_end = {"x": value("width"), "y": axis, "text": "label:N"}
    beside: dict[str, Any] = {"align": "right", "dy": alt.ExprRef(expr="datum.over ? -3 : 16")}
    layers += [
        floor.mark_rule(style="reference", clip=True).encode(y=axis),
        # Its outline in the page's colour first, so that it can be read over a line.
        named.mark_text(style=["reference-label", "halo"], **beside).encode(**at_the_end),
        named.mark_text(style="reference-label", **beside).encode(**at_the_end),
        table("decisions")
        .transform_calculate(at=panel.at(by="decision"))
        .mark_rule(style="tick", clip=True)
        .encode(x=panel.axis(), y=alt.value("height"), y2=alt.value(alt.ExprRef(expr="height - 6"))),
        override_marks(panel, axis, place=on_the_curve),
        hover_rule(panel),
        readout(
            current("decisions"),
            f"{_WHO} + ' · training {'perplexity' if log else 'loss'} ' + "
            f"format({shown('datum.train_loss')}, '{'.4~g' if log else '.3f'}')",
        ),
        *empty_note(("steps", "evaluations"), "No step has been taken yet."),
    ]
    tables = ("steps", "evaluations", "decisions", REFERENCE_DATA)
    return assemble(layers, panel, tables, rows, zoom_y=True, description=f"Training and evaluation {y} over the run.")


def reward(panel: Panel, rows: Rows | None = None, *, title: str = "reward (agent's units)") -> alt.LayerChart:
    """What the agent was told after each decision, and the mean of the last 20.

    Args:
        panel: The layout.
        rows: Rows of decisions to begin with.
        title: Of the y axis, with the reward's unit; not longer than the axis.
    """
    axis = alt.Y(
        "reward:Q",
        title=title,
        scale=alt.Scale(nice=False, padding=8),
        axis=alt.Axis(labelExpr=SHORT_ZERO),
    )
    kinds = ["as proposed", "random draw", "override"]
    key = legend(panel, below=575)
    base = _in_words(table("decisions")).transform_calculate(
        at=panel.at(by="decision"),
        kind=f"datum.overridden ? '{kinds[2]}' : datum.explored ? '{kinds[1]}' : '{kinds[0]}'",
    )
    points = base.mark_point(opacity=1, clip=True, strokeWidth=1.5).encode(
        x=panel.axis(),
        y=axis,
        fill=alt.Fill("kind:N", scale=names(kinds, [palette.AGENT, "transparent", palette.OVERRIDE]), legend=key),
        stroke=alt.Stroke(
            "kind:N", scale=names(kinds, [palette.AGENT, palette.EXPLORED, palette.OVERRIDE_EDGE]), legend=key
        ),
        shape=alt.Shape("kind:N", scale=names(kinds, ["circle", "circle", "diamond"]), legend=key),
        size=alt.condition("datum.overridden", alt.value(110), alt.value(30)),
        tooltip=[*_DECISION_TIPS, alt.Tooltip("reward:Q", title="reward", format=".4~g")],
    )
    trend = (
        base.transform_window(rolling="mean(reward)", frame=[-19, 0], sort=[alt.SortField("decision")])
        # A frame that was thinned brings the mean of all decisions along.
        .transform_calculate(mean="isValid(datum.mean_reward) ? datum.mean_reward : datum.rolling")
        .transform_calculate(series="'mean of last 20'")
        .mark_line(strokeWidth=3, clip=True)
        .encode(
            x=panel.axis(),
            y=alt.Y("mean:Q"),
            color=alt.Color("series:N", scale=names(["mean of last 20"], [palette.TREND]), legend=legend(panel)),
        )
    )
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).transform_filter("length(data('decisions')) > 0")
    layers = [
        zero.mark_rule(style="reference").encode(y=alt.Y("zero:Q")),
        points.properties(name=MAIN),
        trend,
        hover_rule(panel),
        readout(
            _in_words(current("decisions")),
            "'decision ' + datum.decision + ': layer ' + datum.layer + ' ' + datum.done"
            " + ', reward ' + format(datum.reward, abs(datum.reward) < 0.001 ? '.2~g' : '.3f')",
        ),
        *empty_note(("decisions",), "No decision has come to its reward yet."),
    ]
    return assemble(layers, panel, ("decisions",), rows, zoom_y=True, description="Reward of each decision.")


def epsilon(panel: Panel, rows: Rows | None = None) -> alt.LayerChart:
    """The probability of a random action at each decision."""
    y = alt.Y(
        "epsilon:Q", title="epsilon (0–1)", scale=alt.Scale(domain=[0, 1.03], nice=False), axis=alt.Axis(tickCount=3)
    )

    def draw(base: alt.Chart) -> alt.Chart:
        return base.mark_line(strokeWidth=2.5, color=palette.AGENT, interpolate="step-before", clip=True).encode(
            x=panel.axis(), y=y
        )

    line, first = held(table("decisions").transform_filter("isValid(datum.epsilon)"), panel, draw)
    known = "isValid(datum.epsilon) ? format(datum.epsilon, '.3~f') : 'none (this policy draws nothing at random)'"
    layers = [
        line.properties(name=MAIN),
        first,
        hover_rule(panel),
        readout(current("decisions"), f"'decision ' + datum.decision + ' · epsilon ' + ({known})"),
        *empty_note(("decisions",), "No decision yet."),
    ]
    return assemble(layers, panel, ("decisions",), rows, description="Probability of a random action.")


def _counts(panel: Panel, base: alt.Chart, labels: tuple[str, str], y: alt.Y, claimed: str) -> list[alt.Chart]:
    """A solid line of what is true and a dashed one over it of what is claimed, with a legend."""
    scale = names(labels, [palette.TRUE_COUNT, palette.CLAIMED_COUNT])
    key = legend(panel, columns=2, symbolType="stroke", symbolSize=200)
    colour = alt.Color("series:N", scale=scale, legend=key)
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=list(labels), range=[[1, 0], [5, 3]]), legend=key)

    def lines(label: str, y: alt.Y, width: float) -> list[alt.Chart]:
        def draw(rows: alt.Chart) -> alt.Chart:
            return rows.mark_line(strokeWidth=width, interpolate="step-before", clip=True).encode(
                x=panel.axis(), y=y, color=colour, strokeDash=dash
            )

        return held(base.transform_calculate(series=f"'{label}'"), panel, draw)

    solid, dashed = lines(labels[0], y, 3), lines(labels[1], alt.Y(f"{claimed}:Q"), 2.5)
    return [solid[0].properties(name=MAIN), solid[1], *dashed]


def parameters(panel: Panel, rows: Rows | None = None) -> alt.LayerChart:
    """Trainable parameters in percent of the untied model's: once per storage, and as the official code counts."""
    base = table("decisions").transform_calculate(
        true_percent="100 * datum.trainable_share",
        claimed_percent="100 * datum.claimed_parameters * datum.trainable_share / datum.trainable_parameters",
    )
    labels = ("trainable, each storage once", "as the official code counts")
    axis = alt.Y("true_percent:Q", title="share of untied (%)", scale=alt.Scale(domain=[0, 102], nice=False))
    text = (
        "'decision ' + datum.decision + ' · ' + format(datum.trainable_parameters, ',') + ' trainable ('"
        " + format(datum.trainable_share, '.1%') + ')'"
    )
    layers = [
        *_counts(panel, base, labels, axis, "claimed_percent"),
        hover_rule(panel),
        readout(current("decisions"), text),
        *empty_note(("decisions",), "No decision yet."),
    ]
    return assemble(layers, panel, ("decisions",), rows, description="Trainable parameters over the run.")


def blocks(panel: Panel, rows: Rows | None = None) -> alt.LayerChart:
    """Independent layers by the tie map, and blocks that are truly distinct in memory."""
    base = table("decisions")
    labels = ("distinct blocks in memory", "independent by the tie map")
    axis = alt.Y(
        "blocks:Q",
        title="layers (count)",
        scale=alt.Scale(zero=True, nice=False, padding=3),
        axis=alt.Axis(tickMinStep=1, labelExpr=SHORT_ZERO),
    )
    text = "'decision ' + datum.decision + ' · ' + datum.owners + ' independent · ' + datum.blocks + ' distinct'"
    layers = [
        *_counts(panel, base, labels, axis, "owners"),
        hover_rule(panel),
        readout(current("decisions"), text),
        *empty_note(("decisions",), "No decision yet."),
    ]
    return assemble(layers, panel, ("decisions",), rows, description="Independent layers and distinct blocks.")


def memory(panel: Panel, rows: Rows | None = None) -> alt.LayerChart:
    """Memory by component after each decision, stacked, in MB (a million bytes)."""
    components = list(palette.MEMORY_COLOURS)
    base = table("memory").transform_calculate(mb="datum.bytes / 1e6", order=f"indexof({components}, datum.component)")
    stacked = base.transform_stack(
        stack="mb", groupby=["decision"], sort=[alt.SortField("order")], as_=["bottom", "top"]
    )
    key = legend(panel, columns=4, narrow=2, symbolType="square", symbolOpacity=1)
    scale = names(components, list(palette.MEMORY_COLOURS.values()))

    def draw(rows: alt.Chart) -> alt.Chart:
        return rows.mark_area(clip=True, opacity=0.9, interpolate="step-before").encode(
            x=panel.axis(),
            y=alt.Y("bottom:Q", title="memory (MB)", scale=alt.Scale(zero=True), axis=alt.Axis(labelExpr=SHORT_ZERO)),
            y2="top:Q",
            color=alt.Color("component:N", scale=scale, legend=key),
        )

    area, first = held(stacked, panel, draw)
    total = current("memory").transform_aggregate(total="sum(bytes)", groupby=["decision", "step"])
    layers = [
        area.properties(name=MAIN),
        first,
        hover_rule(panel),
        readout(total, f"{_WHO} + ' · ' + format(datum.total / 1e6, ',.4~g') + ' MB in all'"),
        *empty_note(("memory",), "No decision yet."),
    ]
    return assemble(layers, panel, ("memory",), rows, description="Memory by component over the run.")
