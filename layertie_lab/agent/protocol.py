"""What a policy sees, what it does and what it is told: the surface between agents and sessions.

torch and numpy are imported for their types alone: policies are listed where neither is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from ..core.config import RunConfig
from ..core.decisions import Proposal
from ..core.errors import AgentError
from ..core.keys import RunKey
from ..core.rules import Rules
from ..core.ties import TieMap
from .descriptions import PolicyDescription, RewardDescription

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Tensors: TypeAlias = "dict[str, Tensor]"
"""A policy's tensors by name."""
Saved: TypeAlias = "tuple[Tensors, dict[str, Any]]"
"""A policy's or reward's state: tensors, and values that JSON can hold."""


@dataclass(frozen=True)
class AgentState:
    """What a policy sees before it acts.

    Args:
        ties: The tie map as it stands (under the official code's bookkeeping: as claimed).
        layer: The layer asked about, 1 .. L-1.
        decision: Which decision of the run this is, counted from 1.
        episode: Which sweep over layers 1 .. L-1, counted from 1.
        budget: Decisions the run is planned for; schedules follow it.
        blocks: The true sharing (`Outcome.blocks`); None = the same as `ties.flattened()`.
        trainable_share: Trainable parameters as a share of the untied model's, 0 to 1.
        rules: Rules that stand, which mask the legal actions.
        lookahead: Loss on windows of the reward split, nats per token, after this action and the training of one
            decision; None where the policy does not look ahead or the run cannot.
        tie_costs: [L, L] the change of the loss at once if layer l named source a (`training.evidence`); None where
            the policy reads no evidence, or the run has none.
        agreement: [L, L] how far the gradients of a shared block agree at its positions; None as above.
    """

    ties: TieMap
    layer: int
    decision: int
    episode: int
    budget: int
    blocks: TieMap | None = None
    trainable_share: float = 1.0
    lookahead: Callable[[int], float] | None = None
    tie_costs: Callable[[], NDArray[Any]] | None = None
    agreement: Callable[[], NDArray[Any]] | None = None
    rules: Rules = field(default_factory=Rules)

    @cached_property
    def legal(self) -> tuple[int, ...]:
        """The legal actions, ascending.

        Raises:
            TieError: The rules leave none.
        """
        return self.rules.legal(self.ties, self.layer)

    def best(self, values: Sequence[float] | NDArray[Any], *, keep: bool = False) -> int:
        """The legal action of highest value, the first of equals.

        Args:
            values: One per action 0 .. layer.
            keep: Of equals (to 1e-12) the present source, if it is legal.
        """
        best = max(self.legal, key=values.__getitem__)
        if keep and self.present in self.legal:
            least = float(values[best]) - 1e-12 * max(1.0, abs(float(values[best])))
            return self.present if float(values[self.present]) >= least else best
        return best

    def nearest(self, action: int) -> int:
        """The action itself where it is legal, else the legal one that is nearest in the order of layers."""
        return action if action in self.legal else min(self.legal, key=lambda legal: (abs(legal - action), legal))

    @property
    def present(self) -> int:
        """The layer's source as it stands; choosing it changes nothing."""
        return self.ties[self.layer]

    def proposal(
        self,
        choice: int,
        *,
        q_values: Sequence[float] | NDArray[Any] | None = None,
        q_deviations: Sequence[float] | NDArray[Any] | None = None,
        explored: bool = False,
        epsilon: float | None = None,
    ) -> Proposal:
        """A checked proposal for this state.

        Args:
            choice: The action.
            q_values: One value per action 0 .. layer, of which the legal ones are kept; None where the policy has none.
            q_deviations: Their standard deviations, as many; None where the policy has none.
            explored: Whether `choice` is a random draw.
            epsilon: Probability of such a draw; None where the policy has none.

        Raises:
            AgentError: An action that is not legal, or values that are not finite or not one per legal action.
        """
        action = legal_action(choice, self)
        return Proposal(
            decision=self.decision,
            episode=self.episode,
            layer=self.layer,
            legal=self.legal,
            choice=action,
            q_values=self._of_legal(q_values),
            explored=bool(explored),
            epsilon=None if epsilon is None else float(epsilon),
            present=self.present,
            q_deviations=self._of_legal(q_deviations),
        )

    def _of_legal(self, values: Sequence[float] | NDArray[Any] | None) -> tuple[float, ...] | None:
        if values is None:
            return None
        values = tuple(float(value) for value in values)
        if len(values) != self.layer + 1 or not all(map(math.isfinite, values)):
            raise AgentError(
                f"Expected {self.layer + 1} finite values, one per action 0 to {self.layer}, but got {values}.",
                "The policy may have diverged: lower q_learning_rate, or choose another policy.",
            )
        return tuple(values[action] for action in self.legal)


