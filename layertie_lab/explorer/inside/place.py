"""Where the person looks: what the panes' answers depend on besides their own choices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Place:
    """A moment of a run, a probe set, and what is compared or picked.

    Args:
        run: The run's folder.
        decision: The decision after which it is looked at.
        stored: Decisions after which it is stored, ascending.
        sequences: Windows of the validation split in the probe set; 0 where a text was typed.
        text: The text that was typed; "" for none.
        other: The folder of another model to compare with, and the decision; None for none.
        picked: [sequence, token] of the probe set; None where none was picked.
        example: Whether the run is a recorded example, to which nothing is written.
    """

    run: Path
    decision: int
    stored: tuple[int, ...]
    sequences: int
    text: str
    other: tuple[Path, int | None] | None = None
    picked: tuple[int, int] | None = None
    example: bool = False

    @property
    def shown(self) -> tuple[Any, ...]:
        """What all panes depend on, but for the decision."""
        return self.run, self.sequences, self.text
