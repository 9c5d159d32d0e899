"""Weights under GPT-2's names: in, out, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tied_models import VOCABULARY, loss_of, model_of, tokens

from layertie_lab.core.config import TieConfig
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT
from layertie_lab.models.gpt2_names import export_gpt2, load_gpt2

OFFICIAL = TieConfig("owner", "alias", "snapshot", "frozen-random", "keep")
LAB = TieConfig()
PER_LAYER = (
    "ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias", "attn.c_proj.weight", "attn.c_proj.bias",
    "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight", "mlp.c_proj.bias",
)  # fmt: skip


def test_names_and_orientation_are_nanogpts():
    found = export_gpt2(model_of(OFFICIAL))
    outer = {"transformer.wte.weight", "transformer.wpe.weight", "transformer.ln_f.weight", "transformer.ln_f.bias"}
    layers = {f"transformer.h.{layer}.{name}" for layer in range(4) for name in PER_LAYER}
    assert found.keys() == outer | {"lm_head.weight"} | layers
    assert found["transformer.h.2.attn.c_attn.weight"].shape == (24, 8)
    assert found["transformer.h.2.mlp.c_proj.weight"].shape == (8, 32)
    assert found["lm_head.weight"].equal(found["transformer.wte.weight"])


@pytest.mark.parametrize("ties", [OFFICIAL, LAB], ids=["frozen-random", "tied"])
def test_out_and_in_again_is_the_same_model(ties):
    first = model_of(ties, TieMap((0, 0, 1, 3)), seed=1)
    other = model_of(ties, TieMap((0, 0, 1, 3)), seed=2)
    assert loss_of(first, tokens()) != loss_of(other, tokens())
    load_gpt2(other, export_gpt2(first))
    assert loss_of(first, tokens()).equal(loss_of(other, tokens()))
    other.stack.check_books()


def test_a_frozen_random_start_takes_every_layers_own_weights():
    weights = export_gpt2(model_of(OFFICIAL, seed=5))
    model = model_of(OFFICIAL)
    load_gpt2(model, {name: value.numpy() for name, value in weights.items()})
    for layer, block in enumerate(model.stack.layers):
        assert block.mlp.up.weight.equal(weights[f"transformer.h.{layer}.mlp.c_fc.weight"])
    assert model.stack.frozen == (False, True, True, True)


def test_a_tied_layer_leaves_its_own_weights_out():
    weights = export_gpt2(model_of(OFFICIAL, seed=5))
    model = model_of(LAB, TieMap((0, 0, 2, 2)))
    load_gpt2(model, weights)
    found = export_gpt2(model)
    for layer, owner in enumerate((0, 0, 2, 2)):
        name = "transformer.h.{}.attn.c_proj.weight"
        assert found[name.format(layer)].equal(weights[name.format(owner)])


@pytest.mark.parametrize("changes", [{"bias": False}, {"positions": "rotary"}, {"tie_head": False}])
def test_other_shapes_have_the_names_that_they_have(changes):
    first, other = model_of(LAB, seed=1, **changes), model_of(LAB, seed=2, **changes)
    load_gpt2(other, export_gpt2(first))
    assert loss_of(first, tokens()).equal(loss_of(other, tokens()))


def test_masks_are_left_out_and_the_head_may_be_absent():
    weights = export_gpt2(model_of(OFFICIAL, seed=5))
    weights["transformer.h.0.attn.bias"] = torch.ones(1, 1, 6, 6)
    del weights["lm_head.weight"]
    load_gpt2(model_of(OFFICIAL), weights)


def _without(name: str) -> Any:
    return lambda weights: weights.pop(name)


def _with(name: str, value: Any) -> Any:
    return lambda weights: weights.update({name: value})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_without("transformer.h.3.ln_2.bias"), r"1 missing \(transformer.h.3.ln_2.bias\)"),
        (_with("transformer.h.4.ln_2.bias", torch.zeros(8)), r"1 unknown \(transformer.h.4.ln_2.bias\)"),
        (_with("transformer.h.0.attn.c_attn.weight", torch.zeros(8, 24)), "looks transposed"),
        (_with("transformer.wpe.weight", torch.zeros(7, 8)), r"shape \(6, 8\), but got \(7, 8\)"),
        (_with("transformer.wte.weight", torch.zeros(VOCABULARY + 1, 8)), "the vocabulary"),
        (_with("lm_head.weight", torch.zeros(VOCABULARY, 8)), "but they differ"),
        (_with("transformer.ln_f.bias", torch.full((8,), float("nan"))), "finite"),
        (_with("transformer.ln_f.bias", np.zeros(8, dtype=np.int64)), "but got torch.int64"),
        (_with("transformer.ln_f.bias", "zeros"), "a tensor for transformer.ln_f.bias, but got str"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(damage, said):
    model = model_of(OFFICIAL)
    weights, before = export_gpt2(model_of(OFFICIAL, seed=5)), export_gpt2(model)
    damage(weights)
    with pytest.raises(ConfigError, match=said):
        load_gpt2(model, weights)
    assert all(value.equal(before[name]) for name, value in export_gpt2(model).items())


def test_they_agree_with_transformers_gpt2():
    transformers = pytest.importorskip("transformers")
    model = model_of(LAB, TieMap((0, 0, 2, 1)), activation="gelu-tanh")
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=6,
        n_embd=8,
        n_layer=4,
        n_head=2,
        attn_pdrop=0,
        embd_pdrop=0,
        resid_pdrop=0,
        bos_token_id=0,
        eos_token_id=0,
    )
    other = transformers.GPT2LMHeadModel(config).eval()
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    weights = {name: v.T if name.endswith(turned) else v for name, v in export_gpt2(model).items()}
    other.load_state_dict(weights)
    batch = tokens(length=6)
    assert isinstance(model, GPT)
    torch.testing.assert_close(other(batch).logits, model(batch))
