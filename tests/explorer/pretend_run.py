"""A run without a model: the part of a Session's surface that the widgets use, with made-up numbers."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from layertie_lab.core.config import RunConfig
from layertie_lab.core.decisions import Decision, Outcome, Proposal
from layertie_lab.core.errors import LayertieError
from layertie_lab.core.events import DecisionFinished, DecisionMade, Evaluated, Event, Finished, Opened, Stepped
from layertie_lab.core.notices import Notice
from layertie_lab.core.rules import Rules
from layertie_lab.core.ties import TieMap
from layertie_lab.explorer import Feed, SessionThread
from layertie_lab.session.turns import Turns
from layertie_lab.widgets import LiveChart, SteerPanel, TieMapView


class PretendSession:
    """Looks like a Session. `step_seconds` is what an optimizer step takes."""

    def __init__(self, layers: int = 12, decisions: int = 200, step_seconds: float = 0.0, *, merging: bool = False):
        self.config = RunConfig.preset("tiny", layers=layers, decisions=decisions)
        self.directory: Path | None = None
        self.step_seconds = step_seconds
        self.merging = merging
        self.ties = TieMap.all_tied(layers)
        self.step = self.decision = 0
        self.rules = Rules()
        self.saved: list[str | None] = []
        self.fails_at: int | None = None
        self._random = random.Random(0)
        self._subscribers: list[Callable[[Any], None]] = []
        self._pending: Decision | None = None
        self._steps = 0
        self.claim = Turns().claim
        self._past: list[Any] = [self.opening()]

    @property
    def blocks(self) -> TieMap:
        return TieMap((0,) * len(self.ties)) if self.merging else self.ties.flattened()

    @property
    def phase(self) -> str:
        return "propose" if self._pending is None else "training"

    @property
    def pending_steps(self) -> int:
        return 0 if self._pending is None else self.config.training.steps_per_decision - self._steps

    @property
    def finished(self) -> bool:
        return self._pending is None and self.decision >= self.config.decisions

    def opening(self) -> Opened:
        return Opened(
            step=self.step,
            decision=self.decision,
            config_hash=self.config.hash,
            ties=list(self.ties),
            blocks=list(self.blocks),
            untied_parameters=1000 * len(self.ties),
            trainable_parameters=1000,
            claimed_parameters=1000,
            vocabulary_size=65,
            unigram_entropy=3.2,
            bytes_per_token=1.0,
            split_tokens={"train": 1000},
            corpus="made up",
        )

    def past(self) -> list[Any]:
        return self._past

    def subscribe(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def propose(self) -> Proposal:
        if self._pending is not None:
            raise LayertieError("Expected to propose between two decisions.", "Finish the one under way.")
        decision, layers = self.decision + 1, len(self.ties)
        layer = 1 + self.decision % (layers - 1)
        draw = random.Random(decision)
        values = tuple(draw.gauss(-0.1, 0.08) for _ in range(layer + 1))
        explored = draw.random() < 0.3
        best = max(range(layer + 1), key=values.__getitem__)
        return Proposal(
            decision=decision,
            episode=1 + self.decision // (layers - 1),
            layer=layer,
            legal=tuple(range(layer + 1)),
            choice=draw.randrange(layer + 1) if explored else best,
            q_values=values,
            explored=explored,
            epsilon=max(0.02, 0.97**decision),
            present=self.ties[layer],
        )

    def begin(self, choice: int, by: str = "human") -> Decision:
        proposal = self.propose()
        ties = self.ties.act(proposal.layer, choice)
        decision = Decision(proposal, choice, by, self.step)
        self._tell(DecisionMade.of(decision))
        self.ties, self.decision, self._pending, self._steps = ties, proposal.decision, decision, 0
        return decision

    def advance(self) -> None:
        if self.fails_at == self.step:
            raise LayertieError(f"The loss of step {self.step + 1} is not a finite number.", "Lower the rate.")
        time.sleep(self.step_seconds)
        self.step += 1
        self._steps += 1
        self._tell(Stepped(self.step, self.decision, self._loss(), 1e-3, abs(self._random.gauss(0.8, 0.2))))

    def finish(self) -> Outcome:
        assert self._pending is not None
        owners = len(self.ties.independent_layers)
        outcome = Outcome(
            decision=self._pending,
            ties=self.ties,
            blocks=self.blocks,
            reward=self._random.gauss(0.01, 0.05),
            reward_loss=self._loss(),
            train_loss=self._loss(),
            trainable_parameters=1000 * owners,
            claimed_parameters=1200 * owners,
        )
        memory = {"parameters": 4000 * owners, "gradients": 4000 * owners, "optimizer": 8000, "activations": 90_000}
        self._pending = None
        self._tell(DecisionFinished.of(outcome, self.step, memory))
        if self.decision % 10 == 0:
            self._tell(Evaluated(self.step, self.decision, "validation", self._loss() + 0.05, 0.02, 64))
        if self.decision == self.config.decisions:
            self._tell(Finished(self.step, self.decision))
        return outcome

    def conclude(self) -> None:
        """Nothing is evaluated at the end of a run."""

    def note(self, notice: Notice) -> None:
        self._tell(notice)

    def commit(self, choice: int, by: str = "human") -> Outcome:
        self.begin(choice, by)
        return self._complete()

    def run(self, decisions: int | None = None, should_stop: Callable[[], bool] | None = None) -> list[Outcome]:
        outcomes: list[Outcome] = []
        goal = self.config.decisions - self.decision if decisions is None else decisions
        while len(outcomes) < goal and not (should_stop is not None and should_stop()):
            if self._pending is None:
                self.begin(self.propose().choice, by="agent")
            elif self._steps < self.config.training.steps_per_decision:
                self.advance()
            else:
                outcomes.append(self.finish())
        return outcomes

    def save(self, name: str | None = None) -> None:
        self.saved.append(name)

    def _complete(self) -> Outcome:
        while self._steps < self.config.training.steps_per_decision:
            self.advance()
        return self.finish()

    def _loss(self) -> float:
        return 1.4 + 2.8 * math.exp(-self.step / 400) + self._random.gauss(0, 0.04)

    def _tell(self, entry: Any) -> None:
        if isinstance(entry, Event):
            self._past.append(entry)
        for callback in tuple(self._subscribers):
            callback(entry)


class Room:
    """Session, thread, widgets and feed of a page, with one owner."""

    def __init__(self, session: PretendSession, panels: dict[str, Any], *, x: str = "decision", columns: int = 3):
        steps = session.config.training.steps_per_decision
        self.session = session
        self.thread = SessionThread(session)
        self.steer = SteerPanel(can_keep=True)
        self.tie_map = TieMapView()
        self.chart = LiveChart(panels, columns=columns, x=x, steps_per_decision=steps)
        self.heard: list[Any] = []
        self.tie_map.on_answer(lambda layer, source, heard=self.heard: heard.append(("answer", layer, source)))
        self.steer.on_press(lambda press, heard=self.heard: heard.append(press))
        self.feed = Feed(
            self.thread,
            chart=self.chart,
            tie_map=self.tie_map,
            steer=self.steer,
            past=[session.opening()],
            budget=session.config.decisions,
        )
