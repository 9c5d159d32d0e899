from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from layertie_lab.analysis.attribution.tokens import (
    ATTRIBUTION_SCHEMA,
    METHODS,
    SCHEMA,
    predictions,
    token_attribution,
    token_losses,
)
from layertie_lab.core.config import ModelConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.models.gpt import GPT

Maker = Callable[..., GPT]
ROTARY = ModelConfig(layers=4, width=16, heads=2, context=16, positions="rotary")


@pytest.fixture
def one(probe: Tensor) -> Tensor:
    return probe[2:3]


def test_losses_equal_the_models_own(make: Maker, probe: Tensor) -> None:
    model = make().eval()
    frame = token_losses(model, probe, batch_size=4)
    assert dict(frame.schema) == SCHEMA
    assert frame["sequence"].to_list() == [s for s in range(6) for _ in range(16)]
    assert frame["position"].to_list() == list(range(16)) * 6
    assert frame["token"].to_list() == probe[:, :-1].flatten().tolist()
    assert frame["target"].to_list() == probe[:, 1:].flatten().tolist()
    with torch.no_grad():
        logits, mean = model(probe[:, :-1]), float(model(probe[:, :-1], probe[:, 1:]))
    np.testing.assert_allclose(frame["loss"], cross_entropy(logits.mT, probe[:, 1:], reduction="none").flatten(), 1e-5)
    assert frame["loss"].mean() == pytest.approx(mean, abs=1e-5)
    shares = logits.flatten(0, 1).softmax(-1)
    np.testing.assert_allclose(frame["entropy"], -(shares * shares.log()).sum(-1), atol=1e-5)
    order = shares.argsort(-1, descending=True)
    np.testing.assert_array_equal(frame["top"].to_list(), order[:, :5])
    np.testing.assert_allclose(frame["top_probability"].to_list(), shares.gather(1, order[:, :5]), atol=1e-6)
    places = (order == probe[:, 1:].flatten()[:, None]).nonzero()[:, 1] + 1
    assert frame["rank"].to_list() == places.tolist()


def test_predictions_of_known_distributions() -> None:
    found = predictions(torch.tensor([[0.0, 0.0, 0.0, 0.0], [9.0, 0.0, 0.0, -9.0]]), torch.tensor([2, 3]), top=9)
    assert found["entropy"][0] == pytest.approx(math.log(4))
    assert found["loss"][0] == pytest.approx(math.log(4))
    assert found["rank"] == [1, 4]  # equally likely tokens are not likelier
    assert [len(top) for top in found["top"]] == [4, 4]
    assert sum(found["top_probability"][1]) == pytest.approx(1)


@pytest.mark.parametrize("config", [None, ROTARY], ids=["learned", "rotary"])
def test_a_tied_model_equals_its_untied_copy(
    make: Maker, untie: Callable[[GPT], GPT], one: Tensor, config: ModelConfig | None
) -> None:
    model = make(**({} if config is None else {"config": config}))
    for analysis, column in ((token_losses, "loss"), (lambda m, t: token_attribution(m, t, 9), "value")):
        np.testing.assert_allclose(analysis(model, one)[column], analysis(untie(model), one)[column], atol=1e-5)


def test_the_shares_of_the_tokens_sum_to_the_difference(make: Maker, one: Tensor) -> None:
    model = make().eval()
    frame = token_attribution(model, one, 9, steps=128)
    assert dict(frame.schema) == ATTRIBUTION_SCHEMA
    assert frame["method"].unique(maintain_order=True).to_list() == list(METHODS)
    assert frame["position"].to_list() == list(range(10)) * 2
    assert frame["token"].to_list() == one[0, :10].tolist() * 2
    assert frame["target"].unique().item() == one[0, 10].item()
    with torch.no_grad():
        places = model.position_embedding.weight[None, :10]
        blank = model.head(model.stack(places))[0, -1]
        total = cross_entropy(model(one[:, :10])[0, -1], one[0, 10]) - cross_entropy(blank, one[0, 10])
    assert frame["total"].unique().item() == pytest.approx(float(total), abs=1e-5)
    for method in METHODS:
        rows = frame.filter(method=method)
        error = abs(rows["value"].sum() - float(total))
        assert rows["completeness_error"].unique().item() == pytest.approx(error, abs=1e-5)
    assert frame.filter(method="integrated-gradients")["completeness_error"][0] < 1e-3
    assert frame.filter(method="gradient-x-input")["completeness_error"][0] > 1e-2


