"""A model as it was before it learned anything: what two layers show that training has not yet touched."""

from __future__ import annotations

from torch import nn

from ...core.errors import AnalysisError
from ...core.ties import TieMap
from ...models.gpt import GPT
from ..capture import device_of


def freshly_initialised(model: nn.Module, *, seed: int = 0, ties: TieMap | None = None) -> GPT:
    """A freshly initialised model of the same shape, on the same device.

    Args:
        model: A `GPT`; only its shape is read.
        seed: Of the initial weights. The run's own seed gives the very weights that its layers began with.
        ties: Its tie map; None = every layer on its own, so that no pair is alike by sharing.

    Raises:
        AnalysisError: Another kind of model, whose initialisation is not known here.
    """
    if not isinstance(model, GPT):
        raise AnalysisError(
            f"Expected a GPT, whose initialisation is known, but got a {type(model).__name__}.",
            "Make a fresh model yourself and hand it over as fresh=...",
        )
    map_ = TieMap.independent(model.config.layers) if ties is None else ties
    return GPT(model.config, model.vocabulary_size, tie_map=map_, seed=seed).to(device_of(model))
