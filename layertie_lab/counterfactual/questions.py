"""What can be asked of a run: a decision, the moment before it, and the actions it could have had; and asking it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, RecordError
from ..core.events import DecisionMade
from ..records.directory import RunDirectory
from ..records.log.cursor import read_events
from ..records.state.checkpoints import CheckpointInfo
from ..records.tree import damaged_moments, stored_moments
from .spec import StudyChoices, StudySpec
from .study import Study

# The session (torch) is imported where a moment is opened: what can be asked is listed without it.


@dataclass(frozen=True)
class Question:
    """A decision whose moment is stored.

    Args:
        decision: Counted from 1.
        layer: What it is about.
        step: Optimizer steps done before it.
        legal: The legal actions.
        proposed: The agent's.
        answered: The one that was taken; None if it still waits.
        by: Whose it was; "" if it still waits.
        checkpoint: The moment before it.
    """

    decision: int
    layer: int
    step: int
    legal: tuple[int, ...]
    proposed: int
    answered: int | None
    by: str
    checkpoint: CheckpointInfo

    @property
    def overridden(self) -> bool:
        """Whether somebody chose otherwise than the agent proposed."""
        return self.answered is not None and self.answered != self.proposed


def questions(run: str | Path) -> list[Question]:
    """The decisions of a run that were made and whose moment is stored, the latest first.

    Raises:
        RecordError: Not a run, or a damaged log.
    """
    moments = stored_moments(run)
    decided = _decided(RunDirectory.open(run), set(moments))
    return [_answered(decided[decision], moments[decision]) for decision in sorted(decided, reverse=True)]


def question(run: str | Path, decision: int | None = None) -> Question:
    """A decision to ask about.

    Args:
        run: The run directory.
        decision: Which one; None = the latest that a person overrode, else the one that waits for its action.

    Raises:
        RecordError: Not a run, or the moment before the decision is not stored.
    """
    moments = stored_moments(run)
    if decision is None:
        overridden = [found for found in questions(run) if found.overridden]
        if overridden:
            return overridden[0]
        decision = max(moments, default=0)
    if decision not in moments:
        stored = ", ".join(map(str, moments)) or "none"
        damage = "".join(f" {sentence}" for sentence in damaged_moments(run))
        raise RecordError(
            f"Expected a decision whose moment is stored ({stored}), but got {decision}.{damage}",
            f"layertie branch {run} --decision {decision} trains again up to there and stores it: ask about that "
            "branch's next decision.",
        )
    decided = _decided(RunDirectory.open(run), {decision})
    if decision in decided:
        return _answered(decided[decision], moments[decision])
    return _waiting(run, moments[decision])


def spec_about(found: Question, answered: int, run: str | Path, choices: StudyChoices, **more: Any) -> StudySpec:
    """A study of a question's two actions.

    Args:
        found: The question.
        answered: The action to hold against the agent's.
        run: The run directory.
        choices: What a person chose.
        **more: Whether it is `primary`, and its `plan` of interim analyses.

    Raises:
        ConfigError: Not a legal action, the agent's own, or a field out of range.
    """
    config = RunDirectory.open(run).config
    if answered not in found.legal:
        raise ConfigError(
            f"Expected an action out of {list(found.legal)} for layer {found.layer}, but got {answered}.",
            f"{found.layer} trains the layer on its own; a smaller number ties it to that layer.",
        )
    return StudySpec(
        **{entry.name: getattr(choices, entry.name) for entry in fields(StudyChoices)},
        decision=found.decision,
        layer=found.layer,
        step=found.step,
        proposed=found.proposed,
        answered=answered,
        config_hash=config.hash,
        seed=config.seed,
        steps_per_decision=config.training.steps_per_decision,
        **more,
    )


def state(run: str | Path, spec: StudySpec, found: Question) -> Study:
    """Write a study down, once it is sure that it can be done: a stated hypothesis counts.

    Args:
        run: The run directory; it may be training.
        spec: What is stated.
        found: The question that it is about.

    Raises:
        LayertieError: What is asked for cannot be, at this moment or at all.
        StorageError: The disk has no room for the study, or cannot be written.
    """
    from ..session.moment import Moment
    from .pair import check_study

    check_study(Moment.stored(run, found.checkpoint.name).open(), spec)
    return Study.write(run, spec, found.checkpoint)


def _decided(directory: RunDirectory, wanted: set[int]) -> dict[int, DecisionMade]:
    events = read_events(directory, DecisionMade)
    return {event.decision: event for event in events if isinstance(event, DecisionMade) and event.decision in wanted}


def _answered(event: DecisionMade, checkpoint: CheckpointInfo) -> Question:
    return Question(
        event.decision, event.layer, event.step, tuple(event.legal), event.proposed, event.choice, event.by, checkpoint
    )


def _waiting(run: str | Path, checkpoint: CheckpointInfo) -> Question:
    """One that still waits: the agent is asked, in a session that is thrown away."""
    from ..session.moment import Moment

    session = Moment.stored(run, checkpoint.name).open()
    asked = asdict(session.propose())
    return Question(
        asked["decision"], asked["layer"], session.step, tuple(asked["legal"]), asked["choice"], None, "", checkpoint
    )
