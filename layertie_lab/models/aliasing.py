"""The official code's bookkeeping (on_untie="alias"), and the choice between the two kinds of stack.

What the official code does: a tied layer's tensors point at the storage its source's tensors have at that moment, and
are frozen; an action "on its own" only unfreezes them where they are. So the layer still shares the storage of its old
source, the optimizer steps that storage once per unfrozen layer, and storages only ever merge.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from ..core.config import TieConfig
from ..core.ties import TieMap
from .sharing import Move
from .stack import LayerStack, TieChange


def make_stack(layers: Iterable[nn.Module], config: TieConfig, tie_map: TieMap | None = None) -> LayerStack:
    """The stack that applies `config` (arguments as in `LayerStack`)."""
    return (AliasedStack if config.on_untie == "alias" else LayerStack)(layers, config, tie_map)


class AliasedStack(LayerStack):
    """A stack whose layers keep their own Parameter objects while storages are shared.

    Every layer has a *home*: the Parameter objects it began with. They are all given to the optimizer once, one group
    per layer, in order, and keep their optimizer state throughout (moments="reset": until the layer is frozen).
    gradient="owner": each layer uses its home, and a tied layer's is frozen. gradient="shared": a tied layer uses the
    objects of its source, and gets its home back, over the storage it shares by then, when it becomes independent.
    Should a source leave while others still use its objects, they go over to the home of the first of them.
    """

    def trained(self) -> list[dict[str, Parameter]]:
        """All homes, frozen or not; one group per layer, so that two objects on one storage are stepped in turn."""
        return [{f"{layer}.{slot}": p for slot, p in home.items()} for layer, home in enumerate(self._homes)]

    def _prepare(self) -> None:
        self._homes = [
            {slot: Parameter(torch.empty_like(p, device="cpu")) if p.is_meta else p for slot, p in home.items()}
            for home in map(self._parameters_of, range(len(self.layers)))
        ]

    def _carry_out(self, move: Move) -> TieChange:
        before = self.sharing.ties if hasattr(self, "sharing") else move.after.ties
        old = [{slot: p.data for slot, p in self._parameters_of(layer).items()} for layer in range(len(self.layers))]
        made: dict[int, dict[str, Tensor]] = {}
        for layer, origin in enumerate(move.origins):
            if origin < 0 and origin not in made:
                made[origin] = {slot: tensor.clone() for slot, tensor in old[~origin].items()}
            for slot, tensor in (old[origin] if origin >= 0 else made[origin]).items():
                self._homes[layer][slot].data = tensor
        was = self._stepped()
        self.sharing = move.after
        for layer, first in enumerate(move.after.objects):
            self._attach(layer, self._homes[first])
        self._set_flags()
        now = {id(p) for p in self._stepped()}
        return TieChange(before, move.after.ties, removed=[p for p in was if id(p) not in now])

    def _stepped(self) -> list[Parameter]:
        """The Parameters that get a gradient."""
        return [p for home in self._homes for p in home.values() if p.requires_grad]

    def _set_flags(self) -> None:
        super()._set_flags()
        for layer, first in enumerate(self.sharing.objects):
            for p in self._homes[layer].values():
                # What is frozen or out of use must not be stepped with the gradient of an earlier step.
                p.grad = None if layer != first or not p.requires_grad else p.grad
                if layer != first:
                    p.requires_grad_(False)

    def _reattach(self) -> None:
        for layer, first in enumerate(self.sharing.objects):
            self._attach(layer, self._homes[first])
        for layer, first in enumerate(self.sharing.blocks):
            source = self._homes[self.sharing.objects[first]]
            for slot, p in self._homes[layer].items():
                p.data = source[slot].data
