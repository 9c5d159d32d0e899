"""The explorer's live panels: specs whose data sets are named as the tables of `core.tables`, and start empty.

A widget makes each view once and appends rows to the named data sets (`view.change(name, ...)`). Conventions:

- `LIVE[name].tables` are the data sets that a panel reads; rows are exactly the rows of `core.tables`.
- `reference` takes one row {"name": "unigram", "loss": ...} (from the opening event's `unigram_entropy`).
- `hover_row` takes at most one row {"step": s, "decision": d}: every panel draws a rule there and reads out decision d
  (or the latest before it that has rows); emptied, the readout shows the latest decision. d may be a fraction,
  s / steps_per_decision: a step within a decision.
- The Vega signal `zoom_at` is the x domain (null = all); set it in all panels to link their zoom.
- Rows may be thinned: whole decisions may be left out of `decisions` and `memory`, steps of `steps`; from `ties` any
  row that repeats the layer's previous one.
- Only `config` differs between light and dark (`theme.vega_config`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

from ...core.errors import AnalysisError
from . import panels, strips
from .parts import HOVER_DATA, REFERENCE_DATA, ZOOM_SIGNAL, Panel, Rows, XAxis

__all__ = ["HOVER_DATA", "LIVE", "REFERENCE_DATA", "ZOOM_SIGNAL", "LivePanel", "live_chart", "live_spec"]


@dataclass(frozen=True)
class LivePanel:
    """What a widget needs to know of a panel.

    Args:
        build: Makes the chart of a layout and rows to begin with.
        tables: The data sets it reads, `hover_row` aside.
        height: Height of the plot that suits it, in pixels.
        caption: How to read it.
        shared_x: Whether its x axis is the run's (decision or step), so that hover and zoom link it to others.
    """

    build: Callable[..., alt.LayerChart]
    tables: tuple[str, ...]
    height: int
    caption: str
    shared_x: bool = True


_LOSS = ("steps", "evaluations", "decisions", REFERENCE_DATA)

LIVE: dict[str, LivePanel] = {
    "loss": LivePanel(panels.loss, _LOSS, 240, panels.CAPTIONS["loss"]),
    "perplexity": LivePanel(partial(panels.loss, y="perplexity"), _LOSS, 240, panels.CAPTIONS["perplexity"]),
    "reward": LivePanel(panels.reward, ("decisions",), 180, panels.CAPTIONS["reward"]),
    "epsilon": LivePanel(panels.epsilon, ("decisions",), 96, panels.CAPTIONS["epsilon"]),
    "parameters": LivePanel(panels.parameters, ("decisions",), 180, panels.CAPTIONS["parameters"]),
    "blocks": LivePanel(panels.blocks, ("decisions",), 160, panels.CAPTIONS["blocks"]),
    "memory": LivePanel(panels.memory, ("memory",), 180, panels.CAPTIONS["memory"]),
    "history": LivePanel(strips.history, ("ties", "decisions"), 240, strips.CAPTIONS["history"]),
    "q_values": LivePanel(strips.q_values, ("q_values",), 240, strips.CAPTIONS["q_values"], shared_x=False),
}
"""Panel name -> how it is made."""


def live_chart(
    name: str,
    *,
    x: XAxis = "decision",
    steps_per_decision: int = 4,
    height: int | None = None,
    dark: bool = False,
    rows: Rows | None = None,
    **options: Any,
) -> alt.LayerChart:
    """A live panel by name.

    Args:
        name: A key of `LIVE`.
        x: "decision" or "step" along the x axis.
        steps_per_decision: The run's optimizer steps per decision.
        height: Height of the plot in pixels; None = the panel's own.
        dark: Whether the page is dark.
        rows: Rows to begin with, by data set; none by default.
        **options: The panel's own (`reward`: title; `loss`: splits; `history`: by, reads_out).

    Raises:
        AnalysisError: No such panel.
    """
    if name not in LIVE:
        raise AnalysisError(
            f"Expected the name of a live panel, but got {name!r}.", f"Choose one of {', '.join(LIVE)}."
        )
    panel = Panel(x=x, steps_per_decision=steps_per_decision, height=height or LIVE[name].height, dark=dark)
    return LIVE[name].build(panel, rows, **options)


def live_spec(name: str, *, caption: str = "", **options: Any) -> dict[str, Any]:
    """The Vega-Lite spec of `live_chart(name, **options)`, with the caption under "usermeta".

    Args:
        name: A key of `LIVE`.
        caption: What is to be said of this run's numbers, before how to read the picture.
        **options: As `live_chart`.

    It is not checked against Vega-Lite's schema, which takes longer than all the rest; tests do that.
    """
    with debug_mode(False):
        spec = live_chart(name, **options).to_dict()
    spec["usermeta"] = {
        "panel": name,
        "tables": list(LIVE[name].tables),
        "caption": f"{caption} {LIVE[name].caption}".strip(),
    }
    return spec
