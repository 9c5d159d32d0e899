"""Where torch draws from its global generators: seed them from a key, then put them back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import default_generator

_DRAWING = threading.RLock()
"""The generators are the whole process's: a fork that trains in another thread would draw from this one's seed."""


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Global draws on the CPU and on `device` come from `seed` inside, and continue undisturbed after it.

    One thread at a time; another one that wants the same waits.
    """
    with _DRAWING:
        yield from _seeded(seed, device)


def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    before = default_generator.get_state()
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        other = torch.cuda.default_generators[index]
    elif device.type == "mps":
        other = torch.mps._get_default_mps_generator()
    else:
        other = None
    other_before = other.get_state() if other is not None else None
    default_generator.manual_seed(seed)
    if other is not None:
        other.manual_seed(seed)
    try:
        yield
    finally:
        default_generator.set_state(before)
        if other is not None and other_before is not None:
            other.set_state(other_before)
