"""The books of a training step: every tensor from the operation that makes it until it is freed, by layer and kind.

A dispatch mode sees each operation, on real tensors or on fake ones. torch's own tracker (`MemTracker`, torch 2.13)
gives the same totals in six times the time, counts by kind and module in place of layer and owner, and refuses layers
whose weights take no gradient (gradient="owner").
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from ...models.tied_model import TiedModel
from ..capture import Tick, hooked

Place = tuple[str, int | None]
"""(component, layer); the layer is None outside the layers."""


@dataclass(frozen=True)
class StepMemory:
    """What one training step held.

    Args:
        peak: (component, layer) -> bytes at the step's fullest moment. Components: parameters, gradients, optimizer,
            activations (saved for the backward pass), temporaries (everything else).
        saved: Layer -> bytes that autograd saved in one forward pass; None -> outside the layers.
        phase: Where the fullest moment was: forward, backward or update.
        reading: What the allocator says (CUDA; None elsewhere).
    """

    peak: dict[Place, int]
    saved: dict[int | None, int]
    phase: str
    reading: AllocatorReading | None = None

    @property
    def peak_bytes(self) -> int:
        """All that was held at the fullest moment."""
        return sum(self.peak.values())


@dataclass(frozen=True)
class AllocatorReading:
    """What CUDA's caching allocator said of the step of the copy, bytes.

    Args:
        peak: Most that was allocated in the course of the step, without what was there before the copy was made.
        slack: Reserved from the device but not allocated, at the most.
    """

    peak: int
    slack: int


@dataclass
class Entry:
    """A storage that is, or was, held."""

    size: int
    layer: int | None
    component: str = "temporaries"


_GROWS = (torch.ops.aten.add.Tensor, torch.ops.aten._to_copy.default)
"""Operations by which a Parameter's gradient becomes another tensor."""


@dataclass
class Books(TorchDispatchMode):
    """Every storage that comes and goes while the mode is on.

    Args:
        layers: Of the model's stack.
        tick: Called with the share done; may raise to cancel.
        passes: Forward and backward passes in the step.
    """

    layers: list[nn.Module]
    tick: Tick | None
    passes: int
    entries: dict[int, tuple[Any, Entry]] = field(default_factory=dict)
    log: list[tuple[int, Entry, str]] = field(default_factory=list)
    saved: Counter[int | None] = field(default_factory=Counter)
    earlier: dict[int, Entry] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    layer: int | None = None
    phase: str = "forward"
    rounds: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor):
                self.enter(tensor)
        if self.phase == "backward" and func in _GROWS:
            # A gradient that several positions add to is a new tensor after each.
            self.earlier[id(self.enter(made))] = self.enter(args[0])
        return made

    def enter(self, tensor: Tensor, component: str = "temporaries", layer: int | None = None) -> Entry:
        """The entry of a tensor's storage; a new one where it is new."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.entries:
            return self.entries[key][1]
        entry = Entry(storage.nbytes(), self.layer if layer is None else layer, component)
        self.entries[key] = weakref.ref(storage, lambda _: self._leave(key)), entry
        self.log.append((entry.size, entry, self.phase))
        return entry

    def _leave(self, key: int) -> None:
        _, entry = self.entries.pop(key)
        self.log.append((-entry.size, entry, self.phase))

    def stand(self, model: TiedModel, optimizer: torch.optim.Optimizer) -> None:
        """Enter what stands before the step."""
        owners = {id(p): layer for layer in reversed(range(len(self.layers))) for p in self.layers[layer].parameters()}
        for group in model.stack.trained():
            # With the official code's bookkeeping, layers that are tied now hold Parameters that are out of use.
            owners |= {id(p): int(name.split(".")[0]) for name, p in group.items() if id(p) not in owners}
        for p in model.parameters():
            self.enter(p, "parameters", owners.get(id(p)))
        for p, state in optimizer.state.items():
            for value in state.values():
                if isinstance(value, Tensor):
                    self.enter(value, "optimizer", owners.get(id(p)))
        for buffer in model.buffers():
            self.enter(buffer)
        self.owners = owners

    def gradients(self, model: TiedModel) -> None:
        """Name the gradients, which are known as such only when they are complete."""
        for p in model.parameters():
            if p.grad is not None:
                entry: Entry | None = self.enter(p.grad)
                while entry is not None:
                    entry.component, entry.layer = "gradients", self.owners.get(id(p))
                    entry = self.earlier.get(id(entry))

    def begin(self, phase: str) -> None:
        """The next part of the step."""
        self.phase, self.layer = phase, None
        self.rounds += phase == "forward"

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around a forward pass: what autograd saves."""

        def pack(tensor: Tensor) -> Tensor:
            entry = self.enter(tensor)
            if entry.component == "temporaries":
                entry.component, entry.layer = "activations", self.layer
                self.saved[self.layer] += entry.size if self.rounds == 1 else 0
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep books, and know at each time which layer is at work, forward and backward."""
        numbers = {id(layer): number for number, layer in enumerate(self.layers)}

        def enter(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            self._at(numbers[id(layer)], forward=True)
            if numbers[id(layer)] == 0:
                arguments[0].register_hook(lambda _: self._at(None, forward=False))

        def leave(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
            self.layer = None
            # The gradient of a layer's output is ready: its own backward pass comes next.
            output.register_hook(lambda _: self._at(numbers[id(layer)], forward=False))

        with ExitStack() as stack:
            handles = [layer.register_forward_pre_hook(enter) for layer in self.layers]
            handles += [layer.register_forward_hook(leave) for layer in self.layers]
            stack.enter_context(hooked(handles))
            stack.enter_context(self)
            yield

    def _at(self, layer: int | None, *, forward: bool) -> None:
        self.layer = layer
        if self.tick is not None:
            count = len(self.layers)
            # A backward pass takes about twice the time of a forward pass.
            done = (layer or 0) / count if forward else 1 + 2 * (1 - (layer or 0) / count)
            self.tick((self.rounds - 1 + done / 3) / self.passes)

    def closed(self, reading: AllocatorReading | None) -> StepMemory:
        """The books at their fullest."""
        now = most = 0
        at = 0
        for index, (change, _, _) in enumerate(self.log):
            now += change
            if now > most:
                most, at = now, index
        peak: Counter[Place] = Counter()
        for change, entry, _ in self.log[: at + 1]:
            peak[entry.component, entry.layer] += change
        held = {place: size for place, size in peak.items() if size}
        return StepMemory(held, dict(self.saved), self.log[at][2], reading)
