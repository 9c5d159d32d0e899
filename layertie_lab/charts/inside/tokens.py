"""Pictures of words: the logit lens along the depth, what was said of one token, attention and its entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from .. import palette
from ..frames import check, largest, rows, whole_ticks
from ..run.parts import Width, figure, words_only
from ..run.strips import owner_index, owner_scale

CAPTIONS = {
    "lens": (
        "The logit lens: the loss if the model stopped after so many layers and went straight to its final norm and"
        " head, with the interval over probe sequences. A dot has the colour of the owner of the last layer passed; the"
        " hollow one is the embedding alone."
        " Where the curve is flat, the layer changed little of what the model would say."
    ),
    "lens_of_token": (
        "The logit lens of the picked token: how well it would be predicted after so many layers. A dot has the colour"
        " of the owner of the last layer passed. One token: no interval."
    ),
    "lens_tokens": (
        "What the model would say after so many layers (across): its five likeliest tokens, the first on top, and their"
        " probability as the shade. Outlined in yellow: the true one, where it is among them."
    ),
    "entropy": (
        "How widely each head of each layer looks: the entropy of its attention as a share of the most it could have."
        " Dark: at one token alone; light: at all alike. Tied layers have equal heads, yet look at other things."
    ),
    "attention": (
        "Where each layer (down) looks when the picked token is predicted: the attention that its heads give, on"
        " average, to each token read (across). Attention is not what a prediction rests on; for that see the colours"
        " of the text above."
    ),
}
"""Chart -> how to read it."""


def lens_curve(lens: pl.DataFrame, *, height: int = 240, width: Width = 460, dark: bool = False) -> alt.LayerChart:
    """The loss if the model stopped after each layer, with its interval; a dot in the colour of the layer's owner.

    Args:
        lens: `analysis.attribution.logit_lens.logit_lens`, or `lens_of_token` (one token: no interval).
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(lens, ["depth", "layer", "owner", "loss"], "a frame of the logit lens")
    if lens.is_empty():
        return words_only("Nothing has been predicted yet.", height=height, width=width, dark=dark)
    base = alt.Chart(alt.InlineData(values=rows(lens))).transform_calculate(colour=owner_index("owner"))
    ticks = alt.Axis(values=whole_ticks(lens["depth"]), format="d")
    x = alt.X("depth:Q", title="layers passed (0: the embedding alone)", axis=ticks)
    interval = "low" in lens.columns
    y = alt.Y(
        "loss:Q", title="loss (nats per token)" if interval else "loss of the token (nats)", scale=alt.Scale(zero=False)
    )
    tips = [
        alt.Tooltip("depth:O", title="layers passed"),
        alt.Tooltip("owner:O", title="owner of the last"),
        alt.Tooltip("loss:Q", format=".3f"),
        *(alt.Tooltip(f"{name}:Q", title=f"interval: {name}", format=".3f") for name in ("low", "high") if interval),
    ]
    layers: list[Any] = [base.mark_line(color=palette.TRAIN, strokeWidth=1.5).encode(x=x, y=y)]
    if interval:
        layers.append(base.mark_rule(style="interval").encode(x=x, y=alt.Y("low:Q"), y2="high:Q"))
    layers += [
        base.transform_filter("datum.depth == 0")
        .mark_point(filled=False, size=60, color=palette.TRAIN, opacity=1)
        .encode(x=x, y=y, tooltip=tips),
        base.transform_filter("datum.depth > 0")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(x=x, y=y, color=alt.Color("colour:N", scale=owner_scale(), legend=None), tooltip=tips),
    ]
    return figure(layers, height=height, width=width, dark=dark, description="Loss after each layer.")


