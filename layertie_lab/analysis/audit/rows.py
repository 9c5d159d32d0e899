"""What a run claimed beside what was true of it, decision by decision, from its events alone.

The events hold the map as decided and the sharing of storages as measured. Everything else (which position gives a
gradient, which layers have optimizer state) follows from the decisions under the run's settings; the measured storages
check it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import polars as pl

from ...core.config import RunConfig
from ...core.errors import AnalysisError
from ...core.events import DecisionFinished, DecisionMade, Evaluated, Opened
from ...core.notices import Entry, Timing
from ...core.ties import TieMap
from ...models import sharing as rules
from ...models.counts import block_parameters, outer_parameters

Row = dict[str, Any]
Gradient = Literal["owner", "summed", "none"]

COLUMNS: dict[str, tuple[Any, str]] = {
    "decision": (pl.Int64, "after this decision; 0 = the start"),
    "step": (pl.Int64, "optimizer steps done"),
    "episode": (pl.Int64, "sweep over layers 1 .. L-1, counted from 1; null at the start"),
    "layer": (pl.Int64, "the layer asked about"),
    "choice": (pl.Int64, "what was committed"),
    "explored": (pl.Boolean, "whether the proposal was a random draw"),
    "reward": (pl.Float64, "what the agent was told"),
    "reward_loss": (pl.Float64, "loss behind the reward, nats per token"),
    "claimed_map": (pl.List(pl.Int64), "source of each layer in the tie map"),
    "true_map": (pl.List(pl.Int64), "for each layer the first layer that truly has the same storage"),
    "claimed_independent": (pl.Int64, "layers that the map calls independent"),
    "true_blocks": (pl.Int64, "distinct blocks, counted by storage"),
    "claimed_parameters": (pl.Int64, "trainable parameters as the official code's count by layer would print them"),
    "true_parameters": (pl.Int64, "parameters that receive gradients, counted once per storage"),
    "stored_parameters": (pl.Int64, "parameters in memory, trained or not, counted once per storage"),
    "claimed_bytes": (
        pl.Int64,
        "bytes allocated when the episode began (weights and Adam's state), where the official code reads its memory",
    ),
    "true_bytes": (
        pl.Int64,
        "bytes that a step needs: weights, gradients, optimizer state, saved activations (predicted)",
    ),
    "device_peak_bytes": (pl.Int64, "measured: most the CUDA allocator held so far, bytes; null elsewhere"),
    "resident_bytes": (pl.Int64, "measured: resident memory of the training process, bytes; null where not recorded"),
    "gradient": (
        pl.List(pl.String),
        "for each position, the weight gradient that flows there: owner (it alone feeds its Parameters), summed (added "
        "to that of other positions), none",
    ),
    "without_gradient": (pl.Int64, "positions with gradient none"),
    "most_updates": (pl.Int64, "optimizer updates of one block's storage per step, the most over blocks"),
    "blocks_updated_twice": (pl.Int64, "distinct blocks that are updated more than once per step"),
    "states": (pl.Int64, "layers' worth of Adam's state that is held"),
    "idle_states": (pl.Int64, "of these, for layers that are not trained now"),
}
"""Column -> (polars type, meaning with unit) of an audit's frame."""


