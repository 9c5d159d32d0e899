"""Views of layers: how alike they are, what each adds, what it does for the loss, what a step holds in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import polars as pl

from ..analysis.attribution.layers import Target, layer_attribution, loss_if_replaced, loss_if_skipped
from ..analysis.attribution.paths import Method
from ..analysis.memory.ledger import ledger, official_line
from ..analysis.similarity.alignment import diagonal
from ..analysis.similarity.fresh import freshly_initialised
from ..analysis.similarity.matrices import METHODS, REPRESENTATIONS, layer_similarity
from ..analysis.similarity.profile import update_profile
from ..analysis.similarity.spectra import spectra, tensor_similarity
from ..core.errors import AnalysisError
from .comparable import check_comparable
from .moment import Inspection
from .probe import Probe
from .ticks import Tick, part

ATTRIBUTION = ("skipped", "conductance")
"""Methods of the attribution view where none is named."""
MOST_VALUES = 64
"""Singular values of a matrix that are kept, at most: more are not seen in a picture."""


def similarity(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `similarity` of `analysis.similarity.matrices.layer_similarity`, beside a fresh initialisation.

    Options: methods; other ({"run": directory, "decision": after which}), another model for the columns, whose facts
    are then `other` and `other_layers`, and the frame `aligned` holds the pairs at equal relative depth.
    """
    tokens, model = probe.tokens[:, :-1], inspection.model
    if options.get("other") is None:
        methods = options.get("methods") or METHODS
        frame = layer_similarity(model, tokens, methods, fresh=freshly_initialised(model), tick=tick)
        return {"frames": {"similarity": frame.to_dicts()}}
    other = Inspection.of(options["other"]["run"], options["other"]["decision"])
    check_comparable(inspection.config, other.config)
    context = other.config.model.context
    cut = {} if tokens.shape[1] <= context else {"probe": f"{probe.source}, cut to the {context} that the other reads"}
    tokens = tokens[:, :context]
    same_shape = replace(inspection.config.model, layers=1) == replace(other.config.model, layers=1)
    methods = options.get("methods") or (METHODS if same_shape else REPRESENTATIONS)
    fresh = freshly_initialised(model), freshly_initialised(other.model, seed=1)
    frame = layer_similarity(model, tokens, methods, other=other.model, fresh=fresh, tick=tick)
    frames = {"similarity": frame.to_dicts(), "aligned": diagonal(frame).to_dicts()}
    return {"frames": frames, "facts": _named(inspection, other) | cut}


def _named(inspection: Inspection, other: Inspection) -> dict[str, Any]:
    """Facts about another model."""
    name = "this run" if other.path.resolve() == inspection.path.resolve() else other.path.name
    return {"other": f"{name} after decision {other.decision}", "other_layers": len(other.ties)}


def weights(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `weights` of `similarity.spectra.tensor_similarity` of weight matrices; the probe text does not matter.

    Options: other, as in `similarity`; the models must have equal widths.
    """
    model, beside = inspection.model, options.get("other")
    other = None if beside is None else Inspection.of(beside["run"], beside["decision"])
    matrices = [name for name, p in model.stack.layers[0].named_parameters() if p.ndim == 2]
    frame = tensor_similarity(model, None if other is None else other.model, tick=tick)
    found = {"frames": {"weights": frame.filter(pl.col("tensor").is_in(matrices)).to_dicts()}}
    return found if other is None else found | {"facts": _named(inspection, other)}


def profile(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frames `profile` of `similarity.profile.update_profile` and `spectra` of `similarity.spectra.spectra`.

    Of each matrix at most `MOST_VALUES` singular values, evenly spread over the logarithm of their number.
    """
    found = update_profile(inspection.model, probe.tokens[:, :-1], tick=part(tick, 0.0, 0.5))
    values = spectra(inspection.model, tick=part(tick, 0.5, 1.0))
    most = int(values["index"].max() or 0)  # type: ignore[arg-type]
    kept = np.unique(np.geomspace(1, most + 1, MOST_VALUES).round().astype(int) - 1)
    values = values.filter(pl.col("index").is_in(kept.tolist()))
    return {"frames": {"profile": found.to_dicts(), "spectra": values.to_dicts()}}


def attribution(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `attribution` of `analysis.attribution.layers`.

    Options: methods ("skipped" and "replaced" are the loss if a layer is skipped, or a neighbour's block stands in),
    baseline, target ([sequence, position] of the one token whose loss is explained).

    A method that has no sound answer for this model is left out; the fact `refused` says why, by method. If all are,
    the first reason is raised.
    """
    methods = list(dict.fromkeys(options.get("methods") or ATTRIBUTION))
    known = ("skipped", "replaced", *get_args(Method))
    if unknown := [method for method in methods if method not in known]:
        raise AnalysisError(
            f"Expected methods out of {', '.join(known)}, but got {', '.join(map(repr, unknown))}.",
            "Name some of these.",
        )
    target = Target(*options["target"]) if options.get("target") else None
    passes = {"skipped": loss_if_skipped, "replaced": loss_if_replaced}
    rows: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    for done, method in enumerate(methods):
        share = part(tick, done / len(methods), (done + 1) / len(methods))
        try:
            if method in passes:
                found = passes[method](inspection.model, probe.tokens, target=target, tick=share)
            else:
                baseline = options.get("baseline") or "zero"
                found = layer_attribution(
                    inspection.model, probe.tokens, [method], target=target, baseline=baseline, tick=share
                )
        except AnalysisError as error:
            if len(methods) == 1:
                raise
            refused[method] = str(error)
        else:
            rows += found.to_dicts()
    if not rows:
        raise AnalysisError(
            f"Expected an attribution, but no method has a sound one. {next(iter(refused.values()))}", ""
        )
    return {"frames": {"attribution": rows}, "facts": {"refused": refused}}


def memory(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `memory` of `memory.ledger.ledger` for a step of the run's training; the probe text does not matter.

    Facts: `official`, what the official code would print (`analysis.memory.ledger.official_line`).
    """
    training = inspection.config.training
    bf16 = training.precision == "bf16"
    frame = ledger(inspection.model, inspection.probe_tokens(), batch_size=training.batch_size, bf16=bf16, tick=tick)
    # The process that looks is not the one that trains.
    kept = frame.filter(frame["component"] != "resident")
    return {"frames": {"memory": kept.to_dicts()}, "facts": {"official": official_line(inspection.model)}}
