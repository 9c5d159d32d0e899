"""What a session costs: seconds by kind of work, and memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch


class Meter:
    """Seconds spent on optimizer steps and on evaluation, and the process's or device's memory.

    Args:
        device: Where the model lives. On CUDA the peak is the allocator's; elsewhere the process's resident set.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process()
        self._lap = time.perf_counter()
        self._training = self._evaluating = 0.0
        self.steps = 0
        self.training_seconds = self.evaluation_seconds = 0.0
        self.evaluated_sequences = 0
        self.peak_resident_bytes = 0
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Around one optimizer step."""
        start = time.perf_counter()
        yield
        spent = time.perf_counter() - start
        self._training += spent
        self.training_seconds += spent
        self.steps += 1

    @contextmanager
    def evaluating(self, sequences: int = 0) -> Iterator[None]:
        """Around one evaluation.

        Args:
            sequences: How many at full context go through the model, where that is all it does.
        """
        start = time.perf_counter()
        yield
        spent = time.perf_counter() - start
        self._evaluating += spent
        if sequences:
            self.evaluation_seconds += spent
            self.evaluated_sequences += sequences

    def lap(self) -> dict[str, float]:
        """Seconds since the last lap: in all, in optimizer steps, in evaluations."""
        now = time.perf_counter()
        spent = {
            "seconds": now - self._lap,
            "training_seconds": self._training,
            "evaluation_seconds": self._evaluating,
        }
        self._lap, self._training, self._evaluating = now, 0.0, 0.0
        return spent

    def memory(self) -> dict[str, int]:
        """`resident_bytes` of this process now, and `device_peak_bytes` (CUDA allocator's peak; 0 elsewhere)."""
        resident = self._process.memory_info().rss
        self.peak_resident_bytes = max(self.peak_resident_bytes, resident)
        return {"resident_bytes": resident, "device_peak_bytes": self._device_peak()}

    def peak_bytes(self) -> int:
        """The CUDA allocator's peak, or the largest resident set seen."""
        self.memory()
        return self._device_peak() or self.peak_resident_bytes

    def _device_peak(self) -> int:
        return int(torch.cuda.max_memory_allocated(self._device)) if self._device.type == "cuda" else 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Meter:
        return Meter(self._device)
