"""A moment of a run at a glance, from its log: what the agent held of the actions, what memory a step took."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt
import polars as pl

from .. import palette
from ..captions import captioned
from ..frames import rows
from . import strips
from .live import HOVER_DATA, live_spec
from .parts import figure, names

CAPTIONS = {
    "moment_memory": (
        "Bytes of one training step under the tie map of this decision, by component, in millions: parameters,"
        " gradients, optimizer state, and activations saved for the backward pass (predicted from shapes)."
    ),
}
"""Chart -> how to read it."""


def glance(q_values: pl.DataFrame, memory: pl.DataFrame, decision: int) -> dict[str, dict[str, Any]]:
    """Title -> spec, with the line on how to read it; a picture is left out where the log has nothing for it.

    Args:
        q_values: The table `q_values`.
        memory: The table `memory`.
        decision: Which one; 0 = before the first.
    """
    tables = {
        "Value of each action to the agent": ("q_values", q_values.filter(q_values["decision"] == decision)),
        "Memory of a training step": ("memory", memory.filter(memory["decision"] == decision)),
    }
    return {
        title: _template(table) | {"datasets": {HOVER_DATA: [], table: rows(frame)}}
        for title, (table, frame) in tables.items()
        if frame.height
    }


@cache
def _template(table: str) -> dict[str, Any]:
    """A picture without its rows: making it takes longer than all the rest, and somebody is scrubbing."""
    if table == "q_values":
        caption = strips.CAPTIONS["q_values"].removesuffix(" Shows the decision under the pointer, or else the latest.")
        return captioned(live_spec("q_values", height=200), caption)
    return captioned(memory_bars(height=200).to_dict(), CAPTIONS["moment_memory"])


def memory_bars(memory: pl.DataFrame | None = None, *, height: int = 200, dark: bool = False) -> alt.LayerChart:
    """A bar per component.

    Args:
        memory: Columns component, bytes, of one decision; None = rows come later, into the data set "memory".
        height: In pixels.
        dark: Whether the page is dark.
    """
    order = list(palette.MEMORY_COLOURS)
    base = alt.Chart(alt.NamedData(name="memory")).transform_calculate(mb="datum.bytes / 1e6")
    y = alt.Y("component:N", sort=order, title=None)
    x = alt.X("mb:Q", title="memory (MB)", scale=alt.Scale(zero=True, nice=True))
    colour = alt.Color("component:N", scale=names(order, list(palette.MEMORY_COLOURS.values())), legend=None)
    tips = [alt.Tooltip("component:N"), alt.Tooltip("mb:Q", title="MB", format=",.4~g")]
    bars = base.mark_bar(height=alt.RelativeBandSize(0.62)).encode(x=x, y=y, color=colour, tooltip=tips)
    words = base.mark_text(align="left", dx=5, style="label").encode(x=x, y=y, text=alt.Text("mb:Q", format=",.3~g"))
    return figure(
        [bars, words],
        datasets={"memory": [] if memory is None else rows(memory)},
        height=height,
        width="container",
        dark=dark,
        description="Memory of a training step by component.",
    )
