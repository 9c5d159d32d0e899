"""Carries out the commands of a run, one optimizer step at a time, in a child process or in a thread of this one."""

from __future__ import annotations

import importlib
import queue
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..agent.schedule import next_layer
from ..core import commands
from ..core.commands import Command, Standing
from ..core.decisions import Decision, Outcome, Proposal
from ..core.errors import LayertieError, TieError
from ..core.measures import StepResult
from ..core.notices import Entry, Failed, KeepChanged, Notice, Proposed, Refused
from .inbox import Asked, Caller, Inbox

if TYPE_CHECKING:  # the session is handed in; importing it here would import torch before "starting" is said
    from ..session.session import Session

_LATER = object()
"""The answer comes when the work for it is done."""


class Host(Protocol):
    """The process or the thread that a driver works in."""

    in_a_process: bool
    """Whether it can outlive the process that gives the commands."""
    keep: bool
    """Whether a run that is going on is to be ended by itself when nobody can give commands any more."""

    @property
    def alone(self) -> bool:
        """Whether nobody can."""
        ...

    def tell(self, entry: Entry, /) -> None:
        """Pass an event or a notice on to those who watch."""

    def say(self, status: str, /) -> None:
        """Tell those who watch what is going on, where it has changed."""

    def explain(self, doing: str, error: BaseException, /) -> tuple[Exception, str | None]:
        """What went wrong, as those who asked shall get it; and the file with its trace."""
        ...

    def detach(self) -> None:
        """From now on the run goes on alone."""


@dataclass
class _Run:
    """A `run` (or `step`) under way: who waits, how many outcomes are still to come, those that came.

    One of a given number of decisions may go beyond the budget, where its end is evaluated. Outcomes that nobody wants
    are not held, so that a run takes no more memory the longer it is.
    """

    caller: Caller
    left: int
    single: bool = False
    counted: bool = False
    wanted: bool = True
    outcomes: list[Outcome] = field(default_factory=list)


