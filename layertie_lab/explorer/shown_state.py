"""Where a run stands, gathered from its events and notices: what the tie map and the steering panel show."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..core.decisions import Proposal
from ..core.events import DecisionFinished, DecisionMade, Event, Finished, Opened, Stepped
from ..core.notices import AheadChanged, Entry, Failed, Proposed, StatusChanged
from ..core.ties import TieMap
from ..widgets.live.row_store import short
from .bar_scale import BarScale

RATE_SECONDS = 4.0
"""Rates are taken over this long."""
LEAST_SECONDS = 0.5
"""Least time that a speed is told from."""

STATUS = {
    "starting": "preparing", "preparing text": "preparing", "ready": "paused", "running": "running", "kept": "running",
    "paused": "paused", "finished": "finished", "saving": "paused", "closed": "finished", "failed": "failed",
    "lost": "lost", "killed": "lost",
}  # fmt: skip
"""What a source says of itself -> the panel's word."""

STATUS_TEXT = {
    "starting": "Starting the training process.",
    "preparing text": "Preparing the text and the model.",
    "paused": "Paused inside a decision.",
    "saving": "Saving.",
    "closed": "Closed; the run can be opened again.",
    "killed": "Ended by hand; the run can be opened again.",
}


class ShownState:
    """The present state of one run.

    Args:
        clock: Seconds, monotonic.

    Attributes:
        ties: The tie map, None before the run is open.
        blocks: The true sharing.
        status: What the source said of itself last.
        awaiting: Whether the proposal at hand is open, so that a person may answer it.
        ahead: Layer -> source, of a person's answers that wait until their layers are asked about.
        decision: Decisions that have an outcome.
        step: Optimizer steps, those of a decision under way too.
        failure: A sentence on why training stopped; "" if it did not.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.ties: TieMap | None = None
        self.blocks: list[int] = []
        self.overrides: set[int] = set()
        self.ahead: dict[int, int] = {}
        self.status = ""
        self.failure = ""
        self.decision = self._begun = 0
        self.step = 0
        self.awaiting = False
        self._hand = dict(_NO_HAND)
        self._scale = BarScale()
        self._last: dict[str, Any] = {}
        self._overridden = False
        self._times: dict[str, deque[float]] = {"decisions": deque(), "steps": deque()}

    def take(self, entry: Entry) -> None:
        """Let an event or a notice count."""
        if isinstance(entry, Event):
            self._take_event(entry)
        elif isinstance(entry, StatusChanged):
            self._take_status(entry.status, entry.sentence)
        elif isinstance(entry, Proposed):
            self._take_proposal(entry.proposal)
        elif isinstance(entry, AheadChanged):
            self.ahead = dict(entry.answers)
        elif isinstance(entry, Failed):
            self.failure = entry.sentence

    @property
    def open_decision(self) -> int | None:
        """The number of the decision that a person may answer now, or None."""
        return self._hand["asked"] if self.awaiting else None

    def map_traits(self) -> dict[str, Any]:
        """Attributes of a `TieMapView`."""
        return {
            "sources": list(self.ties or ()),
            "blocks": self.blocks,
            "overrides": sorted(self.overrides),
            **{name: self._hand[name] for name in ("layer", "legal", "proposed")},
            "can_act": self.awaiting,
            "can_brush": STATUS.get(self.status) in ("running", "paused", "finished"),
            "ahead": {str(layer): source for layer, source in sorted(self.ahead.items())},
        }

    def panel_traits(self) -> dict[str, Any]:
        """Attributes of a `SteerPanel`."""
        return {
            "status": STATUS.get(self.status, "empty"),
            "status_text": STATUS_TEXT.get(self.status, ""),
            "decision": self.decision,
            "step": self.step,
            "decisions_per_second": round(self._rate("decisions"), 1),
            "steps_per_second": round(self._rate("steps"), 1),
            **self._hand,
            "owners": self._owners(),
            "last": {} if self._hand["asked"] == self._last.get("decision") else dict(self._last),
            "can_act": self.awaiting,
        }

    def _owners(self) -> list[int]:
        """The owner that the layer at hand would have with each legal answer."""
        layer, ties = self._hand["layer"], self.ties
        if layer is None or ties is None:
            return []
        return [layer if source == layer else ties.owners[source] for source in self._hand["legal"]]

    @property
    def running(self) -> bool:
        """Whether training goes on by itself."""
        return STATUS.get(self.status) == "running"

    def _take_event(self, event: Event) -> None:
        self.step, self._begun = max(self.step, event.step), max(self._begun, event.decision)
        if isinstance(event, Opened):
            self.ties, self.blocks = TieMap(tuple(event.ties)), list(event.blocks)
            self.overrides.clear()
        elif isinstance(event, DecisionMade):
            self.failure, self.awaiting = "", False
            if event.by == "human":
                self.ahead.pop(event.layer, None)
            self._hand = _hand_of(event, asked=event.decision, proposed=event.proposed)
            self._hand |= {"choice": event.choice, "by": event.by, "q_scale": self._scaled()}
            self._last = {name: getattr(event, name) for name in ("decision", "layer", "choice", "proposed", "by")}
            self._overridden = event.choice != event.proposed
        elif isinstance(event, Stepped):
            self._times["steps"].append(self._clock())
        elif isinstance(event, DecisionFinished):
            self.decision = max(self.decision, event.decision)
            # Not before: until then nobody says what is truly shared, and the two would disagree on the screen.
            self.ties, self.blocks = TieMap(tuple(event.ties)), list(event.blocks)
            if self._hand["asked"] == event.decision:
                (self.overrides.add if self._overridden else self.overrides.discard)(self._hand["layer"])
            self._times["decisions"].append(self._clock())
        elif isinstance(event, Finished) and not self.status:
            self.status = "finished"

    def _take_status(self, status: str, sentence: str) -> None:
        self.status = status
        if status in ("failed", "lost"):
            self.failure = sentence
        if STATUS.get(status) not in ("paused", "finished", "running") or status == "closed":
            self.awaiting, self._hand = False, dict(_NO_HAND)
        if status == "running":
            self.failure = ""

    def _take_proposal(self, proposal: Proposal) -> None:
        if proposal.decision <= self._begun:
            return  # answered already
        self._hand = _hand_of(proposal, asked=proposal.decision, proposed=proposal.choice)
        self._hand["q_scale"] = self._scaled()
        self.awaiting = True

    def _scaled(self) -> float:
        return short(self._scale.take(self._hand))

    def _rate(self, kind: str) -> float:
        times = self._times[kind]
        now = self._clock()
        while times and times[0] < now - RATE_SECONDS:
            times.popleft()
        # The span from the oldest to now, so that a run that has just begun is not read as a slow one.
        span = times[-1] - times[0] if len(times) > 2 else 0.0
        # Entries come in bursts, and the first of them says nothing of how fast they come.
        return (len(times) - 1) / span if span >= LEAST_SECONDS else 0.0


_NO_HAND: dict[str, Any] = {
    "asked": 0, "episode": 0, "layer": None, "legal": [], "q_values": [], "q_deviations": [], "present": None,
    "q_scale": 0.0, "proposed": None,
    "explored": False, "epsilon": None, "choice": None, "by": "",
}  # fmt: skip


def _hand_of(question: Proposal | DecisionMade, *, asked: int, proposed: int) -> dict[str, Any]:
    values, deviations = list(question.q_values or ()), list(question.q_deviations or ())
    return {
        "asked": asked,
        "episode": question.episode,
        "layer": question.layer,
        "legal": list(question.legal),
        "q_values": [short(value) for value in values] if all(map(math.isfinite, values)) else [],
        "q_deviations": [short(value) for value in deviations] if all(map(math.isfinite, deviations)) else [],
        "present": question.present,
        "proposed": proposed,
        "explored": question.explored,
        "epsilon": question.epsilon,
        "choice": None,
        "by": "",
    }
