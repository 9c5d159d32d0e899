"""A run, one decision at a time: propose, commit, train, measure, learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..core.config import RunConfig
from ..core.decisions import Decision, Outcome, Proposal
from ..core.errors import LayertieError, RecordError
from ..core.measures import StepResult
from ..core.notices import Notice, TextNoted
from ..core.rules import Rules
from ..text.provided import token_data
from . import decision
from .components import build
from .evaluator import Evaluator
from .meter import Meter
from .own import Own, OwnPolicy, OwnReward
from .provided import Provided, Tokens, Weights
from .queries import Queries
from .recorder import Recorder
from .resumption import Watch, repeat, rewound
from .rules_in_force import apply_rules
from .schedule import Schedule
from .state import RunState
from .subscribers import Subscriber
from .summary import opened
from .turns import Claim, Turns


class Session(Queries):
    """One run. Everything that happens to it happens through these methods, in the caller's thread.

    Args:
        config: The run's settings.
        directory: Where the run is recorded; None records nothing.
        policy: One's own, in place of the one that the config names: a policy, or a class or function that makes one of
            (config, description of the reward). The run goes under its name.
        reward: One's own: a reward, or what makes one.
        data: What to train on in place of `config.text`: a list of str, a polars or pandas column, rows of `datasets`,
            or tokens (`text.provided.token_data`).
        initial_weights: Name -> array, GPT-2's names, matrices out x in (`models.gpt2_names`); None draws them.
        batches: One integer array [batch_size, context + 1] per optimizer step; None draws them from the text.
        reward_batches: One [any, context + 1] per decision (the first serves before it too); needs reward.split=train.
            With both kinds and no `data` no text is read: the reward batches stand for validation and test.

    Raises:
        LayertieError: Text that cannot be read, a directory that holds a run already, a device that is absent, weights
            or batches of another shape, rules that the first map cannot keep.

    Always between two optimizer steps, so that it can be saved, forked or inspected. Several threads may hold it: a
    call that changes it waits for the one under way, a call that reads comes between two steps of it, and while
    somebody has claimed it the calls that change it are refused to others (`claim`). Who looks at `model` itself while
    another thread trains does so within `with session.turns.use():`. Source: Hay & Wolf, algorithm 1.

    Attributes:
        text_notes: What a reader should know of the text, and of how a resumed run's was found, a sentence each.
    """

    def __init__(
        self,
        config: RunConfig,
        directory: str | Path | None = None,
        *,
        policy: OwnPolicy | None = None,
        reward: OwnReward | None = None,
        data: object = None,
        initial_weights: Weights | None = None,
        batches: Tokens | None = None,
        reward_batches: Tokens | None = None,
    ) -> None:
        # Text and model first: what cannot be trained leaves no run behind.
        own = Own.check(config, policy, reward)
        config = own.named(config)
        tokens = None if data is None else token_data(data, config.text, config.model.context)
        components = build(config, tokens, Provided.check(config, initial_weights, batches, reward_batches, own))
        state = RunState.start(components)
        self._take(state, Recorder.create(directory, components), Schedule())
        try:
            self._begin_run()
            self.recorder.process(state)
            self.save()
        except BaseException:
            self.recorder.close()
            raise

    @classmethod
    def of_state(
        cls, state: RunState, recorder: Recorder | None = None, *, schedule: Schedule | None = None
    ) -> Session:
        """A session that stands where a state does, which is its own from here on.

        Args:
            state: Where the run stands.
            recorder: Its log; None records nothing.
            schedule: What it does between decisions; None = what the config says.
        """
        session = cls.__new__(cls)
        session._take(state, recorder or Recorder.unrecorded(), schedule or Schedule())
        return session

    def _take(self, state: RunState, recorder: Recorder, schedule: Schedule) -> None:
        self.state, self.recorder, self.schedule = state, recorder, schedule
        self.evaluator = Evaluator(state, Meter(state.components.device))
        self.turns = Turns()
        self.text_notes: tuple[str, ...] = ()

    def _begin_run(self) -> None:
        self.recorder.emit(opened(self.state))
        self._tell_of_text(self.state.components.data.notes)
        self.components.reward.start(self.evaluator.measure())
        self.schedule.begin(self.state, self.evaluator, self.recorder)
        self.recorder.flush()

    def _tell_of_text(self, notes: tuple[str, ...]) -> None:
        self.text_notes = notes
        for sentence in notes:
            self.recorder.note(TextNoted(sentence))

    # -- the loop -----------------------------------------------------------------------------------------------

    def propose(self) -> Proposal:
        """The agent's proposal for the next layer. Asking again gives the same one, and changes nothing.

        Raises:
            LayertieError: A decision is under way, or the policy has proposed what is not legal.
        """
        with self.turns.use():
            return decision.propose(self.state, self.evaluator)

    def begin(self, choice: int, by: str = "human") -> Decision:
        """Commit an action for the proposed layer and apply it; its steps are then pending.

        Raises:
            TieError: Not a legal action; nothing has changed (nor with any other error).
            ConfigError: Fewer batches were handed in than the decision takes.
            StorageError: The action cannot be recorded.
        """
        with self.turns.change(), self.turns.use():
            self.schedule.catch_up(self.state, self.evaluator, self.recorder)
            return decision.begin(self.state, self.evaluator, self.recorder, choice, by)

    def advance(self) -> StepResult:
        """One optimizer step of the decision under way.

        Raises:
            DivergedError: The loss is not finite; no update was made.
            DeviceMemoryError: The device ran out of memory; no update was made.
        """
        with self.turns.change(), self.turns.use():
            return decision.advance(self.state, self.evaluator, self.recorder)

    def advance_held(self) -> StepResult:
        """One optimizer step outside of any decision: of a branch whose map is held.

        Raises:
            LayertieError: A decision is under way, or the run is recorded, whose log holds decisions alone.
            DivergedError, DeviceMemoryError: As in `advance`.
        """
        with self.turns.change(), self.turns.use():
            if self.state.pending is not None or self.recorder.is_open:
                raise LayertieError(
                    "Expected an unrecorded session between two decisions to train with its map held, but this one is "
                    f"{'recorded' if self.recorder.is_open else 'within a decision'}.",
                    "Complete the decision, and fork the session.",
                )
            return decision.train(self.state, self.evaluator)

    def finish(self) -> Outcome:
        """Measure the reward of the decision under way and let the agent learn from it."""
        with self.turns.change(), self.turns.use():
            outcome = decision.finish(self.state, self.evaluator, self.recorder)
            self.schedule.after_decision(self.state, self.evaluator, self.recorder)
            return outcome

    def commit(self, choice: int, by: str = "human") -> Outcome:
        """Act for the proposed layer, train its steps, measure and learn.

        A decision under way is completed first.

        Args:
            choice: A legal action; the layer's own number means *train on its own*.
            by: Who acts, as the log will say.

        Raises:
            TieError: Not a legal action; nothing has changed.
            LayertieError: `by` names nobody; nothing has changed.
        """
        decision.check_actor(by)
        with self.turns.change():
            if self.state.pending is not None:
                self.complete()
            self.begin(choice, by)
            return self.complete()

    def complete(self) -> Outcome:
        """Finish the decision under way."""
        with self.turns.change():
            while self.pending_steps:
                self.advance()
            return self.finish()

    def run(
        self,
        decisions: int | None = None,
        should_stop: Callable[[], bool] | None = None,
        *,
        outcomes: bool = True,
    ) -> list[Outcome]:
        """Let the agent act.

        Args:
            decisions: How many decisions to complete; default what is left of the budget.
            should_stop: Asked before every optimizer step; True ends the call there, and the next call goes on.
            outcomes: Whether they are wanted: those of a long run take memory, and its log has them all.

        Returns:
            The outcomes of the decisions that were completed, where they are wanted.
        """
        if decisions is not None and (not isinstance(decisions, int) or decisions < 0):
            raise LayertieError(f"Expected a number of decisions, 0 or more, but got {decisions!r}.", "Give one.")
        with self.turns.change():
            left = self.config.decisions - self.decision + (self.state.pending is not None)
            goal = left if decisions is None else decisions
            found: list[Outcome] = []
            done = 0
            while done < goal and not (should_stop is not None and should_stop()):
                if self.state.pending is None:
                    self.begin(self.propose().choice, by="agent")
                elif self.pending_steps:
                    self.advance()
                else:
                    outcome = self.finish()
                    done += 1
                    if outcomes:
                        found.append(outcome)
            if decisions is not None and done == goal > 0:
                self.conclude()
            return found

    def conclude(self) -> None:
        """Log an evaluation of a run that has gone beyond its budget, where none is scheduled; else do nothing."""
        with self.turns.change(), self.turns.use():
            self.schedule.conclude(self.state, self.evaluator, self.recorder)

    def set_rules(self, rules: Rules | str) -> None:
        """Apply other rules, from the next proposal on (`rules_in_force`); an open one is asked for again."""
        with self.turns.change(), self.turns.use():
            self.schedule.catch_up(self.state, self.evaluator, self.recorder)
            apply_rules(self.state, self.recorder, rules)

    # -- who watches, who steers --------------------------------------------------------------------------------

    def note(self, notice: Notice) -> None:
        """Write a fact about the process, not the run, into its telemetry, and pass it on."""
        with self.turns.use():
            self.recorder.note(notice)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with every event and telemetry entry from now on; the result ends it."""
        return self.recorder.subscribers.add(callback)

    def claim(self, holder: str, remedy: str = "Let its holder make the call, or end it first.") -> Claim:
        """Keep the session for one thread, that which enters the claim (`with claim:`), until it is released.

        Until then others are refused what changes the session, with a sentence; what reads it (evaluate, sample,
        summary, save, fork, propose) waits for the step under way, and works.

        Args:
            holder: Who has it, as others are told: "a control room".
            remedy: What others may do, as a sentence.

        Raises:
            LayertieError: Somebody has claimed it already, or this is called from a subscriber.
        """
        return self.turns.claim(holder, remedy)

    # -- keeping it ---------------------------------------------------------------------------------------------

    def save(self, name: str | None = None) -> Path | None:
        """Write a checkpoint, so that a resumed run starts here; None where nothing is recorded.

        Args:
            name: Kept under this name; without one it is one of the two latest.

        Raises:
            StorageError: The disk is full or cannot be written; the session is unchanged.
        """
        with self.turns.use():
            self.schedule.catch_up(self.state, self.evaluator, self.recorder)
            return self.recorder.checkpoint(self.state, name)

    @classmethod
    def resume(
        cls,
        directory: str | Path,
        *,
        policy: OwnPolicy | None = None,
        reward: OwnReward | None = None,
        data: object = None,
        text: str | Path | None = None,
        initial_weights: Weights | None = None,
        batches: Tokens | None = None,
        reward_batches: Tokens | None = None,
        watch: Watch | None = None,
    ) -> Session:
        """The run in a directory, as it was after the last action that reached the log.

        What was trained since the last checkpoint is done again with the actions that the log holds; on one machine
        at one thread count that gives the same numbers, bit for bit. A policy, a reward and batches that were handed in
        are handed in again, and more batches may follow; initial weights, where no checkpoint is left. `text` is where
        its text lies now, `data` the data themselves; both are compared with what the run read (`RunText.find`).
        `watch` is told how far that is (`Watch`).

        Raises:
            RecordError: No run there, a damaged or newer one, or one that was started with another text, other batches
                or weights, another policy or reward.
        """
        recorder = Recorder.open(directory)
        try:
            config, anew = recorder.config, recorder.is_to_be_repeated
            own = Own.check(config, policy, reward)
            own.check_same(recorder.handed_in, config, directory)
            given = Provided.check(config, initial_weights, batches, reward_batches, own)
            given.check_same(recorder.handed_in, directory, from_the_start=anew)
            tokens = token_data(data, config.text, config.model.context) if data is not None else None
            tokens = given.data(recorder.handed_in) if tokens is None else tokens
            found = recorder.text.find(data=tokens, text=text)
            components = build(config, found.data, given)
            state, tail = rewound(components, recorder)
            session = cls.of_state(state, recorder)
            if anew:
                session._begin_run()
            repeat(session, tail, watch)
            if state.pending is None:
                recorder.keep_spaced(state, missing=True)  # killed between the last outcome and it
            recorder.process(state, resumed=True)
            session._tell_of_text(found.notes)
            session.save()
        except BaseException:
            recorder.close()
            raise
        return session

    def fork(
        self, replicate: int | None = None, *, schedule: Schedule | None = None, proposed: bool = False
    ) -> Session:
        """An unrecorded session with the same weights, optimizer state, agent and position, which goes on alone.

        Args:
            replicate: Whose random numbers it draws from here on (`Components.fork`); None = this run's own.
            schedule: What it does between decisions; None = what the config says.
            proposed: Whether the open proposal stands in the fork; else its agent is asked again.
        """
        with self.turns.use():
            state = self.state.fork(replicate, proposed=proposed)
        return type(self).of_state(state, schedule=schedule)

    def record(self, directory: str | Path) -> None:
        """Record a fork from here on, as a run of its own that `Session.resume` can go on with.

        Args:
            directory: A folder that is empty or does not exist.

        Raises:
            RecordError: The session is recorded already, or the folder is not empty.
            StorageError: It cannot be written.
        """
        with self.turns.change(), self.turns.use():
            if self.directory is not None:
                raise RecordError(
                    f"Expected a session that is not recorded, but this one is, in {self.directory}.",
                    "Record its fork.",
                )
            before = self.recorder
            self.recorder = Recorder.create(directory, self.components)
            self.recorder.subscribers = before.subscribers
            try:
                self.recorder.emit(opened(self.state))
                self.recorder.process(self.state)
                self.save()
            except BaseException:
                self.recorder.close()
                self.recorder = before
                raise

    def close(self, *, save: bool = True) -> None:
        """Save and release the run directory. The session can be looked at afterwards, not run on."""
        with self.turns.change(), self.turns.use():
            try:
                if save and self.recorder.is_open:
                    self.save()
                    self.recorder.leave_open(self.state)
            finally:
                self.recorder.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
