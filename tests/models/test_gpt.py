"""The transformer: GPT-2's arrangement, its choices, its initial weights, generation."""

from __future__ import annotations

import math

import pytest
import torch
from tied_models import VOCABULARY, loss_of, model_of, small, tokens

from layertie_lab.core.config import TieConfig
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT, rotary_angles, rotate


def as_gpt2(model):
    """A Hugging Face GPT-2 with the model's weights."""
    transformers = pytest.importorskip("transformers")
    c = model.config
    config = transformers.GPT2Config(
        vocab_size=model.vocabulary_size,
        n_positions=c.context,
        n_embd=c.width,
        n_layer=c.layers,
        n_head=c.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    other = transformers.GPT2LMHeadModel(config)
    names = {
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.projection": "attn.c_proj",
        "mlp_norm": "ln_2",
        "mlp.up": "mlp.c_fc",
        "mlp.down": "mlp.c_proj",
    }
    with torch.no_grad():
        other.transformer.wte.weight.copy_(model.token_embedding.weight)
        other.transformer.wpe.weight.copy_(model.position_embedding.weight)
        other.transformer.ln_f.load_state_dict(model.norm.state_dict())
        for ours, theirs in zip(model.stack.layers, other.transformer.h, strict=True):
            for our_name, their_name in names.items():
                source, target = ours.get_submodule(our_name), theirs.get_submodule(their_name)
                # GPT-2's Conv1D holds its matrix the other way round.
                target.weight.copy_(source.weight.t() if source.weight.dim() == 2 else source.weight)
                target.bias.copy_(source.bias)
    return other.train()


def test_one_setting_makes_the_defaults_exactly_gpt2():
    model = model_of(TieConfig(), TieMap.independent(4), activation="gelu-tanh")
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())) * 0.1)
    other = as_gpt2(model)
    batch = tokens()[:, :-1]
    torch.testing.assert_close(model(batch), other(batch).logits, rtol=1e-5, atol=1e-5)


CHOICES = [{}, {"activation": "gelu-tanh"}, {"bias": False}, {"tie_head": False}, {"positions": "rotary"}]


@pytest.mark.parametrize("changes", CHOICES)
def test_choices(changes):
    model = model_of(TieConfig(), **changes)
    names = {name for name, _ in model.named_parameters()}
    assert any(name.endswith("bias") for name in names) == changes.get("bias", True)
    assert ("head_linear.weight" in names) != changes.get("tie_head", True)
    assert ("position_embedding.weight" in names) == (changes.get("positions", "learned") == "learned")
    loss = loss_of(model, tokens())
    assert abs(float(loss.detach()) - math.log(VOCABULARY)) < 0.2
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_rotary_scores_depend_on_distance_only():
    config = small(positions="rotary", context=12)
    cos, sin = rotary_angles(config)
    q, k = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    turned_q, turned_k = (rotate(v.expand(1, 1, 12, 4), (cos, sin)) for v in (q, k))
    scores = (turned_q @ turned_k.transpose(-1, -2))[0, 0]
    for offset in range(-11, 12):
        diagonal = scores.diagonal(offset)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_no_token_sees_a_later_one(positions):
    model = model_of(TieConfig(), positions=positions)
    batch = tokens()[:, :-1]
    changed = batch.clone()
    changed[:, 3] = (changed[:, 3] + 1) % VOCABULARY
    before, after = model(batch), model(changed)
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not before[:, 3:].allclose(after[:, 3:])


def test_initial_weights_depend_on_seed_and_layer_only():
    untied = model_of(TieConfig(), TieMap.independent(4))
    some = model_of(TieConfig(gradient="owner"), TieMap((0, 0, 2, 0)))
    frozen = model_of(TieConfig(start="frozen-random"))
    for model in (some, frozen):
        assert model.stack.layers[2].mlp.up.weight.equal(untied.stack.layers[2].mlp.up.weight)
        assert model.token_embedding.weight.equal(untied.token_embedding.weight)
    assert not model_of(TieConfig(), seed=1).token_embedding.weight.equal(untied.token_embedding.weight)


def test_gpt2_initialisation():
    model = GPT(small(layers=8, width=64, heads=2), 500, TieConfig(), TieMap.independent(8), seed=0)
    block = model.stack.layers[5]
    for weight, std in (
        (block.attention.qkv.weight, 0.02),
        (block.mlp.up.weight, 0.02),
        (model.token_embedding.weight, 0.02),
        (block.attention.projection.weight, 0.02 / 4),
        (block.mlp.down.weight, 0.02 / 4),
    ):
        assert float(weight.detach().std()) == pytest.approx(std, rel=0.05)
    assert not block.mlp.up.bias.any()
    assert block.mlp_norm.weight.eq(1).all()


def test_building_draws_nothing_from_the_global_generator():
    before = torch.random.get_rng_state()
    model_of(TieConfig())
    assert torch.random.get_rng_state().equal(before)


def test_copies_take_no_memory_while_building():
    assert sum(p.numel() for p in model_of(TieConfig(), layers=6).stack.parameters()) == sum(
        p.numel() for p in model_of(TieConfig(), layers=2).stack.parameters()
    )


def test_too_long_a_text_is_refused():
    with pytest.raises(ConfigError, match="at most 6 tokens"):
        model_of(TieConfig())(tokens(length=7))


def test_dropout_only_in_training():
    model = model_of(TieConfig(), dropout=0.5)
    batch = tokens()[:, :-1]
    assert not model(batch).equal(model(batch))
    model.eval()
    assert model(batch).equal(model(batch))


def test_generation():
    model = model_of(TieConfig())
    prompt = tokens(batch=2, length=3)

    def run(seed=0, **options):
        return model.generate(prompt, 9, generator=torch.Generator().manual_seed(seed), **options)

    assert run().shape == (2, 12)
    assert run().equal(run())
    assert not run().equal(run(seed=1))
    assert run()[:, :3].equal(prompt)
    assert run(temperature=0.0).equal(run(seed=5, top_k=1))
    assert model.training, "the mode is put back"
