"""The official code's bookkeeping, against a plain re-enactment with loose tensors."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import given, settings
from tied_models import ALIASING, answers, loss_of, model_of, name, tokens

from layertie_lab.core.config import TieConfig
from layertie_lab.core.ties import TieMap
from layertie_lab.models.aliasing import make_stack
from layertie_lab.models.counts import claimed_parameters, trainable_parameters

OFFICIAL = TieConfig("owner", "alias", "snapshot", "frozen-random", "keep")


def test_independent_only_unfreezes():
    model = model_of(OFFICIAL)
    model.stack.retie(2, 0)
    first, second = (model.stack.layers[i].mlp.up.weight for i in (0, 2))
    assert first is not second
    assert first.data_ptr() == second.data_ptr()
    assert (first.requires_grad, second.requires_grad) == (True, False)
    change = model.stack.retie(2, 2)
    assert first.data_ptr() == second.data_ptr(), "still on the storage of layer 0"
    assert second.requires_grad
    assert not change.added
    assert not change.removed
    assert model.stack.ties == TieMap((0, 0, 2, 0))
    assert model.stack.blocks == TieMap((0, 1, 0, 3))


@pytest.mark.parametrize("ties", ALIASING, ids=name)
@settings(max_examples=25, deadline=None)
@given(steps=answers(most=20))
def test_as_if_re_enacted_with_pointers(ties, steps):
    model = model_of(ties)
    count = len(model.stack.ties)
    storages = list(range(count)) if ties.start == "frozen-random" else [0] * count
    trainable = [layer == 0 for layer in range(count)]
    merged = len(set(storages))
    for layer, source in steps:
        model.stack.retie(layer, source)
        if source < layer:
            storages[layer], trainable[layer] = storages[source], False
        else:
            trainable[layer] = True
        # Storages only ever merge.
        assert len(set(model.stack.blocks)) <= merged
        merged = len(set(model.stack.blocks))
    assert [storages.index(s) for s in storages] == list(model.stack.blocks)
    per_block = sum(p.numel() for p in model.stack.layers[0].parameters())
    outside = sum(p.numel() for n, p in model.named_parameters() if not n.startswith("stack."))
    assert claimed_parameters(model) == outside + per_block * sum(trainable)
    if ties.gradient == "owner":
        flags = [block.mlp.up.weight.requires_grad for block in model.stack.layers]
        assert flags == trainable == [not f for f in model.stack.frozen]
        real = len({s for s, t in zip(storages, trainable, strict=True) if t})
        assert trainable_parameters(model) == outside + per_block * real


def test_the_claimed_count_exceeds_the_real_one():
    model = model_of(OFFICIAL)
    for layer in range(1, 4):
        model.stack.retie(layer, 0)
        model.stack.retie(layer, layer)
    per_block = sum(p.numel() for p in model.stack.layers[0].parameters())
    assert model.stack.blocks == TieMap.all_tied(4)
    assert claimed_parameters(model) - trainable_parameters(model) == 3 * per_block


def test_with_a_shared_gradient_a_tied_layer_uses_its_sources_object():
    model = model_of(TieConfig("shared", "alias", "snapshot", "tied", "keep"))
    first, second = model.stack.layers[0].mlp.up, model.stack.layers[2].mlp.up
    assert second.weight is first.weight
    model.stack.retie(2, 2)
    assert second.weight is not first.weight
    assert second.weight.data_ptr() == first.weight.data_ptr()
    loss_of(model, tokens()).backward()
    assert not second.weight.grad.equal(first.weight.grad)
    model.stack.retie(2, 1)
    assert second.weight is first.weight


def test_those_who_stay_behind_move_together():
    model = model_of(TieConfig("shared", "alias", "snapshot", "frozen-random", "keep"))
    for layer, source in ((1, 1), (2, 1), (3, 1), (1, 0)):
        model.stack.retie(layer, source)
    model.stack.check_books()
    layers = model.stack.layers
    assert model.stack.blocks == TieMap((0, 0, 2, 2))
    assert layers[3].mlp.up.weight is layers[2].mlp.up.weight
    assert layers[2].mlp.up.weight.requires_grad


def test_moving_to_another_dtype_keeps_what_is_out_of_use():
    model = model_of(TieConfig("shared", "alias", "snapshot", "tied", "keep")).double()
    model.stack.retie(2, 2)
    model.stack.check_books()
    assert {p.dtype for group in model.stack.trained() for p in group.values()} == {torch.float64}


@pytest.mark.parametrize(("layers", "mean", "spread"), [(48, 4.46, 1.68), (12, 3.10, 1.24)])
def test_uniform_answers_collapse_to_one_block_while_claims_go_on(layers, mean, spread):
    """The official code's headline count is near what chance gives, and its distinct blocks come down to one."""
    assert sum(1 / i for i in range(1, layers + 1)) == pytest.approx(mean, abs=0.005)
    assert math.sqrt(sum((1 - 1 / i) / i for i in range(1, layers + 1))) == pytest.approx(spread, abs=0.005)
    draw, episodes = random.Random(layers), 60
    stack = make_stack([torch.nn.Linear(1, 1, bias=False) for _ in range(layers)], OFFICIAL)
    claims, distinct = [], []
    for _ in range(episodes):
        for layer in range(1, layers):
            stack.retie(layer, draw.randint(0, layer))
        claims.append(len(stack.ties.independent_layers))
        distinct.append(len(set(stack.blocks)))
    error = spread / math.sqrt(episodes)
    assert abs(sum(claims) / episodes - mean) < 3 * error
    assert distinct == sorted(distinct, reverse=True)
    assert distinct[19] == 1, "one block from about the tenth episode on"
    assert sum(claims[20:]) / len(claims[20:]) > 2
