"""The pictures of each view of a run at a moment: answers in, titles and specs out, for the explorer and for pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from altair.utils.schemapi import debug_mode

from ..captions import CAPTIONS
from .attribution import attribution_bars
from .depth import spectra_chart, update_profile_chart
from .ledger import memory_by_layer, memory_of_maps
from .reasons import ablation_matrix, calibration, input_bars, precedents, value_since
from .similarity import similarity_against_cost, similarity_heatmap
from .tie_costs import cost_matrix
from .tokens import attention_row, entropy_matrix, lens_curve, lens_tokens

Answer = Mapping[str, Any]
Made = dict[str, dict[str, Any]]

_SIMILARITY = {
    "cka": "What passes the layers (CKA)",
    "updates": "What the layers add (cosine of updates)",
    "function": "What they do to one input (cosine)",
    "weights": "Their weights (cosine)",
    "neighbours": "Which tokens lie next to each other (neighbours)",
    "procrustes": "What passes them, up to a rotation (Procrustes)",
}
"""Method -> title."""
_AGAINST = {
    "agent": "Does the agent know? Its values against the cost",
    "cka": "CKA against the cost of tying",
    "updates": "Likeness of updates against the cost",
    "function": "Likeness of function against the cost",
    "weights": "Likeness of weights against the cost",
}
"""Method -> title."""
_PROFILE = {
    "relative update": "How much each layer adds",
    "cosine": "Which way it points",
    "stream": "How long the stream is",
}
"""Measure -> title."""
_ATTRIBUTION = {
    "skipped": ("Loss without the layer", "rise of the loss (nats per token)"),
    "replaced-before": ("Loss with the weights of the layer before", "rise of the loss (nats per token)"),
    "replaced-after": ("Loss with the weights of the layer after", "rise of the loss (nats per token)"),
    "conductance": ("Conductance of the layer", "change of the loss (nats per token)"),
    "integrated-gradients": ("Integrated gradients of the layer", "change of the loss (nats per token)"),
    "internal-influence": ("Internal influence of the layer", "influence (nats per token)"),
    "feature-ablation": ("Ablation of the layer's update", "change of the loss (nats per token)"),
    "deeplift": ("DeepLift of the layer", "change of the loss (nats per token)"),
}
"""Method -> (title, y title)."""


def pictures(view: str, answer: Answer) -> Made:
    """The pictures of an answer.

    Args:
        view: Its name (`inspection.views.VIEWS`).
        answer: `{"frames": {name: rows}, "facts": {...}}`.

    Returns:
        Title -> Vega-Lite spec, as wide as its container, with `usermeta.caption`; none for a view of words.
    """
    frames = {name: _frame(rows) for name, rows in answer["frames"].items()}
    # Altair checks every part of a chart against a schema, which takes longer than all the rest; tests do that.
    with debug_mode(False):
        made = _MAKERS[view](frames, answer["facts"]) if view in _MAKERS else {}
    return {title: spec for title, spec in made.items() if spec}


def _similarity(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    frame, made = frames["similarity"], {}
    for method in frame["method"].unique(maintain_order=True):
        names = ("layer of this run", "layer of the other") if "other" in facts else ("layer a", "layer b")
        spec = similarity_heatmap(frame, method=method, names=names, width="container", height=320).to_dict()
        made[_SIMILARITY.get(method, method)] = captioned(
            spec, "similarity_of_models" if "other" in facts else "similarity"
        )
    return made


def _weights(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    frame, made = frames["weights"].rename({"tensor": "method", "cosine": "value"}), {}
    names = ("layer of this run", "layer of the other") if "other" in facts else ("layer a", "layer b")
    caption = "weights_of_models" if "other" in facts else "weights"
    for tensor in frame["method"].unique(maintain_order=True):
        spec = similarity_heatmap(frame, method=tensor, names=names, width="container", height=320).to_dict()
        made[f"Weights of {tensor} (cosine)"] = captioned(spec, caption)
    return made


def _profile(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    size: dict[str, Any] = {"width": "container", "height": 200}
    profile, spectra = frames["profile"], frames["spectra"]
    made = {
        title: captioned(update_profile_chart(profile, measure=measure, **size).to_dict(), "update_profile")
        for measure, title in _PROFILE.items()
    }
    for tensor in spectra["tensor"].unique(maintain_order=True):
        spec = spectra_chart(spectra, tensor=tensor, **size).to_dict()
        made[f"Singular values of {tensor}"] = captioned(spec, "spectra")
    return made


def _attribution(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    return _by_method(frames["attribution"])


def _by_method(frame: pl.DataFrame, what: str = "attribution") -> Made:
    made: Made = {}
    for method in frame["method"].unique(maintain_order=True):
        title, axis = _ATTRIBUTION.get(method, (method, None))
        spec = attribution_bars(frame, method=method, title=axis, width="container", height=220).to_dict()
        made[title] = captioned(spec, what)
    return made


def _costs(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    spec = cost_matrix(frames["costs"], width="container", height=320).to_dict()
    made = {"What every change of a tie would cost now": captioned(spec, "costs")}
    if "evidence" not in frames:
        return made
    evidence, correlations = frames["evidence"], frames["correlations"]
    for method in ("agent", "cka", "updates", "function", "weights"):
        if (evidence["method"] == method).any():
            chart = similarity_against_cost(evidence, correlations, method=method, width="container", height=260)
            caption = "value_against_cost" if method == "agent" else "similarity_against_cost"
            made[_AGAINST[method]] = captioned(chart.to_dict(), caption)
    return made


def _memory(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    size: dict[str, Any] = {"width": "container", "height": 220}
    return {
        "Three tie maps side by side": captioned(memory_of_maps(frames["memory"], **size).to_dict(), "memory_of_maps"),
        "Which layer holds it": captioned(memory_by_layer(frames["memory"], **size).to_dict(), "memory_by_layer"),
    }


def _tokens(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    size: dict[str, Any] = {"width": "container", "height": 240}
    made: Made = {}
    if "lens" in frames:
        made["If the model stopped after a layer"] = captioned(lens_curve(frames["lens"], **size).to_dict(), "lens")
    if "entropy" in frames:
        chart = entropy_matrix(frames["entropy"], **size)
        made["How widely each head looks"] = captioned(chart.to_dict(), "entropy")
    return made


def _token(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    size: dict[str, Any] = {"width": "container", "height": 240}
    names = [name for top in facts["names"] for name in top]
    return {
        "Loss of the token after each layer": captioned(lens_curve(frames["lens"], **size).to_dict(), "lens_of_token"),
        "What it would say after each layer": captioned(
            lens_tokens(frames["lens"], names, **size).to_dict(), "lens_tokens"
        ),
        "Where its layers look": captioned(
            attention_row(frames["attention"], facts["pieces"], **size).to_dict(), "attention"
        ),
    } | _by_method(frames["attribution"], "attribution_of_token")


def _reasons(frames: dict[str, pl.DataFrame], facts: Mapping[str, Any]) -> Made:
    proposal, made = facts["proposal"], {}
    size: dict[str, Any] = {"width": "container", "height": 240}
    if frames["ablation"].height:
        made["If one tie were different"] = captioned(ablation_matrix(frames["ablation"], **size).to_dict(), "ablation")
    if frames["inputs"].height:
        chart = input_bars(frames["inputs"], proposal["choice"], **size)
        method = frames["inputs"]["method"][0]
        made["What its inputs give to the proposal"] = captioned(chart.to_dict(), f"inputs_{method}")
    if "since" in frames and frames["since"].height:
        chart = value_since(frames["since"], (facts["came"] or {}).get("realised"), **size)
        made["Its value then and since"] = captioned(chart.to_dict(), "value_since")
    if frames["precedents"].height:
        chart = precedents(frames["precedents"], **size)
        made["The nearest past decisions about this layer"] = captioned(chart.to_dict(), "precedents")
    if frames["calibration"].height:
        chart = calibration(frames["calibration"], facts.get("agreement"), **size)
        made["Are its values right?"] = captioned(chart.to_dict(), "calibration")
    return made


_MAKERS: dict[str, Callable[[dict[str, pl.DataFrame], Mapping[str, Any]], Made]] = {
    "similarity": _similarity,
    "weights": _weights,
    "profile": _profile,
    "attribution": _attribution,
    "costs": _costs,
    "memory": _memory,
    "reasons": _reasons,
    "tokens": _tokens,
    "token": _token,
}


def captioned(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """The spec with the line on how to read it."""
    return spec | {"usermeta": {"caption": CAPTIONS[name]}}


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)
