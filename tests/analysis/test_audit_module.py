"""The audit of anybody's model: sharing by storage, frozen copies, optimizers that hold one storage twice, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from layertie_lab import TieMap
from layertie_lab.analysis.audit.module_audit import LAYER_COLUMNS, TOTALS, audit_module
from layertie_lab.core.errors import AnalysisError, TieError

WIDTH = 4
BLOCK = WIDTH * WIDTH + WIDTH
OUTSIDE = 3 * WIDTH


class Tower(nn.Module):
    """Somebody's model: an embedding and a list of blocks."""

    def __init__(self, layers: int = 3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(3, WIDTH)
        self.body = nn.Module()
        self.body.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(layers))

    @property
    def blocks(self) -> Any:
        return self.body.layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embedding(x)
        for block in self.blocks:
            x = torch.tanh(block(x))
        return x.square().mean()


def alias(model: Tower, layer: int, source: int) -> None:
    """What the official code does for a tie: the same storage under other Parameter objects, frozen."""
    for mine, theirs in zip(model.blocks[layer].parameters(), model.blocks[source].parameters(), strict=True):
        mine.data = theirs.data
        mine.requires_grad_(False)


def step(model: Tower) -> torch.optim.Optimizer:
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.tensor([0, 1, 2])).backward()
    optimizer.step()
    optimizer.zero_grad()
    return optimizer


def test_an_optimizer_that_does_not_fit_is_said_to() -> None:
    model, other = Tower(), Tower()
    told = {finding.number: finding for finding in audit_module(model, "body.layers", step(other)).findings}
    assert told[10].verdict == "exhibited"
    assert "7 Parameters not of this model, 7 Parameters that require gradients left out" in told[10].sentence
    fresh = torch.optim.AdamW(model.blocks[0].parameters())
    told = {finding.number: finding for finding in audit_module(model, "body.layers", fresh).findings}
    assert told[10].verdict == "cannot be told"
    assert "5 Parameters that require gradients left out" in told[10].sentence


