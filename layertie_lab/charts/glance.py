"""A moment of a run at a glance, from its log: what the agent held of the answers, what memory a step took."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from . import palette
from .captions import CAPTIONS
from .frames import rows
from .parts import names
from .static import q_value_chart
from .theme import vega_config


def glance(q_values: pl.DataFrame, memory: pl.DataFrame, decision: int) -> dict[str, dict[str, Any]]:
    """Title -> spec, with the line on how to read it; a picture is left out where the log has nothing for it.

    Args:
        q_values: The table `q_values`.
        memory: The table `memory`.
        decision: Which one; 0 = before the first.
    """
    made: dict[str, dict[str, Any]] = {}
    if q_values.filter(q_values["decision"] == decision).height:
        # The same height whatever the number of answers, so that the page does not jump while somebody scrubs.
        chart = q_value_chart(q_values, decision=decision, width="container", height=200)
        caption = CAPTIONS["q_values"].removesuffix(" Shows the decision under the pointer, or else the latest.")
        made["Value of each answer to the agent"] = chart.to_dict() | {"usermeta": {"caption": caption}}
    parts = memory.filter(memory["decision"] == decision)
    if parts.height:
        spec = memory_bars(parts, height=200).to_dict()
        made["Memory of a training step"] = spec | {"usermeta": {"caption": CAPTIONS["moment_memory"]}}
    return made


def memory_bars(memory: pl.DataFrame, *, height: int = 200, dark: bool = False) -> alt.LayerChart:
    """A bar per component.

    Args:
        memory: Columns component, bytes, of one decision.
        height: In pixels.
        dark: Whether the page is dark.
    """
    order = list(palette.MEMORY_COLOURS)
    values = rows(memory.select("component", mb=pl.col("bytes") / 1e6))
    base = alt.Chart(alt.InlineData(values=values))
    y = alt.Y("component:N", sort=order, title=None)
    x = alt.X("mb:Q", title="memory (MB)", scale=alt.Scale(zero=True, nice=True))
    colour = alt.Color("component:N", scale=names(order, list(palette.MEMORY_COLOURS.values())), legend=None)
    tips = [alt.Tooltip("component:N"), alt.Tooltip("mb:Q", title="MB", format=",.4~g")]
    bars = base.mark_bar(height=alt.RelativeBandSize(0.62)).encode(x=x, y=y, color=colour, tooltip=tips)
    words = base.mark_text(align="left", dx=5, style="label").encode(x=x, y=y, text=alt.Text("mb:Q", format=",.3~g"))
    return alt.LayerChart(
        layer=[bars, words], height=height, width="container", config=vega_config(dark),
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description="Memory of a training step by component.",
    )  # fmt: skip
