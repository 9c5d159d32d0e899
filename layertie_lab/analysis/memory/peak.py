"""What a training step holds at its fullest: of a real step of a copy, or of a step on a copy without memory.

Both are the same step under the same books. On fake tensors it needs no memory, whatever the model's size, and any
stack and map can be asked about. Measured against the real step (CPU, 3 sizes x 30 maps x 2 gradients, with and without
dropout and bf16): equal to the byte, place by place; 12 x 64 takes 0.15 to 0.25 s. A replay of one kind of block by
formulas took 2 ms, but was 495 lines and knew no other block.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from ...models.counts import outer_of
from ...models.tied_model import TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Tick, device_of, layers_of
from .books import AllocatorReading, Books, StepMemory


def measured_step(
    model: TiedModel,
    tokens: Tensor,
    *,
    batch_size: int,
    accumulate: int = 1,
    bf16: bool = False,
    optimizer: torch.optim.Optimizer | None = None,
    allocator: bool = False,
    tick: Tick | None = None,
) -> StepMemory:
    """Carry out a training step (forward, backward, AdamW) on a copy, and account for every tensor.

    Args:
        model: It is left as it was.
        tokens: [sequences, time + 1] probe tokens, repeated to a batch.
        batch_size: Sequences per forward pass.
        accumulate: Batches per update. Two are enough to see the most that any number holds.
        bf16: Whether the forward pass runs under bf16 autocast.
        optimizer: The one that trains the model; copied with it. Without it, AdamW with both moments in place.
        allocator: On CUDA, also read the caching allocator. This sets its peak counters back, which the run of this
            process reports as its own; leave it off beside a run.
        tick: Called with the share done; may raise to cancel.

    Returns:
        The books of the step. A storage counts from the operation that made it until it is freed, its whole size each
        time; scratch space inside one operation is not seen, nor is what a memory allocator rounds up.
    """
    device = device_of(model)
    before = _allocated(device)
    twin, adam = copy.deepcopy((model, optimizer))
    for p in twin.parameters():
        p.grad = None
    batch = tokens[torch.arange(batch_size) % len(tokens)].to(device)
    with undisturbed(twin, training=True):
        adam = _with_state(twin, adam)
        if allocator and device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        books = _stepped(twin, adam, batch, accumulate, bf16, tick)
    return books.closed(_reading(device, before) if allocator and device.type == "cuda" else None)


def predicted_step(
    twin: TiedModel,
    batch_size: int,
    *,
    accumulate: int = 1,
    bf16: bool = False,
    tick: Tick | None = None,
) -> StepMemory:
    """The books of a training step that is not carried out: AdamW with both moments in place, at full context.

    Args:
        twin: A copy without memory (`models.weightless.without_memory`), for one use.
        batch_size: Sequences per forward pass.
        accumulate: Batches per update, as in `measured_step`.
        bf16: Whether the forward pass runs under bf16 autocast.
        tick: Called with the share done; may raise to cancel.
    """
    batch = twin.train().blank_batch(batch_size).to(device_of(twin))
    return _stepped(twin, _with_state(twin, None), batch, accumulate, bf16, tick).closed(None)


def _stepped(
    twin: TiedModel, adam: torch.optim.Optimizer, batch: Tensor, accumulate: int, bf16: bool, tick: Tick | None
) -> Books:
    """The books of one step of a copy."""
    books = Books(layers_of(twin), tick, passes=min(accumulate, 2))
    books.stand(twin, adam)
    with books.kept(), torch.enable_grad():
        for _ in range(books.passes):
            books.begin("forward")
            with books.saving(), torch.autocast(batch.device.type, dtype=torch.bfloat16, enabled=bf16):
                loss = twin.loss(batch)
            books.begin("backward")
            loss.backward()
            del loss
        books.begin("update")
        books.gradients(twin)
        adam.step()
    return books


def _with_state(model: TiedModel, optimizer: torch.optim.Optimizer | None) -> torch.optim.Optimizer:
    """AdamW as training has it after its first step, when both moments are there."""
    if optimizer is None:
        held = list(outer_of(model).values()) + [p for group in model.stack.trained() for p in group.values()]
        optimizer = torch.optim.AdamW(held, fused=True)
    keeps = model.stack.config.moments == "keep"
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p not in optimizer.state and (keeps or p.requires_grad):
                moments = {name: torch.zeros_like(p, requires_grad=False) for name in ("exp_avg", "exp_avg_sq")}
                optimizer.state[p] = {"step": torch.zeros((), device=p.device), **moments}
    return optimizer


def _allocated(device: torch.device) -> int:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def _reading(device: torch.device, before: int) -> AllocatorReading:
    peak = torch.cuda.max_memory_allocated(device)
    return AllocatorReading(peak - before, max(0, torch.cuda.max_memory_reserved(device) - peak))
