"""Layers of two models against each other, and what a freshly initialised model shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from layertie_lab.analysis.capture import passages
from layertie_lab.analysis.similarity.fresh import freshly_initialised
from layertie_lab.analysis.similarity.layer_similarity import layer_similarity
from layertie_lab.analysis.similarity.registry import SIMILARITIES, similarities_of_any_shape
from layertie_lab.core.config import ModelConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT
from layertie_lab.models.undisturbed import undisturbed

METHODS = SIMILARITIES.names
REPRESENTATIONS = similarities_of_any_shape()

Maker = Callable[..., GPT]
ROTARY = ModelConfig(layers=3, width=16, heads=4, context=16, positions="rotary")


@pytest.fixture
def tokens(probe: Tensor) -> Tensor:
    return probe[:, :-1]


def test_a_model_with_its_own_copy_gives_what_it_gives_alone(make: Maker, tokens: Tensor) -> None:
    model = make((0, 1, 2, 0))
    alone = layer_similarity(model, tokens, METHODS)
    pair = layer_similarity(model, tokens, METHODS, other=make((0, 1, 2, 0)))
    assert pair["models"].unique().to_list() == [2]
    keys = ["method", "layer_a", "layer_b", "owner_a", "owner_b", "sequences"]
    assert pair.select(keys).equals(alone.select(keys))
    for column in ("value", "low", "high"):
        np.testing.assert_allclose(pair[column], alone[column], atol=1e-6)
    # Within one model, Procrustes measures a pair once; between two, both orders have pairings of their own.
    drawn_once = (pl.col("method") != "procrustes") | (pl.col("layer_a") <= pl.col("layer_b"))
    np.testing.assert_allclose(pair.filter(drawn_once)["null"], alone.filter(drawn_once)["null"], atol=1e-6)


def test_depths_and_ties_may_differ(make: Maker, tokens: Tensor) -> None:
    model, other = make((0, 0, 2, 0)), make((0, 1, 1), ROTARY)
    frame = layer_similarity(model, tokens, METHODS, other=other)
    assert frame.height == len(METHODS) * 4 * 3
    cell = frame.filter(layer_a=3, layer_b=2)
    assert cell["owner_a"].unique().to_list() == [0]
    assert cell["owner_b"].unique().to_list() == [1]
    back = layer_similarity(other, tokens, ["cka", "procrustes", "weights"], other=model)
    for method in ("cka", "procrustes", "weights"):
        there = frame.filter(method=method).sort("layer_b", "layer_a")["value"]
        np.testing.assert_allclose(there, back.filter(method=method).sort("layer_a", "layer_b")["value"], atol=1e-9)


def test_function_gives_the_other_model_the_input_of_layer_a(make: Maker, tokens: Tensor) -> None:
    model, other = make((0, 1, 2, 3)), make((0, 1, 2), ROTARY)
    found = layer_similarity(model, tokens, ["function", "updates"], other=other)
    with undisturbed(model), undisturbed(other), torch.no_grad():
        seen, there = passages(model, tokens), passages(other, tokens)
        x = seen[3].before
        update = other.stack.layers[1](x, *other.block_arguments(tokens.shape[1])) - x
    cell = {row["method"]: row["value"] for row in found.filter(layer_a=3, layer_b=1).iter_rows(named=True)}
    assert cell["function"] == pytest.approx(cosine_similarity(seen[3].update, update, dim=-1).mean().item(), abs=1e-6)
    expected = cosine_similarity(seen[3].update, there[1].update, dim=-1).mean().item()
    assert cell["updates"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("method", [method for method in METHODS if method not in REPRESENTATIONS])
def test_unequal_widths_are_refused_where_it_matters(make: Maker, tokens: Tensor, method: str) -> None:
    wide = make((0, 1), ModelConfig(layers=2, width=32, heads=2, context=16))
    with pytest.raises(AnalysisError, match=f"equal width for {method}, but got 16 and 32"):
        layer_similarity(make(), tokens, [method], other=wide)
    assert layer_similarity(make(), tokens, REPRESENTATIONS, other=wide).height == 3 * 4 * 2


def test_unequal_weights_of_equal_width_are_refused(make: Maker, tokens: Tensor) -> None:
    thick = make((0, 1), ModelConfig(layers=2, width=16, heads=2, context=16, mlp_ratio=2))
    with pytest.raises(AnalysisError, match="same parameters"):
        layer_similarity(make(), tokens, ["weights"], other=thick)
    layer_similarity(make(), tokens, ["updates", "function"], other=thick)


def test_a_smaller_vocabulary_or_context_of_the_other_is_refused(make: Maker, tokens: Tensor) -> None:
    with pytest.raises(AnalysisError, match="from 0 to 9"):
        layer_similarity(make(), tokens, other=GPT(ModelConfig(layers=2, width=16, heads=2, context=16), 10, seed=0))
    with pytest.raises(AnalysisError, match="4 to 8 tokens"):
        layer_similarity(make(), tokens, other=make((0, 1), ModelConfig(layers=2, width=16, heads=2, context=8)))


def test_fresh_is_the_value_on_the_fresh_model(make: Maker, tokens: Tensor) -> None:
    model = make((0, 0, 2, 0))
    fresh = freshly_initialised(model, seed=3)
    assert fresh.stack.ties == TieMap.independent(4)
    frame = layer_similarity(model, tokens, METHODS, fresh=fresh)
    there = layer_similarity(fresh, tokens, METHODS)
    np.testing.assert_allclose(frame["fresh"], there["value"], atol=1e-7)
    alone = layer_similarity(model, tokens, METHODS)
    assert frame.drop("fresh").equals(alone.drop("fresh"))
    # The residual stream carries the embedding along: untrained layers are alike by CKA, and unlike in what they do.
    off = frame.filter(pl.col("layer_a") != pl.col("layer_b"))
    assert off.filter(method="cka")["fresh"].min() > 0.9
    assert off.filter(method="function")["fresh"].abs().max() < 0.5


def test_fresh_for_two_models(make: Maker, tokens: Tensor) -> None:
    model, other = make((0, 0, 2, 0)), make((0, 1, 1), ROTARY)
    pair = freshly_initialised(model), freshly_initialised(other, seed=1)
    frame = layer_similarity(model, tokens, ["cka"], other=other, fresh=pair)
    expected = layer_similarity(pair[0], tokens, ["cka"], other=pair[1])
    np.testing.assert_allclose(frame["fresh"], expected["value"], atol=1e-7)
    with pytest.raises(AnalysisError, match="of 4 and 3 layers, but got 4 and 4"):
        layer_similarity(model, tokens, ["cka"], other=other, fresh=pair[0])
    with pytest.raises(AnalysisError, match="of 4 layers, but got 3"):
        layer_similarity(model, tokens, ["cka"], fresh=pair[1])
    with pytest.raises(AnalysisError, match="Linear"):
        freshly_initialised(nn.Linear(2, 2))


def test_both_models_are_left_as_they_were_and_progress_goes_on(make: Maker, tokens: Tensor) -> None:
    model, other = make().train(), make((0, 1, 2, 3)).train()
    ticks: list[float] = []
    fresh = freshly_initialised(model)
    layer_similarity(model, tokens, METHODS, other=other, fresh=fresh, batch_size=3, tick=ticks.append)
    assert ticks == sorted(ticks)
    assert ticks[-1] == pytest.approx(1.0)
    assert model.training
    assert other.training
    assert not any(layer._forward_hooks for each in (model, other, fresh) for layer in each.stack.layers)
