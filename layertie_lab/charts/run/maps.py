"""A still picture of a tie map: the layers as blocks in a row, in the colour of their owner, with arcs to it."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import polars as pl

from ...core.errors import AnalysisError
from ...core.ties import TieMap
from ..frames import check
from .parts import Width, figure, words_only
from .strips import owner_scale

CAPTIONS = {
    "tie_map": (
        "Each block is a layer, in the colour of the layer whose parameters it uses; an arc leads from a tied layer to"
        " that owner, and a layer in its own colour without one is independent. A thin strip below, where there is one,"
        " shows by colour what is truly one storage: it appears where that differs from the map."
    ),
}
"""Chart -> how to read it."""

_ARC_POINTS = 25


def tie_map(
    ties: pl.DataFrame | TieMap,
    *,
    decision: int | None = None,
    height: int = 150,
    width: Width = 680,
    dark: bool = False,
) -> alt.LayerChart:
    """The layers in a row; an arc leads from each tied layer to its owner.

    Where layers truly share storage otherwise than the map says (the official code's bookkeeping), a second, thin row
    shows the storage.

    Args:
        ties: Columns decision, layer, owner, block (the table `ties`), or a map.
        decision: The map after this decision; None = the last. 0 = the start.
        height: Height of the plot in pixels.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or there is no such decision.
    """
    cells = _cells(ties, decision)
    if not cells:
        return words_only("There is no tie map yet.", height=height, width=width, dark=dark)
    layers = len(cells)
    x = alt.X(
        "left:Q",
        title="layer (0 = first)",
        scale=alt.Scale(domain=[-0.5, layers - 0.5], nice=False),
        axis=_ticks(layers),
    )
    differ = any(cell["block"] != cell["owner"] for cell in cells)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[-0.52 if differ else -0.38, 1], nice=False), axis=None)
    colour = alt.Color("colour:N", scale=owner_scale(), legend=None)
    tips = [
        alt.Tooltip("layer:O", title="layer"),
        alt.Tooltip("owner:O", title="its owner by the map"),
        alt.Tooltip("block:O", title="first layer with the same storage"),
    ]
    blocks = alt.Chart(alt.InlineData(values=cells))
    # Type that shrinks with the blocks, and vanishes before it would overlap.
    room = f"width / {layers}"
    size = alt.ExprRef(expr=f"{room} < 17 ? 0 : min(16, {room} * 0.5)")
    parts = [
        alt.Chart(alt.InlineData(values=_arcs(cells)))
        .mark_line(strokeWidth=2.5 if layers <= 16 else 1.5, strokeCap="round")
        .encode(x=x, y=y, detail="layer:N", order="point:Q", color=colour),
        blocks.mark_rect(cornerRadius=4).encode(
            x=x, x2="right:Q", y=alt.Y("bottom:Q", axis=None), y2="top:Q", color=colour, tooltip=tips
        ),
        blocks.transform_calculate(y="-0.2")
        .mark_text(style="on-colour", fontSize=size, baseline="middle")
        .encode(x=alt.X("layer:Q"), y=y, text="layer:N"),
    ]
    extra: dict[str, Any] = {}
    if differ:
        words = "Thin strip: what is truly one storage, by colour"
        extra["title"] = alt.TitleParams(words, orient="bottom", fontSize=13, fontWeight="normal", offset=6)
        storage = alt.Color("stored:N", scale=owner_scale(), legend=None)
        parts.append(
            blocks.mark_rect().encode(
                x=x,
                x2="right:Q",
                y=alt.value(alt.ExprRef(expr="height - 10")),
                y2=alt.value("height"),
                color=storage,
                tooltip=tips,
            )
        )
    return figure(
        parts,
        height=height,
        width=width,
        dark=dark,
        description=f"Tie map of {layers} layers.",
        **extra,
    )


def _cells(ties: pl.DataFrame | TieMap, decision: int | None) -> list[dict[str, Any]]:
    if isinstance(ties, TieMap):
        owned = [(layer, owner, owner) for layer, owner in enumerate(ties.owners)]
    else:
        check(ties, ["decision", "layer", "owner", "block"], "a frame of ties")
        if ties.is_empty():
            return []
        wanted = ties.get_column("decision").max() if decision is None else decision
        rows = ties.filter(pl.col("decision") == wanted).sort("layer").select("layer", "owner", "block")
        if rows.is_empty():
            raise AnalysisError(
                f"Expected a decision from 0 to {ties.get_column('decision').max()}, but got {decision}.",
                "0 is the map at the start.",
            )
        owned = rows.rows()
    colours = len(owner_scale().to_dict()["domain"])
    return [
        {
            "layer": layer,
            "owner": owner,
            "block": block,
            "colour": owner % colours,
            "stored": block % colours,
            "left": layer - 0.44,
            "right": layer + 0.44,
            "bottom": -0.36,
            "top": -0.02,
        }
        for layer, owner, block in owned
    ]


def _arcs(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Half ellipses from each tied layer to its owner, higher the further they reach."""
    furthest = max((cell["layer"] - cell["owner"] for cell in cells), default=1) or 1
    points = []
    for cell in cells:
        reach = cell["layer"] - cell["owner"]
        if reach <= 0:
            continue
        top = 0.25 + 0.7 * reach / furthest
        for point in range(_ARC_POINTS):
            angle = math.pi * point / (_ARC_POINTS - 1)
            x = cell["owner"] + reach / 2 * (1 - math.cos(angle))
            points.append(
                {
                    "layer": cell["layer"],
                    "colour": cell["colour"],
                    "point": point,
                    "left": round(x, 4),
                    "y": round(top * math.sin(angle), 4),
                }
            )
    return points


def _ticks(layers: int) -> alt.Axis:
    every = max(1, math.ceil(layers / 24))
    return alt.Axis(values=list(range(0, layers, every)), format="d", grid=False, domain=False, ticks=False)
