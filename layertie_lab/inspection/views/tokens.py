"""The view tokens: how well each token of the probe set is predicted, and by how many layers.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...core.columns import Column
from ...core.errors import AnalysisError
from ..ticks import Tick, part
from .registry import VIEWS, Ask, ColouredText, Facts, Found, Pictures, Rows, Table, View, ViewDescription

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe

_LENS = (
    Column("depth", "layers passed"),
    Column("loss", "loss", number=True, digits=4),
    Column("low", "from", number=True, digits=4),
    Column("high", "to", number=True, digits=4),
)


@VIEWS.register(
    ViewDescription(
        "tokens",
        "How well tokens are predicted",
        about="How well each token of the probe set is predicted, by how many layers.",
        tab="Tokens",
        asks=(Ask("Predict each token"),),
        across=2,
        text="The probe set",
    )
)
class Tokens(View):
    """Frames `tokens` (`attribution.tokens.token_losses`), and where there are two sequences `lens` and, where the
    model shows its attention, `entropy`.

    Facts: `pieces` (the probe set as text, by sequence and token), `names` (the likeliest tokens as text, by row).
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        from ...analysis.attribution.attention import attention_entropy
        from ...analysis.attribution.logit_lens import logit_lens
        from ...analysis.attribution.tokens import token_losses
        from ...models.tied_model import ShowsAttention

        model = inspection.model
        found = token_losses(model, probe.tokens, tick=part(tick, 0.0, 0.4))
        frames = {"tokens": found.to_dicts()}
        facts: dict[str, Any] = {"pieces": probe.pieces, "names": likeliest(inspection, found)}
        try:
            frames["lens"] = logit_lens(model, probe.tokens, tick=part(tick, 0.4, 0.7)).to_dicts()
            if isinstance(model, ShowsAttention):
                entropy = attention_entropy(model, model.inputs(probe.tokens), tick=part(tick, 0.7, 1.0))
                frames["entropy"] = entropy.to_dicts()
        except AnalysisError as error:
            facts["no_intervals"] = str(error)
        return {"frames": frames, "facts": facts}

    def words(self, facts: Facts) -> list[str]:
        return [f"Nothing over sequences: {facts['no_intervals']}"] if "no_intervals" in facts else []

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...charts.captions import captioned
        from ...charts.inside.tokens import CAPTIONS, entropy_matrix, lens_curve

        size: dict[str, Any] = {"width": "container", "height": 240}
        made: Pictures = {}
        if "lens" in frames:
            chart = lens_curve(frames["lens"], **size)
            made["If the model stopped after a layer"] = captioned(chart.to_dict(), CAPTIONS["lens"])
        if "entropy" in frames:
            chart = entropy_matrix(frames["entropy"], **size)
            made["How widely each head looks"] = captioned(chart.to_dict(), CAPTIONS["entropy"])
        return made

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        return [Table(_LENS, frames["lens"])] if frames.get("lens") else []

    def coloured(self, frames: Mapping[str, Rows], facts: Facts) -> ColouredText:
        pieces = facts["pieces"]
        values: list[list[float | None]] = [[None] * len(row) for row in pieces]
        tips = [["The first token: nothing predicts it."] * len(row) for row in pieces]
        for row, names in zip(frames["tokens"], facts["names"], strict=True):
            sequence, token = row["sequence"], row["position"] + 1
            values[sequence][token] = row["loss"]
            guesses = ", ".join(
                f"{name} {share:.2f}" for name, share in zip(names, row["top_probability"], strict=True)
            )
            tips[sequence][token] = f"loss {row['loss']:.2f} nats, rank {row['rank']}; likeliest: {guesses}"
        legend = "loss of each token (nats): dark is badly predicted. Click one to see why."
        return ColouredText(pieces, values, tips, legend)


def likeliest(inspection: Inspection, frame: pl.DataFrame) -> list[list[str]]:
    """For each row of a frame with the column `top`, its tokens as text."""
    text = inspection.data.tokenizer.token_text
    return [[visible(text(token)) for token in top] for top in frame["top"].to_list()]


def visible(piece: str) -> str:
    """A token's text (`Tokenizer.token_text`) with \u2423 in place of each space, which alone is not seen."""
    return piece.replace(" ", "\u2423")
