"""A store in memory, and a little text."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# Properties are about results; a busy machine must not fail them.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


class MemoryStore:
    """Keeps arrays and JSON; counts what it was asked."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[dict[str, np.ndarray], str]] = {}
        self.saves = 0

    def load(self, key: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        if key not in self.kept:
            return None
        arrays, meta = self.kept[key]
        return copy.copy(arrays), json.loads(meta)

    def save(
        self, key: str, arrays: dict[str, np.ndarray], meta: dict[str, Any], *, private: bool = False
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self.saves += 1
        self.kept[key] = {name: array.copy() for name, array in arrays.items()}, json.dumps(meta)
        found = self.load(key)
        assert found is not None
        return found


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def prose() -> str:
    """4,000 numbered lines, about 130 kB, no two alike."""
    return "".join(f"line {n}: a tie of layer {n * 7 % 48} is a välue\n" for n in range(4000))
