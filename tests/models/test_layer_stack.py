"""Ties on modules: same objects, right books, what survives and what is refused."""

from __future__ import annotations

import copy
import pickle
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tied_models import ALLOWED, answers, loss_of, model_of, name, tokens
from torch import nn

from layertie_lab.core.config import TieConfig
from layertie_lab.core.errors import RecordError, TieError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.stack import LayerStack

MAP = TieMap((0, 0, 2, 2))


def weight(model, layer):
    return model.stack.layers[layer].attention.qkv.weight


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_a_tied_layer_holds_its_owners_parameter_objects(gradient):
    model = model_of(TieConfig(gradient=gradient), MAP)
    assert weight(model, 1) is weight(model, 0)
    assert weight(model, 3) is weight(model, 2)
    assert weight(model, 2) is not weight(model, 0)
    assert model.stack.layers[1] is not model.stack.layers[0], "every layer keeps its own module"


def test_independent_layers_share_nothing():
    model = model_of(TieConfig(), TieMap.independent(4))
    pointers = [p.data_ptr() for p in model.parameters()]
    assert len(pointers) == len(set(pointers))


def test_tied_parameters_are_counted_once():
    names = [n for n, _ in model_of(TieConfig(), TieMap.all_tied(4)).named_parameters() if n.startswith("stack.")]
    assert {n.split(".")[2] for n in names} == {"0"}


@pytest.mark.parametrize("ties", ALLOWED, ids=name)
@pytest.mark.parametrize("change", ["deepcopy", "double", "float", "pickle"])
def test_ties_survive(ties, change):
    model = model_of(ties)
    for layer, source in ((1, 1), (2, 1), (3, 3), (1, 0), (2, 2), (3, 2)):
        model.stack.retie(layer, source)
    blocks, frozen = model.stack.blocks, model.stack.frozen
    twin = {
        "deepcopy": lambda: copy.deepcopy(model),
        "double": lambda: model.double(),
        "float": lambda: model.to(torch.float32),
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
    }[change]()
    twin.stack.check_books()
    assert (twin.stack.blocks, twin.stack.frozen) == (blocks, frozen)
    if change == "deepcopy":
        assert loss_of(twin, tokens()).equal(loss_of(model, tokens()))
        shared = {p.data_ptr() for p in twin.parameters()} & {p.data_ptr() for p in model.parameters()}
        assert not shared


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_ties_are_made_again_after_losing_all_memory(gradient):
    model = model_of(TieConfig(gradient=gradient), MAP).to("meta")
    model.stack.check_books()
    model.to_empty(device="cpu")
    model.stack.check_books()
    assert weight(model, 3) is weight(model, 2)


def test_layers_of_different_shapes_are_refused():
    with pytest.raises(TieError, match=r"layer 1 differs from layer 0 .* Only layers"):
        LayerStack([nn.Linear(2, 2), nn.Linear(2, 3)], TieConfig())


def test_a_map_of_another_depth_is_refused():
    with pytest.raises(TieError, match="4 layers, but got 3 entries"):
        model_of(TieConfig(), TieMap((0, 0, 0)))


@pytest.mark.parametrize(("layer", "source"), [(1, 2), (4, 0), (2, -1)])
def test_illegal_answers_are_refused_and_change_nothing(layer, source):
    model = model_of(TieConfig(), MAP)
    with pytest.raises(TieError):
        model.stack.retie(layer, source)
    assert model.stack.ties == MAP
    model.stack.check_books()


@pytest.mark.parametrize("ties", ALLOWED, ids=name)
@settings(max_examples=15, deadline=None)
@given(steps=answers())
def test_books_balance_after_any_answers(ties, steps):
    model = model_of(ties)
    expected = model.stack.ties
    for layer, source in steps:
        change = model.stack.retie(layer, source)
        expected = expected.act(layer, source)
        model.stack.check_books()
        assert change.after == model.stack.ties == expected
    if ties.on_untie == "clone":
        per_block = sum(p.numel() for p in model.stack.layers[0].parameters())
        unique = sum({p.data_ptr(): p.numel() for p in model.stack.parameters()}.values())
        assert unique == len(set(model.stack.blocks)) * per_block
        if ties.chain == "follow" and ties.start == "tied":
            assert model.stack.blocks == expected.flattened()
        # independent layers are never on the block of another independent layer
        mine = [model.stack.blocks[layer] for layer in expected.independent_layers]
        assert len(mine) == len(set(mine))


