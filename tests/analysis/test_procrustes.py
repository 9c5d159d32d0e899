"""Orthogonal Procrustes against scipy, its bias at few examples, and the interval."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
import torch
from torch import Tensor

from layertie_lab.analysis.similarity.procrustes import Procrustes
from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AnalysisError

DEFAULT = RunConfig.preset("laptop")
SIZE = (8, DEFAULT.model.context, DEFAULT.model.width)


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def accumulated(first: Tensor, second: Tensor, **options: int) -> Procrustes:
    found = Procrustes(**options)
    for a, b in zip(first, second, strict=True):
        found.update(a[None], b[None])
    return found


def value(first: Tensor, second: Tensor) -> float:
    return float(accumulated(first, second).estimate().value[0, 0])


def scipys(first: Tensor, second: Tensor) -> float:
    """1 - d^2 / 2 by the rotation that scipy finds, over all tokens."""
    a, b = (side.flatten(0, 1).double().numpy() for side in (first, second))
    a, b = (side - side.mean(0) for side in (a, b))
    a, b = (side / np.linalg.norm(side) for side in (a, b))
    width = max(a.shape[1], b.shape[1])
    a, b = (np.pad(side, ((0, 0), (0, width - side.shape[1]))) for side in (a, b))
    rotation, _ = scipy.linalg.orthogonal_procrustes(a, b)
    return 1 - np.linalg.norm(a @ rotation - b) ** 2 / 2


@pytest.mark.parametrize(("tokens", "features", "others"), [(20, 3, 3), (16, 24, 24), (40, 12, 5)])
def test_it_is_what_scipys_rotation_reaches(tokens: int, features: int, others: int) -> None:
    x = gaussian(4, tokens, features) + 5.0
    y = x[..., :others] + 0.7 * gaussian(4, tokens, others, seed=1)
    assert value(x, y) == pytest.approx(scipys(x, y), abs=1e-5)


def test_scipys_disparity_is_what_is_left() -> None:
    """`scipy.spatial.procrustes` may scale too: its disparity is 1 - similarity^2."""
    x = gaussian(4, 20, 5)
    y = x + gaussian(4, 20, 5, seed=1)
    _, _, disparity = scipy.spatial.procrustes(x.flatten(0, 1).numpy(), y.flatten(0, 1).numpy())
    assert value(x, y) ** 2 == pytest.approx(1 - disparity, abs=1e-5)


def test_with_itself_and_rotated_shifted_and_scaled_it_is_one() -> None:
    x = gaussian(*SIZE)
    rotation = torch.linalg.qr(gaussian(SIZE[2], SIZE[2], seed=1)).Q
    assert value(x, x) == pytest.approx(1.0, abs=1e-9)
    assert value(x, 3.0 * x @ rotation + 10.0) == pytest.approx(1.0, abs=1e-5)


def test_unrelated_noise_is_far_above_zero_and_its_null_says_so() -> None:
    for sequences, expected in ((1, 0.75), (8, 0.30)):
        x, y = gaussian(2 * sequences, 32, 64), gaussian(2 * sequences, 32, 64, seed=1)
        found = accumulated(x, y)
        assert float(found.estimate().value[0, 0]) == pytest.approx(expected, abs=0.03)
        assert float(found.null()[0, 0]) == pytest.approx(expected, abs=0.04)


def test_the_interval_is_the_jackknife_over_sequences() -> None:
    x = gaussian(6, 24, 4) + torch.arange(6.0)[:, None, None]
    y = x + gaussian(6, 24, 4, seed=1)
    found = accumulated(x, y).estimate()
    left_out = [scipys(*(torch.cat([side[:unit], side[unit + 1 :]]) for side in (x, y))) for unit in range(6)]
    error = np.sqrt(5 / 6 * np.square(left_out - np.mean(left_out)).sum())
    assert float(found.value[0, 0] - found.low[0, 0]) == pytest.approx(2.5706 * error, rel=1e-3)
    assert found.count == 6


def test_the_null_is_exceeded_once_in_twenty_times() -> None:
    exceeded = 0
    for seed in range(60):
        found = accumulated(gaussian(4, 24, 4, seed=100 + seed), gaussian(4, 24, 4, seed=300 + seed), seed=seed)
        exceeded += float(found.estimate().value[0, 0]) > float(found.null()[0, 0])
    assert exceeded <= 9  # 3 expected


def test_one_side_twice_is_the_same_as_both_sides() -> None:
    x = gaussian(4, 3, 20, 5)
    once, twice = Procrustes(), Procrustes()
    for sequence in x:
        once.update(sequence)
        twice.update(sequence, sequence.clone())
    np.testing.assert_allclose(once.estimate().value, twice.estimate().value, atol=1e-12)
    np.testing.assert_allclose(once.estimate().value, once.estimate().value.T)


def test_refusals() -> None:
    x = gaussian(4, 24, 4)
    with pytest.raises(AnalysisError, match="24 and 20"):
        accumulated(x, x[:, :20])
    with pytest.raises(AnalysisError, match="varies"):
        accumulated(x, torch.ones_like(x))
    with pytest.raises(AnalysisError, match="diverged"):
        accumulated(x, x / 0.0)
    with pytest.raises(AnalysisError, match="at least 2"):
        accumulated(x[:1], x[:1]).estimate()
