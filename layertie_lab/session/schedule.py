"""What a run does by itself between decisions: evaluations, text samples, the best model, checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.events import Evaluated, Finished, Sampled
from ..models.tied_model import Generates

if TYPE_CHECKING:  # a session keeps an agenda
    from .session import Session


class Schedule:
    """The scheduled part of one run.

    Args:
        best: Lowest scheduled loss so far, by split.
    """

    def __init__(self, best: dict[str, float] | None = None) -> None:
        self.best: dict[str, float] = dict(best or {})
        self._best_is_due = False
        self._evaluated = -1

    def begin(self, session: Session) -> None:
        """Before the first decision."""
        self._evaluate(session)
        session.journal.keep_snapshot(session)

    def after_decision(self, session: Session) -> None:
        """Evaluate, sample and save as the config says.

        Raises:
            StorageError: Something cannot be written; the session goes on from here all the same.
        """
        config, decision = session.config, session.decision
        last = decision == config.decisions
        if last or _is_due(decision, config.training.evaluate_every):
            self._evaluate(session)
        if (last or _is_due(decision, config.records.sample_every)) and isinstance(session.model, Generates):
            session.emit(Sampled(session.step, decision, *session.sample()))
        if last:
            session.emit(Finished(session.step, decision))
        self._keep(session)

    def conclude(self, session: Session) -> None:
        """Evaluate after the last of some decisions beyond the budget, so that the log says what they came to."""
        if session.decision > max(session.config.decisions, self._evaluated):
            self._evaluate(session)
            self._keep(session)

    def _evaluate(self, session: Session) -> None:
        self._evaluated = session.decision
        selection = session.config.training.selection_split
        for split in dict.fromkeys(("validation", selection)):
            found = session.evaluate(split)
            session.emit(
                Evaluated(session.step, session.decision, split, found.loss, found.standard_error, found.windows)
            )
            if found.loss < self.best.get(split, float("inf")):
                self.best[split] = found.loss
                self._best_is_due = self._best_is_due or (split == selection and session.decision > 0)

    def _keep(self, session: Session) -> None:
        journal = session.journal
        journal.flush()
        journal.keep_snapshot(session)
        if self._best_is_due:
            session.save("best")
            self._best_is_due = False
        # While the log is being repeated, its end on disk is not where the session is.
        if not journal.rewound:
            journal.timing(session)
            journal.keep_spaced(session)
            if journal.checkpoint_due(session.config.records.checkpoint_seconds):
                session.save()


class EmptySchedule(Schedule):
    """Nothing scheduled: of a branch that is evaluated by whoever made it."""

    def after_decision(self, session: Session) -> None:
        """Nothing."""

    def conclude(self, session: Session) -> None:
        """Nothing."""


def _is_due(decision: int, every: int) -> bool:
    return every > 0 and decision % every == 0
