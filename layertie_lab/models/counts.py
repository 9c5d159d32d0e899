"""Parameters, counted once per storage, and floating-point operations per token."""

from __future__ import annotations

from typing import Literal

from torch.nn import Parameter

from ..core.config import ModelConfig
from ..core.ties import TieMap
from .stack import storage_of
from .tied_model import TiedModel


def trainable_parameters(model: TiedModel) -> int:
    """Parameters that receive a gradient from at least one position, each storage once."""
    return sum({storage_of(p): p.numel() for p in model.parameters() if p.requires_grad}.values())


def claimed_parameters(model: TiedModel) -> int:
    """What a count by layer prints, as the official code's does.

    Every layer that the map calls independent counts in full, also where it shares its storage with others.
    """
    return sum(p.numel() for p in outer_of(model).values()) + model.stack.claimed()


def untied_parameters(model: TiedModel) -> int:
    """Parameters of the same model with every layer independent."""
    block = sum(p.numel() for p in model.stack.layers[0].parameters())
    return sum(p.numel() for p in outer_of(model).values()) + len(model.stack.layers) * block


def outer_of(model: TiedModel) -> dict[str, Parameter]:
    """Name -> Parameter, of what is outside the layers."""
    inside = {id(p) for p in model.stack.parameters()}
    return {name: p for name, p in model.named_parameters() if id(p) not in inside}


def block_parameters(config: ModelConfig) -> dict[str, int]:
    """Parameters of one block of a GPT by component: attention, mlp, norm."""
    d, m, b = config.width, config.mlp_ratio * config.width, int(config.bias)
    return {
        "attention": d * 3 * d + d * d + b * (3 * d + d),
        "mlp": d * m + m * d + b * (m + d),
        "norm": 2 * d + b * 2 * d,
    }


def outer_parameters(config: ModelConfig, vocabulary_size: int) -> dict[str, int]:
    """Parameters of a GPT outside the blocks, by component; with a tied head, `embedding` is the output weights too."""
    d = config.width
    return {
        "embedding": vocabulary_size * d,
        "positions": config.context * d if config.positions == "learned" else 0,
        "norm": d + int(config.bias) * d,
        "head": 0 if config.tie_head else vocabulary_size * d,
    }


def flops_per_token(
    config: ModelConfig,
    vocabulary_size: int,
    tie_map: TieMap | None = None,
    gradient: Literal["shared", "owner"] = "shared",
    *,
    training: bool = True,
) -> dict[str, int]:
    """Floating-point operations of a GPT per token by component, at full context.

    Args:
        config: The shape.
        vocabulary_size: Number of tokens.
        tie_map: Which layers are copies; matters with gradient="owner" only. None: every layer independent.
        gradient: With "owner" no weight gradient is computed for copies.
        training: Forward and backward, or the forward pass alone.

    Returns:
        "attention" and "mlp" (their matrices), "scores" (attention over the context, counted densely), "head". A
        multiply-add is two operations; norms, biases and element-wise functions are left out. Backward costs one more
        forward for the inputs' gradients and one more for the weights' (Kaplan et al. 2020, arXiv 2001.08361).
    """
    d, layers = config.width, config.layers
    copies = 0
    if tie_map is not None and gradient == "owner":
        copies = sum(source != layer for layer, source in enumerate(tie_map))
    per_matrix = (3 * layers - copies) if training else layers
    whole = 3 if training else 1
    return {
        "attention": 2 * 4 * d * d * per_matrix,
        "mlp": 2 * 2 * config.mlp_ratio * d * d * per_matrix,
        "scores": 2 * 2 * config.context * d * layers * whole,
        "head": 2 * vocabulary_size * d * whole,
    }
