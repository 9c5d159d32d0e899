"""The audit of a model in memory, anybody's: what its layers and its optimizer truly hold, beside what is claimed.

audit = audit_module(model, "transformer.h", optimizer, claimed=[0, 0, 2])
audit.layers, audit.totals, [finding.sentence for finding in audit.findings]
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from ...core.errors import AnalysisError
from ...core.ties import TieMap, sharing_of
from ...models.detached import DetachedForward
from ...models.stack import storage_of
from .findings import Finding
from .module_findings import at_rest

LAYER_COLUMNS: dict[str, tuple[Any, str]] = {
    "layer": (pl.Int64, "position in the block list, from 0"),
    "claimed_source": (pl.Int64, "its source in the claimed map; null where none is claimed"),
    "block": (pl.Int64, "first layer with all the same storages"),
    "objects": (pl.Int64, "first layer with all the same Parameter objects"),
    "parameters": (pl.Int64, "parameters of the layer"),
    "on_earlier_storage": (pl.Int64, "of these, on storage that an earlier layer has, too"),
    "gradient": (
        pl.String,
        "the weight gradient of the position: owner (it alone feeds its Parameters), summed (it is added to that of "
        "other positions), none (frozen, or detached)",
    ),
    "frozen_copy": (pl.Boolean, "whether it is frozen and wholly on storage that an earlier layer has, too"),
    "updates": (pl.Int64, "optimizer updates per step of one of its storages, the most; null without an optimizer"),
    "has_state": (pl.Boolean, "whether the optimizer holds state for its Parameters; null without an optimizer"),
}
"""Column -> (polars type, meaning with unit) of `ModuleAudit.layers`."""

TOTALS: dict[str, str] = {
    "layers": "layers in the block list",
    "distinct_blocks": "distinct blocks, counted by storage",
    "claimed_independent": "layers that the claimed map calls independent; None where none is claimed",
    "stored_parameters": "parameters in memory, each storage once",
    "true_parameters": "parameters that require a gradient, each storage once",
    "counted_parameters": "parameters that require a gradient, each Parameter object once (the usual count)",
    "claimed_parameters": "a count by layer of the claimed map: those outside the layers, and its independent layers",
    "frozen_copies": "layers that are frozen on storage of an earlier layer",
    "frozen_alone": "layers that are frozen on storage of their own",
    "held_entries": "entries in the optimizer's groups",
    "storages_held_several_times": "storages with more than one entry there",
    "storages_updated_several_times": "of these, with more than one entry that requires a gradient",
    "held_outside_the_module": "entries that are no Parameter of the module",
    "not_held": "Parameters that require a gradient and are not held",
    "idle_states": "Parameters with optimizer state that require no gradient or are not in the module",
    "idle_state_bytes": "bytes of that state",
}
"""Name -> meaning of `ModuleAudit.totals`; those of the optimizer are None without one."""


@dataclass(frozen=True)
class ModuleAudit:
    """What a model truly holds.

    Args:
        layers: A row per layer; columns in `LAYER_COLUMNS`.
        totals: Counts; names and meanings in `TOTALS`.
        findings: The departures (numbered in `audit_findings`) that a model at rest can show: 1, 2, 3, 4, 9, 10.
    """

    layers: pl.DataFrame
    totals: dict[str, int | None]
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "columns": {name: meaning for name, (_, meaning) in LAYER_COLUMNS.items()},
            "layers": self.layers.to_dicts(),
            "totals": dict(self.totals),
            "departures": [asdict(finding) for finding in self.findings],
        }


def audit_module(
    module: nn.Module,
    blocks: str | Iterable[nn.Module],
    optimizer: torch.optim.Optimizer | None = None,
    claimed: TieMap | Iterable[int] | None = None,
) -> ModuleAudit:
    """Audit a model as it stands. Nothing is run or changed.

    Args:
        module: The model.
        blocks: Its layers, first to last, or the dotted name of the list in `module` ("transformer.h"). One module may
            stand at several positions.
        optimizer: The one that trains it.
        claimed: The tie map that somebody claims for it, one source per layer.

    Gradients are told from `requires_grad` and the identity of Parameters; a forward pass that detaches its weights by
    itself is seen in this package's own stacks only.

    Raises:
        AnalysisError: No module, no optimizer of torch's, parameters without memory or storage of their own (lazy,
            sparse), no blocks, blocks that are not in the module or have no parameters, or a claimed map of another
            depth.
        TieError: The claimed map is no tie map.
    """
    _check(module, optimizer)
    layers = _blocks_of(module, blocks)
    ties = None if claimed is None else claimed if isinstance(claimed, TieMap) else TieMap(tuple(claimed))
    if ties is not None and len(ties) != len(layers):
        raise AnalysisError(
            f"Expected a claimed map of {len(layers)} layers, one per block, but got {len(ties)} entries: {ties}.",
            "Write one source per layer.",
        )
    held = _Held(module, optimizer)
    rows = _layer_rows(layers, ties, held)
    totals = _totals(module, layers, ties, rows, held)
    frame = pl.DataFrame(
        {name: [row[name] for row in rows] for name in LAYER_COLUMNS},
        schema={name: kind for name, (kind, _) in LAYER_COLUMNS.items()},
    )
    return ModuleAudit(frame, totals, tuple(at_rest(rows, totals, has_optimizer=held.known)))


def _check(module: Any, optimizer: Any) -> None:
    if not isinstance(module, nn.Module):
        raise AnalysisError(f"Expected a torch.nn.Module, but got {type(module).__name__}.", "Hand in the model.")
    if optimizer is not None and not isinstance(getattr(optimizer, "param_groups", None), list):
        raise AnalysisError(
            f"Expected a torch optimizer, but got {type(optimizer).__name__}.", "Hand in the one that trains the model."
        )
    for name, p in module.named_parameters():
        if isinstance(p, nn.UninitializedParameter) or p.layout != torch.strided:
            kind = "has no shape yet" if isinstance(p, nn.UninitializedParameter) else f"is {p.layout}"
            raise AnalysisError(
                f"Expected dense parameters in memory, but {name} {kind}.",
                "Run the model once, and use dense tensors, before it is audited.",
            )


def _blocks_of(module: nn.Module, blocks: str | Iterable[nn.Module]) -> list[nn.Module]:
    if isinstance(blocks, str):
        try:
            found: Any = operator.attrgetter(blocks)(module) if blocks else None
        except AttributeError:
            found = None
        lists = [name for name, part in module.named_modules() if isinstance(part, nn.ModuleList | nn.Sequential)]
        if not isinstance(found, nn.ModuleList | nn.Sequential):
            raise AnalysisError(
                f"Expected the name of a list of blocks in {type(module).__name__}, but got {blocks!r}.",
                f"It has: {', '.join(name or '(itself)' for name in lists)}." if lists else "Hand in the blocks.",
            )
        blocks = found
    layers = list(blocks)
    if not layers:
        raise AnalysisError("Expected at least one block to audit, but got none.", "Name the model's list of layers.")
    inside = {id(part) for part in module.modules()}
    for layer, block in enumerate(layers):
        if not isinstance(block, nn.Module) or id(block) not in inside:
            raise AnalysisError(
                f"Expected blocks of the module itself, but block {layer} ({type(block).__name__}) is not in "
                f"{type(module).__name__}.",
                "Take the blocks from the module that is audited.",
            )
        if not any(p.numel() for p in block.parameters()):
            raise AnalysisError(
                f"Expected blocks with parameters, but block {layer} ({type(block).__name__}) has none.",
                "Name the list of layers, not one of activations.",
            )
    return layers


class _Held:
    """What an optimizer holds of a module's Parameters."""

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        self.known = optimizer is not None
        self.entries: list[Tensor] = (
            [p for group in optimizer.param_groups for p in group["params"]] if optimizer else []
        )
        self.state: dict[Tensor, dict[str, Any]] = dict(optimizer.state) if optimizer else {}
        own = {id(p) for p in module.parameters()}
        self.per_storage = Counter(storage_of(p) for p in self.entries)
        self.updates = Counter(storage_of(p) for p in self.entries if p.requires_grad)
        self.outside = sum(id(p) not in own for p in self.entries)
        ids = {id(p) for p in self.entries}
        self.missing = sum(p.requires_grad and id(p) not in ids for p in module.parameters())
        self.with_state = {id(p) for p in self.state}
        self.idle = [p for p in self.state if not p.requires_grad or id(p) not in own]


