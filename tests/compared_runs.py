"""Made-up runs whose every number a test chooses, to be held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layertie_lab.core.config import RunConfig
from layertie_lab.core.events import DecisionFinished, DecisionMade, Evaluated, Event, Opened
from layertie_lab.core.notices import Timing
from layertie_lab.core.ties import TieMap
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.log.writer import EventWriter

STEPS = 2
"""Optimizer steps per decision."""
START = 400
"""Trainable parameters before the first decision."""


def events_of(
    losses: Sequence[float | None], parameters: Sequence[int] | None, memory: Sequence[int] | None, first: int = 1
) -> list[Event]:
    """Decisions from `first` on: the validation loss after each (None = not evaluated), the parameters, the bytes."""
    events: list[Event] = []
    for place, loss in enumerate(losses):
        decision = first + place
        before, after = STEPS * (decision - 1), STEPS * decision
        ties = list(TieMap.all_tied(4).act(1, decision % 2))
        events.append(DecisionMade(before, decision, 1, 1, [0, 1], 0, 0, None, False, None, decision % 2, "agent"))
        count = START if parameters is None else parameters[place]
        held = 900 if memory is None else memory[place]
        parts = {"parameters": held - 100, "activations": 100}
        # A training loss that no other metric can be taken for.
        events.append(DecisionFinished(after, decision, ties, ties, 1, 0.0, 2.5, 10.0 + decision, count, count, parts))
        if loss is not None:
            events.append(Evaluated(after, decision, "validation", loss, 0.01, 16))
            events.append(Evaluated(after, decision, "test", 50.0, 0.01, 16))
    return events


def compared_run(
    path: Path,
    losses: Sequence[float | None],
    *,
    seed: int = 0,
    replicate: int = 0,
    start: float | None = 4.0,
    parameters: Sequence[int] | None = None,
    memory: Sequence[int] | None = None,
    seconds: Sequence[float | None] | None = None,
    opened: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """A run folder that nobody is writing any more.

    Args:
        path: Where.
        losses: After each decision, the validation loss; None = not evaluated then.
        seed: Of its settings.
        replicate: Of its settings.
        start: The loss before the first decision; None = not evaluated.
        parameters: Trainable ones after each decision.
        memory: Bytes after each decision.
        seconds: Of training, of each decision; None = not recorded.
        opened: Other facts of the opening event.
        **changes: Other settings.
    """
    settings = {"seed": seed, "replicate": replicate, "steps_per_decision": STEPS} | changes
    directory = RunDirectory.create(path, RunConfig.preset("tiny", **settings))
    writer = EventWriter(directory)
    facts = dict(
        step=0,
        decision=0,
        config_hash=directory.config.hash,
        ties=[0] * 4,
        blocks=[0] * 4,
        untied_parameters=1_000,
        trainable_parameters=START,
        claimed_parameters=START,
        vocabulary_size=65,
        unigram_entropy=3.3,
        bytes_per_token=2.0,
        split_tokens={"train": 500},
        corpus="made up",
    )
    writer.append(Opened(**(facts | (opened or {}))))
    if start is not None:
        writer.append(Evaluated(0, 0, "validation", start, 0.01, 16))
    for event in events_of(losses, parameters, memory):
        writer.append(event)
    for place, spent in enumerate(seconds or ()):
        if spent is not None:
            writer.telemetry(Timing(place + 1, STEPS * (place + 1), spent, spent, 0.0, 0, 0))
    writer.close("closed")
    return path
