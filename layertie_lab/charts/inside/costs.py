"""What changing a tie would cost at once: an overlay on the tie map, layer by action."""

from __future__ import annotations

import altair as alt
import polars as pl

from ..frames import check, extent, rows
from ..palette import OWNER_COLOURS
from ..run.parts import Width, figure, words_only
from ..run.strips import owner_scale

CAPTIONS = {
    "costs": (
        "What would happen at once: the change of the loss if the layer of a row copied the layer of a column (its own"
        " number: trained on its own), everything else as it is and nothing trained in between. Purple: the loss rises;"
        " orange: it falls; shades are stretched around 0. Outlined, in its owner's colour: the present tie. A white"
        " cross: the interval over probe sequences holds 0. Untying costs nothing at once, since the layer starts on a"
        " copy; what it is worth shows only after training."
    ),
}
"""Chart -> how to read it."""

COLUMNS = ["layer", "answer", "owner", "present", "change", "low", "high"]
_ROOM = 32
"""Pixels that a number needs in its cell."""
_SIGNED = "purpleorange"


def cost_matrix(costs: pl.DataFrame, *, height: int = 300, width: Width = 420, dark: bool = False) -> alt.LayerChart:
    """A cell per layer and action: the change of the loss if the layer were tied so, nothing trained in between.

    Args:
        costs: Columns layer, answer, owner, present, change, low, high (`analysis.attribution.tie_costs`).
        height: Of the plot, in pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(costs, COLUMNS, "a frame of what ties cost")
    if costs.is_empty():
        return words_only("Nothing has been asked yet.", height=height, width=width, dark=dark)
    cells = rows(costs.with_columns(uncertain=(pl.col("low") < 0) & (pl.col("high") > 0)))
    layers = costs["layer"].n_unique()
    largest = extent(costs["change"])
    axis = alt.Axis(labelAngle=0, domain=False, ticks=False, grid=False)
    x = alt.X("answer:O", title="action: the layer it would copy", axis=axis)
    y = alt.Y("layer:O", title="layer asked about", axis=axis)
    base = alt.Chart(alt.InlineData(values=cells))
    shade = alt.Color(
        "change:Q",
        scale=alt.Scale(scheme=_SIGNED, domain=[-largest, largest], reverse=True, type="symlog", constant=largest / 50),
        legend=alt.Legend(
            title="change of the loss (nats per token)",
            orient="bottom",
            direction="horizontal",
            gradientLength=200,
            values=[-largest, 0, largest],
            format=".3~g",
        ),
    )
    tips = [
        alt.Tooltip("layer:O", title="layer"),
        alt.Tooltip("answer:O", title="action"),
        alt.Tooltip("owner:O", title="owner it would have"),
        alt.Tooltip("change:Q", title="change of the loss", format="+.4f"),
        alt.Tooltip("low:Q", title="interval from", format="+.4f"),
        alt.Tooltip("high:Q", title="to", format="+.4f"),
    ]
    colours = len(OWNER_COLOURS)
    parts: list[alt.Chart] = [
        base.mark_rect().encode(x=x, y=y, color=shade, tooltip=tips),
        base.transform_filter("datum.present")
        .transform_calculate(colour=f"datum.owner % {colours}")
        .mark_rect(filled=False, strokeWidth=2.5)
        .encode(x=x, y=y, stroke=alt.Stroke("colour:N", scale=owner_scale(), legend=None)),
    ]
    if layers <= 16:
        # Whichever of black and white stands out more: purple gets dark much sooner than orange.
        ink = f"datum.change > {largest * 0.25} || datum.change < {largest * -0.55}"
        number = "format(datum.change, '+.3f')"
        short = f"abs(datum.change) < 1 ? replace({number}, '0.', '.') : {number}"
        parts.append(
            base.transform_filter("!datum.present")
            .transform_calculate(words=f"datum.change === 0 ? '0' : {short}")
            # A narrow page has no room for numbers; the shade and the tip are left.
            .mark_text(fontSize=10 if layers > 8 else 12, opacity=alt.expr(f"width < {layers * _ROOM} ? 0 : 1"))
            .encode(x=x, y=y, text="words:N", color=alt.condition(ink, alt.value("#ffffff"), alt.value("#111111")))
        )
    if any(cell["uncertain"] for cell in cells):
        parts.append(
            base.transform_filter("datum.uncertain")
            .mark_point(
                shape="cross",
                filled=True,
                size=34,
                opacity=1,
                color="#ffffff",
                stroke="#111111",
                strokeWidth=0.6,
                yOffset=max(6.0, height / max(1, layers) * 0.32),
            )
            .encode(x=x, y=y)
        )
    return figure(
        parts,
        height=height,
        width=width,
        dark=dark,
        resolve=alt.Resolve(scale={"color": "independent", "stroke": "independent"}),
        description=f"Change of the loss for each of {len(cells)} actions about {layers} layers.",
    )
