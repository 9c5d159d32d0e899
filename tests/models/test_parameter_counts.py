"""Parameters and operations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from tied_models import VOCABULARY, loss_of, model_of, small, tie_maps, tokens
from torch.utils.flop_counter import FlopCounterMode

from layertie_lab.core.config import ModelConfig, TieConfig
from layertie_lab.core.ties import TieMap
from layertie_lab.models.counts import (
    block_parameters,
    claimed_parameters,
    flops_per_token,
    outer_of,
    outer_parameters,
    trainable_parameters,
    untied_parameters,
)


@settings(max_examples=25, deadline=None)
@given(tie_map=tie_maps())
def test_each_storage_counts_once(tie_map):
    model = model_of(TieConfig(gradient="owner"), tie_map)
    total = sum(p.numel() for p in model.parameters())
    assert trainable_parameters(model) == claimed_parameters(model) == total


@pytest.mark.parametrize("changes", [{}, {"bias": False}, {"tie_head": False}, {"positions": "rotary"}])
def test_untied_parameters(changes):
    config, untied = small(**changes), model_of(TieConfig(), TieMap.independent(4), **changes)
    total = sum(p.numel() for p in untied.parameters())
    assert untied_parameters(model_of(TieConfig(), TieMap((0, 0, 2, 0)), **changes)) == total
    parts = [4 * sum(block_parameters(config).values()), sum(outer_parameters(config, VOCABULARY).values())]
    assert sum(parts) == total


def test_the_papers_figures():
    config = ModelConfig(layers=48, width=1600, heads=25, context=1024)
    block, outer = sum(block_parameters(config).values()), sum(outer_parameters(config, 50257).values())
    assert 48 * block + outer == 1_557_611_200


def test_by_component():
    assert block_parameters(small()) == {"attention": 4 * 64 + 32, "mlp": 8 * 64 + 40, "norm": 2 * 16}
    assert outer_parameters(small(), VOCABULARY) == {"embedding": 160, "positions": 48, "norm": 16, "head": 0}
    assert outer_parameters(small(tie_head=False), VOCABULARY)["head"] == 160
    model = model_of(TieConfig(), TieMap((0, 0, 2, 2)))
    assert sum(p.numel() for p in outer_of(model).values()) == 160 + 48 + 16


def test_frozen_layers_are_not_trainable():
    model = model_of(TieConfig(start="frozen-random"))
    assert trainable_parameters(model) < sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_operations_against_torchs_counter(gradient):
    tie_map = TieMap((0, 0, 2, 2))
    model = model_of(TieConfig(gradient=gradient), tie_map)
    with FlopCounterMode(display=False) as counter:
        loss_of(model, tokens()).backward()
    matrices = {"mm", "addmm", "bmm"}
    counted = sum(n for op, n in counter.get_flop_counts()["Global"].items() if str(op).split(".")[-1] in matrices)
    predicted = flops_per_token(model.config, VOCABULARY, tie_map, gradient)
    positions = 3 * 6
    assert counted == positions * sum(n for part, n in predicted.items() if part != "scores")
    forward = flops_per_token(model.config, VOCABULARY, training=False)
    assert forward["scores"] == 4 * 2 * 2 * 6 * 8
