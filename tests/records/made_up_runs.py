"""Small made-up runs, as events and as folders."""

from __future__ import annotations

from pathlib import Path

from layertie_lab.core.config import RunConfig
from layertie_lab.core.events import (
    DecisionFinished,
    DecisionMade,
    Evaluated,
    Event,
    Finished,
    Opened,
    Sampled,
    Stepped,
)
from layertie_lab.core.ties import TieMap
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.io.chain import Chain
from layertie_lab.records.log.writer import EventWriter

LAYERS = 4
CONFIG = RunConfig.preset("tiny")


def opened(config: RunConfig = CONFIG) -> Opened:
    tied = [0] * LAYERS
    return Opened(0, 0, config.hash, tied, tied, 1_000, 400, 400, 65, 3.3, 1.25, {"train": 500}, "made up")


def decision(number: int, steps: int = 2, choice: int | None = None) -> list[Event]:
    """The events of one decision, counted from 1."""
    episode, layer = (number - 1) // (LAYERS - 1) + 1, (number - 1) % (LAYERS - 1) + 1
    choice = number % (layer + 1) if choice is None else choice
    ties = list(TieMap.all_tied(LAYERS).act(layer, choice))
    first = (number - 1) * steps
    values = [0.1 * answer for answer in range(layer + 1)]
    events: list[Event] = [
        DecisionMade(first, number, episode, layer, list(range(layer + 1)), 0, 0, values, False, 0.5, choice, "agent"),
        *(Stepped(first + step, number, 3.0 / (first + step), 1e-3, 1.5) for step in range(1, steps + 1)),
    ]
    memory = {"parameters": 4_000, "gradients": 4_000, "optimizer": 8_000, "activations": 9_000}
    owners = list(TieMap(tuple(ties)).owners)
    events.append(
        DecisionFinished(
            first + steps, number, ties, owners, len(set(owners)), 0.01, 2.5, 2.6, 500, 600, memory, {"td_error": 0.1}
        )
    )
    return events


def story(decisions: int, *, finished: bool = False, config: RunConfig = CONFIG) -> list[Event]:
    """The events of a whole run."""
    events: list[Event] = [opened(config)]
    for number in range(1, decisions + 1):
        events += decision(number)
        if number % 2 == 0:
            events.append(Evaluated(2 * number, number, "validation", 2.0 + 1 / number, 0.01, 16))
    if decisions:
        events.append(Sampled(2 * decisions, decisions, "To be", " or not é\n"))
    if finished:
        events.append(Finished(2 * decisions, decisions))
    return events


def lines(events: list[Event]) -> bytes:
    """A log as it is written."""
    return chained([event.to_json().encode() for event in events])


def chained(plain: list[bytes]) -> bytes:
    """A log of these lines, whatever they hold."""
    chain = Chain()
    return b"".join(chain.sealed(line) + b"\n" for line in plain)


def write_run(path: Path, events: list[Event]) -> RunDirectory:
    """A run folder that nobody is writing any more."""
    directory = RunDirectory.create(path, CONFIG)
    writer = EventWriter(directory)
    for event in events:
        writer.append(event)
    writer.close("closed")
    return directory
