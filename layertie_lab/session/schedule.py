"""What a run does by itself between decisions: evaluations, text samples, the best model, checkpoints."""

from __future__ import annotations

from ..core.events import Evaluated, Finished, Sampled
from ..models.tied_model import Generates
from .evaluator import Evaluator
from .recorder import Recorder
from .state import RunState


class Schedule:
    """The scheduled part of a run. What it remembers is in the run's state."""

    def begin(self, state: RunState, evaluator: Evaluator, recorder: Recorder) -> None:
        """Before the first decision."""
        _evaluate(state, evaluator, recorder)
        recorder.keep_snapshot(state)

    def after_decision(self, state: RunState, evaluator: Evaluator, recorder: Recorder) -> None:
        """Evaluate, sample and save as the config says.

        Raises:
            StorageError: Something cannot be written; the run goes on from here all the same.
        """
        config, decision = state.config, state.decision
        last = decision == config.decisions
        if last or _is_due(decision, config.training.evaluate_every):
            _evaluate(state, evaluator, recorder)
        generates = isinstance(state.components.model, Generates)
        if generates and (last or _is_due(decision, config.records.sample_every)):
            recorder.emit(Sampled(state.step, decision, *evaluator.sample()))
        if last:
            recorder.emit(Finished(state.step, decision))
        _keep(state, evaluator, recorder)

    def catch_up(self, state: RunState, evaluator: Evaluator, recorder: Recorder) -> None:
        """Write what a disk refused after the last outcome, while the run still stands there; as a rule nothing.

        Raises:
            StorageError: It still cannot be written.
        """
        if state.to_be_kept and state.pending is None:
            _keep(state, evaluator, recorder, again=True)

    def conclude(self, state: RunState, evaluator: Evaluator, recorder: Recorder) -> None:
        """Evaluate after the last of some decisions beyond the budget, so that the log says what they came to."""
        if state.decision > max(state.config.decisions, state.evaluated):
            _evaluate(state, evaluator, recorder)
            _keep(state, evaluator, recorder)


class EmptySchedule(Schedule):
    """Nothing scheduled: of a branch that is evaluated by whoever made it."""

    def after_decision(self, state: RunState, evaluator: Evaluator, recorder: Recorder) -> None:
        """Nothing."""

    def conclude(self, state: RunState, evaluator: Evaluator, recorder: Recorder) -> None:
        """Nothing."""


def _evaluate(state: RunState, evaluator: Evaluator, recorder: Recorder) -> None:
    state.evaluated = state.decision
    selection = state.config.training.selection_split
    for split in dict.fromkeys(("validation", selection)):
        found = evaluator.evaluate(split)
        if state.decision:
            evaluator.check_sane(found.loss, f"{split} loss")
        recorder.emit(Evaluated(state.step, state.decision, split, found.loss, found.standard_error, found.windows))
        if found.loss < state.best.get(split, float("inf")):
            state.best[split] = found.loss
            state.best_is_due = state.best_is_due or (split == selection and state.decision > 0)


def _keep(state: RunState, evaluator: Evaluator, recorder: Recorder, *, again: bool = False) -> None:
    state.to_be_kept = True
    recorder.flush()
    recorder.keep_snapshot(state)
    if state.best_is_due:
        recorder.checkpoint(state, "best")
        state.best_is_due = False
    if not (recorder.rewound or again):
        recorder.timing(state, evaluator.meter)
    recorder.keep_spaced(state)
    # While the log is being repeated, its end on disk is not where the run is.
    if not recorder.rewound and recorder.checkpoint_due(state.config.records.checkpoint_seconds):
        recorder.checkpoint(state, None)
    state.to_be_kept = False


def _is_due(decision: int, every: int) -> bool:
    return every > 0 and decision % every == 0
