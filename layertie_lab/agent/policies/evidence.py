"""The lab agent: it begins with what recorded runs taught, measures, and moves only where that pays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ...core.rules import Rules
from ...core.ties import TieMap
from ..bandit.evidence import Evidence, Kind, kind_of
from ..bandit.forecast import HORIZON, Forecast, untie_size
from ..bandit.goal import Goal, signed
from ..bandit.plans import agreeing_runs, cheapest_ties
from ..bandit.recorded import recorded
from ..descriptions import PolicyDescription
from ..protocol import AgentState, Saved, Transition, check_layers, check_reward, check_saved
from ..rewards.signal import Changes
from .map_bandit import MapBandit

LOOKS = (0.05, 0.1, 0.2, 0.4)
"""Shares of the budget after which it measures: seldom, since to measure takes time and late moves do not pay."""
FREE = 0.1
"""Share of the budget in which a move needs a gain above 0 only; later it must be above 0 for sure."""
SURE = 1.2816
"""Standard deviations by which a gain must then be above 0: the normal distribution's 90 % point."""
NOISE = 0.02
"""Standard deviation of what `HORIZON` steps without a change bring beyond the trend, before any were seen, nats/token:
that of the 12 x 64 runs of data/prior."""

MOST_POINTS = 12
"""Numbers of owners that it lists when it says what it chose from."""

Change = tuple[Kind, float]
"""Kind of a change, and what its forecast is made from."""

BY_EVIDENCE = PolicyDescription(
    "lab",
    "Lab agent",
    about="Begins with the map that recorded runs speak for, measures what ties cost and where gradients disagree, "
    "and moves only where that pays.",
    unit="nats/token",
    meaning=f"by how much the action is predicted to lower the loss within {HORIZON} steps; 0 = keep the present tie",
    reads="what ties cost at once, when it last measured them, and for an untie how far training has come",
    source="ours; conjugate linear regression: Bishop 2006, section 3.3",
    values="changes",
    reads_evidence=True,
    learning={
        "gained": "what the loss fell by beyond its trend",
        "prediction_error": f"what its changes gained within {HORIZON} steps, minus the forecast",
    },
)
BY_REWARD = PolicyDescription(
    "lab",
    "Lab agent (from rewards alone)",
    about=MapBandit.description.about,
    unit=MapBandit.description.unit,
    meaning=MapBandit.description.meaning,
    reads=MapBandit.description.reads,
    source=MapBandit.description.source,
    values="changes",
    learning=MapBandit.description.learning,
)
"""The same in a run that measures nothing of ties."""


