"""The view costs: what every change of one tie would cost at once, and what the agent holds of it.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...core.columns import Column
from ...core.errors import AnalysisError, LayertieError
from ..ticks import Tick, part
from ..words import action
from .registry import VIEWS, Ask, Facts, Found, Pictures, Rows, Table, View, ViewDescription

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe

AGENT = "agent"
"""In the place of a similarity's name: the agent's value of the action."""
COLUMNS = (
    Column("layer", "layer", "The layer whose tie would change", number=True),
    Column("answer", "action", "Which layer's weights it would use"),
    Column("present", "now", "Whether it is so now"),
    Column("change", "change of the loss", "Nats per token, on the probe set, nothing trained", number=True, digits=4),
    Column("low", "from", "Lower end of the interval over probe sequences", number=True, digits=4),
    Column("high", "to", "Upper end of the interval over probe sequences", number=True, digits=4),
    Column("q_value", "agent's value", "Units of reward; empty where the agent has none", number=True, digits=4),
)
_CORRELATIONS = (
    Column("method", "against the change of the loss"),
    Column("value", "rank correlation", number=True, digits=2),
    Column("low", "from", number=True, digits=2),
    Column("high", "to", number=True, digits=2),
    Column("mantel_p", "p", number=True, digits=3),
    Column("pairs", "ties"),
)


@VIEWS.register(
    ViewDescription(
        "costs",
        "What every change of a tie would cost at once",
        about="What every change of one tie would cost at once.",
        tab="What ties cost",
        asks=(Ask("Try every change of a tie"),),
        across=2,
        table=COLUMNS,
        by="change",
    )
)
class Costs(View):
    """Frame `costs` of `attribution.tie_costs.tie_costs`, with the agent's q_value for each action (null where none).

    And whether the similarity would have told: the frames `evidence` and `correlations` of `attribution.tie_evidence`,
    where the probe set and the depth allow them; else the fact `no_evidence` says why not.
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        import polars as pl

        from ...analysis.attribution.tie_costs import tie_costs
        from ...analysis.attribution.tie_evidence import rank_correlations, similarity_and_cost
        from ...analysis.similarity.layer_similarity import layer_similarity

        frame = tie_costs(inspection.model, probe.tokens, tick=part(tick, 0.0, 0.8))
        values = agent_values(inspection, sorted(frame["layer"].unique()))
        joined = frame.join(values, on=["layer", "answer"], how="left")
        facts: dict[str, Any] = {"asked": inspection.asked.layer, "policy": inspection.policy.description.name}
        frames = {"costs": joined}
        try:
            alike = layer_similarity(inspection.model, inspection.model.inputs(probe.tokens), tick=part(tick, 0.8, 1.0))
            evidence = similarity_and_cost(alike, frame)
            evidence = pl.concat([evidence, _held_by_the_agent(evidence, values)])
            frames["evidence"], frames["correlations"] = evidence, rank_correlations(evidence)
        except AnalysisError as error:
            facts["no_evidence"] = str(error)
        return {"frames": {name: found.to_dicts() for name, found in frames.items()}, "facts": facts}

    def words(self, facts: Facts) -> list[str]:
        return [f"No rank correlations: {facts['no_evidence']}"] if "no_evidence" in facts else []

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...analysis.similarity.registry import SIMILARITIES
        from ...charts.captions import captioned
        from ...charts.inside import costs
        from ...charts.inside.similarity import CAPTIONS, similarity_against_cost

        chart = costs.cost_matrix(frames["costs"], width="container", height=320)
        made = {"What every change of a tie would cost now": captioned(chart.to_dict(), costs.CAPTIONS["costs"])}
        if "evidence" not in frames:
            return made
        evidence, correlations = frames["evidence"], frames["correlations"]
        for method in sorted(evidence["method"].unique(maintain_order=True), key=lambda method: method != AGENT):
            chart = similarity_against_cost(evidence, correlations, method=method, width="container", height=260)
            label = SIMILARITIES.describe(method).label if method in SIMILARITIES else method
            title = "Does the agent know? Its values" if method == AGENT else label
            caption = CAPTIONS["value_against_cost" if method == AGENT else "similarity_against_cost"]
            made[f"{title} against the cost of tying"] = captioned(chart.to_dict(), caption)
        return made

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        rows = [
            {**row, "answer": action(row["layer"], row["answer"]), "present": "as it is" if row["present"] else ""}
            for row in frames["costs"]
        ]
        found = [Table(COLUMNS, rows, f"{len(rows)} actions; press a heading to sort.")]
        ranks = [row for row in frames.get("correlations", []) if row["measure"] == "spearman"]
        return [*found, Table(_CORRELATIONS, ranks)] if ranks else found


def _held_by_the_agent(evidence: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """The evidence again, with the agent's value of each action in place of a similarity; no rows without values."""
    import polars as pl

    first = evidence.filter(method=evidence["method"][0]).join(values, on=["layer", "answer"])
    if first.height < evidence.filter(method=evidence["method"][0]).height:
        return evidence.clear()  # none, or constraints leave some actions out
    no_interval = pl.lit(None, pl.Float64)
    held = first.with_columns(
        method=pl.lit(AGENT),
        similarity="q_value",
        similarity_low=no_interval,
        similarity_high=no_interval,
        null=no_interval,
        unit=pl.lit("value to the agent (units of reward)"),
    )
    return held.select(evidence.columns)


def agent_values(inspection: Inspection, layers: list[int]) -> pl.DataFrame:
    """What the agent's present Q-values would be if each layer were asked about now.

    Returns:
        layer, answer, q_value, for the legal actions; no rows where the policy has no values.
    """
    import polars as pl

    rows: list[dict[str, Any]] = []
    for layer in layers:
        state = replace(inspection.asked, layer=layer)
        try:
            proposal = inspection.policy.propose(state, inspection.key)
        except LayertieError:  # constraints that leave no action; a policy that must train to look ahead
            continue
        if proposal.q_values is not None:
            rows += [
                {"layer": layer, "answer": answer, "q_value": value}
                for answer, value in zip(proposal.legal, proposal.q_values, strict=True)
            ]
    return pl.DataFrame(rows, schema={"layer": pl.Int64, "answer": pl.Int64, "q_value": pl.Float64})
