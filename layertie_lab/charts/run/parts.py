"""What all panels over a run share: the x axis, zoom, the hover rule and readout, and the words for "nothing yet".

A panel is one layered chart that reads *named* data sets, called as the tables in `layertie_lab.core.tables`. For a
live panel they start empty and rows are appended by name; for a finished run the same spec is filled with rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from ..drawn import LayerChart
from ..theme import vega_config

XAxis = Literal["decision", "step"]
Width = int | Literal["container"]
"""Of a whole chart, with axes and legend: pixels, or to fill the element that it is put in."""
Rows = Mapping[str, Sequence[Mapping[str, Any]]]

HOVER_DATA = "hover_row"
"""Data set with at most one row, {"step": ..., "decision": ...}: the place that all panels of a group point at."""
REFERENCE_DATA = "reference"
"""Data set with constants of the run: {"name": "unigram", "loss": nats per token}."""
ZOOM = "zoom"
"""Name of the zoom parameter. The Vega signal `ZOOM_SIGNAL` holds the x domain, and can be set to link panels."""
ZOOM_SIGNAL = "zoom_at"
MAIN = "main"
"""Name of the layer that zoom is attached to."""
SHORT_ZERO = "datum.value ? datum.label : '0'"
"""Labels of an axis: without this the single 0 of an axis that has no data yet is written with six decimals."""


# A plain wheel must keep scrolling the page that the chart is in.
_ZOOM_EVENT = "wheel![event.ctrlKey || event.metaKey]"
_ZOOM_Y_EVENT = "wheel![event.altKey]"
_HOVERED = f"(length(data('{HOVER_DATA}')) > 0 ? ceil(data('{HOVER_DATA}')[0].decision) : 1e15)"


@dataclass(frozen=True)
class Panel:
    """How a chart over a run is laid out.

    Args:
        x: What runs along the x axis. On "decision", step s stands at s / steps_per_decision, so that both axes show
            the same picture and panels line up.
        steps_per_decision: Optimizer steps per decision of the run.
        height: Height of the plot itself, in pixels, without axes and legend.
        width: Width of the whole chart in pixels, or "container" to fill the element it is put in.
        dark: Whether the page is dark.
    """

    x: XAxis = "decision"
    steps_per_decision: int = 4
    height: int = 200
    width: Width = "container"
    dark: bool = False

    def at(self, *, by: Literal["decision", "step"]) -> str:
        """Vega expression of a row's place on the x axis, for a table that counts by decision or by step."""
        if by == self.x:
            return f"datum.{by}"
        return (
            f"datum.step / {self.steps_per_decision}" if by == "step" else f"datum.decision * {self.steps_per_decision}"
        )

    @property
    def unit(self) -> int:
        """Length of one decision on the x axis."""
        return 1 if self.x == "decision" else self.steps_per_decision

    def axis(self) -> alt.X:
        """The x encoding; every row of a panel has its place under "at"."""
        steps = "1 step" if self.steps_per_decision == 1 else f"{self.steps_per_decision} steps"
        name = "decision" if self.x == "decision" else "optimizer step"
        return alt.X(
            "at:Q",
            title=f"{name} (1 decision = {steps})",
            # In a long run a decision is narrower than a mark, which is not to be cut off: hence the pixels.
            scale=alt.Scale(nice=False, zero=False, padding=6),
            # Nothing happens at half a decision or before the start.
            axis=alt.Axis(
                tickMinStep=1, format="~s", labelExpr="datum.value < 0 || datum.value % 1 ? '' : datum.label"
            ),
        )


def table(name: str) -> alt.Chart:
    """A chart on a named data set."""
    return alt.Chart(alt.NamedData(name=name))


def value(expression: str) -> Any:
    """A constant encoding in pixels that follows the plot's size (`width`, `height`)."""
    return alt.value(alt.ExprRef(expr=expression))


def names(labels: Sequence[str | int], colours: Sequence[str]) -> alt.Scale:
    """A fixed scale from labels to colours, so that a label has its colour before any row has come."""
    return alt.Scale(domain=list(labels), range=list(colours))


def legend(panel: Panel, columns: int = 3, narrow: int = 1, below: int = 475, **changes: Any) -> alt.Legend:
    """A legend above the plot, with fewer columns where the chart is narrower than `below` pixels."""
    if isinstance(panel.width, int):
        return alt.Legend(title=None, columns=narrow if panel.width < below else columns, **changes)
    # Of the container, not of the plot: that shrinks to fit while the legend is laid out, and a legend that grew a row
    # in between would be cut off. `width` is in it to have it looked at again after a resize.
    room = f"containerSize()[0] > 0 && max(containerSize()[0], 0 * width) < {below}"
    return alt.Legend(title=None, columns=alt.ExprRef(expr=f"{room} ? {narrow} : {columns}"), **changes)


def current(name: str) -> alt.Chart:
    """The rows of a table that belong to the decision under the pointer, or else to the last one.

    Where the decision has no rows (thinned out, or still under way), it is the latest one before it. A step in the
    middle of a decision belongs to that decision.
    """
    return (
        table(name)
        .transform_filter(f"datum.decision <= {_HOVERED}")
        .transform_joinaggregate(last="max(decision)")
        .transform_filter("datum.decision == datum.last")
    )