def test_gradient_x_input_is_the_slope_towards_the_baseline(make: Maker, one: Tensor) -> None:
    """The values sum to the derivative of the loss along (embedding - baseline)."""
    model = make().eval().double()
    frame = token_attribution(model, one, 5, ["gradient-x-input"], baseline="mean")
    x = model.embed(one[:, :6]).detach()
    towards = model.token_embedding(one[:, :6]).detach() - model.token_embedding.weight.mean(0).detach()

    @torch.no_grad()
    def loss(step: float) -> float:
        logits = model.head(model.stack(x + step * towards))[0, -1]
        return float(cross_entropy(logits.float(), one[0, 6]))

    slope = (loss(1e-2) - loss(-1e-2)) / 2e-2
    assert frame["value"].sum() == pytest.approx(slope, abs=1e-3)
    assert frame["baseline"].unique().item() == "mean"


def test_a_token_without_influence_has_none(make: Maker, one: Tensor) -> None:
    model = make().eval()
    with torch.no_grad():
        model.token_embedding.weight[one[0, 3]] = 0.0
    frame = token_attribution(model, one, 9)
    blank = frame.filter(pl.col("token") == one[0, 3].item())
    assert blank["value"].abs().max() == 0.0


def test_progress_is_told_and_a_cancelled_call_leaves_no_trace(make: Maker, probe: Tensor) -> None:
    model = make()
    model.stack.layers[1].eval()

    def cancel(done: float) -> None:
        raise KeyboardInterrupt

    ticks: list[float] = []
    token_losses(model, probe, batch_size=4, tick=ticks.append)
    token_attribution(model, probe[:1], 3, tick=ticks.append)
    assert ticks == pytest.approx([4 / 6, 1.0, 0.5, 1.0])
    for call in (
        lambda: token_losses(model, probe, tick=cancel),
        lambda: token_attribution(model, probe[:1], 3, tick=cancel),
    ):
        with pytest.raises(KeyboardInterrupt):
            call()
        assert [model.training, *(layer.training for layer in model.stack.layers)] == [True, True, False, True, True]
        assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, t: token_losses(m, t[:, :1]), "2 to 17 tokens, but got 1"),
        (lambda m, t: token_losses(m, t + 29), "0 to 28"),
        (lambda m, t: token_losses(m, t, top=0), "at least 1"),
        (lambda m, t: token_attribution(m, t, 3), "one sequence"),
        (lambda m, t: token_attribution(m, t[:1], 16), "positions 0 to 15, but got sequence 0, position 16"),
        (lambda m, t: token_attribution(m, t[:1], -1), "position -1"),
        (lambda m, t: token_attribution(m, t[:1], 3, ["lime"]), "'lime'"),
        (lambda m, t: token_attribution(m, t[:1], 3, baseline="pad"), "zero, mean"),
        (lambda m, t: token_attribution(m, t[:1], 3, steps=1), "2 points"),
    ],
)
def test_bad_input_is_refused(make: Maker, probe: Tensor, call: Callable[..., object], words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        call(make(), probe)


def test_a_diverged_model_is_refused(make: Maker, probe: Tensor) -> None:
    model = make()
    with torch.no_grad():
        model.stack.layers[2].mlp.up.weight.fill_(torch.nan)
    with pytest.raises(AnalysisError, match="diverged"):
        token_losses(model, probe)
    with pytest.raises(AnalysisError, match="diverged"):
        token_attribution(model, probe[:1], 3)
