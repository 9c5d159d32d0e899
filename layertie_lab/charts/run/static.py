"""The panels for a finished run or a notebook: polars frames from `load_run` in, an Altair chart out.

The specs are those of the live panels, filled with rows. Long runs are thinned to what a browser draws at once; the
smallest and largest values of each stretch stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import polars as pl

from ...core.errors import AnalysisError
from .. import frames
from . import panels, strips
from .parts import REFERENCE_DATA, Panel, Width, XAxis

WIDTH = 680
"""Width of a chart in a notebook, in pixels."""

_ANSWER = ["decision", "step", "layer", "proposed", "choice", "by", "overridden"]


def loss_chart(
    steps: pl.DataFrame,
    evaluations: pl.DataFrame,
    decisions: pl.DataFrame,
    *,
    y: Literal["loss", "perplexity"] = "loss",
    splits: Sequence[str] = ("validation",),
    unigram_entropy: float | None = None,
    **layout: Any,
) -> alt.LayerChart:
    """Training loss of each step, evaluations with one standard error, decisions and overrides.

    Args:
        steps: Columns step, decision, loss (nats per token).
        evaluations: Columns of the table `evaluations`.
        decisions: Columns of the table `decisions`.
        y: "perplexity" shows exp of the same numbers on a logarithmic axis.
        splits: Which splits' evaluations to show.
        unigram_entropy: The unigram baseline, nats per token; a dashed line where given.
        **layout: See `layout`.

    Raises:
        AnalysisError: A frame lacks a column.
    """
    frames.check(steps, ["step", "decision", "loss"], "a frame of steps")
    thin = frames.thin_extremes(steps.sort("step"), "loss")
    data = {
        "steps": frames.table_rows(thin, "steps", ["step", "decision", "loss"]),
        "evaluations": frames.table_rows(evaluations, "evaluations", frames.fields("evaluations", "windows")),
        "decisions": _decisions(decisions, "train_loss"),
        REFERENCE_DATA: [] if unigram_entropy is None else [{"name": "unigram", "loss": unigram_entropy}],
    }
    return panels.loss(_panel(240, layout, decisions, steps), data, y=y, splits=splits)


def reward_chart(decisions: pl.DataFrame, *, title: str = "reward (agent's units)", **layout: Any) -> alt.LayerChart:
    """What the agent was told after each decision, and the mean of the last 20.

    Args:
        decisions: Columns of the table `decisions`.
        title: Of the y axis, such as "reward (nats/token)".
        **layout: See `layout`.

    Raises:
        AnalysisError: A frame lacks a column.
    """
    data = {"decisions": _decisions(decisions, "reward", "explored", mean=True)}
    return panels.reward(_panel(180, layout, decisions), data, title=title)


def epsilon_chart(decisions: pl.DataFrame, **layout: Any) -> alt.LayerChart:
    """The probability of a random action at each decision (column epsilon). `**layout`: see `layout`."""
    return panels.epsilon(_panel(96, layout, decisions), {"decisions": _decisions(decisions, "epsilon")})


def parameters_chart(decisions: pl.DataFrame, **layout: Any) -> alt.LayerChart:
    """Trainable parameters in percent of the untied model's, truly and as claimed. `**layout`: see `layout`."""
    data = {"decisions": _decisions(decisions, "trainable_parameters", "claimed_parameters", "trainable_share")}
    return panels.parameters(_panel(180, layout, decisions), data)


def blocks_chart(decisions: pl.DataFrame, **layout: Any) -> alt.LayerChart:
    """Independent layers by the tie map, and truly distinct blocks. `**layout`: see `layout`."""
    return panels.blocks(_panel(160, layout, decisions), {"decisions": _decisions(decisions, "blocks", "owners")})


