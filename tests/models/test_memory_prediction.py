"""Predicted bytes against what autograd really saves."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tied_models import ALLOWED, VOCABULARY, answers, loss_of, model_of, name, tie_maps

from layertie_lab.core.config import TieConfig
from layertie_lab.models.memory import model_memory, saved_bytes

BATCH, CONTEXT = 3, 5


def really_saved(model, bf16: bool) -> int:
    parameters = {p.data_ptr() for p in model.parameters()}
    sizes: dict[int, int] = {}
    keep = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            sizes[storage.data_ptr()] = storage.nbytes()
            keep.append(tensor)
        return tensor

    batch = torch.randint(0, VOCABULARY, (BATCH, CONTEXT + 1))
    arithmetic = torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), arithmetic:
        loss = loss_of(model, batch)
    loss.backward()
    return sum(sizes.values())


@settings(max_examples=40, deadline=None)
@given(
    tie_map=tie_maps(),
    gradient=st.sampled_from(["shared", "owner"]),
    dropout=st.sampled_from([0.0, 0.1]),
    positions=st.sampled_from(["learned", "rotary"]),
    bf16=st.booleans(),
    bias=st.booleans(),
    ratio=st.integers(2, 4),
)
def test_activations_equal_what_autograd_saves(tie_map, gradient, dropout, positions, bf16, bias, ratio):
    config = dict(width=24, heads=3, context=CONTEXT, dropout=dropout, positions=positions, bias=bias, mlp_ratio=ratio)
    ties = TieConfig(gradient=gradient)
    model = model_of(ties, tie_map, **config)
    predicted = model_memory(model, BATCH, bf16=bf16)
    assert predicted["activations"] == really_saved(model, bf16) == saved_bytes(model, BATCH, bf16=bf16)


@pytest.mark.parametrize("ties", ALLOWED, ids=name)
@settings(max_examples=8, deadline=None)
@given(steps=answers(), bf16=st.booleans())
def test_under_every_kind_of_tie(ties, steps, bf16):
    model = model_of(ties, context=CONTEXT)
    for answer in steps:
        model.stack.retie(*answer)
    predicted = model_memory(model, BATCH, bf16=bf16)
    assert predicted["activations"] == really_saved(model, bf16) == saved_bytes(model, BATCH, bf16=bf16)
    gradients = sum(p.grad.numel() * 4 for p in model.parameters() if p.grad is not None)
    assert predicted["gradients"] == gradients
    assert predicted["parameters"] == 4 * sum({p.data_ptr(): p.numel() for p in model.parameters()}.values())


def test_owner_mode_saves_less():
    shape = {"layers": 12, "width": 64, "heads": 4, "context": 64}
    owner, shared = (
        model_memory(model_of(TieConfig(gradient=g), **shape), BATCH)["activations"] for g in ("owner", "shared")
    )
    assert 0.6 < owner / shared < 0.75
