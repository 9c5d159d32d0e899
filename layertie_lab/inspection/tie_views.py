"""Views of ties: what every change of one of them would cost at once, and what the agent holds of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from ..analysis.attribution.tie_costs import tie_costs
from ..analysis.attribution.tie_evidence import rank_correlations, similarity_and_cost
from ..analysis.similarity.matrices import Method, layer_similarity
from ..core.errors import AnalysisError, LayertieError
from .moment import Inspection
from .probe import Probe
from .ticks import Tick, part

EVIDENCE: tuple[Method, ...] = ("cka", "updates", "function", "weights")
"""Similarities that the costs are held against."""
AGENT = "agent"
"""In the place of a similarity's name: the agent's value of the answer."""
VALUES: dict[str, type[pl.DataType]] = {"layer": pl.Int64, "answer": pl.Int64, "q_value": pl.Float64}


def costs(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `costs` of `attribution.tie_costs.tie_costs`, with the agent's q_value for each answer (null where none).

    And whether the similarity would have told: the frames `evidence` and `correlations` of `attribution.tie_evidence`,
    where the probe set and the depth allow them; else the fact `no_evidence` says why not.
    """
    frame = tie_costs(inspection.model, probe.tokens, tick=part(tick, 0.0, 0.8))
    values = agent_values(inspection, sorted(frame["layer"].unique()))
    joined = frame.join(values, on=["layer", "answer"], how="left")
    facts: dict[str, Any] = {"asked": inspection.asked.layer, "policy": inspection.policy.name}
    frames = {"costs": joined}
    try:
        alike = layer_similarity(inspection.model, probe.tokens[:, :-1], EVIDENCE, tick=part(tick, 0.8, 1.0))
        evidence = similarity_and_cost(alike, frame)
        evidence = pl.concat([evidence, _held_by_the_agent(evidence, values)])
        frames["evidence"], frames["correlations"] = evidence, rank_correlations(evidence)
    except AnalysisError as error:
        facts["no_evidence"] = str(error)
    return {"frames": {name: found.to_dicts() for name, found in frames.items()}, "facts": facts}


def _held_by_the_agent(evidence: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """The evidence again, with the agent's value of each answer in place of a similarity; no rows without values."""
    first = evidence.filter(method=evidence["method"][0]).join(values, on=["layer", "answer"])
    if first.height < evidence.filter(method=evidence["method"][0]).height:
        return evidence.clear()  # none, or rules leave some answers out
    no_interval = pl.lit(None, pl.Float64)
    held = first.with_columns(
        method=pl.lit(AGENT),
        similarity="q_value",
        similarity_low=no_interval,
        similarity_high=no_interval,
        null=no_interval,
    )
    return held.select(evidence.columns)


def agent_values(inspection: Inspection, layers: list[int]) -> pl.DataFrame:
    """What the agent's present Q-values would be if each layer were asked about now.

    Returns:
        layer, answer, q_value, for the legal answers; no rows where the policy has no values.
    """
    rows: list[dict[str, Any]] = []
    for layer in layers:
        state = replace(inspection.asked, layer=layer)
        try:
            proposal = inspection.policy.propose(state, inspection.key)
        except LayertieError:  # rules that leave no answer; a policy that must train to look ahead
            continue
        if proposal.q_values is not None:
            rows += [
                {"layer": layer, "answer": answer, "q_value": value}
                for answer, value in zip(proposal.legal, proposal.q_values, strict=True)
            ]
    return pl.DataFrame(rows, schema=VALUES)