def _layer_rows(layers: list[nn.Module], ties: TieMap | None, held: _Held) -> list[dict[str, Any]]:
    own = [[p for p in block.parameters() if p.numel()] for block in layers]
    blocks = sharing_of(tuple(map(storage_of, parameters)) for parameters in own)
    objects = sharing_of(tuple(map(id, parameters)) for parameters in own)
    detached = [isinstance(block, DetachedForward) and block.copies for block in layers]
    feeding = [
        set() if still else {id(p) for p in parameters if p.requires_grad}
        for parameters, still in zip(own, detached, strict=True)
    ]
    users = Counter(key for keys in feeding for key in keys)
    rows: list[dict[str, Any]] = []
    earlier: set[int] = set()
    for layer, parameters in enumerate(own):
        here = {storage_of(p): p.numel() for p in parameters}
        shared = sum(size for storage, size in here.items() if storage in earlier)
        flow = "none" if not feeding[layer] else "summed" if any(users[k] > 1 for k in feeding[layer]) else "owner"
        rows.append(
            {
                "layer": layer,
                "claimed_source": None if ties is None else ties[layer],
                "block": blocks[layer],
                "objects": objects[layer],
                "parameters": sum(here.values()),
                "on_earlier_storage": shared,
                "gradient": flow,
                "frozen_copy": flow == "none" and shared == sum(here.values()),
                "updates": max(held.updates[storage] for storage in here) if held.known else None,
                "has_state": any(id(p) in held.with_state for p in parameters) if held.known else None,
            }
        )
        earlier |= here.keys()
    return rows


