"""Views of layers: how alike they are, what each does for the loss, what a step of training holds in memory."""

from __future__ import annotations

from typing import Any

from ..analysis.attribution import layer_attribution, loss_if_skipped
from ..analysis.memory import ledger
from ..analysis.similarity import layer_similarity
from .moment import Inspection
from .probe import Probe
from .ticks import Tick, part

SIMILARITY = ("cka", "updates", "function", "weights")
"""Methods of the similarity view where none is named."""
ATTRIBUTION = ("skipped", "conductance")
"""Methods of the attribution view where none is named."""


def similarity(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `similarity` of `analysis.similarity.layer_similarity`.

    Options: methods.
    """
    methods = options.get("methods") or SIMILARITY
    frame = layer_similarity(inspection.model, probe.tokens[:, :-1], methods, tick=tick)
    return {"frames": {"similarity": frame.to_dicts()}}


def attribution(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `attribution` of `analysis.attribution`.

    Options: methods ("skipped" is the loss if a layer is skipped), baseline.
    """
    methods = list(dict.fromkeys(options.get("methods") or ATTRIBUTION))
    rows: list[dict[str, Any]] = []
    for done, method in enumerate(methods):
        share = part(tick, done / len(methods), (done + 1) / len(methods))
        if method == "skipped":
            rows += loss_if_skipped(inspection.model, probe.tokens, tick=share).to_dicts()
        else:
            baseline = options.get("baseline") or "zero"
            found = layer_attribution(inspection.model, probe.tokens, [method], baseline=baseline, tick=share)
            rows += found.to_dicts()
    return {"frames": {"attribution": rows}}


def memory(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `memory` of `analysis.memory.ledger` for a step of the run's training; the probe text does not matter."""
    training = inspection.config.training
    bf16 = training.precision == "bf16"
    frame = ledger(inspection.model, inspection.probe_tokens(), batch_size=training.batch_size, bf16=bf16, tick=tick)
    # The process that looks is not the one that trains.
    return {"frames": {"memory": frame.filter(frame["component"] != "resident").to_dicts()}}