class EvidenceAgent:
    """Chooses its first map by what maps were worth in recorded runs, measures what ties cost, and moves where it pays.

    Before the run: how many owners its goal allows (`bandit.goal`), and the map of so many owners whose predicted loss
    is lowest (`bandit.recorded`). Without the prior it begins with every layer tied to layer 0.

    In the run it measures four times (`LOOKS`) what every tie would cost at once and how far the gradients of a shared
    block agree, and forecasts from that what each action gains within `HORIZON` steps (`bandit.forecast`). With more
    owners than it aims at, the cheapest ties are made as the layers are asked; with fewer, blocks are split where their
    gradients agree least. Else a layer is re-tied only where the forecast is a gain: any gain in the first tenth of the
    budget, later one that is above 0 with 90 % certainty, and none in the last `HORIZON` steps. What its changes bring
    is taken into the forecast, with what comes in the `HORIZON` steps after them. No owner is given up for another: in
    `HORIZON` steps an early untie gains more than an early tie costs, wherever it is, so that the forecasts of the two
    do not say which map is better in the end.

    In a run that measures nothing of ties (a synthetic one) it learns from rewards alone (`map_bandit.MapBandit`).

    Args:
        config: Goal, prior, exploration, and the rules that stand at the start.
        level: Whether rewards say how good things are rather than what changed.
        detrend: Whether rewards still hold what training gains anyway.
    """

    def __init__(self, config: RunConfig, *, level: bool = False, detrend: bool = True) -> None:
        agent = config.agent
        self.layers = config.model.layers
        self._bandit = MapBandit(
            self.layers, agent, RunKey(config.seed, config.replicate), level=level, detrend=detrend
        )
        worth, self._forecast = recorded()
        self._worth = worth if agent.prior == "recorded" else None
        self._goal, self._price = Goal.of(config), 0.0 if level else config.reward.price
        self._rules = Rules.parse(config.ties.rules)
        self._steps = config.training.steps_per_decision
        self._window = math.ceil(HORIZON / self._steps)
        self._changes = Changes(level=level, detrend=detrend)
        self._owners, self._why = 0, ""
        self._evidence: Evidence | None = None
        self._plan: TieMap | None = None
        self._looked = 0
        self._gained: list[float] = []
        self._changed: list[Change] = []
        self._noise, self._windows = NOISE**2, 1

    @property
    def description(self) -> PolicyDescription:
        """What it says of itself, which depends on whether its run measures ties."""
        return BY_EVIDENCE if self._owners else BY_REWARD

    def begin(self, share: Callable[[int], float]) -> TieMap:
        """The first map of a run that measures ties; from here on it aims at a number of owners.

        Args:
            share: Number of owners -> trainable parameters as a share of the untied model's.

        Raises:
            ConfigError: A goal that no number of owners reaches.
        """
        self._owners, self._why = self._goal.chosen(self.layers, share, self._worth)
        if self._worth is None:
            return TieMap.all_tied(self.layers)
        return self._worth.best(self.layers, self._owners, self._rules)

    # -- what it does

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The planned action, else the one that pays most; values are forecasts, keeping the present tie being 0."""
        check_layers(self.layers, state)
        if not self._owners:
            return self._bandit.propose(state, key)
        mean, deviation = self.forecasts(state) or (None, None)
        return state.proposal(self.greedy(state), q_values=mean, q_deviations=deviation)

    def greedy(self, state: AgentState) -> int:
        """The planned action, else the one that pays most, else the present one."""
        check_layers(self.layers, state)
        if not self._owners:
            return self._bandit.greedy(state)
        if self._plan is not None:
            return state.nearest(self._plan[state.layer])
        forecast, caution = self.forecasts(state), self._caution(state)
        if forecast is None or state.present == state.layer or math.isinf(caution):
            return state.nearest(state.present)
        bounds = forecast[0] - caution * forecast[1]
        bounds[state.layer] = -math.inf  # it has as many owners as it aims at
        bounds[state.present] = 0.0
        return state.best(bounds, keep=True)

    def _measured(self, state: AgentState, action: int) -> tuple[Kind, float]:
        """Kind and size of an action: what it costs at once, or that of an untie (`bandit.forecast`).

        Costs are against the present source, also where that has changed since they were measured.
        """
        evidence, layer, present = self._evidence, state.layer, state.present
        assert evidence is not None, "nothing was measured yet"
        kind = kind_of(present, layer, action)
        if kind == "untie":
            return kind, untie_size(self._steps * (state.decision - 1), self.layers)
        size = float(evidence.costs[layer, action])
        return kind, size - float(evidence.costs[layer, present]) if kind == "re-tie" else size

    def _caution(self, state: AgentState) -> float:
        """By how many standard deviations a gain has to be above 0; infinite where no time is left."""
        if state.decision + self._window > state.budget:
            return math.inf
        return 0.0 if state.decision <= FREE * state.budget else SURE

    def forecasts(self, state: AgentState) -> tuple[np.ndarray, np.ndarray] | None:
        """What each action 0 .. layer is forecast to gain within `HORIZON` steps; None before the first measurement.

        Returns:
            (mean, standard deviation), [layer + 1] each, nats per token; 0 and 0 for the present source and for others
            on the same block.
        """
        if self._evidence is None:
            return None
        mean, spread = np.zeros(state.layer + 1), np.zeros(state.layer + 1)
        for action in range(state.layer + 1):
            if _changes_block(state, action):
                mean[action], spread[action] = self._forecast.gain(*self._measured(state, action))
        return mean, spread

    # -- what it learns

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Take in what came of the decision, and measure where it is time.

        Raises:
            AgentError: A reward that is not finite, or a state of another depth.
        """
        check_layers(self.layers, transition.state)
        if not self._owners:
            return self._bandit.learn(transition, key)
        gained = self._changes.of(check_reward(transition))
        state, following = transition.state, transition.next_state
        # What the reward was charged for parameters is no loss of the model's.
        gained += self._price * (following.trainable_share - state.trainable_share)
        told = {"gained": gained} | self._take_in(transition, gained)
        if self._reached(following):
            self._plan = None
        if self._looked < len(LOOKS) and state.decision >= LOOKS[self._looked] * state.budget:
            self._look(following)
        return told

    def _take_in(self, transition: Transition, gained: float) -> dict[str, float]:
        state, choice = transition.state, transition.choice
        changed = _changes_block(state, choice) and self._evidence is not None
        if changed and not self._changed:
            self._gained = []
        if changed:
            self._changed.append(self._measured(state, choice))
        self._gained.append(gained)
        if len(self._gained) < self._window:
            return {}
        total, self._gained = math.fsum(self._gained), []
        if not self._changed:
            self._windows += 1
            self._noise += (total * total - self._noise) / self._windows
            return {}
        error = self._forecast.learn(self._changed, total, math.sqrt(self._noise))
        self._changed = []
        return {"prediction_error": error, "noise": math.sqrt(self._noise)}

    def _look(self, state: AgentState) -> None:
        """Measure, and make a plan where the owners are more or fewer than it aims at."""
        self._looked += 1
        if state.tie_costs is None or state.agreement is None:
            return
        agreement = state.agreement()
        self._evidence = found = Evidence.of(state.ties, state.decision - 1, state.tie_costs(), agreement)
        owners = len(state.ties.independent_layers)
        if owners > self._owners:
            self._plan = cheapest_ties(found.costs, self._owners, state.ties)
        elif owners == 1 < self._owners:
            self._plan = agreeing_runs(agreement, self._owners)
        elif owners < self._owners:
            tied = sorted(set(range(self.layers)) - set(state.ties.independent_layers), key=found.splits.__getitem__)
            new = tied[owners - self._owners :]
            self._plan = TieMap(tuple(i if i in new else source for i, source in enumerate(state.ties)))

    def _reached(self, state: AgentState) -> bool:
        """Whether the plan has come true, or a whole sweep since it was made could not make it so."""
        plan, evidence = self._plan, self._evidence
        swept = evidence is None or state.decision - 1 - evidence.decision >= self.layers - 1
        return plan is None or swept or state.ties.sources == plan.sources

    # -- what it says

    def contributions(self, state: AgentState) -> dict[str, list[float]]:
        """What each part gives to the value of each action, which is their sum.

        Returns:
            The kind of change (what any tie, re-tie or untie brings) and its size (what it costs at once, or
            `untie_size`) -> one number per action 0 .. layer, nats per token; nothing before the first measurement.
        """
        check_layers(self.layers, state)
        if not self._owners:
            return self._bandit.contributions(state)
        if self._evidence is None:
            return {}
        found: dict[str, list[float]] = {"kind of change": [], "its size": []}
        for action in range(state.layer + 1):
            moves = _changes_block(state, action)
            parts = self._forecast.parts(*self._measured(state, action)) if moves else (0.0, 0.0)
            for name, value in zip(found, parts, strict=True):
                found[name].append(value)
        return found

    def reasons(self, state: AgentState) -> list[str]:
        """Sentences that say what it aims at, what it measured of the proposed action, how sure it is, and why."""
        if not self._owners:
            return []
        said = [self._why, *self._front()]
        forecast = self.forecasts(state)
        choice = self.greedy(state)
        if forecast is None or self._evidence is None:
            first = math.ceil(LOOKS[0] * state.budget)
            return [*said, f"It has measured nothing of this run's ties yet; it does after decision {first}."]
        best = choice
        if choice == state.present:
            others = [action for action in state.legal if action < state.layer and _changes_block(state, action)]
            best = max(others or [state.present], key=forecast[0].__getitem__)
        if _changes_block(state, best):
            kind, size = self._measured(state, best)
            where = "on its own" if kind == "untie" else f"tied to {best}"
            cost = "" if kind == "untie" else f" would cost {size:+.3g} nats/token at once, as measured after decision "
            cost += "" if kind == "untie" else f"{self._evidence.decision}, and"
            said.append(
                f"Layer {state.layer} {where}{cost} is forecast to gain {forecast[0][best]:+.2g} nats/token within "
                f"{HORIZON} steps, standard deviation {forecast[1][best]:.2g}."
            )
        return [*said, self._rule(state, choice), *self._passed_over(state, choice, forecast)]

    def _passed_over(self, state: AgentState, choice: int, forecast: tuple[np.ndarray, np.ndarray]) -> list[str]:
        """Why the legal action of the highest forecast is not the proposed one, where that is lower."""
        best = max(state.legal, key=forecast[0].__getitem__)
        if forecast[0][best] <= forecast[0][choice]:
            return []
        layer = state.layer
        what = "Training it on its own" if best == layer else f"Tying it to {best}"
        said = f"{what} has a higher forecast ({forecast[0][best]:+.2g} against {forecast[0][choice]:+.2g}), but "
        if self._plan is not None and choice == self._plan[layer]:
            return [f"{said}the plan comes first."]
        if math.isinf(self._caution(state)):
            return [f"{said}it would not pay in the steps that are left."]
        if layer in (state.present, best):
            change = "gives up no owner" if state.present == layer else "takes no more owners"
            return [f"{said}it {change}: it has {len(state.ties.independent_layers)} and aims at {self._owners}."]
        return [f"{said}its standard deviation is {forecast[1][best]:.2g}, so that it is not sure enough of a gain."]

    def _front(self) -> list[str]:
        if self._worth is None:
            return []
        points = [f"{owners}: {signed(loss, 3)}" for owners, loss in self._worth.front(self.layers)]
        few = points if len(points) <= MOST_POINTS else [*points[: MOST_POINTS - 1], "...", points[-1]]
        return [
            f"Predicted from recorded runs, owners: loss against every layer on its own: {', '.join(few)} nats/token."
        ]

    def _rule(self, state: AgentState, choice: int) -> str:
        if self._plan is not None and choice == self._plan[state.layer]:
            return f"It is on its way to the map that it planned when it last measured: {self._plan}."
        if choice != state.present:
            return "The forecast is a gain, and sure enough for this time of the run."
        caution = self._caution(state)
        if math.isinf(caution):
            return f"It keeps the map: fewer than {HORIZON} steps are left, too few to pay for a change."
        if state.present == state.layer:
            return "It keeps the owners that it has, as many as it aims at."
        sure = "above 0" if caution == 0 else "above 0 with 90 % certainty"
        return f"It keeps the tie: no other source has a forecast that is {sure}."

    # -- what is kept

    def state(self) -> Saved:
        """Goal, forecast, what was measured, the plan, and what came since the last change; or the bandit's state."""
        # In a run that measures ties the bandit is never told anything, and at 48 layers its sums are 36 MB.
        tensors, values = ({}, None) if self._owners else self._bandit.state()
        tensors = {f"bandit/{name}": tensor for name, tensor in tensors.items()}
        tensors["forecast/mean"] = torch.from_numpy(self._forecast.mean.copy())
        tensors["forecast/covariance"] = torch.from_numpy(self._forecast.covariance.copy())
        evidence = self._evidence
        if evidence is not None:
            tensors["evidence/costs"] = torch.from_numpy(evidence.costs.copy())
            tensors["evidence/splits"] = torch.from_numpy(evidence.splits.copy())
        return tensors, {
            "policy": "evidence",
            "layers": self.layers,
            "bandit": values,
            "owners": self._owners,
            "why": self._why,
            "measured": None if evidence is None else {"ties": list(evidence.ties), "decision": evidence.decision},
            "plan": None if self._plan is None else list(self._plan),
            "looked": self._looked,
            "changed": [list(change) for change in self._changed],
            "gained": list(self._gained),
            "noise": [self._noise, self._windows],
            "changes": self._changes.state(),
        }

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        check_saved("evidence", self.layers, values)
        if not values["owners"]:
            own = {name.removeprefix("bandit/"): t for name, t in tensors.items() if name.startswith("bandit/")}
            self._bandit.load(own, values["bandit"])
        self._forecast = Forecast(
            tensors["forecast/mean"].numpy(), tensors["forecast/covariance"].numpy(), self._forecast.errors
        )
        measured = values["measured"]
        self._evidence = None
        if measured is not None:
            costs, splits = (tensors[f"evidence/{name}"].numpy().copy() for name in ("costs", "splits"))
            self._evidence = Evidence(TieMap(tuple(measured["ties"])), measured["decision"], costs, splits)
        self._owners, self._why, self._looked = values["owners"], values["why"], values["looked"]
        self._plan = None if values["plan"] is None else TieMap(tuple(values["plan"]))
        self._changed = [(kind, size) for kind, size in values["changed"]]
        self._gained = list(values["gained"])
        self._noise, self._windows = values["noise"]
        self._changes.load(values["changes"])


def _changes_block(state: AgentState, action: int) -> bool:
    """Whether the layer would use another block than it does, or the same one by itself."""
    owners = state.ties.owners
    return state.present != action if action == state.layer else owners[action] != owners[state.layer]
