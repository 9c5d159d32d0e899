"""Views of words: what the model writes, how it predicts the probe set, and what one prediction rests on."""

from __future__ import annotations

from typing import Any

import polars as pl

from ..analysis.attribution.attention import attention_entropy, attention_maps
from ..analysis.attribution.layers import Target, layer_attribution, loss_if_skipped
from ..analysis.attribution.logit_lens import lens_of_token, logit_lens
from ..analysis.attribution.tokens import check_target, token_attribution, token_losses
from ..core.errors import AnalysisError
from .moment import Inspection
from .probe import Probe
from .ticks import Tick, part


def sample(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Facts `prompt` and `text`: the start of the validation text, continued by the model.

    Options: tokens (how many it writes).
    """
    prompt, text = inspection.sample(options.get("tokens") or 200)
    return {"frames": {}, "facts": {"prompt": prompt, "text": text}}


def tokens(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frames `tokens` (`attribution.tokens.token_losses`), and where there are two sequences `lens` and `entropy`.

    Facts: `pieces` (the probe set as text, by sequence and token), `names` (the likeliest tokens as text, by row).
    """
    model = inspection.model
    found = token_losses(model, probe.tokens, tick=part(tick, 0.0, 0.4))
    frames = {"tokens": found.to_dicts()}
    facts: dict[str, Any] = {"pieces": probe.pieces, "names": _named(inspection, found)}
    try:
        frames["lens"] = logit_lens(model, probe.tokens, tick=part(tick, 0.4, 0.7)).to_dicts()
        frames["entropy"] = attention_entropy(model, probe.tokens[:, :-1], tick=part(tick, 0.7, 1.0)).to_dicts()
    except AnalysisError as error:
        facts["no_intervals"] = str(error)
    return {"frames": frames, "facts": facts}


def token(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """What the prediction of one token rests on.

    Options: sequence, position (of the token that is predicted, from 1: the first has nothing before it).

    Frames: `lens` (`lens_of_token`), `shares` (`attribution.tokens.token_attribution`), `attention` (of all
    layers, from the token before it), `attribution` (of the layers, `attribution.layers`: of this token's loss).
    Facts: `pieces` of the sequence, `names` (as in `tokens`), `target`.
    """
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
    maps = attention_maps(model, one[:, :-1]).filter(pl.col("query") == position)
    pieces = probe.pieces[sequence]
    facts = {
        "pieces": pieces,
        "names": _named(inspection, lens),
        "target": pieces[position + 1],
        "sequence": sequence,
        "position": position + 1,
    }
    return {
        "frames": {
            "lens": lens.to_dicts(),
            "shares": shares.to_dicts(),
            "attention": maps.to_dicts(),
            "attribution": by_layer.to_dicts(),
        },
        "facts": facts,
    }


def _named(inspection: Inspection, frame: pl.DataFrame) -> list[list[str]]:
    text = inspection.data.tokenizer.token_text
    return [[visible(text(token)) for token in top] for top in frame["top"].to_list()]


def visible(piece: str) -> str:
    """A token's text (`Tokenizer.token_text`) with \u2423 in place of each space, which alone is not seen."""
    return piece.replace(" ", "\u2423")
