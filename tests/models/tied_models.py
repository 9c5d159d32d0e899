"""Small models under every kind of tie, and strategies that draw maps and answers."""

from __future__ import annotations

import itertools

import torch
from hypothesis import strategies as st

from layertie_lab import RunConfig
from layertie_lab.core.config import ModelConfig, TieConfig
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT

VOCABULARY = 20


def _allowed() -> list[TieConfig]:
    found = []
    for gradient, on_untie, chain, start, moments in itertools.product(
        ("shared", "owner"), ("clone", "alias"), ("follow", "snapshot"), ("tied", "frozen-random"), ("clone", "keep")
    ):
        ties = TieConfig(gradient, on_untie, chain, start, moments)
        try:
            RunConfig(ties=ties)
        except ConfigError:
            continue
        found.append(ties)
    return found


ALLOWED = _allowed()
ALIASING = [ties for ties in ALLOWED if ties.on_untie == "alias"]


def name(ties: TieConfig) -> str:
    return f"{ties.gradient}-{ties.on_untie}-{ties.chain}-{ties.start}"


def small(layers: int = 4, **changes: object) -> ModelConfig:
    return ModelConfig(**({"layers": layers, "width": 8, "heads": 2, "context": 6} | changes))


def model_of(ties: TieConfig, tie_map: TieMap | None = None, layers: int = 4, seed: int = 0, **changes: object) -> GPT:
    return GPT(small(layers, **changes), VOCABULARY, ties, tie_map, seed=seed)


def tokens(batch: int = 3, length: int = 7, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(seed))


def loss_of(model: GPT, batch: torch.Tensor) -> torch.Tensor:
    return model(batch[:, :-1], batch[:, 1:])


@st.composite
def answers(draw: st.DrawFn, layers: int = 4, most: int = 12) -> list[tuple[int, int]]:
    """A sequence of (layer, legal answer)."""
    chosen = draw(st.lists(st.integers(1, layers - 1), max_size=most))
    return [(layer, draw(st.integers(0, layer))) for layer in chosen]


def tie_maps(layers: int = 4) -> st.SearchStrategy[TieMap]:
    return st.tuples(*(st.integers(0, layer) for layer in range(layers))).map(TieMap)
