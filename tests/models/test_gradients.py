"""What each gradient semantics computes."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from tied_models import loss_of, model_of, tie_maps, tokens
from torch.func import functional_call

from layertie_lab.core.config import TieConfig
from layertie_lab.core.ties import TieMap


def gradients(model, batch):
    model.zero_grad()
    loss_of(model, batch).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def untied_twin(model):
    """An untied model with the same weights at every position."""
    twin = model_of(TieConfig(), TieMap.independent(len(model.stack.ties)))
    with torch.no_grad():
        for name, p in twin.named_parameters():
            p.copy_(dict(model.named_parameters(remove_duplicate=False))[name])
    return twin


@settings(max_examples=25, deadline=None)
@given(tie_map=tie_maps())
def test_owner_is_the_gradient_at_the_owners_position_alone(tie_map):
    model = model_of(TieConfig(gradient="owner"), tie_map)
    alone = gradients(untied_twin(model), tokens())
    for name, gradient in gradients(model, tokens()).items():
        assert gradient.equal(alone[name]), name


@settings(max_examples=25, deadline=None)
@given(tie_map=tie_maps())
def test_shared_is_the_sum_over_positions(tie_map):
    model = model_of(TieConfig(), tie_map)
    apart = gradients(untied_twin(model), tokens())
    for name, gradient in gradients(model, tokens()).items():
        expected = apart[name]
        if name.startswith("stack."):
            _, _, layer, slot = name.split(".", 3)
            members = tie_map.groups[int(layer)]
            expected = torch.stack([apart[f"stack.layers.{member}.{slot}"] for member in members]).sum(0)
        torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-7)


def test_shared_is_the_gradient_of_a_functional_re_use():
    model = model_of(TieConfig(), TieMap.all_tied(3), layers=3)
    block = copy.deepcopy(model.stack.layers[0])
    weights = {name: p.detach().clone().requires_grad_() for name, p in block.named_parameters()}
    x = model.embed(tokens()[:, :-1])
    for _ in range(3):
        x = functional_call(block, weights, (x,))
    logits = model.head(x)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens()[:, 1:].flatten()).backward()
    found = gradients(model, tokens())
    for name, p in weights.items():
        torch.testing.assert_close(found[f"stack.layers.0.{name}"], p.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_the_forward_pass_does_not_depend_on_the_gradient(gradient):
    model = model_of(TieConfig(gradient=gradient), TieMap((0, 0, 2, 0)))
    assert model(tokens()[:, :-1]).equal(untied_twin(model)(tokens()[:, :-1]))


def test_a_copy_in_owner_mode_still_passes_the_gradient_on():
    model = model_of(TieConfig(gradient="owner"))
    x = model.embed(tokens()[:, :-1]).detach().requires_grad_()
    model.head(model.stack(x)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_a_copys_parameters_are_back_after_an_error():
    model = model_of(TieConfig(gradient="owner"))
    with pytest.raises(RuntimeError):
        model.stack(torch.randn(2, 3, 5))
    model.stack.check_books()


def test_hooks_see_every_position_once():
    model = model_of(TieConfig(gradient="owner"))
    seen: list[int] = []
    for i, block in enumerate(model.stack.layers):
        block.register_forward_hook(lambda *_, i=i: seen.append(i))
        block.mlp.up.register_forward_hook(lambda *_, i=i: seen.append(10 + i))
    loss_of(model, tokens()).backward()
    assert seen == [10, 0, 11, 1, 12, 2, 13, 3]


def test_one_cast_per_owner_under_autocast():
    saved: dict[str, set[int]] = {"owner": set(), "shared": set()}
    for kind, pointers in saved.items():
        model = model_of(TieConfig(gradient=kind), TieMap((0, 0, 2, 2)))
        keep = []

        def pack(t, pointers=pointers, keep=keep):
            if t.dtype == torch.bfloat16 and t.shape == (8, 32):  # the MLP's first matrix, transposed
                pointers.add(t.data_ptr())
                keep.append(t)
            return t

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model, tokens())
        loss.backward()
        assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())
        assert not any(block.casts for block in model.stack.layers)
    assert {kind: len(pointers) for kind, pointers in saved.items()} == {"owner": 2, "shared": 2}
