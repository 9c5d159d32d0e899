"""What every answer says in words: what was looked at, and an action about a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Facts = Mapping[str, Any]


def moment(decision: int) -> str:
    """A moment of a run."""
    return f"after decision {decision}" if decision else "before the first decision"


def action(layer: int, choice: int) -> str:
    """An action about a layer."""
    return "on its own" if choice == layer else f"tied to {choice}"
