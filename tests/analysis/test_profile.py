"""What layers do to the residual stream, against the same by brute force."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from layertie_lab.analysis.similarity.profile import MEASURES, SCHEMA, update_profile
from layertie_lab.core.errors import AnalysisError
from layertie_lab.models.gpt import GPT

Maker = Callable[..., GPT]


def test_it_is_what_each_layer_does(make: Maker, probe: Tensor) -> None:
    model, tokens = make((0, 1, 0, 3)), probe[:, :-1]
    frame = update_profile(model, tokens, batch_size=4)
    assert dict(frame.schema) == SCHEMA
    assert frame.height == 3 * 4
    assert set(frame.select("measure", "unit").rows()) == {(each.name, each.unit) for each in MEASURES}
    x = model.embed(tokens)
    with torch.no_grad():
        for position, layer in enumerate(model.stack.layers):
            update = layer(x) - x
            expected = {
                "relative update": (update.square().sum(-1) / x.square().sum(-1)).sqrt(),
                "cosine": (update * x).sum(-1) / (update.square().sum(-1) * x.square().sum(-1)).sqrt(),
                "stream": x.square().sum(-1).sqrt(),
            }
            for measure, values in expected.items():
                row = frame.filter(layer=position, measure=measure).row(0, named=True)
                samples = values.mean(1)
                assert row["value"] == pytest.approx(samples.mean().item(), rel=1e-5, abs=1e-6)
                half = 2.5706 * samples.std().item() / 6**0.5
                assert row["high"] - row["value"] == pytest.approx(half, rel=1e-3)
                assert row["owner"] == (0, 1, 0, 3)[position]
            x = x + update


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_tied_layers_are_as_an_untied_copy_and_differ_by_position(
    make: Maker, untie: Callable[[GPT], GPT], probe: Tensor, gradient: str
) -> None:
    model, tokens = make((0, 0, 2, 0), gradient=gradient), probe[:, :-1]
    tied, free = update_profile(model, tokens), update_profile(untie(model), tokens)
    assert (tied["value"] - free["value"]).abs().max() < 1e-5
    assert tied.filter(measure="relative update", owner=0)["value"].n_unique() == 3


def test_a_layer_that_only_scales_the_stream_has_cosine_one(make: Maker, probe: Tensor) -> None:
    class Doubles(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1.5 * x

    model = make((0, 1, 2, 3))
    model.stack.layers[1] = Doubles()
    frame = update_profile(model, probe[:, :-1])
    found = dict(frame.filter(layer=1).select("measure", "value").rows())
    assert found["relative update"] == pytest.approx(0.5)
    assert found["cosine"] == pytest.approx(1.0)
    after, before = (frame.filter(layer=layer, measure="stream")["value"].item() for layer in (2, 1))
    assert after == pytest.approx(1.5 * before)


def test_progress_and_refusals(make: Maker, probe: Tensor) -> None:
    ticks: list[float] = []
    model = make().train()
    update_profile(model, probe[:, :-1], batch_size=3, tick=ticks.append)
    assert ticks == [0.5, 1.0]
    assert model.training
    with pytest.raises(AnalysisError, match="at least 2"):
        update_profile(model, probe[:1, :-1])
    with torch.no_grad():
        model.stack.layers[2].mlp.up.weight.fill_(torch.nan)
    with pytest.raises(AnalysisError, match="diverged"):
        update_profile(model, probe[:, :-1])
