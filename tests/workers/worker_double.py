"""A stand-in for a session that needs no torch, and functions for `Worker.call`. What it does is in `text.corpus`."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from layertie_lab.core.config import RunConfig
from layertie_lab.core.decisions import Decision, Outcome, Proposal
from layertie_lab.core.errors import CorpusError, DivergedError, LayertieError
from layertie_lab.core.events import DecisionFinished, DecisionMade, Opened, Stepped
from layertie_lab.core.notices import Entry, Notice
from layertie_lab.core.rules import Rules
from layertie_lab.core.ties import TieMap
from layertie_lab.session.turns import Turns

NAME = "worker_double:Double"


def config(behaviour: str = "", **changes: Any) -> RunConfig:
    """A tiny config whose session does `behaviour`: words and numbers, as in "slow=0.1"."""
    return RunConfig.preset("tiny", corpus=behaviour or "plain", decisions=1_000, **changes)


class Double:
    """Same surface as Session; the loss of step n is n, the agent answers 0."""

    def __init__(
        self, config: RunConfig, directory: str, state: dict[str, Any] | None = None, *, data: Any = None
    ) -> None:
        self.config = config
        word, _, number = config.text.corpus.partition("=")
        self.behaviour, self.number = word, float(number or 0)
        if word == "unreadable":
            raise CorpusError("Expected text, but got none.", "Choose another corpus.")
        if word == "explodes":
            raise ZeroDivisionError("on starting")
        if word == "preparing":
            time.sleep(self.number)
        self.path = Path(directory)
        self.path.mkdir(parents=True, exist_ok=True)
        state = state or {"decision": 0, "step": 0, "ties": [0] * config.model.layers}
        self.decision, self.step, self.ties = state["decision"], state["step"], TieMap(tuple(state["ties"]))
        self._subscribers: list[Any] = []
        self._pending: Decision | None = None
        self.pending_steps = 0
        self.claim = Turns().claim
        self.notes: list[Notice] = []

    directory = None
    text_notes = ()
    rules = Rules()
    recorder = SimpleNamespace(flush=lambda: None)

    @classmethod
    def resume(cls, directory: str, *, text: str | None = None) -> Double:
        state = json.loads((Path(directory) / "state.json").read_text())
        return cls(RunConfig.from_dict(state["config"]), directory, state)

    @property
    def blocks(self) -> TieMap:
        return self.ties.flattened()

    @property
    def phase(self) -> str:
        return "propose" if self._pending is None else "training"

    @property
    def finished(self) -> bool:
        return self._pending is None and self.decision >= self.config.decisions

    def propose(self) -> Proposal:
        if self._pending is not None:
            raise LayertieError("Expected to propose between two decisions.", "Finish it first.")
        layer = 1 + self.decision % (self.config.model.layers - 1)
        return Proposal(self.decision + 1, 1, layer, tuple(range(layer + 1)), 0)

    def begin(self, choice: int, by: str = "human") -> Decision:
        proposal = self.propose()
        self.ties = self.ties.act(proposal.layer, choice)
        self._pending = Decision(proposal, choice, by, self.step)
        self.decision, self.pending_steps = proposal.decision, self.config.training.steps_per_decision
        self._tell(DecisionMade.of(self._pending))
        return self._pending

    def advance(self) -> float:
        if self.behaviour == "slow":
            time.sleep(self.number)
        elif self.behaviour == "diverges" and self.step == self.number:
            raise DivergedError("Expected a finite loss at step 3.", "Lower the rate.")
        elif self.behaviour == "breaks" and self.step == self.number:
            raise ZeroDivisionError("inside a step")
        self.step += 1
        self.pending_steps -= 1
        for _ in range(int(self.number) if self.behaviour == "flood" else 1):
            self._tell(Stepped(self.step, self.decision, float(self.step), 0.1, 1.0))
        return float(self.step)

    def finish(self) -> Outcome:
        assert self._pending is not None
        outcome = Outcome(self._pending, self.ties, self.blocks, 0.0, 1.0, 1.0, 10, 10)
        self._pending = None
        self._tell(DecisionFinished.of(outcome, self.step, {}))
        if self.behaviour == "flood":
            (self.path / "reached").write_text(str(self.decision))
        return outcome

    def set_rules(self, rules: str) -> None:
        self.rules = Rules.parse(rules)

    def conclude(self) -> None:
        """Nothing is evaluated here."""

    def evaluate(self, split: str = "validation", count: int | None = None) -> str:
        return f"{split} {count} at {self.step}"

    def sample(
        self,
        tokens: int | None = None,
        *,
        seed: int | None = None,
        prompt: str | None = None,
        temperature: float = 0.8,
    ) -> tuple[str, str]:
        return prompt or "a", "b" * (tokens or 1)

    def summary(self) -> dict[str, Any]:
        return {"decision": self.decision}

    def opening(self) -> Opened:
        ties = list(self.ties)
        return Opened(self.step, self.decision, self.config.hash, ties, ties, 100, 10, 10, 3, 1.0, 1.0, {}, "nothing")

    def save(self, name: str | None = None) -> Path:
        if self.behaviour == "saving":
            time.sleep(self.number)
        state = {"decision": self.decision, "step": self.step, "ties": list(self.ties), "name": name}
        file = self.path / "state.json"
        file.write_text(json.dumps(state | {"config": self.config.to_dict()}))
        return file

    def note(self, notice: Notice) -> None:
        self.notes.append(notice)
        self._tell(notice)

    def subscribe(self, callback: Any) -> Any:
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def close(self, *, save: bool = True) -> None:
        if save:
            self.save()

    def _tell(self, entry: Entry) -> None:
        for callback in self._subscribers:
            callback(entry)


def position(session: Any) -> tuple[int, int, str]:
    """Where it stands."""
    return session.decision, session.step, session.phase


def process_of(session: Any) -> int:
    return os.getpid()


def nap(session: Any, seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def echo(session: Any, value: Any) -> Any:
    return value


def fail(session: Any) -> None:
    raise ValueError("no such luck")


def fail_politely(session: Any) -> None:
    raise CorpusError("Expected more.", "Give more.")


def leave(session: Any) -> None:
    raise SystemExit(7)


def unsendable(session: Any) -> Any:
    return lambda: None


def tensor(session: Any) -> Any:
    import torch

    return torch.arange(3.0)


def die(session: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def notes(session: Any) -> list[Any]:
    return session.notes
