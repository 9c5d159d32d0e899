from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from layertie_lab.analysis.capture import passages
from layertie_lab.analysis.similarity.layer_similarity import SCHEMA, layer_similarity
from layertie_lab.analysis.similarity.registry import SIMILARITIES, usual_similarities
from layertie_lab.analysis.similarity.weights import weight_similarity
from layertie_lab.core.config import ModelConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.models.gpt import GPT
from layertie_lab.models.undisturbed import undisturbed

METHODS = SIMILARITIES.names

Maker = Callable[..., GPT]


def matrix(frame: pl.DataFrame, method: str, column: str = "value") -> NDArray[np.float64]:
    rows = frame.filter(pl.col("method") == method).sort("layer_a", "layer_b")
    layers = rows["layer_a"].max() + 1
    return rows[column].to_numpy().reshape(layers, layers)


@pytest.fixture
def tokens(probe: Tensor) -> Tensor:
    return probe[:, :-1]


def test_the_frame(make: Maker, tokens: Tensor) -> None:
    frame = layer_similarity(make((0, 0, 2, 1)), tokens, METHODS)
    assert dict(frame.schema) == SCHEMA
    assert frame.height == len(METHODS) * 16
    assert frame.drop("fresh", "chance").null_count().sum_horizontal().item() == 0
    assert frame["fresh"].null_count() == frame.height
    assert frame["models"].unique().to_list() == [1]
    assert frame["value"].is_between(-1, 1).all()
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    assert frame.filter(layer_a=3, layer_b=2)["owner_a"].unique().to_list() == [0]
    assert frame.filter(layer_a=3, layer_b=2)["owner_b"].unique().to_list() == [2]
    counts = dict(frame.group_by("method").agg(pl.col("sequences").first()).iter_rows())
    assert counts == dict.fromkeys(METHODS, 6) | {"weights": 0}
    chance = dict(frame.group_by("method").agg(pl.col("chance").first()).iter_rows())
    assert chance == dict.fromkeys(METHODS) | {"cka": 0.0, "neighbours": 5 / 15}
    assert layer_similarity(make(), tokens)["method"].unique(maintain_order=True).to_list() == list(
        usual_similarities()
    )


def test_the_diagonal_is_one_and_what_is_symmetric_is(make: Maker, tokens: Tensor) -> None:
    frame = layer_similarity(make((0, 1, 2, 3)), tokens, METHODS)
    for method in METHODS:
        np.testing.assert_allclose(np.diag(matrix(frame, method)), 1.0, atol=1e-5)
    for method in ("cka", "updates", "weights", "neighbours", "procrustes"):
        np.testing.assert_allclose(matrix(frame, method), matrix(frame, method).T, atol=1e-5)


def test_tied_layers_are_equal_in_weights_and_function_and_told_apart_by_what_they_do(
    make: Maker, tokens: Tensor
) -> None:
    frame = layer_similarity(make((0, 0, 2, 0)), tokens, METHODS)
    for method in ("weights", "function"):
        values = matrix(frame, method)
        np.testing.assert_allclose(values[np.ix_([0, 1, 3], [0, 1, 3])], 1.0, atol=1e-5)
        assert values[2, 0] < 0.9
    for method in ("cka", "updates", "neighbours", "procrustes"):
        assert matrix(frame, method)[0, 1] < 0.99


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_ties_change_no_value(make: Maker, untie: Callable[[GPT], GPT], tokens: Tensor, gradient: str) -> None:
    model = make((0, 0, 2, 0), gradient=gradient)
    tied, free = (layer_similarity(each, tokens, METHODS) for each in (model, untie(model)))
    for column in ("value", "low", "high", "null"):
        np.testing.assert_allclose(tied[column], free[column], atol=1e-5)
    assert tied["owner_a"].to_list() != free["owner_a"].to_list()


def test_updates_and_function_equal_brute_force(make: Maker, tokens: Tensor) -> None:
    model = make((0, 1, 2, 3)).eval()
    frame = layer_similarity(model, tokens)
    with torch.no_grad():
        x = model.embed(tokens)
        before, updates = [], []
        for layer in model.stack.layers:
            before.append(x)
            updates.append(layer(x) - x)
            x = layer(x)
        function = model.stack.layers[3](before[1]) - before[1]
    per_sequence = cosine_similarity(updates[1], updates[3], dim=-1).mean(1)
    row = frame.row(
        by_predicate=(pl.col("method") == "updates") & (pl.col("layer_a") == 1) & (pl.col("layer_b") == 3), named=True
    )
    assert row["value"] == pytest.approx(per_sequence.mean().item(), abs=1e-5)
    half = 2.5706 * per_sequence.std().item() / 6**0.5
    assert row["high"] - row["value"] == pytest.approx(half, rel=1e-3)
    expected = cosine_similarity(updates[1], function, dim=-1).mean().item()
    assert matrix(frame, "function")[1, 3] == pytest.approx(expected, abs=1e-5)


