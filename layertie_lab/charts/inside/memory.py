"""The memory ledger as pictures: maps side by side, and who holds what at the fullest moment of a step."""

from __future__ import annotations

import altair as alt
import polars as pl

from ..frames import check, rows
from ..palette import MEMORY_COLOURS
from ..run.parts import Width, figure, names, words_only
from ..run.strips import owner_index, owner_scale

CAPTIONS = {
    "memory_of_maps": (
        "What one training step holds in memory at its fullest moment, by component, in millions of bytes: with nothing"
        " tied, with the ties of this moment, and with everything tied. Predicted from shapes; measured by following"
        " every tensor of a real step of a copy. Temporaries: what operations hold besides. What a process or an"
        " allocator keeps beyond its tensors is not in it."
    ),
    "memory_by_layer": (
        "What was measured of each layer at the step's fullest moment, in the colour of its owner; fainter parts are"
        " activations and temporaries. Parameters, gradients and optimizer state stand at the first layer that uses"
        " them, so a tied layer has activations alone; with owner gradients fewer of these. What lies outside the"
        " layers (embedding, head, loss) is not in it."
    ),
}
"""Chart -> how to read it."""

COLUMNS = ["map", "when", "kind", "component", "layer", "owner", "bytes"]
_SOLID = {"parameters": 1.0, "gradients": 0.8, "optimizer": 0.65, "activations": 0.45, "temporaries": 0.25}
"""Component -> opacity within its owner's colour."""
_MAPS = ("untied", "as is", "all tied")
_ROWS = {"predicted": "predicted", "measured": "measured"}


def memory_of_maps(
    ledger: pl.DataFrame, *, height: int = 220, width: Width = 560, dark: bool = False
) -> alt.LayerChart:
    """A stacked bar per tie map at the fullest moment of a step, predicted, and measured where it is in force.

    Args:
        ledger: `analysis.memory.ledger.ledger`.
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(ledger, COLUMNS, "a memory ledger")
    peak = ledger.filter(pl.col("when") == "peak").group_by("map", "kind", "component").agg(pl.col("bytes").sum())
    if peak.is_empty():
        return words_only("Nothing has been measured yet.", height=height, width=width, dark=dark)
    order = [f"{name}, {kind}" for name in _MAPS for kind in _ROWS]
    present = set(peak["component"])
    components = [name for name in MEMORY_COLOURS if name in present]
    values = rows(
        peak.with_columns(
            bar=pl.concat_str("map", pl.lit(", "), "kind"),
            mb=pl.col("bytes") / 1e6,
            place=pl.col("component").replace_strict({name: at for at, name in enumerate(components)}, default=9),
        ).sort("bar", "place")
    )
    base = alt.Chart(alt.InlineData(values=values))
    y = alt.Y("bar:N", title=None, sort=order, axis=alt.Axis(labelLimit=180))
    colour = alt.Color(
        "component:N",
        scale=names(components, [MEMORY_COLOURS[name] for name in components]),
        legend=alt.Legend(title=None, orient="bottom", columns=2, symbolType="square", symbolOpacity=1),
    )
    tips = [
        alt.Tooltip("bar:N", title="map"),
        alt.Tooltip("component:N"),
        alt.Tooltip("mb:Q", title="MB", format=",.4~g"),
    ]
    bars = base.mark_bar(height=alt.RelativeBandSize(0.66)).encode(
        x=alt.X("mb:Q", title=["memory at the fullest", "moment of a step (MB)"], stack="zero"),
        y=y,
        color=colour,
        order=alt.Order("place:Q"),
        tooltip=tips,
    )
    words = (
        base.transform_aggregate(total="sum(mb)", groupby=["bar"])
        .mark_text(align="left", dx=5, style="label")
        .encode(x=alt.X("total:Q"), y=y, text=alt.Text("total:Q", format=",.4~g"))
    )
    return figure(
        [bars, words],
        height=height,
        width=width,
        dark=dark,
        description="Memory of a training step under three tie maps.",
    )


def memory_by_layer(
    ledger: pl.DataFrame, *, height: int = 220, width: Width = 560, dark: bool = False
) -> alt.LayerChart:
    """A bar per layer: what was measured of it at the fullest moment of a step, in the colour of its owner.

    Args:
        ledger: `analysis.memory.ledger.ledger`.
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(ledger, COLUMNS, "a memory ledger")
    peak = (
        ledger.filter((pl.col("when") == "peak") & (pl.col("kind") == "measured") & pl.col("layer").is_not_null())
        .group_by("layer", "owner", "component")
        .agg(mb=pl.col("bytes").sum() / 1e6)
    )
    if peak.is_empty():
        return words_only("Nothing has been measured yet.", height=height, width=width, dark=dark)
    place = {name: at for at, name in enumerate(MEMORY_COLOURS)}
    peak = peak.with_columns(place=pl.col("component").replace_strict(place, default=9)).sort("layer", "place")
    base = alt.Chart(alt.InlineData(values=rows(peak))).transform_calculate(colour=owner_index("owner"))
    x = alt.X("layer:O", title="layer (0 = first)", axis=alt.Axis(labelAngle=0))
    tips = [
        alt.Tooltip("layer:O"),
        alt.Tooltip("owner:O"),
        alt.Tooltip("component:N"),
        alt.Tooltip("mb:Q", title="MB", format=",.4~g"),
    ]
    bars = base.mark_bar().encode(
        x=x,
        y=alt.Y("mb:Q", title="memory (MB)", stack="zero"),
        tooltip=tips,
        order=alt.Order("place:Q"),
        color=alt.Color("colour:N", scale=owner_scale(), legend=None),
        opacity=alt.Opacity(
            "component:O",
            sort=None,
            legend=None,
            # Left to itself, the scale would be one of points between the first two.
            scale=alt.Scale(type="ordinal", domain=list(_SOLID), range=list(_SOLID.values())),
        ),
    )
    return figure(
        [bars], height=height, width=width, dark=dark, description="Memory by layer at the fullest moment of a step."
    )