@pytest.mark.parametrize("ties", ALLOWED, ids=name)
@settings(max_examples=10, deadline=None)
@given(steps=answers(), layer=st.integers(1, 3))
def test_untying_changes_nothing_in_the_forward(ties, steps, layer):
    model = model_of(ties)
    for answer in steps:
        model.stack.retie(*answer)
    before = model(tokens()[:, :-1])
    model.stack.retie(layer, layer)
    assert model(tokens()[:, :-1]).equal(before)


def test_follow_goes_along_and_snapshot_stays():
    follow, snapshot = model_of(TieConfig()), model_of(TieConfig(chain="snapshot"))
    for model in (follow, snapshot):
        model.stack.retie(1, 1)
        model.stack.retie(2, 1)
        with torch.no_grad():
            weight(model, 1).add_(1)
    block = weight(snapshot, 1)
    change = snapshot.stack.retie(1, 0)
    assert snapshot.stack.blocks == TieMap((0, 0, 2, 0))
    assert weight(snapshot, 2) is block, "nobody owns it, but layer 2 still uses it"
    assert not change.removed, "a shared gradient still reaches it"
    change = follow.stack.retie(1, 0)
    assert follow.stack.blocks == TieMap.all_tied(4)
    assert len(change.removed) == 12


def test_an_orphan_gets_no_gradient_in_owner_mode():
    model = model_of(TieConfig(gradient="owner", chain="snapshot"))
    model.stack.retie(1, 1)
    model.stack.retie(2, 1)
    change = model.stack.retie(1, 0)
    assert not weight(model, 2).requires_grad
    assert len(change.removed) == 12
    loss_of(model, tokens()).backward()
    assert weight(model, 2).grad is None


def test_a_frozen_random_layer_waits_on_its_own_weights():
    model = model_of(TieConfig(start="frozen-random"))
    assert model.stack.ties == TieMap.all_tied(4)
    assert model.stack.blocks == TieMap.independent(4)
    assert model.stack.frozen == (False, True, True, True)
    before = weight(model, 1).clone()
    change = model.stack.retie(1, 1)
    assert weight(model, 1).equal(before)
    assert model.stack.frozen == (False, False, True, True)
    assert [source for _, source in change.added] == [None] * 12, "there are no moments to inherit"


@pytest.mark.parametrize("ties", ALLOWED, ids=name)
def test_state_round_trip(ties):
    draws = random.Random(3)
    model, other = model_of(ties), model_of(ties, seed=9)
    for _ in range(9):
        layer = draws.randrange(1, 4)
        model.stack.retie(layer, draws.randrange(layer + 1))
    other.stack.retie(2, 2)
    tensors, meta = model.state()
    pointers = [t.data_ptr() for t in tensors.values()]
    assert len(pointers) == len(set(pointers)), "one copy per storage"
    other.load({key: tensor.clone() for key, tensor in tensors.items()}, meta)
    other.stack.check_books()
    assert other.stack.sharing == model.stack.sharing
    assert other(tokens()[:, :-1]).equal(model(tokens()[:, :-1]))


def test_the_state_of_another_model_is_refused():
    tensors, meta = model_of(TieConfig(), layers=3).state()
    with pytest.raises(RecordError, match="4 layers"):
        model_of(TieConfig()).load(tensors, meta)
    tensors, meta = model_of(TieConfig()).state()
    with pytest.raises(RecordError, match="lacks 'ties'"):
        model_of(TieConfig()).load(tensors, {})
    del tensors["norm.weight"]
    with pytest.raises(RecordError, match=r"norm\.weight"):
        model_of(TieConfig()).load(tensors, meta)


def test_check_books_names_both_numbers():
    model = model_of(TieConfig(), MAP)
    with torch.no_grad():
        model.stack.layers[1].attention.qkv.weight = nn.Parameter(weight(model, 0).clone())
    with pytest.raises(AssertionError, match=r"\d+ parameters by owner, but \d+ by storage"):
        model.stack.check_books()


def test_any_like_blocks_can_be_stacked():
    blocks = [nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True) for _ in range(3)]
    stack = LayerStack(blocks, TieConfig(gradient="owner"), TieMap((0, 0, 2)))
    stack(torch.randn(2, 5, 8)).sum().backward()
    stack.check_books()
    assert stack.layers[1].linear1.weight.grad is stack.layers[0].linear1.weight.grad
    assert isinstance(stack.layers[1], nn.TransformerEncoderLayer)
