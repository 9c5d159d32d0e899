"""Mutual nearest neighbours against a search by brute force, and what unrelated representations share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from layertie_lab.analysis.similarity.neighbours import Metric, MutualNeighbours, nearest
from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AnalysisError

DEFAULT = RunConfig.preset("laptop")
SIZE = (8, DEFAULT.model.context, DEFAULT.model.width)


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def accumulated(first: Tensor, second: Tensor, **options) -> MutualNeighbours:
    found = MutualNeighbours(**options)
    for a, b in zip(first, second, strict=True):
        found.update(a[None], b[None])
    return found


def value(first: Tensor, second: Tensor, **options) -> float:
    return float(accumulated(first, second, **options).estimate().value[0, 0])


def brute_force(x: np.ndarray, y: np.ndarray, k: int, metric: Metric) -> float:
    def neighbours(rows: np.ndarray, own: int) -> set[int]:
        def distance(other: int) -> float:
            a, b = rows[own], rows[other]
            if metric == "euclidean":
                return float(np.sqrt(((a - b) ** 2).sum()))
            return 1 - float(a @ b / np.sqrt((a @ a) * (b @ b)))

        return set(sorted((other for other in range(len(rows)) if other != own), key=distance)[:k])

    return float(np.mean([len(neighbours(x, i) & neighbours(y, i)) / k for i in range(len(x))]))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4])
def test_it_is_the_share_in_common(k: int, metric: Metric) -> None:
    x = gaussian(4, 20, 6) + 1.0
    y = x[..., :4] + 0.5 * gaussian(4, 20, 4, seed=1)
    each = [brute_force(a.double().numpy(), b.double().numpy(), k, metric) for a, b in zip(x, y, strict=True)]
    found = accumulated(x, y, k=k, metric=metric).estimate()
    assert float(found.value[0, 0]) == pytest.approx(np.mean(each), abs=1e-12)
    assert float(found.high[0, 0] - found.value[0, 0]) == pytest.approx(3.1824 * np.std(each, ddof=1) / 2, rel=1e-4)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_with_itself_and_rotated_it_is_one(metric: Metric) -> None:
    x = gaussian(*SIZE)
    rotation = torch.linalg.qr(gaussian(SIZE[2], SIZE[2], seed=1).double()).Q
    assert value(x, x, metric=metric) == 1.0
    assert value(x, 3.0 * x.double() @ rotation, metric=metric) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_unrelated_representations_share_what_chance_gives(seed: int) -> None:
    found = accumulated(gaussian(*SIZE, seed=2 * seed), gaussian(*SIZE, seed=2 * seed + 1))
    assert found.chance == pytest.approx(5 / (SIZE[1] - 1))
    assert float(found.estimate().value[0, 0]) == pytest.approx(found.chance, abs=0.02)
    assert found.chance < float(found.null()[0, 0]) < found.chance + 0.03


def test_the_null_is_exceeded_once_in_twenty_times() -> None:
    exceeded = 0
    for seed in range(60):
        found = accumulated(gaussian(4, 24, 4, seed=100 + seed), gaussian(4, 24, 4, seed=300 + seed), seed=seed)
        exceeded += float(found.estimate().value[0, 0]) > float(found.null()[0, 0])
    assert exceeded <= 9  # 3 expected


def test_each_example_has_k_neighbours_and_is_not_its_own() -> None:
    found = nearest(gaussian(3, 12, 4), 5)
    assert (found.sum(-1) == 5).all()
    assert (found.diagonal(dim1=-2, dim2=-1) == 0).all()
    equal = nearest(torch.ones(6, 3), 2)  # equally near: the earlier
    assert equal[0].nonzero().flatten().tolist() == [1, 2]
    assert equal[5].nonzero().flatten().tolist() == [0, 1]


def test_refusals() -> None:
    x = gaussian(4, 24, 4)
    with pytest.raises(AnalysisError, match="at least 1 neighbour"):
        MutualNeighbours(k=0)
    with pytest.raises(AnalysisError, match="'manhattan'"):
        MutualNeighbours(metric="manhattan")
    with pytest.raises(AnalysisError, match="more than 6 tokens for 5"):
        accumulated(x[:, :6], x[:, :6])
    with pytest.raises(AnalysisError, match="24 and 20"):
        accumulated(x, x[:, :20])
    with pytest.raises(AnalysisError, match="varies"):
        accumulated(x, torch.ones_like(x))
    with pytest.raises(AnalysisError, match="diverged"):
        accumulated(x, x / 0.0)
    with pytest.raises(AnalysisError, match="at least 2"):
        accumulated(x[:1], x[:1]).estimate()
