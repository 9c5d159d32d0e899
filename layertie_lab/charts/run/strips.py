"""Panels that show layers: the history of the tie map, and the agent's values of the actions at hand."""

from __future__ import annotations

from typing import Literal

import altair as alt

from .. import palette
from ..captions import OVERRIDE, ZOOM
from .panels import override_marks
from .parts import (
    HOVER_DATA,
    MAIN,
    Panel,
    Rows,
    assemble,
    current,
    empty_note,
    hover_rule,
    legend,
    names,
    readout,
    table,
)

CAPTIONS = {
    "history": (
        "One row per layer, one column per decision. The colour tells whose parameters the layer uses: small squares"
        " at the left show each layer's own colour, so a layer in its own colour is independent. The column left of 0"
        f" is the start; {OVERRIDE}. {ZOOM}"
    ),
    "q_values": (
        "The agent's value of each legal action for the layer asked about, in units of reward; a bar has the colour of"
        " the layer it names. Ring: proposed by the agent. Dot inside: committed. Yellow diamond: committed against the"
        " proposal. Shows the decision under the pointer, or else the latest."
    ),
}
"""Chart -> how to read it."""


def owner_scale() -> alt.Scale:
    """Owner layer -> its colour, whatever layers the data holds."""
    return names(list(range(len(palette.OWNER_COLOURS))), palette.OWNER_COLOURS)


def owner_index(field: str) -> str:
    """Vega expression of a layer's place in the palette."""
    return f"datum.{field} % {len(palette.OWNER_COLOURS)}"


def history(
    panel: Panel,
    rows: Rows | None = None,
    *,
    by: Literal["owner", "block"] = "owner",
    reads_out: bool = True,
) -> alt.LayerChart:
    """The tie map over the run: one row per layer, coloured by the layer whose parameters it uses.

    A row of `ties` may be left out where it repeats the layer's previous row: each colour runs on to the layer's next
    row, and the last one to the latest decision in `ties` or `decisions`.

    Args:
        panel: The layout.
        rows: Rows of ties and decisions to begin with.
        by: "owner" colours by the tie map, "block" by what is truly one storage (they differ under the official code's
            bookkeeping).
        reads_out: Whether the decision that is pointed at, else the latest, is told above the plot.
    """
    start = f"(datum.decision - 1) * {panel.unit}"
    answered = "(length(data('decisions')) > 0 ? peek(data('decisions')).decision : 0)"
    layer_axis = alt.Y(
        "layer:O",
        title="layer (0 = first)",
        sort="descending",
        axis=alt.Axis(offset=14, domain=False, ticks=False),
        scale=alt.Scale(paddingInner=0.04, paddingOuter=0),
    )
    base = table("ties")
    cells = (
        base.transform_joinaggregate(latest="max(decision)")
        .transform_window(old=f"lag({by})", groupby=["layer"], sort=[alt.SortField("decision")])
        .transform_filter(f"!isValid(datum.old) || datum.old != datum.{by}")
        .transform_window(until="lead(decision)", groupby=["layer"], sort=[alt.SortField("decision")])
        .transform_calculate(
            at=start,
            end=f"(isValid(datum.until) ? datum.until - 1 : max(datum.latest, {answered})) * {panel.unit}",
            colour=owner_index(by),
        )
        .mark_rect(clip=True)
        .encode(
            x=panel.axis(),
            x2="end:Q",
            y=layer_axis,
            color=alt.Color("colour:N", scale=owner_scale(), legend=None),
            tooltip=[
                alt.Tooltip("layer:O", title="layer"),
                alt.Tooltip("owner:O", title="its owner by the map"),
                alt.Tooltip("block:O", title="first layer with the same storage"),
                alt.Tooltip("decision:Q", title="since decision"),
            ],
        )
    )
    key = (
        base.transform_aggregate(groupby=["layer"], rows="count()")
        .transform_calculate(colour=owner_index("layer"))
        .mark_rect(clip=False)
        .encode(
            x=alt.value(-12),
            x2=alt.value(-4),
            y=layer_axis,
            color=alt.Color("colour:N", scale=owner_scale(), legend=None),
        )
    )
    text = (
        "'decision ' + datum.decision + ' · layer ' + datum.layer + ': '"
        " + (datum.choice == datum.layer ? 'on its own' : 'tie to ' + datum.choice)"
        " + (datum.overridden ? ' (override)' : '')"
    )
    layers = [
        cells.properties(name=MAIN),
        key,
        override_marks(panel, alt.Y("layer:O", sort="descending"), shift=-panel.unit / 2),
        hover_rule(panel),
        table(HOVER_DATA)
        .transform_calculate(
            at=f"(ceil(datum.decision) - 1) * {panel.unit}", end=f"ceil(datum.decision) * {panel.unit}"
        )
        .mark_rect(style="outline", clip=True)
        .encode(x=panel.axis(), x2="end:Q", y=alt.value(0), y2=alt.value("height")),
        *([readout(current("decisions"), text)] if reads_out else []),
        *empty_note(("ties",), "The tie map appears here when the run opens."),
    ]
    return assemble(layers, panel, ("ties", "decisions"), rows, description="Owner of each layer over the run.")


