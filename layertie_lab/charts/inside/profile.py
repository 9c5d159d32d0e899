"""Pictures along the depth: what each layer does to the residual stream, and the spectra of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from ..frames import check, of_method, rows
from ..palette import OWNER_COLOURS
from ..run.parts import Width, figure, words_only
from ..run.strips import owner_index, owner_scale

CAPTIONS = {
    "update_profile": (
        "What each layer does to the residual stream, from the first layer on the left to the last, a dot in the colour"
        " of the layer's owner. Update / stream: how long its update is as a share of the stream it reads; near 0 the"
        " layer could almost be left out. Cosine: which way it points; near 0 it adds something new, below it takes"
        " away from what is there, above it makes it stronger. Norm: how long the stream is before the layer. Upright"
        " lines: intervals over probe sequences, seen where they are larger than the dot. Tied layers have equal"
        " weights and differ here."
    ),
    "spectra": (
        "The singular values of one weight matrix on a logarithmic axis, largest first: a line per owner, in its"
        " colour; tied layers share their owner's line. A line that falls steeply belongs to a"
        " matrix that uses few directions. Weights are not sampled, so there is no interval."
    ),
}
"""Chart -> how to read it."""

_PROFILE = ["layer", "owner", "measure", "value", "low", "high", "sequences"]
_SPECTRA = ["layer", "owner", "tensor", "index", "value"]


def update_profile_chart(
    profile: pl.DataFrame,
    *,
    measure: str | None = None,
    title: Sequence[str] = (),
    height: int = 200,
    width: Width = 560,
    dark: bool = False,
) -> alt.LayerChart:
    """One measure of what each layer does to the residual stream, along the depth.

    Args:
        profile: `analysis.similarity.profile.update_profile`.
        measure: relative update, cosine or stream; may be left out where there is one.
        title: Y title with the unit, a line each; by default the measure's name.
        height: Height of the plot in pixels.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or it is unclear which measure is meant.
    """
    check(profile, _PROFILE, "a frame of update profiles")
    if profile.is_empty():
        return words_only("No profile has been measured yet.", height=height, width=width, dark=dark)
    frame, measure = of_method(profile, measure, column="measure")
    base = alt.Chart(alt.InlineData(values=rows(frame.sort("layer")))).transform_calculate(colour=owner_index("owner"))
    x = alt.X("layer:O", title="layer (0 = first)", axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=list(title) or measure)
    tips = [
        alt.Tooltip("layer:O", title="layer"),
        alt.Tooltip("owner:O", title="owner"),
        *(
            alt.Tooltip(f"{name}:Q", title=words, format=".4~g")
            for name, words in (("value", measure), ("low", "interval from"), ("high", "to"))
        ),
    ]
    parts: list[Any] = [
        base.mark_line(style="reference").encode(x=x, y=y),
        base.mark_rule(style="interval").encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=x, y=y, color=alt.Color("colour:N", scale=owner_scale(), legend=None), tooltip=tips
        ),
    ]
    if measure == "cosine":
        parts.insert(0, alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(style="tick").encode(y="zero:Q"))
    return figure(
        parts,
        height=height,
        width=width,
        dark=dark,
        description=f"{measure} of {frame.height} layers, means over {frame['sequences'][0]} sequences.",
    )


def spectra_chart(
    spectra: pl.DataFrame,
    *,
    tensor: str | None = None,
    height: int = 280,
    width: Width = 460,
    dark: bool = False,
) -> alt.LayerChart:
    """Singular values of one matrix in every layer, a line per block of weights in its owner's colour.

    Args:
        spectra: `analysis.similarity.spectra.spectra`.
        tensor: Which matrix; may be left out where there is one.
        height: Height of the plot in pixels.
        width: Width of the chart in pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing, or it is unclear which matrix is meant.
    """
    check(spectra, _SPECTRA, "a frame of singular values")
    if spectra.is_empty():
        return words_only("No spectrum has been computed yet.", height=height, width=width, dark=dark)
    frame, tensor = of_method(spectra, tensor, column="tensor")
    # Tied layers have one spectrum: one line, named by all who use it.
    users = frame.group_by("owner", maintain_order=True).agg(
        layers=pl.col("layer").unique().sort().cast(pl.String).str.join(", "), layer=pl.col("layer").min()
    )
    lines = frame.drop("layer").unique(["owner", "index"], keep="first", maintain_order=True).join(users, on="owner")
    # A logarithm has no place for zero.
    positive = lines.filter(pl.col("value") > 0)
    base = alt.Chart(alt.InlineData(values=rows(positive))).transform_calculate(colour=owner_index("owner"))
    x = alt.X("index:Q", title="singular value, largest first (0 = first)")
    y = alt.Y("value:Q", title=["singular value", f"of {tensor}"], scale=alt.Scale(type="log", nice=False))
    owners = sorted(users["owner"].to_list())
    key = alt.Legend(title="owner", orient="right", direction="vertical", values=owners, offset=8, symbolType="circle")
    # Beyond, the legend would be longer than the plot, and colours begin again.
    named = len(owners) <= height // 22 and owners[-1] < len(OWNER_COLOURS)
    colour = alt.Color("colour:N", scale=owner_scale(), legend=key if named else None)
    tips = [
        alt.Tooltip("layers:N", title="layers that use it"),
        alt.Tooltip("index:Q", title="number"),
        alt.Tooltip("value:Q", title="singular value", format=".4~g"),
    ]
    parts: list[Any] = [
        base.mark_line(strokeWidth=1.8, opacity=0.9).encode(x=x, y=y, color=colour, detail="owner:O"),
        base.mark_point(filled=True, size=14, opacity=0.9).encode(x=x, y=y, color=colour, tooltip=tips),
    ]
    return figure(
        parts,
        height=height,
        width=width,
        dark=dark,
        description=f"Singular values of {tensor} of {len(owners)} owners.",
    )
