"""What the view reasons finds: the proposal explained, its values then and since, and whether they are right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from ...agent.explanations import explain, input_attribution, state_ablation
from ...agent.rewards.registry import REWARDS
from ...analysis.statistics.calibration import predicted_and_realised, rank_agreement, within_episodes
from ...analysis.statistics.precedents import nearest_decisions
from ...core.errors import AnalysisError
from ...core.events import DecisionFinished
from ...records.log.cursor import EventCursor
from ...records.log.reader import Run, load_run
from ..moment import Inspection, policy_after
from ..stored import stored_decisions
from ..ticks import Tick

MOST_MOMENTS = 24
"""Later moments at which the value of an action is looked up, at most."""


def reasons(inspection: Inspection, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Why the decision that follows this moment.

    Of returns, `calibration` is within episodes (`analysis.statistics.calibration.within_episodes`).

    Options: until (the last decision that is known of; None = the latest that is stored).

    Frames: `ablation` and `inputs` (`explanations`), `precedents` (`statistics.precedents`), `calibration` over the
    decisions up to here (`statistics.calibration`), and for a decision that was made, by a policy with values, `since`:
    the value of the action taken, on the map as it was, to the agent as it was then and at up to `MOST_MOMENTS` later
    moments (learned: decisions that it had learned from; value). Facts: `proposal` (`agent.explanations.explain`; of a
    policy that trains actions ahead, what the log has of it, and no `since`),
    `agreement` or `no_agreement` (why there is none), `answered` (what was done; None where it is still open), `came`
    (`realised`, as `statistics.calibration` counts it, `truncated`, and `learning`: what the agent told of its error).
    """
    state, policy, key = inspection.asked, inspection.policy, inspection.key
    run = load_run(inspection.path, damaged="keep")
    done = run.decisions.filter(run.decisions["decision"] <= inspection.decision)
    until = options.get("until") or max(stored_decisions(inspection.path))
    facts: dict[str, Any] = {
        "proposal": explain(policy, state, key) | _tried(run, inspection),
        "until": until,
        "answered": _answered(run, state.decision),
        "came": _came(run, inspection, until),
    }
    tick(0.1)
    frames: dict[str, Any] = {"ablation": state_ablation(policy, state, key)}
    tick(0.5)
    if facts["answered"] is not None and not _looks_ahead(inspection):
        frames["since"] = _since(inspection, facts["answered"]["choice"], until)
    tick(0.6)
    frames["inputs"] = input_attribution(policy, state)
    frames["precedents"] = nearest_decisions(run.decisions, run.ties, state.decision).to_dicts()
    tick(0.8)
    predicted = _predicted(inspection, done)
    facts["returns"] = policy.description.values == "returns"
    if facts["returns"]:
        predicted = within_episodes(predicted, inspection.config.model.layers)
    frames["calibration"] = predicted.to_dicts()
    try:
        _check_known(done, predicted, facts["returns"], inspection.config.agent.discount)
        facts["agreement"] = rank_agreement(predicted)
    except AnalysisError as error:
        facts["no_agreement"] = str(error)
    tick(1.0)
    return {"frames": frames, "facts": facts}


def _check_known(done: pl.DataFrame, known: pl.DataFrame, returns: bool, discount: float) -> None:
    """Refuse to judge returns none of which is known."""
    valued = done["q_choice"].is_not_null().sum()
    if returns and valued and known.is_empty():
        needed = math.ceil(math.log(0.05) / math.log(discount))
        raise AnalysisError(
            f"Expected returns that are known, but with the discount {discount:g} one is known only when {needed} more "
            f"decisions have followed; none of {valued} has so many yet.",
            "Let the run go on.",
        )


def _predicted(inspection: Inspection, decisions: Any) -> Any:
    config = inspection.config
    return predicted_and_realised(
        decisions,
        discount=config.agent.discount,
        changes=inspection.policy.description.values != "returns",
        level=REWARDS.describe(config.reward.kind).level,
        layers=config.model.layers,
    )


def _came(run: Run, inspection: Inspection, until: int) -> dict[str, Any] | None:
    """What came of the decision that follows, as far as it is known; None where nothing has."""
    decision = inspection.decision + 1
    event = next((event for event in _events(run) if event.decision == decision), None)
    if event is None or decision > until:
        return None
    known = _predicted(inspection, run.decisions.filter(run.decisions["decision"] <= until))
    row = known.filter(known["decision"] == decision)
    return {
        "learning": dict(event.learning),
        "realised": row["realised"][0] if row.height else None,
        "truncated": row["truncated"][0] if row.height else None,
    }


def _events(run: Run) -> Iterator[DecisionFinished]:
    return (event for event in EventCursor(run.path / "events.jsonl").read_new() if isinstance(event, DecisionFinished))


def _since(inspection: Inspection, answer: int, until: int) -> list[dict[str, Any]]:
    """What the agent held of an action in the state of the decision that follows, then and at later moments."""
    later = [known for known in stored_decisions(inspection.path) if inspection.decision < known <= until]
    spread = np.unique(np.linspace(0, len(later) - 1, MOST_MOMENTS).round().astype(int)) if later else []
    rows = []
    for moment in [inspection.decision, *(later[place] for place in spread)]:
        policy = inspection.policy if moment == inspection.decision else policy_after(inspection.path, moment)
        proposal = policy.propose(inspection.asked, inspection.key)
        if proposal.q_values is None or answer not in proposal.legal:
            return []
        value = proposal.q_values[proposal.legal.index(answer)]
        rows.append({"learned": moment, "layer": inspection.asked.layer, "answer": answer, "value": value})
    return rows


def _looks_ahead(inspection: Inspection) -> bool:
    """Whether the values are trials in the run itself, which nobody can repeat here."""
    return inspection.policy.description.looks_ahead


def _tried(run: Run, inspection: Inspection) -> dict[str, Any]:
    """What the log has of a proposal that cannot be made again here."""
    decision = inspection.asked.decision
    row = run.decisions.filter(run.decisions["decision"] == decision)
    if not _looks_ahead(inspection) or row.is_empty():
        return {}
    values = run.q_values.filter(run.q_values["decision"] == decision).sort("answer")
    choice = row["proposed"][0]
    return {
        "legal": values["answer"].to_list(),
        "q_values": values["q_value"].to_list(),
        "greedy": choice,
        "choice": choice,
    }


def _answered(run: Run, decision: int) -> dict[str, Any] | None:
    """What was done at a decision, from the log; None where it is still open."""
    row = run.decisions.filter(run.decisions["decision"] == decision)
    if not row.height:
        return None
    wanted = ("choice", "by", "overridden", "reward", "q_choice")
    return {name: row.row(0, named=True)[name] for name in wanted}
