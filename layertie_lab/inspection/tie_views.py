"""Views of ties: what every change of one of them would cost at once, and what the agent holds of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from ..analysis.tie_costs import tie_costs
from ..core.errors import LayertieError
from .moment import Inspection
from .probe import Probe
from .ticks import Tick

VALUES: dict[str, type[pl.DataType]] = {"layer": pl.Int64, "answer": pl.Int64, "q_value": pl.Float64}


def costs(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Frame `costs` of `analysis.tie_costs.tie_costs`, with the agent's q_value for each answer (null where none).

    Options: layers; None asks about all.
    """
    frame = tie_costs(inspection.model, probe.tokens, options.get("layers"), tick=tick)
    values = agent_values(inspection, sorted(frame["layer"].unique()))
    joined = frame.join(values, on=["layer", "answer"], how="left")
    facts = {"asked": inspection.asked.layer, "policy": inspection.policy.name, "has_values": values.height > 0}
    return {"frames": {"costs": joined.to_dicts()}, "facts": facts}


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