def memory_chart(memory: pl.DataFrame, **layout: Any) -> alt.LayerChart:
    """Memory by component after each decision, stacked, in MB (columns of the table `memory`; see `layout`)."""
    columns = frames.fields("memory")
    frames.check(memory, columns, "a frame of memory")
    data = {"memory": frames.table_rows(frames.thin_decisions(memory), "memory", columns)}
    return panels.memory(_panel(180, layout, memory), data)


def tie_history(
    ties: pl.DataFrame,
    decisions: pl.DataFrame | None = None,
    *,
    by: Literal["owner", "block"] = "owner",
    **layout: Any,
) -> alt.LayerChart:
    """The tie map over the run, a row per layer, coloured by owner.

    Args:
        ties: Columns of the table `ties`.
        decisions: Columns of the table `decisions`, for override marks.
        by: "block" colours by what is truly one storage.
        **layout: See `layout`.

    Raises:
        AnalysisError: A frame lacks a column.
    """
    columns = frames.fields("ties")
    frames.check(ties, columns, "a frame of ties")
    data = {
        "ties": frames.table_rows(frames.thin_ties(ties), "ties", columns),
        "decisions": [] if decisions is None else _decisions(decisions, "owners"),
    }
    return strips.history(_panel(240, layout, decisions), data, by=by)


def q_value_chart(q_values: pl.DataFrame, *, decision: int | None = None, **layout: Any) -> alt.LayerChart:
    """The agent's value of each legal action at one decision.

    Args:
        q_values: Columns of the table `q_values`.
        decision: Which one; None = the last.
        **layout: See `layout`.

    Raises:
        AnalysisError: A frame lacks a column, or holds no such decision.
    """
    columns = frames.fields("q_values")
    frames.check(q_values, columns, "a frame of q_values")
    if q_values.height:
        wanted = decision if decision is not None else q_values.get_column("decision").max()
        q_values = q_values.filter(pl.col("decision") == wanted)
        if q_values.is_empty():
            raise AnalysisError(
                f"Expected a decision with values, but decision {decision} has none.",
                "Choose a decision in the frame; policies that hold no values leave none.",
            )
    return strips.q_values(_panel(240, layout), {"q_values": frames.table_rows(q_values, "q_values", columns)})


def layout(
    *,
    x: XAxis = "decision",
    steps_per_decision: int | None = None,
    height: int | None = None,
    width: Width = WIDTH,
    dark: bool = False,
) -> dict[str, Any]:
    """The keywords that every chart over a run takes.

    Args:
        x: "decision" or "step" along the x axis.
        steps_per_decision: Optimizer steps per decision; None = read from the frames.
        height: Height of the plot in pixels; None = what suits the chart.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.
    """
    return {"x": x, "steps_per_decision": steps_per_decision, "height": height, "width": width, "dark": dark}


def _panel(height: int, given: dict[str, Any], *timed: pl.DataFrame | None) -> Panel:
    chosen = layout(**given)
    chosen["height"] = chosen["height"] or height
    chosen["steps_per_decision"] = chosen["steps_per_decision"] or _steps_per_decision(*timed)
    return Panel(**chosen)


def _steps_per_decision(*timed: pl.DataFrame | None) -> int:
    """The steps after the first decision that a frame knows."""
    for frame in timed:
        if frame is not None and frame.height and "step" in frame.columns:
            last = frame.filter(pl.col("decision") == pl.col("decision").min()).select(pl.col("step", "decision").max())
            step, decision = last.row(0)
            return max(1, step // max(1, decision))
    return 4


def _decisions(decisions: pl.DataFrame, *values: str, mean: bool = False) -> list[frames.Row]:
    columns = [*_ANSWER, *values]
    frames.check(decisions, columns, "a frame of decisions")
    chosen = decisions.select(columns)
    if mean:
        chosen = frames.with_mean_reward(chosen)
    thin = frames.thin_extremes(chosen.sort("decision"), values[0], keep=pl.col("overridden"))
    return frames.table_rows(thin, "decisions", [*columns, *(["mean_reward"] if mean else [])])