def _totals(
    module: nn.Module, layers: list[nn.Module], ties: TieMap | None, rows: list[dict[str, Any]], held: _Held
) -> dict[str, int | None]:
    parameters = list(module.parameters())
    inside = {id(p) for block in layers for p in block.parameters()}
    trained = [p for p in parameters if p.requires_grad]
    claimed = None
    if ties is not None:
        claimed = sum(p.numel() for p in trained if id(p) not in inside)
        claimed += sum(rows[layer]["parameters"] for layer in ties.independent_layers)
    found: dict[str, int | None] = {
        "layers": len(layers),
        "distinct_blocks": len({row["block"] for row in rows}),
        "claimed_independent": None if ties is None else len(ties.independent_layers),
        "stored_parameters": _count(parameters),
        "true_parameters": _count(trained),
        "counted_parameters": sum(p.numel() for p in trained),
        "claimed_parameters": claimed,
        "frozen_copies": sum(row["frozen_copy"] for row in rows),
        "frozen_alone": sum(row["gradient"] == "none" and not row["on_earlier_storage"] for row in rows),
    }
    state_bytes = sum(
        value.numel() * value.element_size()
        for p in held.idle
        for value in held.state[p].values()
        if isinstance(value, Tensor)
    )
    of_optimizer = {
        "held_entries": len(held.entries),
        "storages_held_several_times": sum(count > 1 for count in held.per_storage.values()),
        "storages_updated_several_times": sum(count > 1 for count in held.updates.values()),
        "held_outside_the_module": held.outside,
        "not_held": held.missing,
        "idle_states": len(held.idle),
        "idle_state_bytes": state_bytes,
    }
    return found | (of_optimizer if held.known else dict.fromkeys(of_optimizer))


def _count(parameters: Iterable[Tensor]) -> int:
    """Their elements, each storage once."""
    sizes: dict[int, int] = {}
    for p in parameters:
        # A view of the beginning of a storage is part of it.
        sizes[storage_of(p)] = max(p.numel(), sizes.get(storage_of(p), 0))
    return sum(sizes.values())
