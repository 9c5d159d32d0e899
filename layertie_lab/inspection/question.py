"""A question about a run at a moment, as plain values; to ask one loads no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

_GROUPS = ("layertie_lab.views", "layertie_lab.similarities", "layertie_lab.attributions")
PICTURES = {"drawn": True}
"""What a question about an answer's pictures has besides."""


@dataclass(frozen=True)
class Question:
    """What is asked.

    Args:
        run: The run directory.
        view: Which view, out of `views.registry.VIEWS`.
        decision: After which decision; None = the latest that is stored.
        sequences: Windows of the validation split in the probe set.
        text: A typed probe text, in place of them.
        options: Of the view.
        keep: Whether the answer may be kept beside the run: nothing is written to a recorded example.
    """

    run: str
    view: str
    decision: int | None = None
    sequences: int = 8
    text: str | None = None
    options: Mapping[str, Any] | None = None
    keep: bool = True

    def to_dict(self, decision: int) -> dict[str, Any]:
        """What decides the answer, with the decision that was meant."""
        return {
            "methods": _methods(),
            "view": self.view,
            "decision": decision,
            "sequences": self.sequences if self.text is None else 0,
            "text": self.text,
            "options": dict(self.options or {}),
        }


@cache
def _methods() -> list[str]:
    """What there is to answer with: with one method more, or one that computes otherwise, it is another answer.

    The sources are read, since to import them is to import torch.
    """
    digest = hashlib.blake2b(digest_size=8)
    analysis = Path(__file__).parents[1] / "analysis"
    for path in sorted([*analysis.glob("similarity/*.py"), *analysis.glob("attribution/*.py")]):
        digest.update(path.read_bytes())
    brought = (f"{group}: {entry.name} = {entry.value}" for group in _GROUPS for entry in entry_points(group=group))
    return [digest.hexdigest(), *sorted(brought)]