class Auditor:
    """Keeps the two books of a run while its events come in; a row per decision.

    Args:
        config: The run's settings.

    Attributes:
        rows: The rows so far (`COLUMNS`), dense in `decision` from 0.
        opened: The opening event, or None.
        evaluations: Split -> losses of its evaluations, nats per token, in order.
        notes: What a reader should know of the records.

    Feed it live (`session.subscribe(auditor.take)`) or from a log.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.rows: list[Row] = []
        self.opened: Opened | None = None
        self.evaluations: dict[str, list[float]] = {}
        self.notes: list[str] = []
        self._sharing: rules.Sharing | None = None
        self._decided: DecisionMade | None = None
        self._moved: set[int] = set()
        self._standing = self._read = 0
        self._block = sum(block_parameters(config.model).values())
        self._outer = 0

    def take(self, entry: Entry) -> None:
        """Take the next event, or what a decision cost; other notices are passed over.

        Raises:
            AnalysisError: Events of a run of another depth, or out of order.
        """
        if isinstance(entry, DecisionFinished):
            self._came(entry)
        elif isinstance(entry, DecisionMade):
            self._answer(entry)
        elif isinstance(entry, Evaluated):
            self.evaluations.setdefault(entry.split, []).append(entry.loss)
        elif isinstance(entry, Opened):
            self._open(entry)
        elif isinstance(entry, Timing) and entry.decision < len(self.rows):
            memory = {"device_peak_bytes": entry.device_peak_bytes, "resident_bytes": entry.resident_bytes}
            self.rows[entry.decision] |= {name: size or None for name, size in memory.items()}

    def frame(self) -> pl.DataFrame:
        """The rows so far; columns, types and units in `COLUMNS`."""
        return frame_of(self.rows)

    def _open(self, event: Opened) -> None:
        if len(event.ties) != self.config.model.layers:
            raise AnalysisError(
                f"Expected the events of a run of {self.config.model.layers} layers, but it opens with "
                f"{len(event.ties)}.",
                "Audit a run with its own settings.",
            )
        self.opened = event
        self._outer = sum(outer_parameters(self.config.model, event.vocabulary_size).values())
        self._sharing = rules.start(TieMap(tuple(event.ties)), self.config.ties)
        self._standing = self._read = 4 * self._stored(event.blocks)
        row = {"decision": 0, "step": event.step} | self._books(event)
        self.rows = [row | {"states": 0, "idle_states": 0, "claimed_bytes": self._read}]

    def _answer(self, event: DecisionMade) -> None:
        if self._sharing is None and not self.notes:
            raise AnalysisError(
                f"Expected the run's opening event first, but got decision {event.decision}.",
                "Take the log from its start.",
            )
        if self._decided is None or event.episode != self._decided.episode:
            self._read = self._standing
        self._decided = event
        if self._sharing is not None:
            self._sharing = rules.after_action(self._sharing, event.layer, event.choice, self.config.ties).after

    def _came(self, event: DecisionFinished) -> None:
        asked = self._decided
        if asked is None or asked.decision != event.decision or event.decision != len(self.rows):
            raise AnalysisError(
                f"Expected the outcome of decision {len(self.rows)} next, but got that of {event.decision}.",
                "Take the log from its start, each event once.",
            )
        row: Row = {
            "decision": event.decision,
            "step": event.step,
            "episode": asked.episode,
            "layer": asked.layer,
            "choice": asked.choice,
            "explored": asked.explored,
            "reward": event.reward,
            "reward_loss": event.reward_loss,
            "claimed_bytes": self._read,
            **self._books(event),
        }
        if self._sharing is not None:
            trained = trained_objects(self._sharing, self.config)
            # With aliased storages the optimizer was built over all layers and keeps what it once began.
            self._moved = self._moved | trained if self.config.ties.on_untie == "alias" else trained
            moments = 8 * (self._outer + self._block * len(self._moved))
            self._standing = 4 * row["stored_parameters"] + moments
            row |= {"states": len(self._moved), "idle_states": len(self._moved - trained)}
            if event.memory:
                kept = sum(size for component, size in event.memory.items() if component != "optimizer")
                row["true_bytes"] = kept + moments
        self.rows.append(row)

    def _books(self, event: Opened | DecisionFinished) -> Row:
        """What is claimed and what is true of the layers after an event."""
        row: Row = {
            "claimed_map": list(event.ties),
            "true_map": list(event.blocks),
            "claimed_independent": sum(source == layer for layer, source in enumerate(event.ties)),
            "true_blocks": len(set(event.blocks)),
            "claimed_parameters": event.claimed_parameters,
            "true_parameters": event.trainable_parameters,
            "stored_parameters": self._stored(event.blocks),
        }
        sharing = self._sharing
        if sharing is not None and (list(sharing.blocks) != event.blocks or list(sharing.ties) != event.ties):
            self.notes.append(
                f"From decision {event.decision} on the storages on record are {event.blocks}, where the decisions "
                f"under the run's settings lead to {list(sharing.blocks)}; gradients and optimizer state are left out "
                "from there."
            )
            sharing = self._sharing = None
        if sharing is not None:
            flow = gradient_flow(sharing, self.config)
            updates = Counter(sharing.blocks[i] for i in trained_objects(sharing, self.config))
            row |= {
                "gradient": flow,
                "without_gradient": flow.count("none"),
                "most_updates": max(updates.values(), default=0),
                "blocks_updated_twice": sum(count > 1 for count in updates.values()),
            }
        return row

    def _stored(self, blocks: list[int]) -> int:
        return self._outer + self._block * len(set(blocks))


def gradient_flow(sharing: rules.Sharing, config: RunConfig) -> list[Gradient]:
    """For each position, the weight gradient that flows there (see `COLUMNS`, gradient)."""
    trained, frozen = trained_objects(sharing, config), sharing.frozen(config.ties)
    feeds = [
        first if first in trained and not still else None for first, still in zip(sharing.objects, frozen, strict=True)
    ]
    users = Counter(feeds)
    return ["none" if first is None else "summed" if users[first] > 1 else "owner" for first in feeds]


def trained_objects(sharing: rules.Sharing, config: RunConfig) -> set[int]:
    """The layers whose Parameter objects the optimizer updates; several may lie on one storage with "alias"."""
    frozen = sharing.frozen(config.ties)
    return {first for first in sharing.objects if not frozen[first]}


def frame_of(rows: list[Row]) -> pl.DataFrame:
    """Rows as a frame; absent values are null."""
    return pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in COLUMNS},
        schema={name: kind for name, (kind, _) in COLUMNS.items()},
    )
