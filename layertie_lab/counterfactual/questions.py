"""What can be asked of a run: a decision, the moment before it, and the answers it could have had."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, RecordError
from ..core.events import DecisionMade, parse
from ..core.statements import Statement
from ..records.directory import RunDirectory
from ..records.log.cursor import LineCursor
from ..records.state.checkpoints import CheckpointInfo
from ..records.tree import stored_moments


@dataclass(frozen=True)
class Question:
    """A decision whose moment is stored.

    Args:
        decision: Counted from 1.
        layer: What it is about.
        step: Optimizer steps done before it.
        legal: The legal answers.
        proposed: What the agent would answer.
        answered: What was answered; None if it still waits.
        by: Who answered; "" if it still waits.
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
        """Whether somebody answered otherwise than the agent proposed."""
        return self.answered is not None and self.answered != self.proposed


def questions(run: str | Path) -> list[Question]:
    """The decisions of a run that were answered and whose moment is stored, the latest first.

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
        decision: Which one; None = the latest that a person overrode, else the one that waits for its answer.

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
        raise RecordError(
            f"Expected a decision whose moment is stored ({stored}), but got {decision}.",
            f"layertie branch {run} --decision {decision} trains again up to there and stores it: ask about that "
            "branch's next decision.",
        )
    decided = _decided(RunDirectory.open(run), {decision})
    if decision in decided:
        return _answered(decided[decision], moments[decision])
    return _waiting(run, moments[decision])


def statement_about(found: Question, answered: int, run: str | Path, **stated: Any) -> Statement:
    """A statement about a question's two answers.

    Args:
        found: The question.
        answered: The answer to hold against the agent's.
        run: The run directory.
        **stated: Further fields of `core.statements.Statement`.

    Raises:
        ConfigError: Not a legal answer, the agent's own, or a field out of range.
    """
    config = RunDirectory.open(run).config
    if answered not in found.legal:
        raise ConfigError(
            f"Expected an answer out of {list(found.legal)} for layer {found.layer}, but got {answered}.",
            f"{found.layer} trains the layer on its own; a smaller number ties it to that layer.",
        )
    return Statement(
        decision=found.decision,
        layer=found.layer,
        step=found.step,
        proposed=found.proposed,
        answered=answered,
        config_hash=config.hash,
        seed=config.seed,
        steps_per_decision=config.training.steps_per_decision,
        **stated,
    )


def plan_values(looks: tuple[int, ...] | None, *, open_ended: bool = False) -> dict[str, Any]:
    """Fields `looks` and `replicates` of a statement, for looks at so many replicates.

    Args:
        looks: At which numbers of replicates; None for the default plan. Another plan than that shares .05 equally.
        open_ended: A confidence sequence, looked at whenever one likes.

    Raises:
        ConfigError: No looks, or fewer than two replicates at the first.
    """
    if open_ended:
        return {"looks": {"alpha": 0.05, "effect_variance": 8.0, "at_most": 64}, "replicates": 64}
    counts = (4, 8, 16) if looks is None else tuple(looks)
    if not counts or min(counts) < 2:
        raise ConfigError(
            f"Expected looks at 2 or more replicates, but got {list(counts)}: an estimate without an interval is no "
            "verdict.",
            "Use 4, 8 and 16, the default.",
        )
    alphas = (0.01, 0.015, 0.03) if counts == (4, 8, 16) else (0.05 / len(counts),) * len(counts)
    return {"looks": {"replicates": list(counts), "alphas": list(alphas)}, "replicates": counts[-1]}


def _decided(directory: RunDirectory, wanted: set[int]) -> dict[int, DecisionMade]:
    events = [parse(line) for line in LineCursor(directory.events).read_lines() if b'"decided"' in line]
    return {event.decision: event for event in events if isinstance(event, DecisionMade) and event.decision in wanted}


def _answered(event: DecisionMade, checkpoint: CheckpointInfo) -> Question:
    return Question(
        event.decision, event.layer, event.step, tuple(event.legal), event.proposed, event.choice, event.by, checkpoint
    )


def _waiting(run: str | Path, checkpoint: CheckpointInfo) -> Question:
    """One that nobody has answered yet: the agent is asked, in a session that is thrown away."""
    from ..session.moment import Moment

    session = Moment.stored(run, checkpoint.name).open()
    asked = asdict(session.propose())
    return Question(
        asked["decision"], asked["layer"], session.step, tuple(asked["legal"]), asked["choice"], None, "", checkpoint
    )
