"""Batches: pure in the step, every window once per epoch, nothing outside the tokens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layertie_lab.core.errors import CorpusError
from layertie_lab.core.keys import RunKey
from layertie_lab.text.batches import Batches, random_batch, windows

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 200), st.integers(0, 2**40))


def made(sizes: tuple[int, int, int, int]) -> tuple[Batches, np.ndarray]:
    context, batch_size, extra, seed = sizes
    tokens = np.arange(context + extra, dtype=np.uint16)
    return Batches(tokens, context, batch_size, RunKey(seed)), tokens


@given(SIZES)
def test_every_epoch_visits_each_window_exactly_once(sizes: tuple[int, int, int, int]) -> None:
    batches, tokens = made(sizes)
    context, batch_size, *_ = sizes
    steps = -(-3 * batches.windows // batch_size)
    starts = np.concatenate([batches.starts(step) for step in range(steps)])[: 3 * batches.windows]
    for epoch in starts.reshape(3, batches.windows):
        phase = epoch.min()
        assert 0 <= phase < context
        assert sorted(epoch) == [phase + w * context for w in range(batches.windows)]
        assert epoch.max() + context < len(tokens)
    # No more than one window's worth of tokens is left out.
    assert batches.windows * context + 2 * context > len(tokens) - 1


@given(SIZES, st.lists(st.integers(0, 10_000), min_size=1, max_size=5))
def test_a_batch_depends_on_its_step_alone(sizes: tuple[int, int, int, int], steps: list[int]) -> None:
    batches, tokens = made(sizes)
    context, batch_size, *_ = sizes
    there = [batches.batch(step) for step in steps]
    for step, batch in reversed(list(zip(steps, there, strict=True))):
        fresh, _ = made(sizes)
        assert batch.dtype == torch.int64
        assert batch.shape == (batch_size, context + 1)
        assert torch.equal(fresh.batch(step), batch)
        assert torch.equal(batches.batch(step), batch)
        assert torch.equal(batch[:, 1:], batch[:, :-1] + 1)  # the tokens count upwards
        assert batch.min() >= 0
        assert batch.max() < len(tokens)


def test_epochs_replicates_and_seeds_differ() -> None:
    tokens = np.arange(10_000, dtype=np.uint16)
    key = RunKey(3)
    batches = Batches(tokens, 16, 8, key)
    per_epoch = batches.windows // 8
    draws = [batches.starts(0), batches.starts(per_epoch + 1)]
    draws += [Batches(tokens, 16, 8, other).starts(0) for other in (RunKey(4), RunKey(3, replicate=1))]
    assert len({tuple(draw) for draw in draws}) == 4
    phases = {int(batches._order(epoch)[0] % 16) for epoch in range(60)}
    assert len(phases) > 10


def test_batches_are_the_same_on_every_machine() -> None:
    batches = Batches(np.arange(1000, dtype=np.uint16), 8, 4, RunKey(0))
    assert batches.starts(0).tolist() == [638, 182, 950, 430]
    assert batches.starts(100).tolist() == [767, 943, 951, 39]
    assert random_batch(np.arange(1000, dtype=np.uint16), 8, 4, 5)[:, 0].tolist() == [72, 213, 736, 694]


@given(st.integers(1, 9), st.integers(1, 300), st.integers(1, 60))
def test_evaluation_windows_are_spread_and_share_no_target(context: int, extra: int, count: int) -> None:
    tokens = np.arange(context + extra, dtype=np.uint16)
    found = windows(tokens, context, count)
    starts = found[:, 0].tolist()
    assert found.dtype == torch.int64
    assert len(starts) == min(count, (len(tokens) - 1) // context)
    assert starts[0] == 0
    assert starts[-1] + context < len(tokens)
    assert all(b - a >= context for a, b in pairwise(starts))
    if len(starts) > 1:
        assert found[-1, -1] == len(tokens) - 1
    assert torch.equal(found, windows(tokens, context, count))


@given(st.integers(1, 9), st.integers(1, 300), st.integers(0, 2**63 - 1))
def test_random_batches_are_functions_of_the_seed(context: int, extra: int, seed: int) -> None:
    tokens = np.arange(context + extra, dtype=np.uint16)
    batch = random_batch(tokens, context, 6, seed)
    assert batch.shape == (6, context + 1)
    assert torch.equal(batch, random_batch(tokens, context, 6, seed))
    assert torch.equal(batch[:, 1:], batch[:, :-1] + 1)


def test_too_few_tokens_are_refused_with_numbers() -> None:
    tokens = np.zeros(8, dtype=np.uint16)
    for make in (
        lambda: Batches(tokens, 8, 2, RunKey(0)),
        lambda: windows(tokens, 8, 2),
        lambda: random_batch(tokens, 8, 2, 0),
    ):
        with pytest.raises(CorpusError, match=r"at least 9 tokens .* got 8"):
            make()
    assert Batches(tokens, 7, 2, RunKey(0)).batch(5).shape == (2, 8)