def lens_tokens(
    lens: pl.DataFrame, names: Sequence[str], *, height: int = 240, width: Width = 460, dark: bool = False
) -> alt.LayerChart:
    """The likeliest tokens after each layer, the true one outlined.

    Args:
        lens: `analysis.attribution.logit_lens.lens_of_token`.
        names: For each row of it its likeliest tokens as text, joined in the order of `top`, one list after another.
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(lens, ["depth", "target", "top", "top_probability"], "a frame of the lens of one token")
    if lens.is_empty():
        return words_only("No token is picked.", height=height, width=width, dark=dark)
    cells, at = [], 0
    for row in lens.iter_rows(named=True):
        for place, (token, chance) in enumerate(zip(row["top"], row["top_probability"], strict=True)):
            cells.append(
                {
                    "depth": row["depth"],
                    "place": place + 1,
                    "text": _visible(names[at]),
                    "probability": chance,
                    "true": token == row["target"],
                }
            )
            at += 1
    base = alt.Chart(alt.InlineData(values=cells))
    axis = alt.Axis(labelAngle=0, domain=False, ticks=False, grid=False)
    x, y = alt.X("depth:O", title="layers passed", axis=axis), alt.Y("place:O", title="rank", axis=axis)
    shade = alt.Color(
        "probability:Q",
        scale=alt.Scale(scheme="viridis", domain=[0, 1]),
        legend=alt.Legend(title="probability", orient="bottom", direction="horizontal", gradientLength=200),
    )
    tips = [alt.Tooltip("text:N", title="token"), alt.Tooltip("probability:Q", format=".3f"), alt.Tooltip("depth:O")]
    layers = [
        base.mark_rect().encode(x=x, y=y, color=shade, tooltip=tips),
        base.transform_filter("datum.true")
        .mark_rect(filled=False, stroke=palette.OVERRIDE, strokeWidth=3)
        .encode(x=x, y=y),
        base.mark_text(fontSize=12, limit=60).encode(
            x=x,
            y=y,
            text="text:N",
            # From there on black stands out more than white.
            color=alt.condition("datum.probability > 0.46", alt.value("#111111"), alt.value("#ffffff")),
        ),
    ]
    return figure(layers, height=height, width=width, dark=dark, description="Likeliest tokens after each layer.")


def entropy_matrix(
    entropy: pl.DataFrame, *, height: int = 240, width: Width = 460, dark: bool = False
) -> alt.LayerChart:
    """A cell per layer and head: how widely it looks, as a share of the most it could.

    Args:
        entropy: `analysis.attribution.attention.attention_entropy`.
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(entropy, ["layer", "owner", "head", "entropy", "low", "high", "share"], "a frame of attention entropies")
    if entropy.is_empty():
        return words_only("No head has been looked at yet.", height=height, width=width, dark=dark)
    base = alt.Chart(alt.InlineData(values=rows(entropy)))
    axis = alt.Axis(labelAngle=0, domain=False, ticks=False, grid=False)
    x, y = alt.X("layer:O", title="layer (0 = first)", axis=axis), alt.Y("head:O", title="head", axis=axis)
    shade = alt.Color(
        "share:Q",
        scale=alt.Scale(scheme="viridis", domain=[0, 1]),
        legend=alt.Legend(
            title="entropy (share of its maximum)", orient="bottom", direction="horizontal", gradientLength=200
        ),
    )
    tips = [
        alt.Tooltip("layer:O"),
        alt.Tooltip("head:O"),
        alt.Tooltip("entropy:Q", title="entropy (nats)", format=".3f"),
        alt.Tooltip("low:Q", title="interval from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
        alt.Tooltip("owner:O"),
    ]
    cells = base.mark_rect().encode(x=x, y=y, color=shade, tooltip=tips)
    return figure([cells], height=height, width=width, dark=dark, description="Entropy of attention by layer and head.")


def attention_row(
    attention: pl.DataFrame, pieces: Sequence[str], *, height: int = 240, width: Width = 460, dark: bool = False
) -> alt.LayerChart:
    """Where each layer looks from one token: a cell per layer and token read, the mean over its heads.

    Args:
        attention: Rows of `analysis.attribution.attention.attention_maps` with one query.
        pieces: The sequence's tokens as text.
        height: In pixels.
        width: In pixels, or "container".
        dark: Whether the page is dark.

    Raises:
        AnalysisError: A column is missing.
    """
    check(attention, ["layer", "head", "query", "key", "weight"], "a frame of attention weights")
    if attention.is_empty():
        return words_only("No token is picked.", height=height, width=width, dark=dark)
    mean = attention.group_by("layer", "key").agg(pl.col("weight").mean()).sort("layer", "key")
    texts = [_visible(piece) for piece in pieces]
    cells = [row | {"text": texts[row["key"]]} for row in rows(mean)]
    base = alt.Chart(alt.InlineData(values=cells))
    read = int(largest(attention["key"])) + 1
    named = list(range(0, read, max(1, -(-read // 10))))
    x = alt.X(
        "key:O",
        title="token read (counted from 0)",
        axis=alt.Axis(labelAngle=0, domain=False, ticks=False, grid=False, values=named),
    )
    y = alt.Y("layer:O", title="layer", axis=alt.Axis(domain=False, ticks=False, grid=False))
    shade = alt.Color(
        "weight:Q",
        scale=alt.Scale(scheme="viridis"),
        legend=alt.Legend(
            title="attention (mean over heads)",
            orient="bottom",
            direction="horizontal",
            gradientLength=200,
            format=".2f",
        ),
    )
    tips = [
        alt.Tooltip("layer:O"),
        alt.Tooltip("key:O", title="token"),
        alt.Tooltip("text:N"),
        alt.Tooltip("weight:Q", format=".3f"),
    ]
    return figure(
        [base.mark_rect().encode(x=x, y=y, color=shade, tooltip=tips)],
        height=height,
        width=width,
        dark=dark,
        description="Attention from one token, by layer.",
    )


def _visible(text: str) -> str:
    """A token's text with its spaces shown: a cell with nothing in it would look like one without a token."""
    return text.replace(" ", "\u2423")
