from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from layertie_lab.analysis.attribution.replacement import REPLACED, loss_if_replaced, neighbours
from layertie_lab.analysis.attribution.targets import Target
from layertie_lab.analysis.statistics.intervals import mean_interval
from layertie_lab.core.errors import AnalysisError
from layertie_lab.models.gpt import GPT

Maker = Callable[..., GPT]


def token_losses(model: GPT, tokens: Tensor, blocks: list[int]) -> Tensor:
    """[sequences, time] losses of a stack of these blocks, in this order."""
    x = model.embed(tokens[:, :-1])
    for block in blocks:
        x = model.stack.layers[block](x)
    return cross_entropy(model.head(x).mT, tokens[:, 1:], reduction="none")


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ((0, 1, 2), [(None, 1), (0, 2), (1, None)]),
        ((0, 0, 2, 0), [(None, 2), (None, 2), (1, 3), (2, None)]),
        ((0, 0, 0), [(None, None)] * 3),
        ((0,), [(None, None)]),
    ],
)
def test_neighbours_are_the_nearest_with_other_weights(blocks: tuple[int, ...], expected: list) -> None:
    assert neighbours(blocks) == expected


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_it_equals_a_stack_with_the_other_block(make: Maker, probe: Tensor, gradient: str) -> None:
    model = make((0, 1, 1, 3), gradient=gradient).eval()
    frame = loss_if_replaced(model, probe, batch_size=4)
    assert frame["method"].to_list() == [method.name for method in REPLACED for _ in range(4)]
    assert frame["neighbour"].to_list() == [None, 0, 0, 2, 1, 3, 3, None]
    with torch.no_grad():
        whole = token_losses(model, probe, [0, 1, 2, 3]).mean(1)
        for row in frame.filter(frame["neighbour"].is_not_null()).iter_rows(named=True):
            blocks = [row["neighbour"] if layer == row["layer"] else layer for layer in range(4)]
            expected = mean_interval((token_losses(model, probe, blocks).mean(1) - whole).numpy())
            assert [row["value"], row["low"], row["high"]] == pytest.approx(
                [float(expected.value), float(expected.low), float(expected.high)], abs=1e-5
            )
    none = frame.filter(frame["neighbour"].is_null())
    assert none.select("value", "low", "high").null_count().row(0) == (2, 2, 2)
    assert not any(layer._forward_hooks for layer in model.stack.layers)


def test_untied_copies_agree_where_the_neighbour_is_the_same(
    make: Maker, untie: Callable[[GPT], GPT], probe: Tensor
) -> None:
    """An untied copy has more neighbours: those whose weights are equal change nothing."""
    model = make((0, 0, 2, 0))
    tied, free = (loss_if_replaced(each, probe) for each in (model, untie(model)))
    same = (tied["neighbour"] == free["neighbour"]).fill_null(False)
    assert same.to_list() == [False, False, True, True, False, True, True, False]
    np.testing.assert_allclose(tied.filter(same)["value"], free.filter(same)["value"], atol=1e-5)
    twin = free.filter(method="replaced-before", layer=1).row(0, named=True)
    assert twin["neighbour"] == 0
    assert twin["value"] == pytest.approx(0, abs=1e-6)


def test_a_token_has_no_interval(make: Maker, probe: Tensor) -> None:
    model = make((0, 1, 1, 3)).eval()
    row = loss_if_replaced(model, probe, target=Target(3, 2)).row(1, named=True)
    with torch.no_grad():
        change = token_losses(model, probe, [0, 0, 2, 3]) - token_losses(model, probe, [0, 1, 2, 3])
    assert row["value"] == pytest.approx(change[3, 2].item(), abs=1e-5)
    assert [row["low"], row["high"], row["sequences"], row["neighbour"]] == [None, None, 1, 0]


def test_all_tied_there_is_nothing_to_put_in_its_place(make: Maker, probe: Tensor) -> None:
    frame = loss_if_replaced(make((0, 0, 0, 0)), probe)
    assert frame["value"].null_count() == len(frame) == 8


def test_progress_and_refusals(make: Maker, probe: Tensor) -> None:
    model, ticks = make((0, 1, 1, 3)), []
    loss_if_replaced(model, probe, batch_size=4, tick=ticks.append)
    assert ticks == sorted(ticks)
    assert ticks[-1] == 1.0

    def cancel(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loss_if_replaced(model, probe, tick=cancel)
    assert model.training
    assert not any(layer._forward_hooks for layer in model.stack.layers)
    with pytest.raises(AnalysisError, match="2 independent units"):
        loss_if_replaced(model, probe[:1])
    with pytest.raises(AnalysisError, match="sequence 6"):
        loss_if_replaced(model, probe, target=Target(6, 0))
