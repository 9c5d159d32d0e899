"""Which model a run trains: the one place where its class is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.config import ModelConfig, TieConfig
from ..core.ties import TieMap
from .counts import block_parameters, outer_parameters
from .gpt import GPT
from .gpt2_names import load_gpt2
from .gpt_memory import activation_bytes
from .tied_model import TiedModel


def make_model(
    config: ModelConfig,
    vocabulary_size: int,
    ties: TieConfig,
    tie_map: TieMap,
    *,
    seed: int,
    initial_weights: Mapping[str, Any] | None = None,
) -> TiedModel:
    """The model of a config, on the CPU.

    Args:
        config: The shape.
        vocabulary_size: Number of tokens of the run's text.
        ties: What a tie means.
        tie_map: The map at the start.
        seed: Of the initial weights.
        initial_weights: To start from in place of drawn ones, under the names of the model's family (GPT-2's).

    Raises:
        ConfigError: Weights that are not this model's.
    """
    model = GPT(config, vocabulary_size, ties, tie_map, seed=seed)
    if initial_weights is not None:
        load_gpt2(model, initial_weights)
    return model


def least_bytes(
    config: ModelConfig,
    vocabulary_size: int,
    ties: TieConfig,
    owners: int,
    batch_size: int,
    *,
    bf16: bool,
    device: str,
) -> dict[str, int]:
    """Bytes of a training step by component, of the model of a config, which is not made, at the fewest that it has.

    Args:
        config: The shape.
        vocabulary_size: Number of tokens.
        ties: What a tie means.
        owners: Independent layers.
        batch_size: Sequences per forward pass.
        bf16: Whether it runs under bf16 autocast.
        device: cpu, cuda or mps.
    """
    block, outer = parameters_of(config, vocabulary_size)
    trained = outer + owners * block
    stored = trained if ties.start == "tied" else outer + config.layers * block
    copies = (config.layers - owners) if ties.gradient == "owner" else 0
    frozen = (False,) * (config.layers - copies) + (True,) * copies
    saved = activation_bytes(config, vocabulary_size, frozen, batch_size, bf16=bf16, device=device)
    return {"weights": 4 * stored, "gradients and optimizer state": 12 * trained, "activations": saved}


def parameters_of(config: ModelConfig, vocabulary_size: int) -> tuple[int, int]:
    """Parameters of one block and of all that is around the layers, of the model of a config, which is not made."""
    return sum(block_parameters(config).values()), sum(outer_parameters(config, vocabulary_size).values())
