"""Bytes of a training step, predicted from shapes.

Activations are what autograd saves for the backward pass of one batch. Per block, with n = B x T positions, d width, h
heads, m the MLP's hidden width and a bytes per element of the matrices' arithmetic:

    8 n d + 16 n          inputs, means and deviations of two norms, in fp32
    4 a n d + 4 n h       query, key, value and output of attention, and its log-sum-exp
    a n m                 what the GELU reads
    2 a n d + a n m       inputs of qkv, up and down: needed for a weight gradient only, so not saved at a copy
"""

from __future__ import annotations

from torch import nn

from ..core.config import ModelConfig
from ..core.ties import TieMap
from .counts import block_parameters, outer_parameters


def activation_bytes(
    config: ModelConfig, vocabulary_size: int, frozen: tuple[bool, ...], batch_size: int, *, bf16: bool = False
) -> int:
    """Bytes that autograd saves in one forward pass at full context.

    Args:
        config: The shape.
        vocabulary_size: Number of tokens.
        frozen: For each layer, whether no weight gradient is computed there.
        batch_size: Sequences per forward pass.
        bf16: Whether matrices run in bf16 autocast.
    """
    n, d, m = batch_size * config.context, config.width, config.mlp_ratio * config.width
    a = 2 if bf16 else 4
    always = 8 * n * d + 16 * n + 4 * a * n * d + 4 * n * config.heads + a * n * m
    for_weights = 2 * a * n * d + a * n * m
    outside = 4 * n * d + 8 * n + a * n * d + 4 * n * vocabulary_size
    return len(frozen) * always + frozen.count(False) * for_weights + outside


def predict_memory(
    config: ModelConfig,
    vocabulary_size: int,
    ties: TieMap,
    gradient: str = "shared",
    batch_size: int = 16,
    *,
    bf16: bool = False,
) -> dict[str, int]:
    """Bytes of a training step by component, for a map whose every chain ends at its owner (on_untie="clone").

    Returns:
        parameters, gradients, optimizer (AdamW's two moments) and activations, in bytes. Weights are fp32.
    """
    owners = len(ties.independent_layers)
    count = owners * sum(block_parameters(config).values()) + sum(outer_parameters(config, vocabulary_size).values())
    frozen = tuple(gradient == "owner" and source != layer for layer, source in enumerate(ties))
    return {
        "parameters": 4 * count,
        "gradients": 4 * count,
        "optimizer": 8 * count,
        "activations": activation_bytes(config, vocabulary_size, frozen, batch_size, bf16=bf16),
    }


def model_memory(model: nn.Module, batch_size: int, *, bf16: bool = False) -> dict[str, int]:
    """As `predict_memory`, for a model as it stands, under any settings.

    Storages count once; gradients and moments once per Parameter that has them (several may lie on one storage with
    on_untie="alias", and frozen ones keep their moments there).
    """
    stack = model.stack
    inside = {id(p) for p in stack.parameters()}  # type: ignore[union-attr, operator]
    held = [p for p in model.parameters() if id(p) not in inside]
    held += [p for group in stack.trained() for p in group.values()]  # type: ignore[union-attr, operator]
    storages = {p.data_ptr(): p.numel() * p.element_size() for p in model.parameters()}
    return {
        "parameters": sum(storages.values()),
        "gradients": sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad),
        "optimizer": 2 * sum(p.numel() * p.element_size() for p in held),
        "activations": activation_bytes(model.config, model.vocabulary_size, stack.frozen, batch_size, bf16=bf16),  # type: ignore[union-attr, arg-type]
    }