def test_the_null_of_updates_shows_a_common_direction(make: Maker, tokens: Tensor) -> None:
    model = make((0, 1, 2, 3))
    with torch.no_grad():
        for layer in model.stack.layers:
            layer.mlp.down.bias.add_(10.0)
    frame = layer_similarity(model, tokens, ["updates"])
    assert matrix(frame, "updates").min() > 0.5
    np.testing.assert_allclose(matrix(frame, "updates", "null"), matrix(frame, "updates"), atol=0.15)


def test_weights_are_compared_over_all_tensors(make: Maker) -> None:
    model = make((0, 1, 2, 2))
    layers = list(model.stack.layers)
    found, null = weight_similarity(layers)
    flat = [torch.cat([p.flatten() for p in layer.parameters()]).double() for layer in layers]
    expected = [[cosine_similarity(a, b, dim=0).item() for b in flat] for a in flat]
    np.testing.assert_allclose(found.value, expected, atol=1e-9)
    np.testing.assert_array_equal(found.low, found.high)

    generator = torch.Generator().manual_seed(0)
    drawn = []
    for _ in range(400):
        shuffled = torch.cat(
            [p.flatten()[torch.randperm(p.numel(), generator=generator)] for p in layers[1].parameters()]
        )
        drawn.append(cosine_similarity(flat[0], shuffled.double(), dim=0).item())
    assert null[0, 1] == pytest.approx(np.quantile(drawn, 0.95), abs=2 * np.std(drawn) / 400**0.5 * 2)


def test_the_null_of_weights_shows_what_equal_initialisation_gives() -> None:
    """Fresh layers look alike because their norms start at 1; the null says so."""
    fresh = [GPT(ModelConfig(layers=3), 29, seed=seed).stack.layers[0] for seed in range(3)]
    found, null = weight_similarity(fresh)
    assert found.value[0, 1] > 0.7
    assert found.value[0, 1] < null[0, 1] + 0.02


def test_hooks_fire_in_compiled_blocks(make: Maker, tokens: Tensor) -> None:
    model = make((0, 0, 2, 0))
    expected = layer_similarity(model, tokens, ["cka"])
    for block in model.stack.layers:
        block.compile(backend="eager")
    with torch.no_grad():
        model(tokens)
    assert layer_similarity(model, tokens, ["cka"]).equals(expected)


def test_batches_make_no_difference_and_progress_is_told(make: Maker, tokens: Tensor) -> None:
    model = make()
    ticks: list[float] = []
    small = layer_similarity(model, tokens, METHODS, batch_size=2, tick=ticks.append)
    whole = layer_similarity(model, tokens, METHODS, batch_size=6)
    np.testing.assert_allclose(small["value"], whole["value"], atol=1e-6)
    assert ticks == pytest.approx([1 / 3, 2 / 3, 1])


def test_passages_are_what_went_in_and_out(make: Maker, tokens: Tensor) -> None:
    model = make(config=ModelConfig(layers=4, width=16, heads=2, context=16, positions="rotary"))
    with undisturbed(model):
        seen = passages(model, tokens)
    for one, following in itertools.pairwise(seen):
        assert torch.equal(one.output, following.before)
    assert not any(layer._forward_hooks for layer in model.stack.layers)
    layer_similarity(model, tokens, ["function"])


def test_one_module_at_two_positions_is_refused(make: Maker, tokens: Tensor) -> None:
    model = make()
    model.stack.layers = nn.ModuleList([model.stack.layers[0]] * 4)
    with pytest.raises(AnalysisError, match="module of its own"):
        layer_similarity(model, tokens)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t[:3], "at least 4 sequences"),
        (lambda t: t[:4, :8], "stable CKA"),
        (lambda t: t[:0], "empty"),
        (lambda t: t[0], "whole numbers"),
        (lambda t: t.float(), "whole numbers"),
        (lambda t: t[:, :2], "4 to 16 tokens"),
        (lambda t: t.repeat(1, 2), "4 to 16 tokens, but got 32"),
        (lambda t: t + 20, "0 to 28"),
        (lambda t: t - 20, "tokenizer"),
    ],
)
def test_bad_probe_text_is_refused(
    make: Maker, tokens: Tensor, change: Callable[[Tensor], Tensor], sentence: str
) -> None:
    with pytest.raises(AnalysisError, match=sentence):
        layer_similarity(make(), change(tokens))


def test_other_bad_input_is_refused(make: Maker, tokens: Tensor) -> None:
    with pytest.raises(AnalysisError, match="cosine"):
        layer_similarity(make(), tokens, ["cosine"])
    with pytest.raises(AnalysisError, match="none"):
        layer_similarity(make(), tokens, [])
    model = make()
    with torch.no_grad():
        model.stack.layers[2].mlp.up.weight.fill_(torch.nan)
    for method in METHODS:
        with pytest.raises(AnalysisError, match="diverged"):
            layer_similarity(model, tokens, [method])
    with pytest.raises(AnalysisError, match="layer 1 differs"):
        weight_similarity([nn.Linear(2, 3), nn.Linear(3, 2)])
