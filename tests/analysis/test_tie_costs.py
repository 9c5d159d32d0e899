"""What each tie would cost at once, held against doing it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from layertie_lab.analysis.attribution.tie_costs import tie_costs
from layertie_lab.core.errors import AnalysisError
from layertie_lab.models.gpt import GPT
from layertie_lab.training.evaluation import window_losses


@pytest.mark.parametrize("settings", [{}, {"chain": "snapshot"}, {"gradient": "owner"}])
@pytest.mark.parametrize("ties", [(0, 0, 2, 0), (0, 1, 1, 2), (0, 1, 2, 3)])
def test_it_is_what_comes_of_doing_it(
    make: Callable[..., GPT], probe: Tensor, ties: tuple[int, ...], settings: dict[str, str]
) -> None:
    model = make(ties, **settings)
    before = window_losses(model, probe, 4)
    frame = tie_costs(model, probe, batch_size=4)
    assert frame.height == 2 + 3 + 4
    for row in frame.rows(named=True):
        other = copy.deepcopy(model)
        other.stack.retie(row["layer"], row["answer"])
        gaps = window_losses(other, probe, 4) - before
        assert row["change"] == pytest.approx(float(gaps.mean()), abs=1e-9)
        assert row["low"] <= row["change"] <= row["high"]
        assert row["present"] == (ties[row["layer"]] == row["answer"])
    assert frame.filter(frame["present"])["change"].to_list() == [0.0] * 3


def test_an_untie_costs_nothing_at_once_and_the_model_is_left_alone(make: Callable[..., GPT], probe: Tensor) -> None:
    model = make((0, 0, 0, 0))
    state = {name: p.clone() for name, p in model.state_dict().items()}
    frame = tie_costs(model, probe)
    assert frame.filter(frame["answer"] == frame["layer"])["change"].to_list() == [0.0] * 3
    assert model.stack.ties.sources == (0, 0, 0, 0)
    assert all(torch.equal(p, state[name]) for name, p in model.state_dict().items())


def test_it_can_be_cancelled_and_asked_about_some_layers(make: Callable[..., GPT], probe: Tensor) -> None:
    assert set(tie_costs(make(), probe, [2])["layer"]) == {2}

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tie_costs(make(), probe, tick=stop)


@pytest.mark.parametrize(
    ("layers", "sequences", "words"), [([0], 6, "from 1 to 3"), ([4], 6, "from 1"), (None, 1, "2 probe")]
)
def test_refusals(
    make: Callable[..., GPT], probe: Tensor, layers: list[int] | None, sequences: int, words: str
) -> None:
    with pytest.raises(AnalysisError, match=words):
        tie_costs(make(), probe[:sequences], layers)