class Driver:
    """Drives a session for whoever asks: a run, a person's action, a pause, a question.

    `serve` takes one command after another; between two of them it does one unit of work: an action that is applied,
    one optimizer step, or one outcome.

    Args:
        session: What to drive. Nobody else may use it meanwhile.
        host: Where that happens.
        throttle: Most decisions per second of a run; 0 = no limit.
        clock: Seconds, monotonic.

    Attributes:
        step_seconds: Duration of the last optimizer step.
        ahead: Layer -> source, of a person's answers that wait until their layers are asked about.
        closing: The command to end, once it has come, with who waits.
    """

    def __init__(
        self, session: Session, host: Host, *, throttle: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.session = session
        self.throttle = throttle
        self.step_seconds: float | None = None
        self.ahead: dict[int, int] = {}
        self.closing: tuple[commands.Close, Caller] | None = None
        self._host, self._clock = host, clock
        self._run: _Run | None = None
        self._people: deque[tuple[commands.Commit, Caller]] = deque()
        self._committing: Caller | None = None
        self._proposals: list[Caller] = []
        self._pauses: list[Caller] = []
        self._shown: int | None = None
        self._begun_at = float("-inf")

    # -- where it stands ----------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the agent acts."""
        return self._run is not None

    @property
    def busy(self) -> bool:
        """Whether there is something to work for."""
        return bool(self._run or self._people or self._committing is not None or self._pauses)

    @property
    def status(self) -> str:
        """running, paused (inside a decision), finished (the budget is spent) or ready (an action is awaited)."""
        if self.busy:
            return "running"
        if self.session.phase == "training":
            return "paused"
        return "finished" if self.session.finished else "ready"

    @property
    def standing(self) -> Standing:
        """What commands are judged by."""
        return Standing(self.busy, self.session.decision + 1, self._host.in_a_process)

    def snapshot(self) -> dict[str, Any]:
        """Where the run stands, as plain values."""
        session = self.session
        return {
            "status": self.status,
            "decision": session.decision,
            "step": session.step,
            "phase": session.phase,
            "pending_steps": session.pending_steps,
            "finished": session.finished,
            "ties": list(session.ties),
            "blocks": list(session.blocks),
            "throttle": self.throttle,
            "rules": str(session.rules),
            "ahead": dict(self.ahead),
        }

    # -- one command after another ------------------------------------------------------------------------------

    def serve(self, inbox: Inbox) -> None:
        """Carry out what comes until it is to end: by `Close`, or when nobody can ask any more and nothing is kept."""
        wait: float | None = None
        while self.closing is None:
            if wait != 0.0 or not inbox.empty():
                with suppress(queue.Empty):
                    asked = inbox.get(timeout=wait)
                    if asked is not None:
                        self.take(asked)
                    elif self._host.keep and self.running:
                        self._go_on_alone()
                    del asked
            alone = self._host.alone and inbox.empty()
            if alone and not (self._host.keep and self.running):
                break
            self._host.say("kept" if alone else self.status)
            wait = self.work()
            self._host.say("kept" if alone else self.status)
        self.interrupt()

    def take(self, asked: Asked) -> None:
        """Act on a command; its answer goes out now or when it is done."""
        try:
            asked.request.check(self.standing)
            value = self._carry_out(asked.request, asked.caller)
            if value is not _LATER:
                asked.caller.reply(value)
        except (Exception, SystemExit) as error:
            asked.caller.refuse(self._explain(f"The command {asked.request.verb}", error))

    def work(self) -> float | None:
        """Do one unit; an error ends what is under way, not the driver.

        Returns:
            Seconds until there is more to do: 0 at once, more under a throttle, None until something is asked for.
        """
        if not self.busy:
            self._propose_at_rest()
            return None
        try:
            if self.session.phase == "propose":
                return self._at_proposal()
            if self.session.pending_steps:
                self._advance()
            else:
                self._finish()
        except (Exception, SystemExit) as error:
            told = self._explain("Training", error)
            if told is error:
                self.note(Failed(type(told).__name__, str(told)))
            self._halt(told)
            return None
        return 0.0

    def note(self, notice: Notice) -> None:
        """Write to the run's telemetry, and tell those who watch."""
        try:
            self.session.note(notice)
        except LayertieError as error:
            # The disk may be what has failed; those who watch learn it all the same.
            self._host.tell(replace(notice, unwritten=str(error)))

    def _explain(self, doing: str, error: BaseException) -> Exception:
        if isinstance(error, LayertieError):
            return error
        told, trace = self._host.explain(doing, error)
        if told is not error:
            self.note(Failed(type(error).__name__, str(told), trace))
        return told

    def _go_on_alone(self) -> None:
        self.throttle = 0.0
        self.note(KeepChanged(keep=True, alone=True))
        self._host.detach()

    def _carry_out(self, command: Command[Any], caller: Caller) -> Any:
        session = self.session
        match command:
            case commands.Propose():
                if not self.running:
                    return session.propose()
                self._proposals.append(caller)
            case commands.Begin(choice, by):
                return self._begin(choice, by)
            case commands.Advance():
                return self._advance()
            case commands.Finish():
                return self._finish()
            case commands.Commit():
                self._people.append((command, caller))
            case commands.Run(decisions, outcomes=wanted):
                self._start(caller, decisions, wanted=wanted)
            case commands.Step():
                self._start(caller, 1, single=True)
            case commands.Pause(finish=finish):
                if not (finish and session.phase == "training"):
                    self.interrupt()
                    return self.snapshot()
                self._pauses.append(caller)
            case commands.AnswerAhead(answers, run=run):
                if not self._answer_ahead(answers, run, caller):
                    return []
            case commands.Evaluate(split, count):
                return session.evaluate(split, count)
            case commands.Sample(tokens, seed=seed, prompt=prompt, temperature=temperature):
                return session.sample(tokens, seed=seed, prompt=prompt, temperature=temperature)
            case commands.Summary():
                return session.summary()
            case commands.Opening():
                # Who comes late reads the log for what was before, so all of it must be there.
                session.recorder.flush()
                return session.opening()
            case commands.Snapshot():
                return self.snapshot()
            case commands.Call(function, arguments, path):
                sys.path.extend(entry for entry in path if entry not in sys.path)
                module, _, name = function.partition(":")
                return getattr(importlib.import_module(module), name)(session, **arguments)
            case commands.Save(name):
                return session.save(name)
            case commands.SetRules(rules):
                return session.set_rules(rules)
            case commands.SetKeep(keep):
                return self.note(KeepChanged(keep, alone=False))
            case commands.SetThrottle(throttle):
                self.throttle = throttle
                return None
            case commands.Close():
                self.closing = command, caller
            case _:
                raise LayertieError(f"Expected a command that is carried out here, but got {command}.", "Use another.")
        return _LATER

    # -- what to work for ---------------------------------------------------------------------------------------

    def _start(self, caller: Caller, decisions: int | None, *, single: bool = False, wanted: bool = True) -> None:
        """Let the agent act, in place of a run that is going on and of a pause that waits for its decision's end."""
        self._end_run()
        for waiting in _all(self._pauses):
            waiting.reply(self.snapshot())
        session = self.session
        rest = max(0, session.config.decisions - session.decision + (session.phase == "training"))
        counted = decisions is not None and not single
        self._run = _Run(caller, rest if decisions is None else decisions, single, counted, wanted)
        if self._run.left <= 0:
            self._end_run()

    def _answer_ahead(self, answers: dict[int, int], run: bool, caller: Caller) -> bool:
        """Let answers wait for their layers, in place of those that wait; whether a run through them was begun."""
        session = self.session
        for layer, source in answers.items():
            session.ties.act(layer, source)
            if layer == 0 or source not in session.rules.legal(session.ties, layer):
                raise TieError(
                    f"Expected an action out of {list(session.rules.legal(session.ties, layer))} for layer {layer}, "
                    f"but got {source}."
                    if layer
                    else "Expected layers from 1 on: layer 0 is never asked about.",
                    "Keep to the rules, or change them." if layer else "It is always on its own.",
                )
        self.ahead = dict(answers)
        if not run or not answers or self.running:
            return False
        layers = session.config.model.layers
        under_way = session.phase == "training"
        away = max((layer - next_layer(session.decision + 1, layers)[1]) % (layers - 1) for layer in answers)
        self._start(caller, away + 1 + under_way)
        return True

    def interrupt(self) -> None:
        """End everything here and now; those who wait learn how far it came."""
        self._end_run()
        if self._committing is not None:
            self._committing.refuse(self._unfinished(commands.Commit.verb))
            self._committing = None
        for caller in [caller for _, caller in self._people] + _all(self._proposals):
            caller.refuse(
                LayertieError(
                    "Expected to come to the next proposal, but the run was interrupted before.",
                    "Nothing was committed: repeat it.",
                )
            )
        self._people.clear()
        for caller in _all(self._pauses):
            caller.reply(self.snapshot())

    def _halt(self, error: Exception) -> None:
        """End everything because of an error; all who wait get it."""
        callers = [caller for _, caller in self._people] + _all(self._proposals) + _all(self._pauses)
        callers += [self._run.caller] if self._run else []
        callers += [self._committing] if self._committing is not None else []
        self._run, self._committing = None, None
        self._people.clear()
        for caller in callers:
            caller.refuse(error)

    # -- one unit of work ---------------------------------------------------------------------------------------

    def _advance(self) -> StepResult:
        start = self._clock()
        result = self.session.advance()
        self.step_seconds = self._clock() - start
        return result

    def _begin(self, choice: int, by: str) -> Decision:
        decision = self.session.begin(choice, by=by)
        self._begun_at = self._clock()
        return decision

    def _finish(self) -> Outcome:
        """The outcome of the decision under way, passed on to those who wait for it."""
        outcome = self.session.finish()
        if self._committing is not None:
            self._committing.reply(outcome)
            self._committing = None
        run = self._run
        if run is not None:
            if run.wanted:
                run.outcomes.append(outcome)
            run.left -= 1
            if run.left <= 0:
                if run.counted:
                    self.session.conclude()
                self._end_run()
        return outcome

    def _propose_at_rest(self) -> None:
        """Those who asked for the next proposal of a run get it now that the run has ended before it came."""
        callers = _all(self._proposals)
        if not callers:
            return
        try:
            proposal = self.session.propose()
        except (Exception, SystemExit) as error:
            told = self._explain(f"The command {commands.Propose.verb}", error)
            for caller in callers:
                caller.refuse(told)
        else:
            for caller in callers:
                caller.reply(proposal)

    def _at_proposal(self) -> float | None:
        if self._proposals:
            proposal = self.session.propose()
            for caller in _all(self._proposals):
                caller.reply(proposal)
        if self._people:
            self._act_for(*self._people[0])
            return 0.0
        if self._pauses:
            self._end_run()
            for caller in _all(self._pauses):
                caller.reply(self.snapshot())
            return 0.0
        if self._run is None:
            return None
        proposal = self.session.propose()
        wait = self._begun_at + 1 / self.throttle - self._clock() if self.throttle else 0.0
        if wait > 0:
            if self._shown != proposal.decision:
                self._shown = proposal.decision
                self._host.tell(Proposed(proposal))
            return wait
        self._begin(*self._action(proposal))
        return 0.0

    def _action(self, proposal: Proposal) -> tuple[int, str]:
        """(action, by whom): the person's that waits for this layer, else the agent's."""
        source = self.ahead.pop(proposal.layer, None)
        if source in proposal.legal:
            return source, "human"
        if source is not None:
            # The map or the rules have changed since it was given.
            sentence = f"Your answer {source} for layer {proposal.layer} is not legal any more: the agent answered."
            self._host.tell(Refused(sentence, commands.AnswerAhead.verb))
        return proposal.choice, "agent"

    def _act_for(self, person: commands.Commit, caller: Caller) -> None:
        try:
            person.check(self.standing)  # another person may have been first
            layer = self._begin(person.choice, person.by).proposal.layer
            self.ahead.pop(layer, None)  # the person has chosen for it now
        except TieError as error:
            caller.refuse(error)
        else:
            self._committing = caller
        self._people.popleft()

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        if run.single and not run.outcomes:
            run.caller.refuse(self._unfinished(commands.Step.verb))
        else:
            run.caller.reply(run.outcomes[0] if run.single else run.outcomes)

    def _unfinished(self, verb: str) -> LayertieError:
        if self.session.phase == "propose":
            return LayertieError(f"Expected {verb}() to be done, but it was interrupted before it began.", "Repeat it.")
        return LayertieError(
            f"Expected {verb}() to be done, but decision {self.session.decision} was interrupted with "
            f"{self.session.pending_steps} steps left.",
            "Its answer stands: the next run(), step() or commit() completes it first.",
        )


def _all(callers: list[Caller]) -> list[Caller]:
    """Those who wait, who then wait no longer."""
    taken = list(callers)
    callers.clear()
    return taken
