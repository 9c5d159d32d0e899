"""The fullest moment of a training step: a step on a copy without memory against every tensor of a real step."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import polars as pl
import pytest
import torch
from torch import Tensor

from layertie_lab.analysis.memory.books import StepMemory
from layertie_lab.analysis.memory.ledger import ledger, official_line
from layertie_lab.analysis.memory.peak import measured_step, predicted_step
from layertie_lab.core.config import ModelConfig, TieConfig
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT
from layertie_lab.models.weightless import put_under, without_memory

Maker = Callable[..., GPT]
SIZES = {
    "6 x 32": (6, 32, 2, 16, 4, 50),
    "12 x 64": (12, 64, 4, 64, 8, 100),
    "8 x 128": (8, 128, 4, 32, 16, 200),
}
"""Name -> layers, width, heads, context, batch, vocabulary."""


def predicted(model: GPT, batch: int, ties: TieMap | None = None, **options: object) -> StepMemory:
    with without_memory(model) as twin:
        if ties is not None:
            put_under(twin, ties)
        return predicted_step(twin, batch, **options)


def errors(size: str, gradient: str, maps: int, **shape: object) -> tuple[float, float]:
    """(worst relative error of saved bytes, of the peak) over so many random maps."""
    layers, width, heads, context, batch, vocabulary = SIZES[size]
    generator, worst = random.Random(f"{size} {gradient} {shape}"), [0.0, 0.0]
    config = ModelConfig(layers=layers, width=width, heads=heads, context=context, **shape)
    for _ in range(maps):
        free = [generator.random() < 0.3 for _ in range(layers)]
        ties = TieMap(tuple(at if own or not at else generator.randrange(at) for at, own in enumerate(free)))
        model = GPT(config, vocabulary, TieConfig(gradient=gradient), ties, seed=1)
        tokens = torch.randint(vocabulary, (batch, context + 1), generator=torch.Generator().manual_seed(0))
        measured, said = measured_step(model, tokens, batch_size=batch), predicted(model, batch)
        pairs = (
            (sum(said.saved.values()), sum(measured.saved.values())),
            (said.peak_bytes, measured.peak_bytes),
        )
        worst = [max(old, abs(says / is_ - 1)) for old, (says, is_) in zip(worst, pairs, strict=True)]
    return worst[0], worst[1]


@pytest.mark.parametrize("gradient", ["shared", "owner"])
@pytest.mark.parametrize("size", SIZES)
def test_prediction_against_measurement_for_some_maps(size: str, gradient: str) -> None:
    for dropout in (0.0, 0.1):
        saved, peak = errors(size, gradient, 2, dropout=dropout)
        assert saved == 0
        assert peak == 0


@pytest.mark.slow
@pytest.mark.parametrize("gradient", ["shared", "owner"])
@pytest.mark.parametrize("size", SIZES)
def test_prediction_against_measurement_for_30_maps(size: str, gradient: str) -> None:
    for shape in ({"dropout": 0.0}, {"dropout": 0.1}, {"positions": "rotary", "bias": False, "tie_head": False}):
        saved, peak = errors(size, gradient, 30, **shape)
        print(f"{size}, {gradient}, {shape}: worst error of saved bytes {saved:.2%}, of the peak {peak:.2%}")
        assert saved == 0
        assert peak == 0


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_each_place_is_as_predicted(gradient: str) -> None:
    layers, width, heads, context, batch, vocabulary = SIZES["6 x 32"]
    config = ModelConfig(layers=layers, width=width, heads=heads, context=context)
    ties = TieMap((0, 0, 2, 2, 4, 0))
    model = GPT(config, vocabulary, TieConfig(gradient=gradient), ties, seed=1)
    tokens = torch.zeros(batch, context + 1, dtype=torch.int64)
    measured = measured_step(model, tokens, batch_size=batch)
    said = predicted(model, batch)
    assert said == measured
    # Asked about from another map, where other layers own.
    other = GPT(config, vocabulary, TieConfig(gradient=gradient), TieMap((0, 1, 0, 0, 3, 3)), seed=1)
    assert predicted(other, batch, ties) == said
    assert other.stack.ties == TieMap((0, 1, 0, 0, 3, 3))
    # An owner-mode copy saves less: that is what owner gradients claim.
    if gradient == "owner":
        assert measured.saved[1] < measured.saved[0] == measured.saved[2]


def test_two_batches_per_update_are_accounted_for(make: Maker, probe: Tensor) -> None:
    model = make((0, 0, 2, 0))
    measured = measured_step(model, probe, batch_size=4, accumulate=2)
    assert predicted(model, 4, accumulate=2) == measured


def test_the_model_is_left_as_it_was(make: Maker, probe: Tensor) -> None:
    model = make((0, 0, 2, 0))
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    shares: list[float] = []
    ledger(model, probe, batch_size=4, tick=shares.append)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(state, torch.get_rng_state())
    assert shares
    assert all(0 <= share <= 1 for share in shares)


def test_the_peak_stands_in_the_ledger_by_layer_and_owner(make: Maker, probe: Tensor) -> None:
    frame = ledger(make((0, 0, 2, 0)), probe, batch_size=4).filter(when="peak")
    whole = frame.filter(map="as is").group_by("kind").agg(pl.col("bytes").sum())
    totals = dict(whole.iter_rows())
    assert totals["measured"] == totals["predicted"]
    assert set(frame["map"]) == {"as is", "untied", "all tied"}
    owners = dict(frame.filter(map="as is").drop_nulls("layer").select("layer", "owner").iter_rows())
    assert owners == {0: 0, 1: 0, 2: 2, 3: 0}


def test_the_official_line_says_why_it_differs(make: Maker) -> None:
    agree = official_line(make((0, 0, 2, 0)))
    assert agree["claimed"] == agree["trainable"]
    assert "agree" in agree["reason"]
    model = make((0, 0, 0, 0), on_untie="alias", moments="keep", chain="snapshot")
    model.stack.retie(1, 1)
    model.stack.retie(2, 2)
    differ = official_line(model)
    assert differ["claimed"] > differ["trainable"]
    assert "3 layers" in differ["reason"]
    assert "1 distinct block" in differ["reason"]


@pytest.mark.gpu
def test_the_allocator_agrees_on_cuda(make: Maker, probe: Tensor) -> None:
    model = make((0, 0, 2, 0)).to("cuda")
    measured = measured_step(model, probe.to("cuda"), batch_size=4, allocator=True)
    assert measured.reading is not None
    assert measured.reading.peak >= 0.9 * measured.peak_bytes
