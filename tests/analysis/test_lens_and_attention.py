"""The logit lens and attention, against the model itself and against a tied model's untied copy."""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl
import pytest
import torch
from torch import Tensor

from layertie_lab.analysis.attribution.attention import attention_entropy, attention_maps
from layertie_lab.analysis.attribution.logit_lens import lens_of_token, logit_lens
from layertie_lab.analysis.attribution.tokens import token_losses
from layertie_lab.core.config import ModelConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.models.gpt import GPT

Maker = Callable[..., GPT]


def test_the_lens_ends_at_the_models_own_loss(make: Maker, probe: Tensor) -> None:
    model = make((0, 0, 2, 0))
    frame = logit_lens(model, probe)
    assert frame["depth"].to_list() == [0, 1, 2, 3, 4]
    assert frame["layer"].to_list() == [None, 0, 1, 2, 3]
    assert frame["owner"].to_list() == [None, 0, 0, 2, 0]
    with torch.no_grad():
        assert frame["loss"][-1] == pytest.approx(float(model.eval()(probe[:, :-1], probe[:, 1:])), abs=1e-5)
    assert (frame["low"] < frame["loss"]).all()
    assert (frame["loss"] < frame["high"]).all()


def test_the_lens_of_a_token_is_its_part_of_the_mean(make: Maker, probe: Tensor) -> None:
    model = make((0, 0, 2, 0))
    time = probe.shape[1] - 1
    each = [lens_of_token(model, probe[s : s + 1], p) for s in range(len(probe)) for p in range(time)]
    mean = pl.concat(each).group_by("depth", maintain_order=True).agg(pl.col("loss").mean())
    assert mean["loss"].to_list() == pytest.approx(logit_lens(model, probe)["loss"].to_list(), abs=1e-5)
    last = each[0].row(-1, named=True)
    own = token_losses(model, probe[:1]).row(0, named=True)
    assert {name: last[name] for name in ("target", "rank", "top")} == {n: own[n] for n in ("target", "rank", "top")}


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_attention_weights_give_what_attention_gives(make: Maker, probe: Tensor, positions: str) -> None:
    model = make((0, 0, 2, 0), config=ModelConfig(layers=4, width=16, heads=2, context=16, positions=positions))
    sequence = probe[:1, :-1]
    frame = attention_maps(model, sequence)
    sums = frame.group_by("layer", "head", "query").agg(pl.col("weight").sum())["weight"]
    assert sums.to_list() == pytest.approx([1.0] * len(sums), abs=1e-6)
    seen: dict[str, Tensor] = {}
    part = model.stack.layers[2].attention
    handles = [
        part.register_forward_pre_hook(lambda _, given: seen.update(x=given[0])),
        part.register_forward_hook(lambda _, __, made: seen.update(y=made)),
    ]
    with torch.no_grad():
        model.eval()(sequence)
        for handle in handles:
            handle.remove()
        time, width = seen["x"].shape[1:]
        values = part.qkv(seen["x"]).split(width, -1)[2].view(time, 2, -1).transpose(0, 1)  # H T K
        weights = torch.zeros(2, time, time)
        mine = frame.filter(layer=2)
        weights[mine["head"].to_numpy(), mine["query"].to_numpy(), mine["key"].to_numpy()] = torch.from_numpy(
            mine["weight"].to_numpy().copy()
        ).float()
        mixed = (weights @ values).transpose(0, 1).reshape(1, time, width)
        assert torch.allclose(part.projection(mixed), seen["y"], atol=1e-5)


def test_entropy_lies_between_one_token_and_all(make: Maker, probe: Tensor) -> None:
    model = make((0, 0, 2, 0))
    frame = attention_entropy(model, probe[:, :-1])
    assert frame.height == 4 * 2
    assert frame["share"].is_between(0, 1).all()
    maps = attention_maps(model, probe[:1, :-1], [1]).filter(head=0)
    one = (
        maps.filter(pl.col("query") > 0)
        .group_by("query")
        .agg(entropy=-(pl.col("weight") * pl.col("weight").log()).sum())["entropy"]
        .mean()
    )
    every = [
        attention_entropy(model, probe[pair : pair + 2, :-1]).filter(layer=1, head=0)["entropy"][0]
        for pair in range(len(probe) - 1)
    ]
    alone = 2 * every[0] - attention_entropy(model, probe[[0, 1], :-1]).filter(layer=1, head=0)["entropy"][0]
    assert one is not None
    assert 0 < one < math.log(16)
    assert alone == pytest.approx(every[0])
    # A head that gives every token the same has all of it.
    with torch.no_grad():
        for layer in model.stack.layers:
            layer.attention.qkv.weight.zero_()
    assert attention_entropy(model, probe[:, :-1])["share"].to_list() == pytest.approx([1.0] * 8, abs=1e-5)


def test_tied_layers_are_told_apart_and_equal_an_untied_copy(
    make: Maker, untie: Callable[[GPT], GPT], probe: Tensor
) -> None:
    tied = make((0, 0, 0, 0))
    free = untie(tied)
    for look in (
        lambda model: logit_lens(model, probe)["loss"],
        lambda model: attention_entropy(model, probe[:, :-1])["entropy"],
    ):
        assert look(tied).to_list() == pytest.approx(look(free).to_list(), abs=1e-5)
        assert look(tied).n_unique() > 1


def test_bad_input_is_refused(make: Maker, probe: Tensor) -> None:
    model = make()
    for call, said in (
        (lambda: attention_maps(model, probe[:1, :-1], [4]), "layers from 0 to 3, but got 4"),
        (lambda: attention_maps(model, probe[:, :-1]), "one sequence"),
        (lambda: attention_entropy(model, probe[:1, :-1]), "at least 2"),
        (lambda: lens_of_token(model, probe[:1], 99), "position"),
        (lambda: logit_lens(model, probe + 1000), "tokens from 0 to"),
    ):
        with pytest.raises(AnalysisError, match=said):
            call()
