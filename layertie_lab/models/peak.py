"""The fullest moment of a training step, predicted from shapes.

The step is played through in `playback` and kept in `tape`; here its standing parts (parameters, moments) are named.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..core.config import ModelConfig
from ..core.ties import TieMap
from .counts import block_parameters, outer_parameters
from .playback import Step
from .stack import storage_of
from .tape import Place, Predicted


def predict_step(
    config: ModelConfig,
    vocabulary_size: int,
    ties: TieMap,
    gradient: str = "shared",
    batch_size: int = 16,
    *,
    accumulate: int = 1,
    bf16: bool = False,
    device: str = "cpu",
) -> Predicted:
    """A step under a map whose every chain ends at its owner (on_untie="clone"), with AdamW's moments in place.

    Args:
        config: The shape.
        vocabulary_size: Number of tokens.
        ties: The map.
        gradient: shared or owner.
        batch_size: Sequences per forward pass.
        accumulate: Batches per update.
        bf16: Whether matrices run in bf16 autocast.
        device: cpu, cuda or mps.
    """
    owners = TieMap(ties.owners)
    frozen = tuple(gradient == "owner" and source != layer for layer, source in enumerate(ties))
    block, outer = sum(block_parameters(config).values()), sum(outer_parameters(config, vocabulary_size).values())
    slots = 12 if config.bias else 6
    outside = 2 + config.bias + (config.positions == "learned") + (not config.tie_head)
    standing: Counter[Place] = Counter()
    for layer in (None, *sorted(set(owners))):
        standing["parameters", layer] = 4 * (outer if layer is None else block)
        counters = outside if layer is None else slots
        standing["optimizer", layer] = 8 * (outer if layer is None else block) + 4 * counters
    return Step(config, vocabulary_size, frozen, owners, batch_size, accumulate, bf16, device).play(standing)


def model_step(model: Any, batch_size: int, *, accumulate: int = 1, bf16: bool = False) -> Predicted:
    """As `predict_step`, for a model as it stands, under any settings."""
    stack = model.stack
    config: ModelConfig = model.config
    standing: Counter[Place] = Counter()
    place = {id(p): layer for layer in reversed(range(config.layers)) for p in stack.layers[layer].parameters()}
    inside = {id(p) for p in stack.parameters()}
    seen: set[int] = set()
    for p in model.parameters():
        if storage_of(p) not in seen:
            seen.add(storage_of(p))
            standing["parameters", place.get(id(p))] += p.numel() * p.element_size()
    keeps = stack.config.moments == "keep"
    held = [(None, p) for p in model.parameters() if id(p) not in inside]
    held += [(int(name.split(".")[0]), p) for group in stack.trained() for name, p in group.items()]
    for layer, p in held:
        if keeps or p.requires_grad:
            standing["optimizer", layer] += 2 * p.numel() * p.element_size() + 4
    step = Step(
        config,
        model.vocabulary_size,
        stack.frozen,
        stack.sharing.objects,
        batch_size,
        accumulate,
        bf16,
        held[0][1].device.type,
    )
    return step.play(standing)
