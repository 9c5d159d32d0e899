"""Small models with something to see: weights scaled up, so that layers do more than their first initialisation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from layertie_lab.core.config import ModelConfig, TieConfig
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT

VOCABULARY = 29
CONFIG = ModelConfig(layers=4, width=16, heads=2, context=16)
Maker = Callable[..., GPT]


def _lively(model: GPT, seed: int = 0) -> GPT:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * (0.3 if p.ndim > 1 else 0.1))
    return model


@pytest.fixture
def make() -> Maker:
    """A model of four layers under a map."""

    def maker(ties: tuple[int, ...] = (0, 0, 2, 0), config: ModelConfig = CONFIG, **settings: str) -> GPT:
        return _lively(GPT(config, VOCABULARY, TieConfig(**settings), TieMap(ties), seed=0))

    return maker


@pytest.fixture
def untie() -> Callable[[GPT], GPT]:
    """The same function without ties: a layer's own weights at each position."""

    def copy(model: GPT) -> GPT:
        twin = GPT(model.config, VOCABULARY, TieConfig(), TieMap.independent(len(model.stack.layers)), seed=1)
        twin.load_state_dict(model.state_dict())
        assert len(set(twin.stack.blocks)) == len(twin.stack.layers)
        return twin

    return copy


@pytest.fixture
def probe() -> Tensor:
    """[6, 17] probe tokens."""
    return torch.randint(VOCABULARY, (6, CONFIG.context + 1), generator=torch.Generator().manual_seed(1))
