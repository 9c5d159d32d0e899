"""The memory ledger: bytes of a training step by component, layer and owner, as they are and as predicted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import psutil
import torch
from torch import Tensor

from ...core.ties import TieMap
from ...models.counts import claimed_parameters, trainable_parameters, untied_parameters
from ...models.memory import standing_bytes
from ...models.tied_model import TiedModel
from ...models.weightless import put_under, without_memory
from ..capture import Tick, blocks_of, check_tokens, device_of, layers_of, ties_of
from .peak import measured_step, predicted_step

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "map": pl.String, "when": pl.String, "kind": pl.String, "component": pl.String, "layer": pl.Int64,
    "owner": pl.Int64, "block": pl.Int64, "bytes": pl.Int64,
}  # fmt: skip

_Entry = tuple[str, str, str, int | None, int]
"""(when, kind, component, layer, bytes)."""


def ledger(
    model: TiedModel,
    tokens: Tensor,
    *,
    batch_size: int,
    bf16: bool = False,
    optimizer: torch.optim.Optimizer | None = None,
    allocator: bool = False,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """Bytes of a training step, entry by entry.

    Args:
        model: It is left as it was.
        tokens: [sequences, time + 1] probe tokens, repeated to a batch for the forward pass that is measured.
        batch_size: Sequences per forward pass in training.
        bf16: Whether training runs under bf16 autocast.
        optimizer: The one that trains the model; without it its state is predicted only, and the peak is that of
            AdamW with both moments in place.
        allocator: On CUDA, also read the allocator (`peak.measured_step`).
        tick: Called with the share done; may raise to cancel.

    Returns:
        Rows that add up: within one `map`, `kind` and `component` every byte is in one row.
            map: "as is" (the present ties), "untied", "all tied".
            when: "step" (each component at the most that it holds in a step), "now" (what is held between two steps)
                or "peak" (all components at the one moment at which a step holds most).
            kind: counted (from the tensors that exist, each storage once; gradients: what backward will allocate),
                measured (saved activations by saved-tensor hooks; the process), predicted (by a step without memory).
            component: parameters, gradients, optimizer, activations (saved for backward, in one forward pass),
                temporaries (at the peak: everything else); allocator slack (CUDA: reserved, but not allocated);
                resident (the process's resident set, all in all) or device peak (CUDA allocator's).
            layer: The first layer that holds the bytes; null outside the layers, and for predictions but the peak's.
            owner: The layer's owner in the tie map. block: The first layer on the same storage (they differ under the
                official code's bookkeeping).

    Raises:
        AnalysisError: Probe tokens that the model cannot take.
    """
    check_tokens(model, tokens, targets=True)
    counted = list(_counted(model, optimizer))
    entries: list[_Entry] = [("step", "counted", *entry) for entry in counted]
    entries += [("now", "counted", *entry) for entry in counted if entry[0] != "gradients"]
    entries += [("now", "counted", *entry) for entry in _gradients_now(model)]
    step = measured_step(
        model,
        tokens,
        batch_size=batch_size,
        bf16=bf16,
        optimizer=optimizer,
        allocator=allocator,
        tick=_part(tick, 0.0, 0.2),
    )
    ties, blocks = ties_of(model), blocks_of(model)
    places = [*range(len(ties)), None]
    entries += [("step", "measured", "activations", layer, step.saved.get(layer, 0)) for layer in places]
    entries += [("step", "measured", component, None, size) for component, size in _process(device_of(model)).items()]
    entries += [("peak", "measured", *place, size) for place, size in step.peak.items()]
    if step.reading is not None:
        entries += [("peak", "measured", "allocator slack", None, step.reading.slack)]
    entries += _predicted(model, None, batch_size, bf16, _part(tick, 0.2, 0.5))
    rows = _rows("as is", ties.owners, tuple(blocks), entries)
    others = {"untied": TieMap.independent(len(ties)), "all tied": TieMap.all_tied(len(ties))}
    for done, (name, other) in enumerate(others.items()):
        share = _part(tick, 0.5 + 0.25 * done, 0.75 + 0.25 * done)
        rows += _rows(name, other.owners, tuple(other), _predicted(model, other, batch_size, bf16, share))
    if tick is not None:
        tick(1.0)
    return pl.DataFrame(rows, schema=SCHEMA)


def _counted(model: TiedModel, optimizer: torch.optim.Optimizer | None) -> Iterable[tuple[str, int | None, int]]:
    """(component, layer, bytes) of the tensors that exist, and of the gradients they will get."""
    layers = layers_of(model)
    place = {id(p): layer for layer in reversed(range(len(layers))) for p in layers[layer].parameters()}
    parameters = list(model.parameters())
    storages: dict[int, Tensor] = {}
    for p in parameters:
        storages.setdefault(p.data_ptr(), p)
    yield from _by_layer("parameters", len(layers), ((place.get(id(p)), _size(p)) for p in storages.values()))
    trained = ((place.get(id(p)), _size(p)) for p in parameters if p.requires_grad)
    yield from _by_layer("gradients", len(layers), trained)
    if optimizer is not None:
        # With the official code's bookkeeping, layers that are tied now keep optimizer state for Parameters out of use.
        for group in model.stack.trained():
            place |= {id(p): int(name.split(".")[0]) for name, p in group.items()}
        states = (
            (place.get(id(p)), sum(_size(value) for value in state.values() if isinstance(value, Tensor)))
            for p, state in optimizer.state.items()
        )
        yield from _by_layer("optimizer", len(layers), states)


def _by_layer(
    component: str, layers: int, sizes: Iterable[tuple[int | None, int]]
) -> Iterable[tuple[str, int | None, int]]:
    totals: dict[int | None, int] = dict.fromkeys([*range(layers), None], 0)
    for layer, size in sizes:
        totals[layer] += size
    yield from ((component, layer, size) for layer, size in totals.items())


def _predicted(model: TiedModel, ties: TieMap | None, batch_size: int, bf16: bool, tick: Tick | None) -> list[_Entry]:
    """Of a step that is not carried out, under the present map or another."""
    with without_memory(model) as twin:
        if ties is not None:
            put_under(twin, ties)
        standing = standing_bytes(twin)
        step = predicted_step(twin, batch_size, bf16=bf16, tick=tick)
    totals = standing | {"activations": sum(step.saved.values())}
    found: list[_Entry] = [("step", "predicted", component, None, size) for component, size in totals.items()]
    return found + [("peak", "predicted", *place, size) for place, size in step.peak.items()]


def _rows(
    name: str, owners: tuple[int, ...], blocks: tuple[int, ...], entries: Iterable[_Entry]
) -> list[dict[str, Any]]:
    return [
        {
            "map": name,
            "when": when,
            "kind": kind,
            "component": component,
            "layer": layer,
            "owner": None if layer is None else owners[layer],
            "block": None if layer is None else blocks[layer],
            "bytes": size,
        }
        for when, kind, component, layer, size in entries
    ]


def _part(tick: Tick | None, start: float, end: float) -> Tick | None:
    return None if tick is None else lambda share: tick(start + (end - start) * share)


def official_line(model: TiedModel) -> dict[str, Any]:
    """What the official code would print of the model's parameters, beside what is true, and why they differ.

    Returns:
        claimed (every layer that the tie map calls independent in full, as the official code counts), trainable (each
        storage once), untied, reason (a sentence).
    """
    claimed, trainable = claimed_parameters(model), trainable_parameters(model)
    owners, blocks = len(ties_of(model).independent_layers), len(set(blocks_of(model)))
    reason = "Both counts agree: every layer that the map calls independent has storage of its own, and trains."
    if claimed != trainable:
        reason = (
            f"The official code counts each of the {owners} layers that its map calls independent in full, but there "
            f"are {blocks} distinct blocks in memory: layers that were freed from a tie kept the storage they shared, "
            "so that several of them are one and are counted more than once."
        )
        if blocks >= owners:
            reason = (
                "Some layers that the map calls independent receive no gradient, and the official code counts them."
            )
    return {"claimed": claimed, "trainable": trainable, "untied": untied_parameters(model), "reason": reason}


def _gradients_now(model: TiedModel) -> Iterable[tuple[str, int | None, int]]:
    layers = layers_of(model)
    place = {id(p): layer for layer in reversed(range(len(layers))) for p in layers[layer].parameters()}
    held = ((place.get(id(p)), _size(p.grad)) for p in model.parameters() if p.grad is not None)
    yield from _by_layer("gradients", len(layers), held)


def _process(device: torch.device) -> dict[str, int]:
    found = {"resident": psutil.Process().memory_info().rss}
    if device.type == "cuda":
        found["device peak"] = torch.cuda.max_memory_allocated(device)
    return found


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
