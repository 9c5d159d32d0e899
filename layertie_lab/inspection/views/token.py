"""The view token: what the prediction of one picked token rests on.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...core.errors import AnalysisError
from ..ticks import Tick, part
from .attribution import bars_by_method, incomplete
from .registry import VIEWS, Ask, ColouredText, Facts, Found, Pictures, Rows, View, ViewDescription
from .tokens import likeliest

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe


@VIEWS.register(
    ViewDescription(
        "token",
        "What one prediction rests on",
        about="What the prediction of one token rests on.",
        tab="Tokens",
        asks=(Ask(""),),
        picks=True,
        text="What the picked token's prediction rests on",
    )
)
class Token(View):
    """What the prediction of one token rests on.

    Options: sequence, position (of the token that is predicted, from 1: the first has nothing before it).

    Frames: `lens` (`lens_of_token`), `shares` (`attribution.tokens.token_attribution`), `attention` (of all
    layers, from the token before it, where the model shows it), `attribution` (of the layers, `layer_attribution`: of
    this token's loss).
    Facts: `pieces` of the sequence, `names` (as in `tokens`), `target`.
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        import polars as pl

        from ...analysis.attribution.attention import attention_maps
        from ...analysis.attribution.layer_attribution import layer_attribution
        from ...analysis.attribution.logit_lens import lens_of_token
        from ...analysis.attribution.replacement import loss_if_skipped
        from ...analysis.attribution.targets import Target
        from ...analysis.attribution.tokens import check_target, token_attribution
        from ...models.tied_model import ShowsAttention

        if not {"sequence", "position"} <= options.keys():
            raise AnalysisError("Expected a token to look at, but none is picked.", "Give its sequence and position.")
        sequence, position = int(options["sequence"]), int(options["position"]) - 1
        if position < 0:
            raise AnalysisError("Expected a token with others before it, but got the first.", "Pick a later one.")
        check_target(probe.tokens, sequence, position)
        one, model = probe.tokens[sequence : sequence + 1], inspection.model
        lens = lens_of_token(model, one, position)
        tick(0.1)
        shares = token_attribution(model, one, position, ["integrated-gradients"], tick=part(tick, 0.1, 0.4))
        target = Target(0, position)
        skipped = loss_if_skipped(model, one, target=target, tick=part(tick, 0.4, 0.6))
        passed = layer_attribution(model, one, ["conductance"], target=target, tick=part(tick, 0.6, 0.95))
        by_layer = pl.concat([skipped, passed]).with_columns(target_sequence=pl.lit(sequence, pl.Int64))
        pieces = probe.pieces[sequence]
        facts = {
            "pieces": pieces,
            "names": likeliest(inspection, lens),
            "target": pieces[position + 1],
            "sequence": sequence,
            "position": position + 1,
            "incomplete": incomplete(passed.to_dicts()),
        }
        frames = {"lens": lens.to_dicts(), "shares": shares.to_dicts(), "attribution": by_layer.to_dicts()}
        if isinstance(model, ShowsAttention):
            maps = attention_maps(model, model.inputs(one)).filter(pl.col("query") == position)
            frames["attention"] = maps.to_dicts()
        return {"frames": frames, "facts": facts}

    def words(self, facts: Facts) -> list[str]:
        place = f"Token {facts['position']} of sequence {facts['sequence']} (both counted from 0)"
        return [f"{place}: {facts['target']!r}.", *facts.get("incomplete", [])]

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...charts.captions import captioned
        from ...charts.inside import attribution
        from ...charts.inside.tokens import CAPTIONS, attention_row, lens_curve, lens_tokens

        size: dict[str, Any] = {"width": "container", "height": 240}
        names = [name for top in facts["names"] for name in top]
        curve, said = lens_curve(frames["lens"], **size), lens_tokens(frames["lens"], names, **size)
        drawn = {
            "Loss of the token after each layer": captioned(curve.to_dict(), CAPTIONS["lens_of_token"]),
            "What it would say after each layer": captioned(said.to_dict(), CAPTIONS["lens_tokens"]),
        }
        if "attention" in frames:
            looks = attention_row(frames["attention"], facts["pieces"], **size)
            drawn["Where its layers look"] = captioned(looks.to_dict(), CAPTIONS["attention"])
        return drawn | bars_by_method(frames["attribution"], attribution.CAPTIONS["attribution_of_token"])

    def coloured(self, frames: Mapping[str, Rows], facts: Facts) -> ColouredText:
        shares = frames["shares"]
        values: list[float | None] = [None] * len(facts["pieces"])
        tips = ["Not read yet where the token is predicted."] * len(values)
        for row in shares:
            values[row["position"]] = row["value"]
            tips[row["position"]] = f"{row['value']:+.3g} nats"
        picked, first = facts["position"], shares[0]
        tips[picked] = "The token that is predicted."
        legend = (
            "share of each token read in the loss of the picked one (nats, integrated gradients from a zero "
            f"embedding): orange lowers the loss. In all {first['total']:+.3g}, completeness error "
            f"{first['completeness_error']:.2g}."
        )
        return ColouredText([facts["pieces"]], [values], [tips], legend.replace("-", "\u2212"), picked)
