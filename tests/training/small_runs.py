"""A model, its optimizer and its trainer, small enough for a test."""

from __future__ import annotations

import itertools
import random
from typing import NamedTuple

import torch

from layertie_lab import RunConfig
from layertie_lab.core.config import ModelConfig, TieConfig, TrainingConfig
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.keys import RunKey
from layertie_lab.core.measures import StepResult
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT
from layertie_lab.training.loop import Trainer
from layertie_lab.training.optimizer import Optimizer

VOCABULARY = 20


def _allowed() -> list[TieConfig]:
    found = []
    for values in itertools.product(
        ("shared", "owner"),
        ("clone", "alias"),
        ("follow", "snapshot"),
        ("tied", "frozen-random"),
        ("clone", "scaled", "reset", "keep"),
    ):
        ties = TieConfig(*values)
        try:
            RunConfig(ties=ties)
        except ConfigError:
            continue
        found.append(ties)
    return found


ALLOWED = _allowed()


def name(ties: TieConfig) -> str:
    return f"{ties.gradient}-{ties.on_untie}-{ties.chain}-{ties.start}-{ties.moments}"


class Parts(NamedTuple):
    model: GPT
    optimizer: Optimizer
    trainer: Trainer

    def retie(self, layer: int, source: int) -> None:
        self.optimizer.apply(self.model.stack.retie(layer, source))

    def check(self) -> None:
        self.model.stack.check_books()
        self.optimizer.check_books()

    def step(self, index: int) -> StepResult:
        return self.trainer.step(batch(index), index)


def batch(index: int, count: int = 3) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (count, 7), generator=torch.Generator().manual_seed(index))


def parts(
    ties: TieConfig = TieConfig(),  # noqa: B008
    tie_map: TieMap | None = None,
    *,
    seed: int = 0,
    dropout: float = 0.0,
    device: str = "cpu",
    **training: object,
) -> Parts:
    config = TrainingConfig(**training)
    model = GPT(ModelConfig(4, 8, 2, 6, dropout=dropout), VOCABULARY, ties, tie_map, seed=seed).to(device)
    return assemble(model, Optimizer(model, config, ties), config)


def assemble(model: GPT, optimizer: Optimizer, config: TrainingConfig) -> Parts:
    device = next(model.parameters()).device
    return Parts(model, optimizer, Trainer(model, optimizer, config, RunKey(1), device, total_steps=20))


def random_answers(count: int, seed: int = 0) -> list[tuple[int, int]]:
    draws = random.Random(seed)
    layers = [draws.randrange(1, 4) for _ in range(count)]
    return [(layer, draws.randrange(layer + 1)) for layer in layers]


def weights(model: GPT) -> dict[str, torch.Tensor]:
    return {key: p.detach().clone() for key, p in model.named_parameters(remove_duplicate=False)}
