"""A training step played through tensor by tensor, with sizes in place of numbers (see `models.peak`).

As autograd carries it out: what the forward pass saves, the loss, and the backward pass from the last layer to the
first, in which saved activations go and gradients come. n tokens, d width, m MLP width, a bytes per element.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from ..core.config import ModelConfig
from ..core.ties import TieMap
from .tape import ACTIVATIONS, GRADIENTS, TEMPORARIES, Place, Predicted, Tape


@dataclass
class Step:
    """One step, played through."""

    config: ModelConfig
    vocabulary: int
    frozen: tuple[bool, ...]
    """For each layer, whether no weight gradient is computed there."""
    objects: TieMap
    """For each layer the first one with the same Parameters."""
    batch_size: int
    accumulate: int
    bf16: bool
    device: str
    tape: Tape = field(default_factory=Tape)

    def __post_init__(self) -> None:
        c = self.config
        self.d, self.m, self.n = c.width, c.mlp_ratio * c.width, self.batch_size * c.context
        self.a = 2 if self.bf16 else 4
        self.drops = c.dropout > 0
        self.materialised = self.drops and self.device == "cpu"
        # A mask is kept as numbers on the CPU and as booleans elsewhere.
        self.mask, self.first_mask = (self.a, 4) if self.device == "cpu" else (1, 1)
        d, m = self.d, self.m
        self.slots = {"qkv": (3 * d * d, 3 * d), "projection": (d * d, d), "up": (d * m, m), "down": (d * m, d)}
        # Autocast makes a cast anew wherever the weight itself wants no gradient.
        self.casts = [first if not self.frozen[first] else ~layer for layer, first in enumerate(self.objects)]
        self.last_use = {key: layer for layer, key in reversed(list(enumerate(self.casts)))}
        feeds = [first for layer, first in enumerate(self.objects) if not self.frozen[layer]]
        self.uses: Counter[Hashable] = Counter(feeds)
        self.copied = {self.casts[layer] for layer in range(len(self.frozen)) if self.frozen[layer]}

    def play(self, standing: Mapping[Place, int]) -> Predicted:
        """The step from what stands before it: parameters and moments by place."""
        tape, c = self.tape, self.config
        for place, size in standing.items():
            tape.hold(("standing", place), size, *place)
        tape.hold("tokens", 8 * self.batch_size * (c.context + 1), ACTIVATIONS)
        if c.positions == "rotary":
            tape.hold("angles", 2 * 4 * c.context * (self.d // c.heads), ACTIVATIONS, 0)
        saved: dict[Place, int] = {}
        turns: list[tuple[int, str]] = []
        for _ in range(min(self.accumulate, 2)):
            turns.append((len(tape.log), "forward"))
            self._forward()
            saved = saved or self._saved()
            turns.append((len(tape.log), "backward"))
            self._backward()
        peak, at = tape.fullest()
        return Predicted(saved, peak, [name for start, name in turns if start <= at][-1])

    def _saved(self) -> dict[Place, int]:
        found: Counter[Place] = Counter()
        for size, place in self.tape.held.values():
            if place[0] == ACTIVATIONS:
                found[place] += size
        return dict(found)

    # Forward: what stays. The temporaries of a block are more in its backward pass.

    def _forward(self) -> None:
        hold, n, d, layers = self._save, self.n, self.d, self.config.layers
        if self.drops:
            hold("embedding mask", self.first_mask * n * d, None)
        for layer in range(layers):
            self._forward_block(layer)
        hold(("stream", layers), 4 * n * d, None)
        hold(("statistics", layers), 8 * n, None)
        hold("normed", self.a * n * d, None)
        if self.bf16:
            hold("head cast", 2 * d * self.vocabulary, None)
        self.tape.hold("logits", (6 if self.bf16 else 4) * n * self.vocabulary)
        hold("targets", 8 * n if self.batch_size > 1 else 0, None)
        hold("log-softmax", 4 * n * self.vocabulary, None)
        hold("count", 4, None)
        self.tape.free("logits")

    def _forward_block(self, layer: int) -> None:
        def hold(name: str, size: int) -> None:
            self._save((name, layer), size, layer)

        n, d, m, a, c = self.n, self.d, self.m, self.a, self.config
        trained = not self.frozen[layer]
        hold("stream", 4 * n * d)
        hold("statistics", 8 * n)
        if self.bf16 and ("cast", self.casts[layer], "qkv") not in self.tape.held:
            for slot, (weight, _) in self.slots.items():
                self._save(("cast", self.casts[layer], slot), 2 * weight, layer)
        if trained:
            hold("normed 1", a * n * d)
        if self.materialised:
            hold("query, key", 8 * n * d)
            hold("softmax", 4 * n * c.heads * c.context)
            hold("score mask", 4 * n * c.heads * c.context)
            hold("dropped", 4 * n * c.heads * c.context)
            # One sequence's values are read where they lie, among queries and keys.
            hold("value", (12 if self.batch_size == 1 and not self.bf16 else 4) * n * d)
            if trained:
                hold("attended", a * n * d)
        else:
            hold("query, key, value", 3 * a * n * d)
            if c.positions == "rotary":
                hold("turned", 2 * a * n * d)
            hold("attended", a * n * d)
            hold("log-sum-exp", 4 * n * c.heads)
        if self.drops:
            hold("mask 1", self.mask * n * d)
        hold("middle", 4 * n * d)
        hold("statistics 2", 8 * n)
        if trained:
            hold("normed 2", a * n * d)
        hold("up", a * n * m)
        if trained:
            hold("activated", a * n * m)
        if self.drops:
            hold("mask 2", self.mask * n * d)

    def _save(self, name: Hashable, size: int, layer: int | None) -> None:
        self.tape.hold(name, size, ACTIVATIONS, layer)

    # Backward

    def _backward(self) -> None:
        tape, n, d, vocabulary, layers = self.tape, self.n, self.d, self.vocabulary, self.config.layers
        hold, free = tape.hold, tape.free
        self.left = Counter(self.uses)
        self.left["embedding"] = 2 if self.config.tie_head else 1
        hold("loss and its gradient", 8)
        hold("nll", 4 * n * vocabulary)
        free("targets", "count")
        hold("logits", 4 * n * vocabulary)
        free("nll", "log-softmax")
        if self.bf16:
            hold("logits bf16", 2 * n * vocabulary)
            free("logits")
            tape.rename("logits bf16", "logits")
        head = "embedding" if self.config.tie_head else "head"
        self._new("head", self.a * d * vocabulary, head)
        hold("inner", self.a * n * d)
        free("logits", "normed")
        if self.bf16:
            free("head cast")
            self._widen(None)
            hold("head fp32", 4 * d * vocabulary, *self._place(head))
            free("head")
            tape.rename("head fp32", "head")
        self._done("head", head, 4 * d * vocabulary)
        hold("gradient", 4 * n * d)
        self._new("norm", 4 * (1 + self.config.bias) * d, "norm")
        free("inner", ("stream", layers), ("statistics", layers))
        self._done("norm", "norm", 4 * (1 + self.config.bias) * d)
        for layer in reversed(range(layers)):
            self._backward_mlp(layer)
            self._backward_attention(layer)
        for layer, key in enumerate(self.casts):
            if self.bf16 and key in self.copied and self.uses[layer]:
                self._uncast(layer)
        self._backward_embedding()

    def _backward_embedding(self) -> None:
        tape, n, d, c = self.tape, self.n, self.d, self.config
        if self.drops:
            tape.hold("unmasked", 4 * n * d)
            tape.free("gradient", "embedding mask")
            tape.rename("unmasked", "gradient")
        if c.positions == "learned":
            tape.hold("summed", 4 * c.context * d)
            self._new("positions", 4 * c.context * d, "positions")
            tape.free("summed")
            self._done("positions", "positions", 4 * c.context * d)
        self._new("embedded", 4 * d * self.vocabulary, "embedding")
        tape.free("gradient")
        self._done("embedded", "embedding", 4 * d * self.vocabulary)
        tape.free("loss and its gradient")

    def _backward_mlp(self, layer: int) -> None:
        tape, n, d, m, a = self.tape, self.n, self.d, self.m, self.a
        trained = not self.frozen[layer]
        outer = self._into(layer, "mask 2")
        tape.hold("activated", a * n * m, layer=layer)
        self._linear(layer, "down", outer, ("activated", layer))
        tape.hold("inner", a * n * m, layer=layer)
        tape.free("activated", ("up", layer))
        tape.rename("inner", "activated")
        tape.hold("inner", a * n * d, layer=layer)
        self._linear(layer, "up", ["activated"], ("normed 2", layer))
        self._widen(layer)
        self._norm(layer, "norm 2", ("middle", layer), ("statistics 2", layer), trained)

    def _backward_attention(self, layer: int) -> None:
        tape, n, d, a, c = self.tape, self.n, self.d, self.a, self.config
        hold, free = tape.hold, tape.free
        outer = self._into(layer, "mask 1")
        hold("attended", a * n * d, layer=layer)
        self._linear(layer, "projection", outer, ("attended", layer) if self.materialised else None)
        if self.materialised:
            self._materialised(layer)
        else:
            for name in "qkv":
                hold(name, a * n * d, layer=layer)
            free("attended", ("query, key, value", layer), ("log-sum-exp", layer), ("attended", layer))
            if c.positions == "rotary":
                free(("turned", layer))
                for name in "qk":
                    self._turned(name, layer)
        hold("qkv", 3 * a * n * d, layer=layer)
        free("q", "k", "v")
        hold("inner", a * n * d, layer=layer)
        self._linear(layer, "qkv", ["qkv"], ("normed 1", layer))
        self._widen(layer)
        self._norm(layer, "norm 1", ("stream", layer), ("statistics", layer), not self.frozen[layer])

    def _materialised(self, layer: int) -> None:
        """Attention whose scores are in memory: the CPU's way with dropout, in fp32."""
        hold, free, n, d = self.tape.hold, self.tape.free, self.n, self.d
        scores = 4 * n * self.config.heads * self.config.context
        hold("contiguous", 4 * n * d, layer=layer)
        free("attended")
        hold("v", 4 * n * d, layer=layer)
        hold("dropped", scores, layer=layer)
        free("contiguous", ("value", layer), ("dropped", layer))
        hold("probabilities", scores, layer=layer)
        free("dropped", ("score mask", layer))
        hold("scores", scores, layer=layer)
        free("probabilities", ("softmax", layer))
        hold("q", 4 * n * d, layer=layer)
        hold("k", 4 * n * d, layer=layer)
        free("scores", ("query, key", layer))

    def _turned(self, name: str, layer: int) -> None:
        """The gradient of a rotation."""
        hold, free, size = self.tape.hold, self.tape.free, 4 * self.n * self.d
        hold("sine", size, layer=layer)
        hold("half", size // 2, layer=layer)
        hold("cosine", size, layer=layer)
        free(name, "half")
        hold(name, self.a * self.n * self.d, layer=layer)
        free("sine", "cosine")

    def _into(self, layer: int, mask: str) -> list[Hashable]:
        """The stream's gradient as a branch takes it: names of what is held beside the stream's own."""
        tape, size = self.tape, self.a * self.n * self.d
        found: list[Hashable] = []
        if self.bf16:
            tape.hold("cast", size, layer=layer)
            found = ["cast"]
        if self.drops:
            tape.hold("unmasked", size, layer=layer)
            tape.free(*found, (mask, layer))
            found = ["unmasked"]
        return found

    def _widen(self, layer: int | None) -> None:
        """Back from bf16 to the stream's fp32."""
        if self.bf16:
            self.tape.hold("wide", 4 * self.n * self.d, layer=layer)
            self.tape.free("inner")
            self.tape.rename("wide", "inner")

    def _linear(self, layer: int, slot: str, outer: list[Hashable], saved: Hashable | None) -> None:
        """Gradients of a matrix and its bias; then its gradient from outside and its saved input go."""
        tape, first, trained = self.tape, self.objects[layer], not self.frozen[layer]
        sizes = [self.a * size for size in self.slots[slot]][: 1 + self.config.bias]
        names = [("new", slot, part) for part in range(len(sizes))]
        if trained:
            for name, size in zip(names, sizes, strict=True):
                self._new(name, size, (first, *name[1:]), layer)
        tape.free(*outer)
        if trained and saved is not None:
            tape.free(saved)
        if self.bf16 and self.last_use[self.casts[layer]] == layer:
            tape.free(("cast", self.casts[layer], slot))
        if trained:
            for name, size in reversed(list(zip(names, sizes, strict=True))):
                self._add(name, (first, *name[1:]), size, layer)
            if self.last_use[self.casts[layer]] == layer and not (self.bf16 and self.casts[layer] in self.copied):
                self._complete(first, slot, layer)

    def _uncast(self, first: int) -> None:
        for slot in ("down", "up", "projection", "qkv"):
            self._complete(first, slot, 0)

    def _complete(self, first: int, slot: str, layer: int) -> None:
        """All positions have added to a matrix's gradient: it goes to its Parameter."""
        for part, size in list(enumerate(self.slots[slot]))[: 1 + self.config.bias]:
            sum_name = ("sum", (first, slot, part))
            if self.bf16:
                self.tape.hold("wide", 4 * size, *self._place((first, slot, part), layer))
                self.tape.free(sum_name)
                self.tape.rename("wide", sum_name)
            self._store((first, slot, part))

    def _norm(self, layer: int, slot: str, stream: Hashable, statistics: Hashable, trained: bool) -> None:
        tape, n, d, first = self.tape, self.n, self.d, self.objects[layer]
        size = 4 * (1 + self.config.bias) * d
        tape.hold("branch", 4 * n * d, layer=layer)
        if trained:
            self._new(slot, size, (first, slot), layer)
        tape.free("inner", stream, statistics)
        tape.hold("both", 4 * n * d, layer=layer)
        tape.free("gradient")
        if trained:
            self._add(slot, (first, slot), size, layer)
            if self.last_use[self.casts[layer]] == layer:
                self._store((first, slot))
        tape.free("branch")
        tape.rename("both", "gradient")

    # Gradients of Parameters: contributions are added out of place, and the sum is added in place to what is there.

    def _new(self, name: Hashable, size: int, target: Hashable, layer: int | None = None) -> None:
        begun = ("sum", target) in self.tape.held
        self.tape.hold(name, size, *((TEMPORARIES, layer) if begun else self._place(target, layer)))

    def _add(self, name: Hashable, target: Hashable, size: int, layer: int | None = None) -> None:
        total = ("sum", target)
        if total not in self.tape.held:
            self.tape.rename(name, total)
            return
        self.tape.hold("added", size, *self._place(target, layer))
        self.tape.free(total, name)
        self.tape.rename("added", total)

    def _done(self, name: Hashable, target: Hashable, size: int) -> None:
        self._add(name, target, size)
        self.left[target] -= 1
        if self.left[target] <= 0:
            self._store(target)

    def _place(self, target: Hashable, layer: int | None = None) -> Place:
        """Where a contribution to a Parameter's gradient counts: with the gradient, if it is to become that."""
        if ("stored", target) in self.tape.held:
            return TEMPORARIES, layer
        return GRADIENTS, target[0] if isinstance(target, tuple) else None

    def _store(self, target: Hashable) -> None:
        if ("stored", target) in self.tape.held:
            self.tape.free(("sum", target))
        else:
            self.tape.rename(("sum", target), ("stored", target))
