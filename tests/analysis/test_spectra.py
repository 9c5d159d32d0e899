"""Weights tensor by tensor: cosine, distance and null by brute force, and singular values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from layertie_lab.analysis.similarity.spectra import SIMILARITY, SPECTRA, ranks, spectra, tensor_similarity
from layertie_lab.core.config import ModelConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT

Maker = Callable[..., GPT]
NAME = "attention.qkv.weight"


def test_each_tensor_of_each_pair(make: Maker) -> None:
    model = make((0, 1, 2, 1))
    frame = tensor_similarity(model)
    names = [name for name, _ in model.stack.layers[0].named_parameters()]
    assert dict(frame.schema) == SIMILARITY
    assert frame.height == len(names) * 16
    assert frame["tensor"].unique(maintain_order=True).to_list() == names
    layers = list(model.stack.layers)
    for name in names:
        a, b = (layers[place].get_parameter(name).detach().flatten().double() for place in (2, 0))
        row = frame.filter(tensor=name, layer_a=2, layer_b=0).row(0, named=True)
        assert row["cosine"] == pytest.approx(cosine_similarity(a, b, dim=0).item(), abs=1e-9)
        distance = (a - b).norm() / ((a.norm() + b.norm()) / 2)
        assert row["distance"] == pytest.approx(distance.item(), rel=1e-7)
        assert row["entries"] == len(a)
        assert (row["owner_a"], row["owner_b"]) == (2, 0)
    tied = frame.filter(layer_a=3, layer_b=1)
    assert tied["cosine"].to_list() == pytest.approx([1.0] * len(names))
    assert tied["distance"].to_list() == [0.0] * len(names)


def test_the_null_is_what_entries_matched_at_random_exceed_once_in_twenty(make: Maker) -> None:
    model = make((0, 1, 2, 3))
    found = tensor_similarity(model).filter(layer_a=0, layer_b=1)
    generator = torch.Generator().manual_seed(0)
    for name in ("attention_norm.weight", NAME):
        a, b = (model.stack.layers[place].get_parameter(name).detach().flatten().double() for place in (0, 1))
        drawn = [cosine_similarity(a, b[torch.randperm(len(b), generator=generator)], dim=0).item() for _ in range(400)]
        null = found.filter(tensor=name)["null"].item()
        assert null == pytest.approx(np.quantile(drawn, 0.95), abs=0.2 * np.std(drawn))


def test_tensors_of_zeros_have_no_cosine() -> None:
    model = GPT(ModelConfig(layers=2, width=16, heads=2, context=16), 9, tie_map=TieMap.independent(2), seed=0)
    row = tensor_similarity(model).filter(tensor="attention.qkv.bias", layer_a=0, layer_b=1).row(0, named=True)
    assert (row["cosine"], row["null"], row["distance"]) == (None, None, None)


def test_two_models_of_different_depth(make: Maker) -> None:
    model, other = make((0, 1, 2, 1)), make((0, 1), ModelConfig(layers=2, width=16, heads=2, context=16))
    frame = tensor_similarity(model, other)
    assert frame.filter(tensor=NAME).height == 4 * 2
    a, b = (side.stack.layers[1].get_parameter(NAME).detach().flatten() for side in (model, other))
    found = frame.filter(tensor=NAME, layer_a=3, layer_b=1)
    assert found["cosine"].item() == pytest.approx(cosine_similarity(a, b, dim=0).item(), abs=1e-6)
    assert found["models"].item() == 2
    pair, alone = tensor_similarity(model, model), tensor_similarity(model)
    for column in ("cosine", "null", "distance"):
        np.testing.assert_allclose(pair[column], alone[column], atol=1e-7)


def test_spectra_are_singular_values_and_tied_layers_share_them(make: Maker) -> None:
    model = make((0, 1, 1, 0))
    ticks: list[float] = []
    frame = spectra(model, tick=ticks.append)
    assert ticks == [0.5, 1.0]  # two blocks
    assert dict(frame.schema) == SPECTRA
    weights = [name for name, p in model.stack.layers[0].named_parameters() if p.ndim == 2]
    assert frame["tensor"].unique(maintain_order=True).to_list() == weights
    for layer in range(4):
        for name in weights:
            expected = np.linalg.svd(model.stack.layers[layer].get_parameter(name).detach().numpy(), compute_uv=False)
            found = frame.filter(layer=layer, tensor=name).sort("index")
            np.testing.assert_allclose(found["value"], expected, atol=1e-5)
            assert found["index"].to_list() == list(range(16))
            assert found["owner"].unique().to_list() == [(0, 1, 1, 0)[layer]]


def test_ranks_of_known_matrices(make: Maker) -> None:
    model = make((0, 1, 2, 3))
    with torch.no_grad():
        for layer, matrix in zip(
            model.stack.layers, (torch.eye(16), torch.ones(16, 16), torch.diag(torch.arange(16.0))), strict=False
        ):
            layer.attention.projection.weight.copy_(matrix)
        model.stack.layers[3].attention.projection.weight.zero_()
    found = ranks(spectra(model)).filter(tensor="attention.projection.weight").sort("layer")
    assert found["full_rank"].to_list() == [16] * 4
    assert found["largest"].to_list() == pytest.approx([1.0, 16.0, 15.0, 0.0])
    shares = np.arange(1, 16) / 120
    effective = float(np.exp(-(shares * np.log(shares)).sum()))
    assert found["stable_rank"].to_list()[:3] == pytest.approx([16.0, 1.0, 1240 / 225])
    assert found["effective_rank"].to_list()[:3] == pytest.approx([16.0, 1.0, effective], rel=1e-5)
    assert found.row(3)[-3:-1] == (None, None)


def test_refusals(make: Maker) -> None:
    thick = make((0, 1), ModelConfig(layers=2, width=16, heads=2, context=16, mlp_ratio=2))
    with pytest.raises(AnalysisError, match="same parameters"):
        tensor_similarity(make(), thick)
    model = make((0, 1, 2, 3))
    with torch.no_grad():
        model.stack.layers[2].mlp.up.weight[0, 0] = torch.nan
    with pytest.raises(AnalysisError, match="diverged"):
        tensor_similarity(model)
    with pytest.raises(AnalysisError, match=r"mlp.up.weight of layer 2"):
        spectra(model)
