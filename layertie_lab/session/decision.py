"""One decision, piece by piece: proposed, begun, trained for its steps, measured and learned from."""

from __future__ import annotations

from ..agent.protocol import Transition
from ..core.decisions import Decision, Outcome, Proposal
from ..core.errors import LayertieError
from ..core.events import DecisionFinished, DecisionMade, Stepped
from ..core.measures import StepResult
from .evaluator import Evaluator
from .evidence import with_evidence
from .lookahead import with_trials
from .recorder import Recorder
from .rules_in_force import check_action
from .state import RunState


def propose(state: RunState, evaluator: Evaluator) -> Proposal:
    """The agent's proposal for the next layer. Asking again gives the same one.

    Raises:
        LayertieError: A decision is under way, or the policy has proposed what is not legal.
    """
    if state.pending is not None:
        raise LayertieError(
            f"Expected to propose between two decisions, but decision {state.decision} is under way.",
            "Finish it first: call run(), or advance() and finish().",
        )
    if state.proposal is None:
        state.asked = evaluator.agent_state()
        told = with_evidence(with_trials(state.asked, state, evaluator), state, evaluator)
        state.proposal = state.components.propose(told)
    return state.proposal


def begin(state: RunState, evaluator: Evaluator, recorder: Recorder, choice: int, by: str) -> Decision:
    """Record an action for the proposed layer and apply it; its steps are then pending.

    Raises:
        TieError: Not a legal action; nothing has changed (nor with any other error).
        LayertieError: `by` names nobody.
        ConfigError: Fewer batches were handed in than the decision takes.
        StorageError: It cannot be recorded.
    """
    components = state.components
    check_actor(by)
    proposal = propose(state, evaluator)
    check_action(state, proposal, choice)
    components.check_supply(state.step, proposal.decision)
    decision = Decision(proposal, choice, by, state.step)
    recorder.keep_moment(state, decision)
    event = DecisionMade.of(decision)
    # On disk before anything moves, so that an action is never lost and never half applied.
    recorder.write_now(event)
    evaluator.begin(proposal.layer)
    components.optimizer.apply(components.model.stack.retie(proposal.layer, choice))
    state.decision, state.pending, state.proposal, state.losses = proposal.decision, decision, None, []
    recorder.tell(event)
    return decision


def check_actor(by: object) -> None:
    """Refuse a name of who acts that the log could not hold.

    Raises:
        LayertieError: It is not a line of text.
    """
    if not isinstance(by, str) or not by.strip() or not by.isprintable():
        raise LayertieError(
            f"Expected a name of who acts, a line of text, but got {by!r}.", 'Give by="human", or a name of your own.'
        )


def train(state: RunState, evaluator: Evaluator) -> StepResult:
    """One optimizer step with the ties as they are, whether a decision is under way or not; not logged.

    Raises:
        DivergedError: The loss is not finite; no update was made.
        DeviceMemoryError: The device ran out of memory; no update was made.
    """
    with evaluator.meter.training():
        result = state.components.trainer.step(state.components.training_batches(state.step), state.step)
    state.step += 1
    return result


def advance(state: RunState, evaluator: Evaluator, recorder: Recorder) -> StepResult:
    """One optimizer step of the decision under way.

    Raises:
        LayertieError: There is none with steps left.
        DivergedError, DeviceMemoryError: As in `train`.
    """
    if not state.pending_steps:
        raise LayertieError("Expected a decision with steps left, but none is under way.", "Call begin() first.")
    result = train(state, evaluator)
    state.losses.append(result.loss)
    recorder.emit(Stepped(state.step, state.decision, result.loss, result.learning_rate, result.gradient_norm))
    return result


def finish(state: RunState, evaluator: Evaluator, recorder: Recorder) -> Outcome:
    """Measure the reward of the decision under way and let the agent learn from it.

    Raises:
        LayertieError: There is none, or it has steps left.
        DivergedError: What its steps led to is no model any more; the agent learns nothing from it.
    """
    if state.pending is None or state.pending_steps:
        raise LayertieError(
            f"Expected a decision whose steps are done, but {state.pending_steps or 'no'} steps are left.",
            "Call begin(), then advance() until pending_steps is 0.",
        )
    decision, asked, components = state.pending, state.asked, state.components
    assert asked is not None, "a decision under way was proposed from a state"
    measured = evaluator.measure()
    evaluator.check_sane(measured.loss, "loss behind the reward")
    reward = components.reward.value(measured)
    following = with_evidence(evaluator.agent_state(), state, evaluator)
    transition = Transition(asked, decision.choice, reward, following, decision.by)
    learning = components.policy.learn(transition, components.key)
    outcome = Outcome(
        decision=decision,
        ties=state.ties,
        blocks=state.blocks,
        reward=reward,
        reward_loss=measured.loss,
        train_loss=sum(state.losses) / len(state.losses),
        trainable_parameters=measured.trainable_parameters,
        claimed_parameters=evaluator.counts()[1],
        learning=learning,
    )
    state.pending, state.losses = None, []
    recorder.emit(DecisionFinished.of(outcome, state.step, evaluator.memory()))
    return outcome
