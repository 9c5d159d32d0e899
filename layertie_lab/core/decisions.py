"""What the agent proposes, what was decided, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .ties import TieMap


@dataclass(frozen=True)
class Proposal:
    """The agent's action for one layer, before anybody has acted on it.

    Args:
        decision: Which decision of the run this is, counted from 1.
        episode: Which sweep over layers 1 .. L-1, counted from 1.
        layer: The layer asked about.
        legal: The legal actions, ascending; `layer` itself means *train on its own*.
        choice: What the agent would do.
        q_values: The agent's value of each legal action, aligned with `legal`; None where the policy has none.
        explored: Whether `choice` was drawn at random rather than because it looked best.
        epsilon: The probability of such a random draw, 0 to 1; None where the policy has none.
        present: The layer's source before the decision.
        q_deviations: Standard deviation of each value, aligned with `legal`, in the unit of the values; None where the
            policy has none.
    """

    decision: int
    episode: int
    layer: int
    legal: tuple[int, ...]
    choice: int
    q_values: tuple[float, ...] | None = None
    explored: bool = False
    epsilon: float | None = None
    present: int = 0
    q_deviations: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Decision:
    """What was done: a proposal and the action that was committed.

    Args:
        proposal: What the agent had proposed.
        choice: What was committed.
        by: Who acted: "agent", "human", "replay" or a policy's own name.
        step: Optimizer steps done when the action was committed.
    """

    proposal: Proposal
    choice: int
    by: str
    step: int

    @property
    def overridden(self) -> bool:
        """Whether the action differs from the proposal (an *override*)."""
        return self.choice != self.proposal.choice


@dataclass(frozen=True)
class Outcome:
    """What came of a decision.

    Args:
        decision: The decision.
        ties: The tie map after it (the agent's state).
        blocks: The true sharing: for each layer the first layer with the same storage. Equals
            `ties.flattened()` except under the official code's bookkeeping.
        reward: What the agent was told.
        reward_loss: The loss behind the reward, nats per token.
        train_loss: Mean training loss over the decision's steps, nats per token.
        trainable_parameters: Parameters that receive gradients, counted once per storage.
        claimed_parameters: What the official code's count would print for the same map.
        learning: What the policy reports of its update (for example `td_error`).
    """

    decision: Decision
    ties: TieMap
    blocks: TieMap
    reward: float
    reward_loss: float
    train_loss: float
    trainable_parameters: int
    claimed_parameters: int
    learning: dict[str, float] = field(default_factory=dict)
