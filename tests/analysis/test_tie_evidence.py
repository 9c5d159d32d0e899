"""Similarity against the cost of tying: the pairs, the rank correlations, their interval and permutation test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn.functional import cross_entropy

from layertie_lab.analysis.attribution.tie_costs import tie_costs
from layertie_lab.analysis.attribution.tie_evidence import NEARNESS, rank_correlations, similarity_and_cost
from layertie_lab.analysis.similarity.layer_similarity import layer_similarity
from layertie_lab.analysis.similarity.registry import SIMILARITIES
from layertie_lab.core.config import ModelConfig, RunConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT
from layertie_lab.records.io.store import Store
from layertie_lab.text.batches import windows
from layertie_lab.text.dataset import prepare

METHODS = SIMILARITIES.names

DEEP = ModelConfig(layers=6, width=16, heads=2, context=16)


def made(layers: int, noise: float, seed: int = 0) -> pl.DataFrame:
    """Pairs whose cost falls with their similarity, with noise."""
    draw = np.random.default_rng(seed)
    rows = []
    for layer in range(1, layers):
        for answer in range(layer):
            similarity = draw.normal()
            rows.append(("cka", layer, answer, similarity, -similarity + noise * draw.normal(), True))
    schema = ["method", "layer", "answer", "similarity", "change", "counts"]
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.fixture
def joined(make: Callable[..., GPT], probe: Tensor) -> pl.DataFrame:
    model = make((0, 1, 2, 1, 4, 5), DEEP)
    return similarity_and_cost(layer_similarity(model, probe[:, :-1], ["cka", "function"]), tie_costs(model, probe))


def test_every_pair_stands_with_its_cost(make: Callable[..., GPT], probe: Tensor, joined: pl.DataFrame) -> None:
    model = make((0, 1, 2, 1, 4, 5), DEEP)
    similarity, costs = layer_similarity(model, probe[:, :-1], ["cka", "function"]), tie_costs(model, probe)
    assert joined.height == 2 * 15
    for row in joined.iter_rows(named=True):
        pair = similarity.filter(method=row["method"], layer_a=row["layer"], layer_b=row["answer"]).row(0, named=True)
        cost = costs.filter(layer=row["layer"], answer=row["answer"]).row(0, named=True)
        assert row["similarity"] == pair["value"]
        assert row["null"] == pair["null"]
        assert [row[name] for name in ("change", "low", "high", "owner")] == [
            cost[name] for name in ("change", "low", "high", "owner")
        ]
        assert row["counts"] == ((row["layer"], row["answer"]) != (3, 1))
    # What 5 would use if it copied 3 are 1's weights.
    assert joined.filter(layer=5, answer=3)["owner"].unique().to_list() == [1]


def test_an_answer_that_leaves_the_weights_as_they_are_does_not_count(make: Callable[..., GPT], probe: Tensor) -> None:
    model = make((0, 0, 1, 3, 4, 5), DEEP)  # 2 copies 1, which copies 0: copying 0 is nothing new
    found = similarity_and_cost(layer_similarity(model, probe[:, :-1], ["cka"]), tie_costs(model, probe))
    uncounted = found.filter(~pl.col("counts"))
    assert set(uncounted.select("layer", "answer").rows()) == {(1, 0), (2, 0), (2, 1)}
    assert uncounted["change"].to_list() == [0.0] * 3


def test_rho_and_tau_are_scipys(joined: pl.DataFrame) -> None:
    found = rank_correlations(joined, permutations=19)
    assert found["method"].to_list() == ["cka"] * 2 + ["function"] * 2 + [NEARNESS] * 2
    for method in ("cka", "function"):
        pairs = joined.filter("counts", method=method)
        x, y = pairs["similarity"], pairs["change"]
        values = dict(found.filter(method=method).select("measure", "value").rows())
        assert values["spearman"] == pytest.approx(stats.spearmanr(x, y)[0])
        assert values["kendall"] == pytest.approx(stats.kendalltau(x, y)[0])
    pairs = joined.filter("counts", method="cka")
    near = found.filter(method=NEARNESS, measure="spearman")["value"].item()
    assert near == pytest.approx(stats.spearmanr(pairs["answer"] - pairs["layer"], pairs["change"])[0])
    assert found["pairs"].unique().to_list() == [14]
    assert found["layers"].unique().to_list() == [6]


def test_the_interval_leaves_out_a_layer_with_all_its_pairs() -> None:
    frame = made(7, noise=0.7)
    found = rank_correlations(frame, permutations=9).filter(method="cka", measure="spearman").row(0, named=True)
    left_out = []
    for layer in range(7):
        rest = frame.filter((pl.col("layer") != layer) & (pl.col("answer") != layer))
        assert rest.height == 15
        left_out.append(stats.spearmanr(rest["similarity"], rest["change"])[0])
    error = np.sqrt(6 / 7 * np.square(left_out - np.mean(left_out)).sum())
    assert found["high"] - found["value"] == pytest.approx(stats.t.ppf(0.975, 6) * error)


def test_mantel_finds_what_is_there_and_little_where_there_is_nothing() -> None:
    found = rank_correlations(made(8, noise=0.3)).filter(method="cka")
    assert found["mantel_p"].to_list() == [0.001] * 2
    assert (found["high"] < 0).all()
    below = [
        rank_correlations(made(6, noise=1e6, seed=seed), permutations=99).filter(method="cka")["mantel_p"][0] <= 0.05
        for seed in range(60)
    ]
    assert sum(below) <= 9  # 3 expected


def test_mantel_is_what_relabeling_every_pair_gives() -> None:
    frame = made(5, noise=1.0)
    lookup = {frozenset((row[1], row[2])): row[3] for row in frame.iter_rows()}
    generator, rhos = np.random.default_rng(4), []
    orders = [np.arange(5)] + [generator.permutation(5) for _ in range(50)]
    for order in orders:
        x = [lookup[frozenset((int(order[row[1]]), int(order[row[2]])))] for row in frame.iter_rows()]
        rhos.append(abs(stats.spearmanr(x, frame["change"])[0]))
    expected = np.mean(np.array(rhos) >= rhos[0] - 1e-12)
    assert rank_correlations(frame, permutations=50, seed=4)["mantel_p"][0] == pytest.approx(expected)


def test_where_nothing_varies_there_is_no_correlation() -> None:
    frame = made(6, noise=0.0).with_columns(similarity=pl.lit(1.0))
    found = rank_correlations(frame, permutations=9).filter(method="cka")
    assert found.select("value", "low", "high", "mantel_p").null_count().row(0) == (2, 2, 2, 2)


@pytest.mark.slow
def test_on_a_trained_model_of_twelve_layers(capsys: pytest.CaptureFixture[str]) -> None:
    """Would the similarity have told what to tie? Printed, whatever it is."""
    config = RunConfig.preset("laptop")
    text = prepare(config.text, config.model.context, Store())
    model = GPT(config.model, text.vocabulary_size, tie_map=TieMap.independent(12), seed=0)
    train, generator = torch.from_numpy(text.splits["train"].astype(np.int64)), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    length = config.model.context + 1
    for _ in range(200):
        starts = torch.randint(len(train) - length, (16,), generator=generator)
        batch = torch.stack([train[start : start + length] for start in starts])
        loss = cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    probe = windows(text.splits["validation"], config.model.context, 16)
    evidence = similarity_and_cost(layer_similarity(model, probe[:, :-1], METHODS), tie_costs(model, probe))
    found = rank_correlations(evidence)
    with capsys.disabled(), pl.Config(tbl_rows=-1, tbl_cols=-1, float_precision=2):
        print(f"\nloss {loss.item():.2f} after 200 steps\n{found}")
    assert found.height == 2 * (len(METHODS) + 1)
    assert found.null_count().sum_horizontal().item() == 0
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()
    assert found["pairs"].unique().to_list() == [66]


def test_refusals(make: Callable[..., GPT], probe: Tensor, joined: pl.DataFrame) -> None:
    model = make((0, 1, 2, 3))
    similarity, costs = layer_similarity(model, probe[:, :-1], ["cka"]), tie_costs(model, probe)
    with pytest.raises(AnalysisError, match="columns of tie_costs, but change are missing"):
        similarity_and_cost(similarity, costs.drop("change"))
    with pytest.raises(AnalysisError, match="those of two"):
        similarity_and_cost(layer_similarity(model, probe[:, :-1], ["cka"], other=model), costs)
    with pytest.raises(AnalysisError, match="share no pair"):
        similarity_and_cost(similarity, costs.filter(pl.col("layer") > 5))
    with pytest.raises(AnalysisError, match="at least 5 layers whose tie would change something, but got 4"):
        rank_correlations(similarity_and_cost(similarity, costs))
    with pytest.raises(AnalysisError, match="every pair of layers"):
        rank_correlations(joined.filter((pl.col("layer") != 5) | (pl.col("answer") != 4)))
