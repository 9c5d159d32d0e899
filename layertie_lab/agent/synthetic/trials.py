"""Does an agent learn? Train it on a landscape, then see where it goes without exploring."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ...core.ties import TieMap
from ..protocol import AgentState, Policy, Transition
from .landscapes import make_landscape
from .run import SyntheticRun


@dataclass(frozen=True)
class Trial:
    """How an agent did.

    Args:
        landscape: Its name.
        layers: Depth.
        decisions: For training.
        seed: Of landscape and agent.
        from_tied: Worth of the map it goes to greedily from everything tied; the best map's is 1.
        from_independent: The same, from every layer on its own.
        milliseconds: CPU time per decision, of proposal and learning together.
    """

    landscape: str
    layers: int
    decisions: int
    seed: int
    from_tied: float
    from_independent: float
    milliseconds: float

    @property
    def score(self) -> float:
        """The worse of the two, as a share of the best reachable worth."""
        return min(self.from_tied, self.from_independent)


def try_agent(config: RunConfig, landscape: str, decisions: int, seed: int) -> Trial:
    """Train the agent of a config, then let it walk two sweeps greedily, without learning, from two starts.

    Args:
        config: Its agent and reward are used, and its depth.
        landscape: One of `landscapes.LANDSCAPES`.
        decisions: For training; schedules follow it.
        seed: Of landscape and agent.
    """
    config = replace(config, seed=seed, decisions=decisions)
    layers = config.model.layers
    run = SyntheticRun.of(config, make_landscape(landscape, layers, seed))
    watched = _Watched(run.policy)
    run.policy = watched
    run.run()
    starts = TieMap.all_tied(layers), TieMap.independent(layers)
    tied, independent = (_greedy_walk(run, start) for start in starts)
    return Trial(landscape, layers, decisions, seed, tied, independent, watched.seconds * 1000 / decisions)


def _greedy_walk(run: SyntheticRun, start: TieMap) -> float:
    # What maps are worth in the end is what counts.
    landscape = run.landscape.at(run.decision, run.budget)
    walk = SyntheticRun(landscape, key=run.key, budget=run.budget, start=start)
    for _ in range(2 * (run.landscape.layers - 1)):
        # As late in the run as training ended, so that no schedule begins again.
        state = replace(walk.state, decision=run.budget + walk.decision + 1)
        walk.commit(run.policy.greedy(state))
    return walk.worth


class _Watched:
    """A policy with a clock around it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.description = policy.description
        self.greedy, self.state, self.load = policy.greedy, policy.state, policy.load
        self.seconds = 0.0

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """As the policy, timed."""
        began = time.process_time()
        proposal = self._policy.propose(state, key)
        self.seconds += time.process_time() - began
        return proposal

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """As the policy, timed."""
        began = time.process_time()
        learning = self._policy.learn(transition, key)
        self.seconds += time.process_time() - began
        return learning
