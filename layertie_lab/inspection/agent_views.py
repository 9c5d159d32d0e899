"""The view of the agent's reasons: why a decision, whether its values are right, what it was like before."""

from __future__ import annotations

from typing import Any

from ..agent.explanations import explain, input_attribution, state_ablation
from ..analysis.calibration import predicted_and_realised, rank_agreement
from ..analysis.precedents import nearest_decisions
from ..core.errors import AnalysisError
from ..records.reader import load_run
from .moment import Inspection
from .probe import Probe
from .ticks import Tick

_RETURNS = ("paper", "official-code")
"""Policies whose values are about returns; those of the others are about the change that an answer brings."""


def reasons(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Why the decision that follows this moment; the probe text does not matter.

    Frames: `ablation` and `inputs` (`agent.explanations`), `precedents` (`analysis.precedents`), `calibration` over the
    decisions up to here (`analysis.calibration`), `errors` (of each past decision about this layer, the agent's
    error then, as it told, and since: what came of it less what it would predict now). Facts: `proposal`
    (`agent.explanations.explain`), `agreement` or `no_agreement` (why there is none), `answered` (what was done).
    """
    state, policy, key = inspection.asked, inspection.policy, inspection.key
    run = load_run(inspection.path, damaged="keep")
    done = run.decisions.filter(run.decisions["decision"] <= inspection.decision)
    facts: dict[str, Any] = {"proposal": explain(policy, state, key), "answered": _answered(run, state.decision)}
    tick(0.1)
    frames: dict[str, Any] = {"ablation": state_ablation(policy, state, key)}
    tick(0.6)
    frames["inputs"] = input_attribution(policy, state)
    frames["precedents"] = nearest_decisions(run.decisions, run.ties, state.decision).to_dicts()
    tick(0.8)
    config = inspection.config
    predicted = predicted_and_realised(
        done, discount=config.agent.discount, changes=config.agent.policy not in _RETURNS,
        level=config.reward.kind == "negative-perplexity", layers=config.model.layers,
    )  # fmt: skip
    frames["calibration"] = predicted.to_dicts()
    try:
        facts["agreement"] = rank_agreement(predicted)
    except AnalysisError as error:
        facts["no_agreement"] = str(error)
    tick(1.0)
    return {"frames": frames, "facts": facts}


def _answered(run: Any, decision: int) -> dict[str, Any] | None:
    """What was done at a decision, from the log; None where it is still open."""
    row = run.decisions.filter(run.decisions["decision"] == decision)
    if not row.height:
        return None
    wanted = ("choice", "by", "overridden", "reward", "q_choice")
    return {name: row.row(0, named=True)[name] for name in wanted}
