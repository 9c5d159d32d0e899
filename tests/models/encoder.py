"""Another kind of tied model: torch's own encoder layers, which see both ways and restore tokens that were hidden.

Nothing of it is the GPT's: blocks, batch, loss, initialisation; it neither writes nor shows its attention.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layertie_lab.core.config import TieConfig
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.aliasing import make_stack
from layertie_lab.models.tied_model import Metric

HIDDEN = 3
"""Of so many tokens, one is hidden."""


class Encoder(nn.Module):
    metric = Metric("denoising loss", "nats per hidden token")
    causal = False

    def __init__(
        self,
        layers: int,
        vocabulary_size: int,
        ties: TieConfig,
        tie_map: TieMap,
        *,
        width: int = 16,
        context: int = 12,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.width, self.context, self.draws = width, context, dropout > 0
        self.vocabulary_size = vocabulary_size + 1  # the last one hides a token
        with torch.random.fork_rng():
            torch.random.default_generator.manual_seed(seed)
            self.tokens = nn.Embedding(self.vocabulary_size, width)
            self.places = nn.Embedding(context, width)
            blocks = [
                nn.TransformerEncoderLayer(width, 2, 2 * width, dropout, batch_first=True, norm_first=True)
                for _ in range(layers)
            ]
            self.decoder = nn.Linear(width, vocabulary_size)
        self.stack = make_stack(blocks, ties, tie_map)

    @property
    def token_vectors(self) -> Tensor:
        return self.tokens.weight

    def inputs(self, batch: Tensor) -> Tensor:
        hidden = torch.arange(batch.shape[1] - 1, device=batch.device) % HIDDEN == 1
        return batch[:, :-1].masked_fill(hidden, self.vocabulary_size - 1)

    def targets(self, batch: Tensor) -> Tensor:
        return batch[:, :-1]

    def blank_batch(self, size: int) -> Tensor:
        return torch.zeros(size, self.context + 1, dtype=torch.int64)

    def loss(self, batch: Tensor) -> Tensor:
        return self.sequence_losses(self(self.inputs(batch)), self.targets(batch)).mean()

    def losses(self, predicted: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(predicted.flatten(0, -2), targets.flatten(), reduction="none").view(targets.shape)

    def sequence_losses(self, predicted: Tensor, targets: Tensor) -> Tensor:
        return self.losses(predicted, targets)[:, 1::HIDDEN].mean(1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.stack(self.embed(inputs), *self.block_arguments(inputs.shape[1])))

    def embed(self, inputs: Tensor, vectors: Tensor | None = None) -> Tensor:
        return (self.tokens(inputs) if vectors is None else vectors) + self.places.weight[: inputs.shape[1]]

    def block_arguments(self, length: int) -> tuple[Any, ...]:
        return ()

    def head(self, x: Tensor) -> Tensor:
        return self.decoder(x)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        inner, meta = self.stack.state()
        return self._outer() | {f"stack.{name}": tensor for name, tensor in inner.items()}, meta

    def load(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        self.stack.load({name[6:]: t for name, t in tensors.items() if name.startswith("stack.")}, meta)
        for name, tensor in self._outer().items():
            tensor.copy_(tensors[name])

    def _outer(self) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.named_parameters() if not name.startswith("stack.")}


def make_encoder(
    config: Any, vocabulary_size: int, ties: TieConfig, tie_map: TieMap, *, seed: int, initial_weights: Any = None
) -> Encoder:
    """In place of `models.registry.make_model`."""
    if initial_weights is not None:
        raise ConfigError("Expected no initial weights.", "Leave them out.")
    return Encoder(
        config.layers,
        vocabulary_size,
        ties,
        tie_map,
        width=config.width,
        context=config.context,
        dropout=config.dropout,
        seed=seed,
    )
