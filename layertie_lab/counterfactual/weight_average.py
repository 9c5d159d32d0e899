"""The exponential moving average of a model's weights along the steps of a branch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..models.tied_model import TiedModel


class WeightAverage:
    """An average over the weights after each step, the latest counting most; each storage once.

    After t steps a weight's average is the sum over i of decay^(t-i) w_i, divided by the sum of decay^(t-i): weights
    before the first step have no part in it (as Adam corrects the bias of its averages). A layer that becomes
    independent later on starts an average of its own there, and one that is tied takes its owner's: torch's
    `AveragedModel` keeps a fixed list of Parameters and so cannot follow a re-tie.

    Args:
        model: Whose weights; its ties may change between steps.
        decay: 0 (the last weights) to below 1.
    """

    def __init__(self, model: TiedModel, decay: float) -> None:
        self._model, self.decay = model, decay
        # The Parameter is kept with its average, so that its address cannot come to name another one.
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}
        self._ages: dict[int, int] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after a step."""
        present = {p.data_ptr(): p for p in self._model.parameters()}
        self._kept = {place: kept for place, kept in self._kept.items() if place in present}
        self._ages = {place: self._ages.get(place, 0) + 1 for place in present}
        for place, parameter in present.items():
            if place not in self._kept:
                self._kept[place] = (parameter, parameter.detach().clone())
            else:
                share = (1 - self.decay) / (1 - self.decay ** self._ages[place])
                self._kept[place][1].lerp_(parameter.detach(), share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model with its averaged weights inside, and bit for bit as it was after it."""
        present = {p.data_ptr(): p.detach() for p in self._model.parameters() if p.data_ptr() in self._kept}
        before = {place: weights.clone() for place, weights in present.items()}
        try:
            for place, weights in present.items():
                weights.copy_(self._kept[place][1])
            yield
        finally:
            for place, weights in present.items():
                weights.copy_(before[place])
