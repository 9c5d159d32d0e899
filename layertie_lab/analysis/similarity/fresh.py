"""A model as it was before it learned anything: what two layers show that training has not yet touched."""

from __future__ import annotations

from ...core.errors import AnalysisError
from ...core.ties import TieMap
from ...models.tied_model import Initialised, TiedModel
from ..capture import device_of


def freshly_initialised(model: TiedModel, *, seed: int = 0, ties: TieMap | None = None) -> TiedModel:
    """A freshly initialised model of the same shape, on the same device.

    Args:
        model: One whose initialisation is known; only its shape is read.
        seed: Of the initial weights. The run's own seed gives the very weights that its layers began with.
        ties: Its tie map; None = every layer on its own, so that no pair is alike by sharing.

    Raises:
        AnalysisError: Its initialisation is not known.
    """
    if not isinstance(model, Initialised):
        raise AnalysisError(
            f"Expected a model whose initialisation is known, but a {type(model).__name__} has no method `fresh`.",
            "Make a fresh model yourself and hand it over as fresh=...",
        )
    map_ = TieMap.independent(len(model.stack.layers)) if ties is None else ties
    return model.fresh(seed=seed, ties=map_).to(device_of(model))