def q_values(panel: Panel, rows: Rows | None = None) -> alt.LayerChart:
    """The agent's value of each legal action at one decision: the one under the pointer, or else the latest.

    Rows of the same decision and action may come twice (proposed, later also committed); they count once.
    """
    base = (
        current("q_values")
        .transform_aggregate(
            groupby=["decision", "layer", "answer"],
            q_value="max(q_value)",
            proposed="max(proposed)",
            chosen="max(chosen)",
        )
        .transform_calculate(
            name="datum.answer == datum.layer ? 'train on its own' : 'tie to ' + datum.answer",
            colour=owner_index("answer"),
        )
    )
    answer_axis = alt.Y("name:N", title="action", sort=alt.EncodingSortField("answer", op="min"))
    value_axis = alt.X(
        "q_value:Q", title="value (units of reward)", axis=alt.Axis(format=".3~g", tickCount=5, labelOverlap=True)
    )
    bars = base.mark_bar(height=alt.RelativeBandSize(0.72)).encode(
        x=value_axis,
        y=answer_axis,
        color=alt.Color("colour:N", scale=owner_scale(), legend=None),
        tooltip=[alt.Tooltip("name:N", title="action"), alt.Tooltip("q_value:Q", title="value", format=".5~g")],
    )
    kinds = ["proposed by the agent", "committed", "committed (override)"]
    key = legend(panel, below=575)
    # Beside the bars and not on them, where a mark could have the colour of its bar.
    marks = (
        base.transform_calculate(
            marks=f"datum.proposed ? (datum.chosen ? ['{kinds[0]}', '{kinds[1]}'] : ['{kinds[0]}'])"
            f" : datum.chosen ? ['{kinds[2]}'] : []"
        )
        .transform_flatten(["marks"], as_=["mark"])
        .mark_point(opacity=1, strokeWidth=2, clip=False)
        .encode(
            x=alt.value(alt.ExprRef(expr="width + 14")),
            y=answer_axis,
            shape=alt.Shape("mark:N", scale=names(kinds, ["circle", "circle", "diamond"]), legend=key),
            fill=alt.Fill("mark:N", scale=names(kinds, ["transparent", palette.AGENT, palette.OVERRIDE]), legend=key),
            stroke=alt.Stroke(
                "mark:N", scale=names(kinds, [palette.AGENT, palette.AGENT, palette.OVERRIDE_EDGE]), legend=key
            ),
            size=alt.value(alt.ExprRef(f"datum.mark == '{kinds[0]}' ? 190 : datum.mark == '{kinds[1]}' ? 60 : 120")),
        )
    )
    text = (
        "'decision ' + datum.decision + ' · layer ' + datum.layer"
        f" + (length(data('{HOVER_DATA}')) > 0 ? ' (under the pointer)' : '')"
    )
    layers = [
        bars,
        marks,
        # Draws nothing; the data set has to be in the spec to be written to.
        table(HOVER_DATA).mark_point(opacity=0, clip=True).encode(x=alt.value(0), y=alt.value(0)),
        readout(base.transform_aggregate(groupby=["decision", "layer"], rows="count()"), text),
        *empty_note(("q_values",), "No values yet (some policies have none)."),
    ]
    return assemble(layers, panel, ("q_values",), rows, zoom=False, description="Value of each action to the agent.")
