"""Drives a session one optimizer step at a time, for whoever asked: a run, a person's answer, a pause."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..agent.schedule import next_layer
from ..core.decisions import Decision, Outcome, Proposal
from ..core.errors import LayertieError, TieError

if TYPE_CHECKING:  # the session is handed in; importing it here would import torch before "starting" is said
    from ..session.session import Session


class Out(Protocol):
    """Where answers and telemetry go (an `Outbox`)."""

    def tell(self, entry: Any) -> None: ...
    def reply(self, number: int, value: Any) -> None: ...
    def refuse(self, number: int, error: LayertieError) -> None: ...


@dataclass
class _Run:
    """A `run` (or `step`) under way: its request, how many outcomes are still to come, those that came.

    One of a given number of decisions may go beyond the budget, where its end is evaluated.
    """

    number: int
    left: int
    single: bool = False
    counted: bool = False
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True)
class _Person:
    """A person's answer that waits for its proposal."""

    number: int
    choice: int
    by: str
    decision: int | None


class Driver:
    """What a child process does between two looks at its pipe.

    `work` does one unit: an answer put into force, one optimizer step, or one outcome. The other methods say what to
    work for; `number` is the request that is answered when it is done.

    Args:
        session: What to drive.
        out: Where answers and telemetry go.
        throttle: Most decisions per second of a run; 0 = no limit. May be changed at any time.
        clock: Seconds, monotonic.

    Attributes:
        step_seconds: Duration of the last optimizer step.
        ahead: Layer -> source, of a person's answers that wait until their layers are asked about.
    """

    def __init__(
        self, session: Session, out: Out, *, throttle: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.session = session
        self.throttle = throttle
        self.step_seconds: float | None = None
        self._out, self._clock = out, clock
        self._run: _Run | None = None
        self._people: deque[_Person] = deque()
        self._committing: int | None = None
        self._proposals: list[int] = []
        self._pauses: list[int] = []
        self._shown: int | None = None
        self.ahead: dict[int, int] = {}
        self._begun_at = float("-inf")

    # -- where it stands ----------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the agent answers."""
        return self._run is not None

    @property
    def busy(self) -> bool:
        """Whether there is something to work for."""
        return bool(self._run or self._people or self._committing is not None or self._pauses)

    @property
    def status(self) -> str:
        """running, paused (inside a decision), finished (the budget is spent) or ready (an answer is awaited)."""
        if self.busy:
            return "running"
        if self.session.phase == "training":
            return "paused"
        return "finished" if self.session.finished else "ready"

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

    # -- what to work for ---------------------------------------------------------------------------------------

    def run(self, number: int, decisions: int | None, *, single: bool = False) -> None:
        """Let the agent answer, in place of a run that is going on."""
        self._end_run()
        session = self.session
        rest = max(0, session.config.decisions - session.decision + (session.phase == "training"))
        counted = decisions is not None and not single
        self._run = _Run(number, rest if decisions is None else decisions, single, counted)
        if self._run.left <= 0:
            self._end_run()

    def commit(self, number: int, choice: int, by: str, decision: int | None) -> None:
        """Put a person's answer into force at the next proposal.

        Raises:
            TieError: `decision` has been answered already, or is not asked next.
        """
        self.check_open(decision)
        self._people.append(_Person(number, choice, by, decision))

    def answer_ahead(self, number: int, answers: dict[int, int], *, run: bool) -> bool:
        """Let answers wait for their layers, in place of those that wait; whether a run through them was begun.

        Raises:
            TieError: One that is not legal by the present map and rules.
        """
        session = self.session
        for layer, source in answers.items():
            session.ties.answer(layer, source)
            if layer == 0 or source not in session.rules.legal(session.ties, layer):
                raise TieError(
                    f"Expected an answer out of {list(session.rules.legal(session.ties, layer))} for layer {layer}, "
                    f"but got {source}."
                    if layer
                    else "Expected layers from 1 on: layer 0 is never asked about.",
                    "Answer by the rules, or change them." if layer else "It is always on its own.",
                )
        self.ahead = dict(answers)
        if not run or not answers or self._run is not None:
            return False
        layers = session.config.model.layers
        under_way = session.phase == "training"
        away = max((layer - next_layer(session.decision + 1, layers)[1]) % (layers - 1) for layer in answers)
        self.run(number, away + 1 + under_way)
        return True

    def propose(self, number: int) -> None:
        """Answer with the next proposal."""
        self._proposals.append(number)

    def pause_at_proposal(self, number: int) -> None:
        """End the run once the decision under way is done."""
        self._pauses.append(number)

    def interrupt(self) -> None:
        """End everything here and now; those who wait learn how far it came."""
        self._end_run()
        if self._committing is not None:
            self._out.refuse(self._committing, self._unfinished("commit"))
            self._committing = None
        for number in [person.number for person in self._people] + self._take(self._proposals):
            self._out.refuse(
                number,
                LayertieError(
                    "Expected to come to the next proposal, but the run was interrupted before.",
                    "Nothing was committed: repeat it.",
                ),
            )
        self._people.clear()
        for number in self._take(self._pauses):
            self._out.reply(number, self.snapshot())

    def halt(self, error: LayertieError) -> None:
        """End everything because of an error; all who wait get it."""
        numbers = [person.number for person in self._people] + self._take(self._proposals) + self._take(self._pauses)
        numbers += [self._run.number] if self._run else []
        numbers += [self._committing] if self._committing is not None else []
        self._run, self._committing = None, None
        self._people.clear()
        for number in numbers:
            self._out.refuse(number, error)

    # -- one unit of work ---------------------------------------------------------------------------------------

    def work(self) -> float | None:
        """Do one unit.

        Returns:
            Seconds until there is more to do: 0 at once, more under a throttle, None until something is asked for.

        Raises:
            Exception: What the session raised; `halt` is then due.
        """
        if not self.busy:
            return None
        if self.session.phase == "propose":
            return self._at_proposal()
        if self.session.pending_steps:
            self.advance()
        else:
            self.finish()
        return 0.0

    def advance(self) -> Any:
        """One optimizer step."""
        start = self._clock()
        result = self.session.advance()
        self.step_seconds = self._clock() - start
        return result

    def begin(self, choice: int, by: str) -> Decision:
        """Put an answer into force."""
        decision = self.session.begin(choice, by=by)
        self._begun_at = self._clock()
        return decision

    def finish(self) -> Outcome:
        """The outcome of the decision under way, passed on to those who wait for it."""
        outcome = self.session.finish()
        if self._committing is not None:
            self._out.reply(self._committing, outcome)
            self._committing = None
        run = self._run
        if run is not None:
            run.outcomes.append(outcome)
            run.left -= 1
            if run.left <= 0:
                if run.counted:
                    self.session.conclude()
                self._end_run()
        return outcome

    def check_open(self, decision: int | None) -> None:
        """Raise TieError unless `decision` (None: any) is the next to be asked, or open now."""
        following = self.session.decision + 1
        if decision is None or decision == following:
            return
        if decision < following:
            raise TieError(
                f"Expected an answer for decision {following}, but got one for decision {decision}, which has been "
                "answered already.",
                "Pause the run to answer in your own time.",
            )
        raise TieError(
            f"Expected an answer for decision {following}, but got one for decision {decision}, which has not been "
            "asked yet.",
            "Ask for the open proposal first.",
        )

    def _at_proposal(self) -> float | None:
        if self._proposals:
            proposal = self.session.propose()
            for number in self._take(self._proposals):
                self._out.reply(number, proposal)
        if self._people:
            self._answer_of(self._people[0])
            return 0.0
        if self._pauses:
            self._end_run()
            for number in self._take(self._pauses):
                self._out.reply(number, self.snapshot())
            return 0.0
        if self._run is None:
            return None
        proposal = self.session.propose()
        wait = self._begun_at + 1 / self.throttle - self._clock() if self.throttle else 0.0
        if wait > 0:
            if self._shown != proposal.decision:
                self._shown = proposal.decision
                self._out.tell({"kind": "proposed", "proposal": proposal})
            return wait
        self.begin(*self._answer(proposal))
        return 0.0

    def _answer(self, proposal: Proposal) -> tuple[int, str]:
        """(answer, by whom): the person's that waits for this layer, else the agent's."""
        source = self.ahead.pop(proposal.layer, None)
        if source in proposal.legal:
            return source, "human"
        if source is not None:
            # The map or the rules have changed since it was given.
            sentence = f"Your answer {source} for layer {proposal.layer} is not legal any more: the agent answered."
            self._out.tell({"kind": "refused", "sentence": sentence, "command": "answer_ahead"})
        return proposal.choice, "agent"

    def _answer_of(self, person: _Person) -> None:
        try:
            self.check_open(person.decision)
            layer = self.begin(person.choice, person.by).proposal.layer
            self.ahead.pop(layer, None)  # the person has answered for it now
        except TieError as error:
            self._out.refuse(person.number, error)
        else:
            self._committing = person.number
        self._people.popleft()

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        if run.single and not run.outcomes:
            self._out.refuse(run.number, self._unfinished("step"))
        else:
            self._out.reply(run.number, run.outcomes[0] if run.single else run.outcomes)

    def _unfinished(self, command: str) -> LayertieError:
        if self.session.phase == "propose":
            return LayertieError(
                f"Expected {command}() to be done, but it was interrupted before it began.", "Repeat it."
            )
        return LayertieError(
            f"Expected {command}() to be done, but decision {self.session.decision} was interrupted with "
            f"{self.session.pending_steps} steps left.",
            "Its answer stands: the next run(), step() or commit() completes it first.",
        )

    @staticmethod
    def _take(numbers: list[int]) -> list[int]:
        taken = list(numbers)
        numbers.clear()
        return taken