@pytest.mark.parametrize(
    ("module", "optimizer", "words"),
    [
        (nn.LazyLinear(3), None, "has no shape yet"),
        ("a model", None, "torch.nn.Module"),
        (Tower(), "Adam", "torch optimizer"),
    ],
)
def test_what_cannot_be_audited(module: Any, optimizer: Any, words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        audit_module(module, "body.layers", optimizer)


def reuse(model: Tower) -> None:
    model.blocks[2] = model.blocks[0]


def share_objects(model: Tower) -> None:
    model.blocks[1].weight, model.blocks[1].bias = model.blocks[0].weight, model.blocks[0].bias


def share_part(model: Tower) -> None:
    model.blocks[1].weight = model.blocks[0].weight


def freeze_copy(model: Tower) -> None:
    alias(model, 1, 0)


def unfreeze_copies(model: Tower) -> None:
    alias(model, 1, 0)
    alias(model, 2, 1)
    model.blocks.requires_grad_(True)


def freeze_alone(model: Tower) -> None:
    model.blocks[2].requires_grad_(False)


KINDS: dict[str, tuple[Callable[[Tower], Any], list[int], list[str], dict[str, int]]] = {
    # what was done, true blocks, gradient at each position, totals
    "untouched": (lambda model: None, [0, 1, 2], ["owner"] * 3, {"true_parameters": OUTSIDE + 3 * BLOCK}),
    "one module twice": (
        reuse, [0, 1, 0], ["summed", "owner", "summed"],
        {"true_parameters": OUTSIDE + 2 * BLOCK, "counted_parameters": OUTSIDE + 2 * BLOCK},
    ),
    "shared Parameters": (
        share_objects, [0, 0, 2], ["summed", "summed", "owner"], {"stored_parameters": OUTSIDE + 2 * BLOCK},
    ),
    "a shared matrix": (
        share_part, [0, 1, 2], ["summed", "summed", "owner"],
        {"distinct_blocks": 3, "stored_parameters": OUTSIDE + 2 * BLOCK + WIDTH},
    ),
    "a frozen copy": (
        freeze_copy, [0, 0, 2], ["owner", "none", "owner"],
        {"frozen_copies": 1, "frozen_alone": 0, "counted_parameters": OUTSIDE + 2 * BLOCK},
    ),
    "unfrozen copies": (
        unfreeze_copies, [0, 0, 0], ["owner"] * 3,
        {
            "distinct_blocks": 1, "frozen_copies": 0, "true_parameters": OUTSIDE + BLOCK,
            "counted_parameters": OUTSIDE + 3 * BLOCK, "storages_updated_several_times": 2,
            "storages_held_several_times": 2,
        },
    ),
    "frozen alone": (
        freeze_alone, [0, 1, 2], ["owner", "owner", "none"], {"frozen_alone": 1, "true_parameters": OUTSIDE + 2 * BLOCK}
    ),
}  # fmt: skip
SHOWN = {"a frozen copy": {1}, "unfrozen copies": {2, 9}}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_found(name: str) -> None:
    change, blocks, gradient, totals = KINDS[name]
    model = Tower()
    change(model)
    audit = audit_module(model, model.blocks, step(model))
    assert audit.layers["block"].to_list() == blocks
    assert audit.layers["gradient"].to_list() == gradient
    assert audit.totals | totals == audit.totals
    assert {finding.number for finding in audit.findings if finding.verdict == "exhibited"} == SHOWN.get(name, set())
    assert audit.layers.columns == list(LAYER_COLUMNS)
    assert list(audit.totals) == list(TOTALS)
    json.dumps(audit.to_dict(), allow_nan=False)


def test_a_claimed_map_beside_the_truth() -> None:
    model = Tower()
    unfreeze_copies(model)
    audit = audit_module(model, "body.layers", claimed=[0, 0, 2])
    assert audit.totals["claimed_independent"] == 2
    assert audit.totals["claimed_parameters"] == OUTSIDE + 2 * BLOCK
    assert audit.totals["held_entries"] is None
    verdicts = {finding.number: finding.verdict for finding in audit.findings}
    assert verdicts == {
        1: "not exhibited",
        2: "cannot be told",
        3: "exhibited",
        4: "not exhibited",
        9: "exhibited",
        10: "cannot be told",
    }
    fresh = audit_module(Tower(), "body.layers", claimed=TieMap((0, 0, 0)))
    assert {finding.number: finding.verdict for finding in fresh.findings}[4] == "exhibited"


def test_moments_of_what_is_not_trained() -> None:
    model = Tower()
    optimizer = step(model)
    assert audit_module(model, "body.layers", optimizer).totals["idle_states"] == 0
    alias(model, 2, 0)
    audit = audit_module(model, "body.layers", optimizer)
    assert audit.totals["idle_states"] == 2
    assert audit.totals["idle_state_bytes"] == 2 * 4 * BLOCK + 2 * 4
    assert audit.layers["has_state"].to_list() == [True] * 3
    assert audit.layers["updates"].to_list() == [1, 1, 1]


def test_an_optimizer_that_holds_other_things() -> None:
    model, other = Tower(), Tower()
    optimizer = torch.optim.SGD([*model.blocks.parameters(), *other.embedding.parameters()], lr=0.1)
    audit = audit_module(model, "body.layers", optimizer)
    assert audit.totals["held_outside_the_module"] == 1
    assert audit.totals["not_held"] == 1
    # Plain SGD has no state.
    assert audit.layers["has_state"].to_list() == [False] * 3


def test_nothing_is_changed() -> None:
    model = Tower()
    optimizer = step(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    audit_module(model, "body.layers", optimizer, [0, 1, 2])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


BAD: dict[str, tuple[Callable[[Tower], Any], type[Exception], str]] = {
    "no name": (lambda model: "", AnalysisError, "body.layers"),
    "another name": (lambda model: "transformer.h", AnalysisError, "'transformer.h'"),
    "a name of no list": (lambda model: "embedding", AnalysisError, "Expected the name of a list"),
    "an empty list": (lambda model: [], AnalysisError, "at least one block"),
    "blocks of another model": (lambda model: Tower().blocks, AnalysisError, "block 0 .Linear. is not in Tower"),
    "no modules": (lambda model: [1, 2], AnalysisError, "block 0 .int."),
}


@pytest.mark.parametrize("name", BAD)
def test_blocks_that_are_refused(name: str) -> None:
    blocks, error, said = BAD[name]
    model = Tower()
    with pytest.raises(error, match=said):
        audit_module(model, blocks(model))


def test_other_refusals() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.raises(AnalysisError, match=r"block 1 .ReLU. has none"):
        audit_module(model, list(model))
    with pytest.raises(AnalysisError, match="map of 3 layers"):
        audit_module(Tower(), "body.layers", claimed=[0, 0])
    with pytest.raises(TieError, match="source 2"):
        audit_module(Tower(), "body.layers", claimed=[0, 2, 2])
