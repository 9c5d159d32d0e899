"""The memory ledger: bytes of a training step by component, layer and owner, as they are and as predicted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import psutil
import torch
from torch import Tensor, nn

from ...core.ties import TieMap
from ...models.counts import claimed_parameters, trainable_parameters, untied_parameters
from ...models.gpt import GPT
from ...models.memory import model_memory, predict_memory
from ...models.peak import model_step, predict_step
from ...models.tied_model import TiedModel
from ..capture import Tick, blocks_of, check_tokens, device_of, hooked, layers_of, ties_of, undisturbed
from .peak import measured_step

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "map": pl.String, "when": pl.String, "kind": pl.String, "component": pl.String, "layer": pl.Int64,
    "owner": pl.Int64, "block": pl.Int64, "bytes": pl.Int64,
}  # fmt: skip


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
        optimizer: The one that trains the model; without it its moments are predicted only, and the peak is that of
            AdamW with both moments in place.
        allocator: On CUDA, also read the allocator (`peak.measured_step`).
        tick: Called with the share done; may raise to cancel.

    Returns:
        Rows that add up: within one `map`, `kind` and `component` every byte is in one row.
            map: "as is" (the present ties), "untied", "all tied".
            when: "step" (each component at the most that it holds in a step), "now" (what is held between two steps)
                or "peak" (all components at the one moment at which a step holds most).
            kind: counted (from the tensors that exist, each storage once; gradients: what backward will allocate),
                measured (saved activations by saved-tensor hooks; the process), predicted (from shapes).
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
    entries = [("step", "counted", *entry) for entry in counted]
    entries += [("now", "counted", *entry) for entry in counted if entry[0] != "gradients"]
    entries += [("now", "counted", *entry) for entry in _gradients_now(model)]
    saved = saved_activations(model, tokens, batch_size=batch_size, bf16=bf16)
    entries += [("step", "measured", "activations", layer, size) for layer, size in saved.items()]
    entries += [("step", "measured", component, None, size) for component, size in _process(device_of(model)).items()]
    entries += [
        ("step", "predicted", component, None, size)
        for component, size in model_memory(model, batch_size, bf16=bf16).items()
    ]
    step = measured_step(
        model, tokens, batch_size=batch_size, bf16=bf16, optimizer=optimizer, allocator=allocator, tick=tick
    )
    entries += [("peak", "measured", *place, size) for place, size in step.peak.items()]
    if step.reading is not None:
        entries += [("peak", "measured", "allocator slack", None, step.reading.slack)]
    predicted = model_step(model, batch_size, bf16=bf16)
    entries += [("peak", "predicted", *place, size) for place, size in predicted.peak.items()]
    ties, blocks = ties_of(model), blocks_of(model)
    rows = [
        {
            "map": "as is",
            "when": when,
            "kind": kind,
            "component": component,
            "layer": layer,
            "owner": None if layer is None else ties.owners[layer],
            "block": None if layer is None else blocks[layer],
            "bytes": size,
        }
        for when, kind, component, layer, size in entries
    ]
    rows += _alternatives(model, len(ties), batch_size, bf16)
    if tick is not None:
        tick(1.0)
    return pl.DataFrame(rows, schema=SCHEMA)


def saved_activations(
    model: TiedModel, tokens: Tensor, *, batch_size: int, bf16: bool = False
) -> dict[int | None, int]:
    """Bytes that autograd saves in one training forward pass, measured.

    Args:
        model: As in `ledger`.
        tokens: [sequences, time + 1], repeated to `batch_size` sequences.
        batch_size: Sequences of the forward pass.
        bf16: Whether it runs under bf16 autocast.

    Returns:
        Layer -> bytes, and None -> bytes outside the layers. Each storage counts once, at the first operation that
        saves it; the weights themselves do not count. Blocks run eagerly, also where compiled.
    """
    device = device_of(model)
    batch = tokens[torch.arange(batch_size) % len(tokens)].to(device)
    layers = layers_of(model)
    saved: dict[int | None, int] = dict.fromkeys([*range(len(layers)), None], 0)
    held: dict[int, Any] = {p.untyped_storage().data_ptr(): p for p in model.parameters()}
    place: int | None = None

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in held:
            # Held to the end, so that no later tensor can come by the same address.
            held[storage.data_ptr()] = storage
            saved[place] += storage.nbytes()
        return tensor

    def enter(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        nonlocal place
        place = layers.index(layer)

    def leave(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
        nonlocal place
        place = None

    handles = [layer.register_forward_pre_hook(enter) for layer in layers]
    handles += [layer.register_forward_hook(leave) for layer in layers]
    with (
        undisturbed(model, training=True),
        hooked(handles),
        torch.enable_grad(),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        model.loss(batch)
    return saved


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
        # With the official code's bookkeeping, layers that are tied now keep moments for Parameters out of use.
        for group in model.stack.trained():
            place |= {id(p): int(name.split(".")[0]) for name, p in group.items()}
        moments = (
            (place.get(id(p)), sum(_size(value) for value in state.values() if isinstance(value, Tensor)))
            for p, state in optimizer.state.items()
        )
        yield from _by_layer("optimizer", len(layers), moments)


def _by_layer(
    component: str, layers: int, sizes: Iterable[tuple[int | None, int]]
) -> Iterable[tuple[str, int | None, int]]:
    totals: dict[int | None, int] = dict.fromkeys([*range(layers), None], 0)
    for layer, size in sizes:
        totals[layer] += size
    yield from ((component, layer, size) for layer, size in totals.items())


def _alternatives(model: TiedModel, layers: int, batch_size: int, bf16: bool) -> list[dict[str, Any]]:
    assert isinstance(model, GPT)
    gradient = model.stack.config.gradient
    maps = {"untied": TieMap.independent(layers), "all tied": TieMap.all_tied(layers)}
    rows: list[dict[str, Any]] = []
    for name, ties in maps.items():
        shape = model.config, model.vocabulary_size, ties, gradient, batch_size
        options: dict[str, Any] = {"bf16": bf16, "device": device_of(model).type}
        rows += [
            {"map": name, "when": "step", "kind": "predicted", "component": component, "bytes": size}
            for component, size in predict_memory(*shape, **options).items()  # type: ignore[arg-type]
        ]
        rows += [
            {
                "map": name,
                "when": "peak",
                "kind": "predicted",
                "component": component,
                "layer": layer,
                "owner": None if layer is None else ties.owners[layer],
                "block": None if layer is None else ties[layer],
                "bytes": size,
            }
            for (component, layer), size in predict_step(*shape, **options).peak.items()  # type: ignore[arg-type]
        ]
    return rows


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
