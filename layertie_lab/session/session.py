"""A run, one decision at a time: propose, commit, train, measure, learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..agent.protocol import AgentState, Transition
from ..core.config import RunConfig
from ..core.decisions import Decision, Outcome, Proposal
from ..core.errors import LayertieError
from ..core.events import DecisionFinished, DecisionMade, Event, Stepped
from ..core.keys import RunKey
from ..core.rules import Rules
from ..core.ties import TieMap
from ..models.tied_model import TiedModel
from ..text.dataset import TokenData
from ..training.loop import StepResult
from . import capture as state
from .components import Components, build
from .evaluator import Evaluator
from .lookahead import with_trials
from .meter import Meter
from .provided import Provided, Tokens, Weights
from .queries import Queries
from .recorder import Recorder
from .rules_in_force import check_answer, ruled
from .schedule import Schedule
from .summary import opened

Subscriber = Callable[[Any], None]


class Session(Queries):
    """One run. Everything that happens to it happens through these methods, in the caller's thread.

    Args:
        config: The run's settings.
        directory: Where the run is recorded; None records nothing.
        data: Tokens to train on; prepared from `config.text` if None.
        initial_weights: Name -> array, GPT-2's names, matrices out x in (`models.gpt2_names`); None draws them.
        batches: One integer array [batch_size, context + 1] per optimizer step; None draws them from the text.
        reward_batches: One [any, context + 1] per decision (the first serves before it too); needs reward.split=train.
            With both kinds and no `data` no text is read: the reward batches stand for validation and test.

    Raises:
        LayertieError: Text that cannot be read, a directory that holds a run already, a device that is absent, weights
            or batches of another shape, rules that the first map cannot keep.

    Always between two optimizer steps, so that it can be saved, forked or inspected. Source: Hay & Wolf, algorithm 1.
    """

    def __init__(
        self,
        config: RunConfig,
        directory: str | Path | None = None,
        *,
        data: TokenData | None = None,
        initial_weights: Weights | None = None,
        batches: Tokens | None = None,
        reward_batches: Tokens | None = None,
    ) -> None:
        # Text and model first: what cannot be trained leaves no run behind.
        parts = build(config, data, Provided.check(config, initial_weights, batches, reward_batches))
        Rules.parse(config.ties.rules).check(parts.model.stack.ties)
        journal = Recorder.create(directory, config, parts.given.identity(parts.data.vocabulary_size))
        try:
            self._start(parts, journal)
            self._open()
            journal.process(self)
            self.save()
        except BaseException:
            journal.close()
            raise

    def _open(self) -> None:
        self.emit(opened(self))
        self.parts.reward.start(self._readings.measure(self.step, self.decision))
        self.agenda.begin(self)
        self.journal.flush()

    def _start(self, parts: Components, journal: Recorder) -> None:
        self.parts, self.journal, self.agenda = parts, journal, Schedule()
        self.meter = Meter(parts.device)
        self.step = self.decision = 0
        self._readings = Evaluator(parts, self.meter)
        self._subscribers: list[Subscriber] = []
        self._proposal: Proposal | None = None
        self._pending: Decision | None = None
        self._asked: AgentState | None = None
        self._losses: list[float] = []

    # -- where the run stands -----------------------------------------------------------------------------------

    @property
    def config(self) -> RunConfig:
        """The run's settings."""
        return self.parts.config

    @property
    def key(self) -> RunKey:
        """The key of all its random draws."""
        return self.parts.key

    @property
    def model(self) -> TiedModel:
        """The model, as it is now."""
        return self.parts.model

    @property
    def data(self) -> TokenData:
        """The text it trains on."""
        return self.parts.data

    @property
    def ties(self) -> TieMap:
        """The tie map: the agent's state."""
        return self.parts.model.stack.ties

    @property
    def blocks(self) -> TieMap:
        """The true sharing: for each layer the first layer with the same storage."""
        return self.parts.model.stack.blocks

    @property
    def rules(self) -> Rules:
        """The rules that stand."""
        return self._readings.rules

    def set_rules(self, rules: Rules | str) -> None:
        """Let other rules stand, from the next proposal on (`ruling.set_rules`); an open one is asked for again."""
        self._readings.rules, self._proposal = ruled(self, rules), None

    @property
    def best(self) -> dict[str, float]:
        """Lowest scheduled loss so far, by split, nats per token."""
        return self.agenda.best

    @property
    def directory(self) -> Path | None:
        """The run directory, or None where nothing is recorded."""
        return self.journal.path

    @property
    def phase(self) -> str:
        """What comes next: "propose" (an answer is awaited) or "training" (a decision is under way)."""
        return "propose" if self._pending is None else "training"

    @property
    def pending_steps(self) -> int:
        """Optimizer steps left of the decision under way."""
        return 0 if self._pending is None else self.config.training.steps_per_decision - len(self._losses)

    @property
    def finished(self) -> bool:
        """Whether the budget of decisions is spent (a person may still go on)."""
        return self._pending is None and self.decision >= self.config.decisions

    # -- the loop -----------------------------------------------------------------------------------------------

    def propose(self) -> Proposal:
        """The agent's answer for the next layer. Asking again gives the same proposal.

        Raises:
            LayertieError: A decision is under way, or the policy has answered illegally.
        """
        if self._pending is not None:
            raise LayertieError(
                f"Expected to propose between two decisions, but decision {self.decision} is under way.",
                "Finish it first: call run(), or advance() and finish().",
            )
        if self._proposal is None:
            self._asked = self._readings.agent_state(self.decision + 1)
            self._proposal = self.parts.propose(with_trials(self._asked, self.parts, self._readings, self.step))
        return self._proposal

    def begin(self, choice: int, by: str = "human") -> Decision:
        """Commit an answer for the proposed layer and put it into force; its steps are then pending.

        Raises:
            TieError: Not a legal answer; nothing has changed (nor with any other error).
            ConfigError: Fewer batches were handed in than the decision takes.
            StorageError: The answer cannot be recorded.
        """
        proposal = self.propose()
        check_answer(proposal, choice, self.ties, self.rules)
        self.parts.check_supply(self.step, proposal.decision)
        decision = Decision(proposal, choice, by, self.step)
        self.journal.keep_moment(self, decision)
        event = DecisionMade.of(decision)
        # On disk before anything moves, so that an answer is never lost and never half in force.
        self.journal.write_now(event)
        self._readings.begin(proposal.layer)
        self.parts.optimizer.apply(self.model.stack.retie(proposal.layer, choice))
        self.decision, self._pending, self._proposal, self._losses = proposal.decision, decision, None, []
        self.tell(event)
        return decision

    def advance(self) -> StepResult:
        """One optimizer step of the decision under way.

        Raises:
            DivergedError: The loss is not finite; no update was made.
            DeviceMemoryError: The device ran out of memory; no update was made.
        """
        if not self.pending_steps:
            raise LayertieError("Expected a decision with steps left, but none is under way.", "Call begin() first.")
        with self.meter.training():
            result = self.parts.trainer.step(self.parts.training_batches(self.step), self.step)
        self.step += 1
        self._losses.append(result.loss)
        self.emit(Stepped(self.step, self.decision, result.loss, result.learning_rate, result.gradient_norm))
        return result

    def finish(self) -> Outcome:
        """Measure the reward of the decision under way and let the agent learn from it."""
        if self._pending is None or self.pending_steps:
            raise LayertieError(
                f"Expected a decision whose steps are done, but {self.pending_steps or 'no'} steps are left.",
                "Call begin(), then advance() until pending_steps is 0.",
            )
        decision, asked = self._pending, self._asked
        assert asked is not None, "a decision under way was proposed from a state"
        measured = self._readings.measure(self.step, self.decision)
        reward = self.parts.reward.value(measured)
        following = self._readings.agent_state(self.decision + 1)
        learning = self.parts.policy.learn(Transition(asked, decision.choice, reward, following, decision.by), self.key)
        outcome = Outcome(
            decision=decision,
            ties=self.ties,
            blocks=self.blocks,
            reward=reward,
            reward_loss=measured.loss,
            train_loss=sum(self._losses) / len(self._losses),
            trainable_parameters=measured.trainable_parameters,
            claimed_parameters=self._readings.counts()[1],
            learning=learning,
        )
        self._pending, self._losses = None, []
        self.emit(DecisionFinished.of(outcome, self.step, self._readings.memory()))
        self.agenda.after_decision(self)
        return outcome

    def commit(self, choice: int, by: str = "human") -> Outcome:
        """Answer for the proposed layer, train its steps, measure and learn.

        A decision under way is completed first.

        Args:
            choice: A legal answer; the layer's own number means *train on its own*.
            by: Who answers, as the log will say.

        Raises:
            TieError: Not a legal answer; nothing has changed.
        """
        if self._pending is not None:
            self.complete()
        self.begin(choice, by)
        return self.complete()

    def complete(self) -> Outcome:
        """Finish the decision under way."""
        while self.pending_steps:
            self.advance()
        return self.finish()

    def run(self, decisions: int | None = None, should_stop: Callable[[], bool] | None = None) -> list[Outcome]:
        """Let the agent answer.

        Args:
            decisions: How many decisions to complete; default what is left of the budget.
            should_stop: Asked before every optimizer step; True ends the call there, and the next call goes on.

        Returns:
            The outcomes of the decisions that were completed.
        """
        if decisions is not None and (not isinstance(decisions, int) or decisions < 0):
            raise LayertieError(f"Expected a number of decisions, 0 or more, but got {decisions!r}.", "Give one.")
        goal = self.config.decisions - self.decision + (self._pending is not None) if decisions is None else decisions
        outcomes: list[Outcome] = []
        while len(outcomes) < goal and not (should_stop is not None and should_stop()):
            if self._pending is None:
                self.begin(self.propose().choice, by="agent")
            elif self.pending_steps:
                self.advance()
            else:
                outcomes.append(self.finish())
        if decisions is not None and len(outcomes) == goal > 0:
            self.conclude()
        return outcomes

    def conclude(self) -> None:
        """Log an evaluation of a run that has gone beyond its budget, where none is scheduled; else do nothing."""
        self.agenda.conclude(self)

    # -- who watches ----------------------------------------------------------------------------------------------

    def note(self, kind: str, **values: Any) -> None:
        """Write a fact about the process, not the run (`EventWriter.telemetry`), and pass it on."""
        self.journal.note(self, kind, **values)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with every event and telemetry entry from now on; the result ends it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    # -- keeping it ---------------------------------------------------------------------------------------------

    def save(self, name: str | None = None) -> Path | None:
        """Write a checkpoint, so that a resumed run starts here; None where nothing is recorded.

        Args:
            name: Kept under this name; without one it is one of the two latest.

        Raises:
            StorageError: The disk is full or cannot be written; the session is unchanged.
        """
        return self.journal.checkpoint(self, name)

    @classmethod
    def resume(
        cls,
        directory: str | Path,
        *,
        data: TokenData | None = None,
        initial_weights: Weights | None = None,
        batches: Tokens | None = None,
        reward_batches: Tokens | None = None,
        watch: state.Watch | None = None,
    ) -> Session:
        """The run in a directory, as it was after the last answer that reached the log.

        What was trained since the last checkpoint is done again with the answers that the log holds; on one machine
        at one thread count that gives the same numbers, bit for bit. Batches that were handed in are handed in again,
        and more may follow; initial weights, where no checkpoint is left. `watch` is told how far that is (`Watch`).

        Raises:
            RecordError: No run there, a damaged or newer one, or one that was started with other batches or weights.
        """
        journal = Recorder.open(directory)
        try:
            session, given = cls.__new__(cls), Provided.check(journal.config, initial_weights, batches, reward_batches)
            given.check_same(journal.handed_in, directory, from_the_start=journal.is_to_be_repeated)
            session._start(build(journal.config, data, given, journal.handed_in), journal)
            state.restore(session, watch)
            journal.process(session, resumed=True)
            session.save()
        except BaseException:
            journal.close()
            raise
        return session

    def fork(self, replicate: int | None = None) -> Session:
        """An unrecorded session with the same weights, moments, agent and position, which goes on alone.

        Args:
            replicate: Whose random numbers it draws from here on (`Components.fork`); None = this run's own.
        """
        twin = type(self).__new__(type(self))
        twin._start(self.parts.fork(replicate), Recorder.unrecorded())
        twin.position(self.step, self.decision, self.best, *self.under_way, rules=self.rules)
        return twin

    @property
    def under_way(self) -> tuple[Decision | None, AgentState | None, list[float]]:
        """The decision under way, what the agent was asked, and the losses of its steps so far."""
        return self._pending, self._asked, list(self._losses)

    def position(
        self,
        step: int,
        decision: int,
        best: dict[str, float],
        pending: Decision | None,
        asked: AgentState | None,
        losses: list[float],
        rules: Rules | None = None,
    ) -> None:
        """Say where in its run a session stands whose parts were put there (a fork or a restored state)."""
        self.step, self.decision, self.agenda = step, decision, Schedule(best)
        self._pending, self._asked, self._losses = pending, asked, list(losses)
        self._readings.rules = self.rules if rules is None else rules

    def close(self, *, save: bool = True) -> None:
        """Save and release the run directory. The session can be looked at afterwards, not run on."""
        try:
            if save and self.journal.is_open:
                self.save()
        finally:
            self.journal.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def emit(self, event: Event) -> None:
        """Log an event and pass it on."""
        self.journal.append(event)
        self.tell(event)

    def tell(self, entry: Any) -> None:
        """Pass an event or a telemetry entry on to the subscribers."""
        for callback in tuple(self._subscribers):
            callback(entry)
