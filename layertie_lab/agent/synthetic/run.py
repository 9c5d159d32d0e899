"""A training run that is not one: losses come from a landscape whose best map is known."""

from __future__ import annotations

import math

from ...core.config import RunConfig
from ...core.decisions import Decision, Outcome, Proposal
from ...core.keys import RunKey
from ...core.ties import TieMap
from ..policies.human import HumanPolicy
from ..policies.registry import make_policy
from ..protocol import AgentState, Policy, Transition
from ..rewards.improvement import Improvement
from ..rewards.measurement import Measurement, Reward
from ..rewards.registry import make_reward
from ..schedule import next_layer
from .landscapes import Landscape

# Steps of a decision in a run's own count.
_STEPS = 4


class SyntheticRun:
    """Proposes and commits like a session, thousands of decisions a second.

    The loss after decision d is 1 - worth of the map + drift / sqrt(1 + d / 2L) + noise, nats per token. Where the
    landscape has a lag, that worth is one which approaches the map's; where changes cost, what is not back yet is lost.

    Args:
        landscape: What maps are worth.
        policy: Who proposes; by default the present tie is proposed.
        reward: What it is told; by default the improvement of the loss.
        key: Of all draws.
        budget: Decisions the run is planned for.
        start: The first map; by default everything is tied to layer 0.
    """

    def __init__(
        self,
        landscape: Landscape,
        policy: Policy | None = None,
        reward: Reward | None = None,
        *,
        key: RunKey | None = None,
        budget: int = 200,
        start: TieMap | None = None,
    ) -> None:
        self.landscape = landscape
        self.policy: Policy = policy or HumanPolicy()
        self.key = key or RunKey(0)
        self.budget = budget
        self.ties = start or TieMap.all_tied(landscape.layers)
        self.decision = 0
        # The worth that is seen, and what of it changes of the map have cost.
        self._approached, self._lost = landscape.worth(self.ties), 0.0
        self._reward: Reward = reward or Improvement()
        self._reward.start(self._measure())
        self._asked: AgentState | None = None
        self._proposal: Proposal | None = None

    @classmethod
    def of(cls, config: RunConfig, landscape: Landscape, start: TieMap | None = None) -> SyntheticRun:
        """With the agent and the reward of a config, whose depth must be the landscape's."""
        key = RunKey(config.seed, config.replicate)
        return cls(landscape, make_policy(config), make_reward(config), key=key, budget=config.decisions, start=start)

    @property
    def blocks(self) -> TieMap:
        """The true sharing, which is what the map says."""
        return self.ties.flattened()

    @property
    def worth(self) -> float:
        """Worth of the present map, without noise; the best map's is 1."""
        return self.landscape.at(self.decision, self.budget).worth(self.ties)

    @property
    def state(self) -> AgentState:
        """What the policy is asked next."""
        layers = self.landscape.layers
        episode, layer = next_layer(self.decision + 1, layers)
        share = len(self.ties.independent_layers) / layers
        return AgentState(
            self.ties, layer, self.decision + 1, episode, self.budget, trainable_share=share, lookahead=self._try
        )

    def propose(self) -> Proposal:
        """The policy's action for the next layer. Asking again gives the same proposal."""
        if self._proposal is None:
            self._asked = self.state
            self._proposal = self.policy.propose(self._asked, self.key)
        return self._proposal

    def commit(self, choice: int, by: str = "human") -> Outcome:
        """Act for the proposed layer and let the policy learn.

        Raises:
            TieError: Not a legal action; nothing has changed.
        """
        proposal = self.propose()
        asked = self._asked
        assert asked is not None, "a proposal was made from a state"
        ties = self.ties.act(proposal.layer, choice)
        self._approached, self._lost = self._after(ties)
        self.ties = ties
        decision = Decision(proposal, choice, by, self.decision * _STEPS)
        self.decision += 1
        self._proposal = None
        measured = self._measure()
        reward = self._reward.value(measured)
        learning = self.policy.learn(Transition(asked, choice, reward, self.state, by), self.key)
        return Outcome(
            decision=decision,
            ties=self.ties,
            blocks=self.blocks,
            reward=reward,
            reward_loss=measured.loss,
            train_loss=measured.loss,
            trainable_parameters=measured.trainable_parameters,
            claimed_parameters=measured.trainable_parameters,
            learning=learning,
        )

    def run(self, decisions: int | None = None) -> list[Outcome]:
        """Let the policy act.

        Args:
            decisions: How many; default what is left of the budget.
        """
        left = self.budget - self.decision if decisions is None else decisions
        return [self.commit(self.propose().choice, by="agent") for _ in range(left)]

    def close(self) -> None:
        """Nothing to release."""

    def _measure(self) -> Measurement:
        layers, landscape = self.landscape.layers, self.landscape
        loss = self._loss(self._approached, self._lost, self.decision)
        if landscape.noise:
            draw = self.key.random(self.decision, "reward")
            noise = landscape.noise * draw.gauss(0, 1)
            if math.isfinite(landscape.freedom):
                # Student's t: a normal number over the root of a mean of squares of such.
                noise /= math.sqrt(draw.gammavariate(landscape.freedom / 2, 2 / landscape.freedom))
            loss += noise
        owners = len(self.ties.independent_layers)
        return Measurement(loss, self.decision * _STEPS, self.decision, owners, layers)

    def _after(self, ties: TieMap) -> tuple[float, float]:
        """The worth that is seen and what changes have cost of it, one decision on, with that map."""
        landscape = self.landscape
        seen, lost = landscape.at(self.decision + 1, self.budget).worth(ties), 0.0
        if landscape.lag:
            seen += (self._approached - seen) * math.exp(-1 / landscape.lag)
        if landscape.cost:
            lost = self._lost * math.exp(-1 / landscape.recovery) + landscape.cost * (ties != self.ties)
        return seen, lost

    def _loss(self, seen: float, lost: float, decision: int) -> float:
        landscape = self.landscape
        return 1 - seen + lost + landscape.drift * (1 + decision / (2 * landscape.layers)) ** -0.5

    def _try(self, action: int) -> float:
        layer = next_layer(self.decision + 1, self.landscape.layers)[1]
        return self._loss(*self._after(self.ties.act(layer, action)), self.decision + 1)
