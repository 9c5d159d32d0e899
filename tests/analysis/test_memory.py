from __future__ import annotations

import random
from collections.abc import Callable

import polars as pl
import pytest
import torch
from torch import Tensor

from layertie_lab.analysis.memory.ledger import SCHEMA, ledger
from layertie_lab.analysis.memory.peak import measured_step
from layertie_lab.core.config import ModelConfig, TieConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT
from layertie_lab.models.memory import model_memory

Maker = Callable[..., GPT]
SHAPES = {
    "plain": (ModelConfig(layers=4, width=16, heads=2, context=16), False),
    "untied head": (ModelConfig(layers=6, width=32, heads=4, context=8, bias=False, tie_head=False), False),
    "dropout": (ModelConfig(layers=3, width=24, heads=2, context=24, mlp_ratio=2, dropout=0.1), False),
    "rotary": (ModelConfig(layers=4, width=32, heads=2, context=16, positions="rotary"), False),
    "bf16": (ModelConfig(layers=4, width=32, heads=2, context=16), True),
}
"""Name -> (shape, whether under bf16 autocast)."""


def sums(frame: pl.DataFrame, when: str = "step", **values: str) -> dict[str, int]:
    chosen = frame.filter(when=when, **values)
    return dict(chosen.group_by("component").agg(pl.col("bytes").sum()).iter_rows())


def random_map(generator: random.Random, layers: int) -> TieMap:
    return TieMap(tuple(generator.randrange(layer + 1) for layer in range(layers)))


@pytest.mark.parametrize("gradient", ["shared", "owner"])
@pytest.mark.parametrize("shape", SHAPES)
def test_saved_activations_are_as_predicted(shape: str, gradient: str) -> None:
    (config, bf16), generator = SHAPES[shape], random.Random(shape)
    for _ in range(6):
        ties = random_map(generator, config.layers)
        model = GPT(config, 29, TieConfig(gradient=gradient), ties, seed=0)
        tokens = torch.randint(29, (3, config.context + 1), generator=torch.Generator().manual_seed(0))
        measured = measured_step(model, tokens, batch_size=5, bf16=bf16).saved
        assert sum(measured.values()) == model_memory(model, 5, bf16=bf16)["activations"]
        if shape in ("bf16", "rotary"):  # casts of weights and tables of angles count where they are first saved
            continue
        whole, copy = measured[0], min(measured[layer] for layer in range(config.layers))
        for layer in range(config.layers):
            owned = gradient == "shared" or ties[layer] == layer
            assert measured[layer] == (whole if owned else copy)
            assert owned or copy < whole


@pytest.mark.parametrize(("gradient", "on_untie"), [("shared", "clone"), ("owner", "clone"), ("owner", "alias")])
def test_the_books_are_those_of_the_tensors(make: Maker, probe: Tensor, gradient: str, on_untie: str) -> None:
    settings = {"gradient": gradient, "on_untie": on_untie, "moments": "keep" if on_untie == "alias" else "clone"}
    if on_untie == "alias":
        settings["chain"] = "snapshot"
    model = make((0, 0, 2, 0), **settings)
    parameters = [p for group in model.stack.trained() for p in group.values()]
    inside = {id(p) for p in model.stack.parameters()}
    parameters += [p for p in model.parameters() if id(p) not in inside]
    optimizer = torch.optim.AdamW(parameters)
    for p in parameters:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    model.stack.retie(1, 1)

    frame = ledger(model, probe, batch_size=2, optimizer=optimizer)
    assert dict(frame.schema) == SCHEMA
    counted, predicted = sums(frame, map="as is", kind="counted"), sums(frame, map="as is", kind="predicted")
    assert counted["parameters"] == predicted["parameters"]
    assert counted["gradients"] == predicted["gradients"]
    assert counted["optimizer"] == sum(
        value.numel() * value.element_size() for state in optimizer.state.values() for value in state.values()
    )
    layers = frame.filter(when="step", kind="counted", component="parameters").drop_nulls("layer")
    assert layers["layer"].to_list() == [0, 1, 2, 3]
    assert layers["owner"].to_list() == [0, 1, 2, 0]
    assert layers["block"].to_list() == list(model.stack.blocks)
    block = sum(p.numel() * p.element_size() for p in model.stack.layers[0].parameters())
    assert layers["bytes"].to_list() == [block if first == layer else 0 for layer, first in enumerate(layers["block"])]


def test_the_alternatives_stand_beside_it(make: Maker, untie: Callable[[GPT], GPT], probe: Tensor) -> None:
    model = make((0, 0, 2, 0))
    frame = ledger(model, probe, batch_size=2)
    assert sums(frame, map="untied") == model_memory(untie(model), 2)
    assert sums(frame, map="all tied") == model_memory(make((0, 0, 0, 0)), 2)
    assert sums(frame, map="as is", kind="measured").keys() == {"activations", "resident"}
    assert "optimizer" not in sums(frame, map="as is", kind="counted")


def test_dropout_is_counted_and_draws_nothing(make: Maker, probe: Tensor) -> None:
    still = make()
    model = make(config=ModelConfig(layers=4, width=16, heads=2, context=16, dropout=0.1))
    model.eval()
    state = torch.get_rng_state()
    more, less = (sum(measured_step(m, probe, batch_size=4).saved.values()) for m in (model, still))
    assert more > less
    assert torch.equal(state, torch.get_rng_state())
    assert not model.training


def test_autocast_saves_its_casts(make: Maker, probe: Tensor) -> None:
    tied, free = make((0, 0, 0, 0)), make((0, 1, 2, 3))
    casts = [sum(measured_step(m, probe, batch_size=2, bf16=True).saved.values()) for m in (tied, free)]
    matrices = sum(p.numel() for name, p in tied.stack.layers[0].named_parameters() if p.ndim == 2)
    assert casts[1] - casts[0] == 3 * 2 * matrices


def test_a_batch_can_be_larger_or_smaller_than_the_probe_set(make: Maker, probe: Tensor) -> None:
    model = make()
    sizes = [sum(measured_step(model, probe, batch_size=size).saved.values()) for size in (2, 6, 12)]
    assert sizes == [model_memory(model, size)["activations"] for size in (2, 6, 12)]


def test_bad_input_is_refused(make: Maker, probe: Tensor) -> None:
    with pytest.raises(AnalysisError, match="2 to 17 tokens"):
        ledger(make(), probe[:, :1], batch_size=2)
