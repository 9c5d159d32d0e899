"""A stack of like blocks under a tie map: every layer keeps its own module and shares its owner's Parameter objects."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn import Parameter

from ..core.config import TieConfig
from ..core.errors import RecordError, TieError
from ..core.ties import TieMap, sharing_of
from . import sharing as rules
from .detached import DetachedForward, make_detachable, one_cast_per_owner, parameter_at, slots_of
from .sharing import Move, Sharing


@dataclass(frozen=True)
class TieChange:
    """What a re-tie did to the Parameters that are trained.

    Args:
        before: The agent's map, before.
        after: The agent's map, after.
        added: Parameters that are trained from now on, each with the one whose optimizer state it may
            inherit (None: none).
        removed: Parameters that are no longer trained. A source of optimizer state may be among them.
        ratios: Trained Parameters whose gradient is from now on a sum over another number of layers than that of the
            Parameter whose optimizer state they have or may inherit, each with the new number over the old one.
    """

    before: TieMap
    after: TieMap
    added: list[tuple[Parameter, Parameter | None]] = field(default_factory=list)
    removed: list[Parameter] = field(default_factory=list)
    ratios: list[tuple[Parameter, float]] = field(default_factory=list)


class LayerStack(nn.Module):
    """Like blocks in a row, under a tie map.

    Args:
        layers: The blocks. A copy's own weights are dropped (they may be on the meta device).
        config: What a tie means. on_untie="alias" needs `aliasing.AliasedStack`.
        tie_map: The map at the start; by default every layer is tied to layer 0.

    Raises:
        TieError: The map has another number of layers, or the blocks are not alike.

    A forward pass uses exactly the books: after every change the weights counted by owner are the distinct storages.
    """

    def __init__(self, layers: Iterable[nn.Module], config: TieConfig, tie_map: TieMap | None = None) -> None:
        super().__init__()
        self.layers = layers if isinstance(layers, nn.ModuleList) else nn.ModuleList(layers)
        self.config = config
        self.compiled: Any = None
        ties = TieMap.all_tied(len(self.layers)) if tie_map is None else tie_map
        if len(ties) != len(self.layers):
            raise TieError(
                f"Expected a tie map for {len(self.layers)} layers, but got {len(ties)} entries: {ties}.",
                "Write one source per layer.",
            )
        self._check_alike()
        for block in self.layers:
            make_detachable(block)
        self._prepare()
        self._carry_out(Move(rules.start(ties, config), rules.start(ties, config).blocks.sources))

    def forward(self, x: Tensor, *args: Any) -> Tensor:
        # Inside compiled blocks a cast is fused and not saved; making it outside would only add guards.
        shared = nullcontext() if self.compiled is not None else one_cast_per_owner(self.layers, self.sharing.objects)
        with shared:
            for block in self.layers:
                x = block(x, *args)
        return x

    # What holds

    @property
    def ties(self) -> TieMap:
        """The map as the agent's actions left it: its state."""
        return self.sharing.ties

    @property
    def blocks(self) -> TieMap:
        """The true sharing, read from storages: for each layer the first one on the same storage."""
        return sharing_of(
            tuple(storage_of(p) for p in self._parameters_of(layer).values()) for layer in range(len(self.layers))
        )

    @property
    def frozen(self) -> tuple[bool, ...]:
        """For each layer, whether no weight gradient is computed at its position."""
        return self.sharing.frozen(self.config)

    def trained(self) -> list[dict[str, Parameter]]:
        """What an optimizer must hold: "layer.slot" -> Parameter, each once; one dict per parameter group."""
        found: dict[str, Parameter] = {}
        for layer, first in enumerate(self.sharing.objects):
            if layer == first and self._trainable(layer):
                found |= {f"{layer}.{slot}": p for slot, p in self._parameters_of(layer).items()}
        return [found]

    def claimed(self) -> int:
        """Parameters of the layers that the map calls independent: what a count by layer would print."""
        return sum(p.numel() for layer in self.ties.independent_layers for p in self._parameters_of(layer).values())

    def distinct_casts(self) -> int:
        """How many casts of a block's matrices a forward pass under autocast makes: autocast keeps no frozen one."""
        return len({first if self._trainable(first) else ~layer for layer, first in enumerate(self.sharing.objects)})

    # Changes

    def retie(self, layer: int, source: int) -> TieChange:
        """Apply one action; `source == layer` makes the layer independent.

        Raises:
            TieError: Not a legal action for the layer.
        """
        return self._carry_out(rules.after_action(self.sharing, layer, source, self.config))

    # Storage and copies

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """("first layer.slot" -> weights, one entry per storage; what else is needed, JSON-able).

        The tensors are the live ones, not copies.
        """
        tensors = {
            f"{layer}.{slot}": p.detach()
            for layer, first in enumerate(self.sharing.blocks)
            if layer == first
            for slot, p in self._parameters_of(layer).items()
        }
        s = self.sharing
        meta = {"ties": list(s.ties), "blocks": list(s.blocks), "objects": list(s.objects), "waiting": list(s.waiting)}
        return tensors, meta

    def load(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Back from `state`, whatever the sharing was before. An optimizer must be loaded after it.

        Raises:
            RecordError: The state is of another stack.
        """
        try:
            sharing = Sharing(
                TieMap(tuple(meta["ties"])),
                TieMap(tuple(meta["blocks"])),
                TieMap(tuple(meta["objects"])),
                tuple(bool(w) for w in meta["waiting"]),
            )
        except (KeyError, TypeError) as error:
            raise RecordError(f"Expected the state of a layer stack, but it lacks {error}.") from None
        shapes = {slot: p.shape for slot, p in self._parameters_of(0).items()}
        wanted = {f"{layer}.{slot}": shape for layer in set(sharing.blocks) for slot, shape in shapes.items()}
        given = {name: tensor.shape for name, tensor in tensors.items()}
        if wanted != given or len(sharing.ties) != len(self.layers):
            odd = sorted(set(wanted.items()) ^ set(given.items()))[:4]
            raise RecordError(
                f"Expected the weights of {len(self.layers)} layers of this shape, but got others: {odd}.",
                "Load it into a model of the same settings.",
            )
        self._carry_out(Move(sharing, tuple(~first for first in sharing.blocks)))
        with torch.no_grad():
            for layer in set(sharing.blocks):
                for slot, p in self._parameters_of(layer).items():
                    p.copy_(tensors[f"{layer}.{slot}"])

    def compile_blocks(self, backend: Any = "inductor") -> None:
        """torch.compile each block. A re-tie changes no graph: one for owners, and one for copies in owner mode.

        Args:
            backend: As in `torch.compile`.
        """
        self.compiled = backend
        # Evaluation, autocast and other batch sizes add graphs to those two; torch gives up at 8 by default.
        torch._dynamo.config.recompile_limit = max(32, torch._dynamo.config.recompile_limit)
        for block in self.layers:
            block.compile(backend=backend)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The end of a deepcopy too: storages are copied Parameter by Parameter, and what was compiled is not any more.
        super().__setstate__(state)
        self._reattach()
        if self.compiled is not None:
            self.compile_blocks(self.compiled)

    def _apply(self, fn: Any, recurse: bool = True) -> LayerStack:
        super()._apply(fn, recurse)
        self._reattach()
        return self

    def check_books(self) -> None:
        """Compare the parameters counted by owner with those counted by storage.

        Raises:
            AssertionError: They differ, or a Parameter's trainability is not what the map says; names both.
        """
        if self.config.chain == "follow":
            held = [i for i in range(len(self.layers)) if self.sharing.owns(i)]
            firsts = sorted(set(self.sharing.blocks))
            assert held == firsts, f"layers {held} own a block by the map, layers {firsts} by sharing"
        by_owner = len(set(self.sharing.blocks)) * sum(p.numel() for p in self._parameters_of(0).values())
        storages = {storage_of(p): p.numel() for p in self.layers.parameters()}
        by_storage = sum(storages.values())
        assert by_owner == by_storage, f"{by_owner} parameters by owner, but {by_storage} by storage"
        assert self.blocks == self.sharing.blocks, f"blocks {self.sharing.blocks} by the map, {self.blocks} by storage"
        trained = sum(p.numel() for group in self.trained() for p in group.values() if p.requires_grad)
        trainable = sum(p.numel() for p in self.layers.parameters() if p.requires_grad)
        assert trained == trainable, f"{trained} parameters to be trained, but {trainable} require gradients"

    # How it is done

    def _prepare(self) -> None:
        """What a kind of stack sets up before the first map is applied."""

    def _carry_out(self, move: Move) -> TieChange:
        """Carry out a move and report what it did to the trained Parameters."""
        layers = range(len(self.layers))
        started = hasattr(self, "sharing")
        before = {id(p): p for group in self.trained() for p in group.values()} if started else {}
        summed = self._summed() if started else {}
        old = [self._parameters_of(layer) for layer in layers]
        ancestors: dict[int, Parameter] = {}
        made: dict[int, dict[str, Parameter]] = {}
        for layer, origin in enumerate(move.origins):
            if origin >= 0:
                self._attach(layer, old[origin])
                continue
            if origin not in made:
                made[origin] = {slot: Parameter(p.detach().clone()) for slot, p in old[~origin].items()}
                ancestors |= {id(new): old[~origin][slot] for slot, new in made[origin].items()}
            self._attach(layer, made[origin])
        was = self.sharing.ties if started else move.after.ties
        self.sharing = move.after
        self._set_flags()
        after = {id(p): p for group in self.trained() for p in group.values()}
        removed = [p for key, p in before.items() if key not in after]
        for p in removed:
            p.grad = None
        added = [(p, ancestors.get(key)) for key, p in after.items() if key not in before]
        earlier = {key: summed.get(id(ancestors.get(key, p)), 0) for key, p in after.items()}
        ratios = [
            (after[key], now / then) for key, now in self._summed().items() if (then := earlier[key]) not in (0, now)
        ]
        return TieChange(was, move.after.ties, added, removed, ratios)

    def _summed(self) -> dict[int, int]:
        """id of each trained Parameter -> number of layers that its gradient is a sum over."""
        counts: dict[int, int] = {}
        for first, frozen in zip(self.sharing.objects, self.frozen, strict=True):
            if not frozen and self._trainable(first):
                for p in self._parameters_of(first).values():
                    counts[id(p)] = counts.get(id(p), 0) + 1
        return counts

    def _set_flags(self) -> None:
        frozen = self.frozen
        for layer, first in enumerate(self.sharing.objects):
            trainable = self._trainable(first)
            if layer == first:
                for p in self._parameters_of(layer).values():
                    p.requires_grad_(trainable)
            block = self.layers[layer]
            assert isinstance(block, DetachedForward)
            block.copies = frozen[layer] and trainable

    def _trainable(self, first: int) -> bool:
        """Whether the block whose first user is `first` gets a gradient from anywhere."""
        return not self.frozen[first]

    def _reattach(self) -> None:
        """Share Parameter objects again after something that went through the layers one by one."""
        for layer, first in enumerate(self.sharing.objects):
            if layer != first:
                self._attach(layer, self._parameters_of(first))

    def _attach(self, layer: int, parameters: dict[str, Parameter]) -> None:
        block = self.layers[layer]
        assert isinstance(block, DetachedForward)
        for (module, name), parameter in zip(block.slots, parameters.values(), strict=True):
            module._parameters[name] = parameter

    def _parameters_of(self, layer: int) -> dict[str, Parameter]:
        """Slot name -> Parameter in force at a layer."""
        block = self.layers[layer]
        assert isinstance(block, DetachedForward)
        return {
            slot: parameter_at(module, name) for slot, (module, name) in zip(self._slot_names, block.slots, strict=True)
        }

    def _check_alike(self) -> None:
        first = {slot: parameter_at(*place).shape for slot, place in slots_of(self.layers[0]).items()}
        for layer, block in enumerate(self.layers):
            shapes = {slot: parameter_at(*place).shape for slot, place in slots_of(block).items()}
            if shapes != first:
                odd = sorted(set(shapes.items()) ^ set(first.items()))[:4]
                raise TieError(
                    f"Expected layers of one shape, but layer {layer} differs from layer 0 in {odd}.",
                    "Only layers whose parameters have the same names and shapes can be tied.",
                )
        self._slot_names = tuple(first)


def storage_of(parameter: Tensor) -> int:
    """What tells storages apart."""
    # Tensors without memory have no address; there the storage object stands for it.
    fake = parameter.is_meta or isinstance(parameter, FakeTensor)
    return parameter.untyped_storage()._cdata if fake else parameter.data_ptr()