def held(base: alt.Chart, panel: Panel, draw: Callable[[alt.Chart], alt.Chart]) -> list[alt.Chart]:
    """Layers for values that hold over their whole decision, of which the first alone would draw nothing as a line.

    Args:
        base: Rows with a decision each.
        panel: The layout.
        draw: Makes lines or areas with `interpolate="step-before"` of rows with "at".
    """
    corners = (
        base.transform_filter("datum.decision == 1").transform_calculate(ends="[0, 1]").transform_flatten(["ends"])
    )
    return [
        draw(base.transform_calculate(at=panel.at(by="decision"))),
        draw(corners.transform_calculate(at=f"datum.ends * {panel.unit}")),
    ]


def readout(base: alt.Chart, text: str) -> alt.Chart:
    """One line of text above the plot, from the rows that are left in `base` (one row).

    Args:
        base: Data and transforms.
        text: A Vega expression.
    """
    return (
        base.transform_calculate(readout=text)
        .mark_text(style="readout", clip=False, limit=alt.ExprRef(expr="width + 40"))
        .encode(x=alt.value(-40), y=alt.value(-10), text="readout:N")
    )


def hover_rule(panel: Panel) -> alt.Chart:
    """The vertical line at the place that the group of panels points at."""
    return (
        table(HOVER_DATA)
        .transform_calculate(at=panel.at(by=panel.x))
        .mark_rule(style="hover", clip=True)
        .encode(x=panel.axis())
    )


def empty_note(tables: Iterable[str], words: str, when: str | None = None) -> list[alt.Chart]:
    """Words in the middle of a plot without rows, and an invisible line that keeps the readout's place above it."""
    condition = when or " && ".join(f"length(data('{name}')) == 0" for name in tables)
    one = alt.InlineData(values=[{"row": 0}])
    note = (
        alt.Chart(one)
        .transform_filter(condition)
        .mark_text(style="note", limit=alt.ExprRef(expr="width"))
        .encode(x=value("width / 2"), y=value("0.3 * height"), text=alt.value(words))
    )
    spacer = (
        alt.Chart(one)
        .mark_text(style="readout", opacity=0, clip=False)
        .encode(x=alt.value(-40), y=alt.value(-10), text=alt.value("|"))
    )
    return [note, spacer]


def figure(
    layers: Sequence[Any], *, height: int, width: Width, dark: bool, description: str, **more: Any
) -> alt.LayerChart:
    """A chart with its data in it: layers from back to front, the theme, and the room it may take.

    Args:
        layers: From back to front.
        height: Of the plot itself, in pixels.
        width: Of the whole chart.
        dark: Whether the page is dark.
        description: For screen readers.
        more: Of `altair.LayerChart`.
    """
    return LayerChart(
        layer=list(layers),
        height=height,
        width=width,
        config=vega_config(dark),
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        **more,
    )


def words_only(words: str, *, height: int, width: Width, dark: bool) -> alt.LayerChart:
    """A chart that says why there is nothing to show."""
    note = (
        alt.Chart(alt.InlineData(values=[{"row": 0}]))
        .mark_text(style="note", limit=alt.ExprRef(expr="width"))
        .encode(x=value("width / 2"), y=value("height / 2"), text=alt.value(words))
    )
    return LayerChart(layer=[note], height=height, width=width, config=vega_config(dark), description=words)


def _span(panel: Panel) -> alt.Chart:
    """Room for the state before the first decision, in every panel so that they line up.

    A layer that shows nothing: a domain given to each layer's scale is the same, but Vega-Lite warns of each pair.
    """
    ends = alt.Chart(alt.InlineData(values=[{"at": -panel.unit}, {"at": panel.unit}]))
    return ends.mark_text(text="", clip=True).encode(x=panel.axis())


def assemble(
    layers: Sequence[alt.Chart],
    panel: Panel,
    tables: Sequence[str],
    rows: Rows | None = None,
    *,
    zoom: bool = True,
    zoom_y: bool = False,
    hover: bool = True,
    description: str,
) -> alt.LayerChart:
    """The layered chart: data sets by name, zoom along x, the theme.

    Args:
        layers: From back to front; one of them is named `MAIN` where `zoom` is true.
        panel: The layout.
        tables: Names of the data sets that the layers read.
        rows: Rows to begin with, by data set.
        zoom: Whether the x axis is the run's (`Panel.axis`), and can be dragged and zoomed.
        zoom_y: Whether the y axis can too; a parameter of its own, so that linked panels share x alone.
        hover: Whether a layer reads `HOVER_DATA`.
        description: For screen readers.
    """
    extra: dict[str, Any] = {}
    if zoom:
        extra["params"] = [_bound(ZOOM, "x", _ZOOM_EVENT), *([_bound("zoom_y", "y", _ZOOM_Y_EVENT)] if zoom_y else [])]
    begin = {name: list((rows or {}).get(name, ())) for name in (*tables, *([HOVER_DATA] if hover else []))}
    return LayerChart(
        layer=[*layers, *([_span(panel)] if zoom else [])],
        width=panel.width,
        height=panel.height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        datasets=begin,
        config=vega_config(panel.dark),
        description=description,
        **extra,
    )


def _bound(name: str, channel: Literal["x", "y"], event: str) -> alt.TopLevelSelectionParameter:
    """An axis that can be dragged and zoomed."""
    selection = alt.IntervalSelectionConfig(type="interval", encodings=[channel], zoom=event)
    return alt.TopLevelSelectionParameter(name=name, select=selection, bind="scales", views=[MAIN])
