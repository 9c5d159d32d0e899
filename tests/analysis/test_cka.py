from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from layertie_lab.analysis.similarity.cka import LinearCKA, noise
from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AnalysisError

DEFAULT = RunConfig.preset("laptop")
SIZE = (DEFAULT.records.probe_sequences, DEFAULT.model.context, DEFAULT.model.width)
"""(sequences, tokens, features) of the probe set used by default."""


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def accumulated(first: Tensor, second: Tensor, **options: int) -> LinearCKA:
    """CKA between two representations [sequences, tokens, features], a minibatch per sequence."""
    cka = LinearCKA(**options)
    for a, b in zip(first, second, strict=True):
        cka.update(a[None], b[None])
    return cka


def value(first: Tensor, second: Tensor) -> float:
    return float(accumulated(first, second).estimate().value[0, 0])


def reference_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. (2012), equation 5, term by term."""
    n = len(x)
    k, l = x @ x.T, y @ y.T  # noqa: E741 (the paper's letters)
    np.fill_diagonal(k, 0.0)
    np.fill_diagonal(l, 0.0)
    one = np.ones(n)
    return (
        np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ l @ one)
    ) / (n * (n - 3))


def biased_minibatch_cka(first: Tensor, second: Tensor) -> float:
    """The same sums over minibatches with the biased HSIC (centred kernels, diagonal kept)."""

    def hsic(a: Tensor, b: Tensor) -> float:
        a, b = a - a.mean(0), b - b.mean(0)
        return float(((a @ a.T) * (b @ b.T)).sum())

    cross = sum(hsic(a, b) for a, b in zip(first, second, strict=True))
    own = sum(hsic(a, a) for a in first) * sum(hsic(b, b) for b in second)
    return cross / own**0.5


def test_with_itself_and_rotated_it_is_one() -> None:
    x = gaussian(*SIZE)
    rotation = torch.linalg.qr(gaussian(SIZE[2], SIZE[2], seed=1)).Q
    assert value(x, x) == pytest.approx(1.0, abs=1e-9)
    assert value(x, 3.0 * x @ rotation + 100.0) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_independent_noise_is_zero_and_the_biased_estimator_fails_this(seed: int) -> None:
    x, y = gaussian(*SIZE, seed=2 * seed), gaussian(*SIZE, seed=2 * seed + 1)
    found = accumulated(x, y).estimate()
    assert abs(float(found.value[0, 0])) < 0.05
    assert found.low[0, 0] < 0.05
    assert biased_minibatch_cka(x, y) > 0.3
    assert biased_minibatch_cka(x, x) == pytest.approx(1.0)


@pytest.mark.parametrize(("examples", "features"), [(20, 3), (64, 64), (40, 200)])
def test_agrees_with_the_formula_on_a_full_batch_and_accumulated(examples: int, features: int) -> None:
    x = gaussian(4, examples, features).double() + 5.0
    y = (x[..., : features // 2 + 1] + gaussian(4, examples, features // 2 + 1, seed=1)).double()
    pairs = [(a.numpy(), b.numpy()) for a, b in zip(x, y, strict=True)]
    cross = np.mean([reference_hsic(a, b) for a, b in pairs])
    own = [np.mean([reference_hsic(a, a) for a, _ in pairs]), np.mean([reference_hsic(b, b) for _, b in pairs])]
    assert value(x, y) == pytest.approx(cross / np.sqrt(own[0] * own[1]), abs=1e-5)
    repeated = x[:1].expand(4, -1, -1), y[:1].expand(4, -1, -1)
    a, b = pairs[0]
    full = reference_hsic(a, b) / np.sqrt(reference_hsic(a, a) * reference_hsic(b, b))
    assert value(*repeated) == pytest.approx(full, abs=1e-5)


def test_the_value_does_not_depend_on_the_size_of_minibatches() -> None:
    x = gaussian(1, 512, 16)
    y = x + 2.0 * gaussian(1, 512, 16, seed=1)
    small = [value(*(side.reshape(512 // n, n, 16) for side in (x, y))) for n in (16, 32, 64, 128)]
    assert np.ptp(small) < 0.05
    biased = [biased_minibatch_cka(*(side.reshape(512 // n, n, 16) for side in (x, y))) for n in (16, 128)]
    assert biased[0] - biased[1] > 0.1


def test_the_interval_is_the_jackknife_over_minibatches_and_narrows() -> None:
    x = gaussian(32, 32, 8)
    y = x + gaussian(32, 32, 8, seed=1)
    few, many = accumulated(x[:8], y[:8]).estimate(), accumulated(x, y).estimate()
    left_out = [value(*(torch.cat([side[:unit], side[unit + 1 : 8]]) for side in (x, y))) for unit in range(8)]
    error = np.sqrt(7 / 8 * np.square(left_out - np.mean(left_out)).sum())
    assert few.high[0, 0] - few.value[0, 0] == pytest.approx(2.3646 * error, rel=1e-4)
    assert few.low <= few.value <= few.high
    assert (many.high - many.low) < (few.high - few.low)
    assert (few.count, many.count) == (8, 32)


def test_the_null_is_what_unrelated_representations_reach() -> None:
    x = gaussian(*SIZE)
    y = x + gaussian(*SIZE, seed=1)
    null = float(accumulated(x, y).null()[0, 0])
    assert 0.0 < null < 3 * noise(SIZE[1], SIZE[0])
    exceeded = []
    for seed in range(60):
        a, b = gaussian(4, 24, 4, seed=100 + seed), gaussian(4, 24, 4, seed=300 + seed)
        cka = accumulated(a, b, seed=seed)
        exceeded.append(float(cka.estimate().value[0, 0]) > float(cka.null()[0, 0]))
    assert sum(exceeded) <= 9  # 3 expected, 5 % each


def test_the_null_is_drawn_from_its_own_seed() -> None:
    x, y = gaussian(*SIZE), gaussian(*SIZE, seed=1)
    state = torch.get_rng_state()
    first, again, other = (accumulated(x, y, seed=seed).null() for seed in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(first, again)
    assert first != other


@pytest.mark.parametrize(("batches", "examples"), [(4, 20), (12, 12), (8, 64)])
def test_the_noise_is_what_it_says(batches: int, examples: int) -> None:
    found = []
    for seed in range(40):
        cka = LinearCKA(permutations=1)
        for x in gaussian(batches, 4, examples, 12, seed=seed):
            cka.update(x)
        found += list(cka.estimate().value[np.triu_indices(4, 1)])
    assert np.std(found) == pytest.approx(noise(examples, batches), rel=0.2)


@pytest.mark.parametrize(("batches", "examples", "need"), [(3, 64, 4), (8, 8, 20), (1, 200, 4)])
def test_too_little_text_is_refused_with_what_it_takes(batches: int, examples: int, need: int) -> None:
    x = gaussian(batches, examples, 4)
    with pytest.raises(AnalysisError, match=f"at least {need} sequences") as refusal:
        accumulated(x, x).estimate()
    assert f"{batches} sequences of {examples} tokens" in str(refusal.value)
    enough = gaussian(need, examples, 4)
    assert value(enough, enough) == pytest.approx(1.0)


def test_what_has_no_cka_is_refused() -> None:
    x = gaussian(4, 64, 4)
    with pytest.raises(AnalysisError, match="varies"):
        accumulated(x, torch.full_like(x, 1e3) * torch.rand(4, generator=torch.Generator().manual_seed(0))).estimate()
    with pytest.raises(AnalysisError, match="finite"):
        accumulated(x, x / 0.0)
    with pytest.raises(AnalysisError, match="4 examples"):
        accumulated(x[:, :3], x[:, :3])
    with pytest.raises(AnalysisError, match="64 and 60"):
        accumulated(x, x[:, :60])
    with pytest.raises(AnalysisError, match="none"):
        LinearCKA().estimate()
