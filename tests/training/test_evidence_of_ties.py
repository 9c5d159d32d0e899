"""What is told of ties without training, held against doing it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from layertie_lab.core.config import ModelConfig, TieConfig
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT
from layertie_lab.training.evaluation import window_losses
from layertie_lab.training.evidence import gradient_agreement, tie_costs

MAPS = [(0, 0, 0, 0), (0, 0, 2, 0), (0, 1, 1, 2), (0, 1, 2, 3)]
CPU = torch.device("cpu")


def model_of(ties: tuple[int, ...], **settings: str) -> GPT:
    config = ModelConfig(layers=4, width=16, heads=2, context=12, dropout=0.2)
    model = GPT(config, 11, TieConfig(**settings), TieMap(ties), seed=3)  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        # At the start the blocks add nothing yet.
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())) * 0.1)
    return model


@pytest.fixture
def windows() -> Tensor:
    return torch.randint(11, (6, 13), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("settings", [{}, {"chain": "snapshot"}, {"gradient": "owner"}])
@pytest.mark.parametrize("ties", MAPS)
def test_the_cost_of_a_tie_is_what_comes_of_tying(
    ties: tuple[int, ...], settings: dict[str, str], windows: Tensor
) -> None:
    model = model_of(ties, **settings)
    costs = tie_costs(model, windows, 4, CPU)
    before = float(window_losses(model, windows, 4).mean())
    for layer in range(4):
        for source in range(4):
            if source > layer:
                assert torch.isnan(costs[layer, source])
                continue
            other = copy.deepcopy(model)
            if layer:
                other.stack.retie(layer, source)
            change = float(window_losses(other, windows, 4).mean()) - before
            assert float(costs[layer, source]) == pytest.approx(change, abs=1e-6)
    assert ties != (0, 1, 2, 3) or costs[3, 0].abs() > 1e-4


@pytest.mark.parametrize("settings", [{}, {"gradient": "owner"}])
@pytest.mark.parametrize("ties", MAPS)
def test_agreement_is_that_of_the_gradients_of_an_untied_copy(
    ties: tuple[int, ...], settings: dict[str, str], windows: Tensor
) -> None:
    model = model_of(ties, **settings).double()
    found = gradient_agreement(model, windows, 2, CPU).numpy()
    untied = model_of(ties).double()
    for layer in range(1, 4):
        untied.stack.retie(layer, layer)
    untied.eval()
    halves = []
    for half in (windows[:3], windows[3:]):
        untied.zero_grad()
        untied.loss(half).backward()
        halves.append(
            np.stack([np.concatenate([p.grad.numpy().ravel() for p in b.parameters()]) for b in untied.stack.layers])
        )
    owners = TieMap(ties).owners
    for a in range(4):
        for b in range(4):
            if owners[a] != owners[b]:
                assert found[a, b] == 0
                continue
            group = [layer for layer in range(4) if owners[layer] == owners[a]]
            scale = np.sqrt(np.mean([half[group] ** 2 for half in halves], axis=(0, 1))) + 1e-8
            first, second = (half / scale for half in halves)
            wanted = (first[a] @ second[b] + first[b] @ second[a]) / 2
            assert found[a, b] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("settings", [{}, {"gradient": "owner"}, {"on_untie": "alias", "chain": "snapshot"}])
def test_looking_leaves_everything_as_it_was(settings: dict[str, str], windows: Tensor) -> None:
    moments = {"moments": "keep"} if "on_untie" in settings else {}
    model = model_of((0, 0, 0, 0), **settings, **moments)
    model.train()
    held = {name: (p, p.clone(), p.grad) for name, p in model.named_parameters(remove_duplicate=False)}
    random = torch.get_rng_state()
    tie_costs(model, windows, 4, CPU)
    gradient_agreement(model, windows, 4, CPU)
    assert model.training
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), random)
    after = dict(model.named_parameters(remove_duplicate=False))
    assert after.keys() == held.keys()
    for name, (parameter, values, grad) in held.items():
        assert after[name] is parameter
        assert torch.equal(parameter, values)
        assert parameter.grad is grad is None