@dataclass(frozen=True)
class Transition:
    """What a policy is told about a decision.

    Args:
        state: What was asked.
        choice: What was committed, which may differ from what the policy proposed.
        reward: What came of it (`rewards`).
        next_state: The state of the decision that follows.
        by: Who acted: "agent", "human", "replay" or a policy's own name. A policy learns from every action alike.
    """

    state: AgentState
    choice: int
    reward: float
    next_state: AgentState
    by: str = "agent"


@runtime_checkable
class Policy(Protocol):
    """Something that acts for layers.

    A policy draws only from `key.random(decision, "agent")` when it proposes and `key.random(decision, "learn")` when
    it learns, so that it has no random state of its own and a resumed or forked run goes on as it would have.
    """

    @property
    def description(self) -> PolicyDescription:
        """What it says of itself."""
        ...

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """An action for `state.layer`. Pure: the same policy state, `state` and key give the same proposal."""
        ...

    def greedy(self, state: AgentState) -> int:
        """The action that looks best now, without exploration. Pure."""
        ...

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Learn from a decision; returns what there is to report of the update (for example `td_error`)."""
        ...

    def state(self) -> Saved:
        """Everything that a later `load` needs to go on exactly."""
        ...

    def load(self, tensors: Tensors, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        ...


@runtime_checkable
class ChoosesStart(Protocol):
    """A policy that chooses the map with which its run begins."""

    def begin(self, share: Callable[[int], float]) -> TieMap:
        """The first map. Called once, before the run's first decision.

        Args:
            share: Number of owners -> trainable parameters as a share of the untied model's.
        """
        ...


@runtime_checkable
class GivesReasons(Protocol):
    """A policy that says in sentences why it acts so."""

    def reasons(self, state: AgentState) -> list[str]:
        """Sentences about its proposal for a state. Pure."""
        ...


class StatelessPolicy:
    """Base of policies that learn nothing and keep nothing.

    Args:
        config: Not looked at; one that has no settings can be registered as it is.
        told: Not looked at.
    """

    description = PolicyDescription("stateless", "A policy without a state")

    def __init__(self, config: RunConfig | None = None, told: RewardDescription | None = None) -> None:
        pass

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Nothing to learn; the reward is checked all the same."""
        check_reward(transition)
        return {}

    def state(self) -> Saved:
        """Nothing to keep."""
        return {}, {}

    def load(self, tensors: Tensors, values: dict[str, Any]) -> None:
        """Nothing to take over."""
        if tensors:
            raise AgentError(
                f"Expected the empty state of policy {self.description.name!r}, but got {', '.join(sorted(tensors))}.",
                "The checkpoint was saved with another policy: resume with that one.",
            )


def legal_action(choice: Any, state: AgentState) -> int:
    """`choice` as a plain int, if it is a legal action.

    Raises:
        AgentError: It is not a whole number, or not legal for the layer.
    """
    try:
        action = int(choice)
        whole = action == choice
    except (TypeError, ValueError, OverflowError):
        action, whole = -1, False
    if not whole or isinstance(choice, bool) or action not in state.legal:
        allowed = f"out of {list(state.legal)} (rules: {state.rules})" if state.rules else f"from 0 to {state.layer}"
        raise AgentError(
            f"Expected an action {allowed} for layer {state.layer}, but got {choice!r}.",
            "A policy must keep to the legal actions (the action mask).",
        )
    return action


def check_reward(transition: Transition) -> float:
    """The reward, if it is a finite number.

    Raises:
        AgentError: It is not.
    """
    reward = transition.reward
    if not math.isfinite(reward):
        raise AgentError(
            f"Expected a finite reward for decision {transition.state.decision}, but got {reward}.",
            "The training loss may have diverged: lower the learning rate, or clip the reward.",
        )
    return float(reward)


def check_layers(layers: int, state: AgentState) -> None:
    """Refuse a state of another depth than the policy was made for.

    Raises:
        AgentError: The depths differ.
    """
    if len(state.ties) != layers:
        raise AgentError(
            f"Expected a tie map of {layers} layers, for which the policy was made, but got {len(state.ties)}.",
            "Make the policy with the run's own config.",
        )


def check_saved(policy: str, layers: int, values: dict[str, Any]) -> None:
    """Refuse a saved state of another kind or depth.

    Raises:
        AgentError: They differ.
    """
    if values.get("policy") != policy or values.get("layers") != layers:
        raise AgentError(
            f"Expected the state of a {policy} policy for {layers} layers, but got one of {values.get('policy')!r} for "
            f"{values.get('layers')}.",
            "The checkpoint belongs to another depth, another agent.policy or another agent.learner.",
        )
