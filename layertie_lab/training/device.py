"""Which device, which arithmetic."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext

import torch

from ..core.errors import ConfigError


def choose_device(name: str = "auto") -> torch.device:
    """A device by name; auto = CUDA if there is one, else MPS, else the CPU.

    Raises:
        ConfigError: This machine has no such device.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    device = torch.device(name)
    count = torch.cuda.device_count() if cuda else 0
    there = {"cpu": True, "mps": mps, "cuda": (device.index or 0) < count}.get(device.type, False)
    if not there:
        found = ["cpu", *(f"cuda:{i}" for i in range(count)), *(["mps"] if mps else [])]
        raise ConfigError(
            f"Expected a device of this machine ({', '.join(found)}), but got {name!r}.",
            "Use device=auto, or install a torch build for your device.",
        )
    return device


def uses_bf16(device: torch.device, precision: str) -> bool:
    """Whether the forward pass runs in bf16 (auto: on CUDA devices that have it)."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bf16"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context of a forward pass: bf16 autocast, or nothing."""
    if uses_bf16(device, precision):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def describe_device(device: torch.device) -> str:
    """The device in words, for a run's records."""
    if device.type == "cuda":
        size = torch.cuda.get_device_properties(device).total_memory / 2**30
        return f"{torch.cuda.get_device_name(device)} ({size:.0f} GiB)"
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    return f"{platform.processor() or platform.machine()} ({torch.get_num_threads()} threads)"
