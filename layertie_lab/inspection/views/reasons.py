"""The view reasons: why a decision, whether the agent's values are right, what it was like before.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...core.columns import Column
from ..ticks import Tick
from ..words import action
from .registry import VIEWS, Ask, Facts, Found, Pictures, Rows, Table, View, ViewDescription

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe


@VIEWS.register(
    ViewDescription(
        "reasons",
        "Why the agent acts so",
        about="Why the agent proposed decision --at so; without --at, what it would propose next.",
        tab="Reasons",
        asks=(Ask("Why this decision", back=1), Ask("What it would propose next")),
        reads_probe=False,
        next_decision=True,
        options=("until",),
    )
)
class Reasons(View):
    """Why the decision that follows this moment; see `reasons_found.reasons`."""

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        from .reasons_found import reasons

        return reasons(inspection, options, tick)

    def words(self, facts: Facts) -> list[str]:
        proposal, answered = facts["proposal"], facts["answered"]
        layer = proposal["layer"]
        lines = [
            f"Decision {proposal['decision']} asks about layer {layer}, which stood "
            f"{action(layer, proposal['present'])}; {len(proposal['legal'])} actions were legal.",
            f"The agent ({proposal['policy']}) {_proposed(proposal)}. Its values depend on {proposal['reads']}.",
        ]
        if proposal["q_values"] is not None:
            pairs = zip(proposal["legal"], proposal["q_values"], strict=True)
            lines.append(f"Values: {', '.join(f'{action(layer, one)}: {_signed(value)}' for one, value in pairs)}.")
            if proposal["meaning"]:
                lines.append(f"A value is {proposal['meaning']} ({proposal['unit']}).")
            lines += _passed_over(proposal)
        # Answers that were found before agents gave reasons have none.
        lines += proposal.get("reasons", [])
        if answered is None:
            lines.append("It has not been decided yet.")
            return [*lines, *_agreement(facts)]
        who = {"human": "a person", "agent": "the agent"}.get(answered["by"], answered["by"])
        against = ", against the proposal" if answered["overridden"] else ""
        reward = "" if answered["reward"] is None else f"; the reward was {answered['reward']:.4g}"
        lines.append(f"Decided: {action(layer, answered['choice'])}, by {who}{against}{reward}.")
        return [*lines, *_came(facts), *_agreement(facts)]

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...charts.captions import captioned
        from ...charts.inside import reasons as charts

        size: dict[str, Any] = {"width": "container", "height": 240}
        made: Pictures = {}

        def add(title: str, chart: Any, name: str) -> None:
            made[title] = captioned(chart.to_dict(), charts.CAPTIONS[name])

        ablation, inputs, precedents, known = (
            frames[name] for name in ("ablation", "inputs", "precedents", "calibration")
        )
        if ablation.height:
            add("If one tie were different", charts.ablation_matrix(ablation, **size), "ablation")
        if inputs.height:
            chart = charts.input_bars(inputs, facts["proposal"]["choice"], **size)
            add("What its inputs give to the proposal", chart, f"inputs_{inputs['method'][0]}")
        if "since" in frames and frames["since"].height:
            realised = (facts["came"] or {}).get("realised")
            add("Its value then and since", charts.value_since(frames["since"], realised, **size), "value_since")
        if precedents.height:
            chart = charts.precedents(precedents, **size)
            add("The nearest past decisions about this layer", chart, "precedents")
        if known.height:
            chart = charts.calibration(known, facts.get("agreement"), **size)
            add("Are its values right?", chart, "calibration")
        return made

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        found = []
        if inputs := frames["inputs"]:
            actions = sorted({row["answer"] for row in inputs})
            columns = [
                Column("input", "input"),
                *(Column(str(a), f"action {a}", number=True, digits=4) for a in actions),
            ]
            shares: dict[str, dict[str, float]] = {}
            for row in inputs:
                shares.setdefault(row["input"], {})[str(row["answer"])] = row["value"]
            found.append(Table(columns, [{"input": name} | values for name, values in shares.items()]))
        if before := frames["precedents"]:
            rows = [row | {"choice": action(row["layer"], row["choice"])} for row in before]
            found.append(Table(_PRECEDENTS, rows))
        return found


_PRECEDENTS = (
    Column("decision", "past decision"),
    Column("distance", "entries that differ"),
    Column("choice", "action"),
    Column("reward", "reward", number=True, digits=4),
    Column("above_trend", "above its trend", number=True, digits=4),
)


def _signed(value: float) -> str:
    return f"{value:+.3g}" if value else "0"


def _proposed(proposal: Facts) -> str:
    layer, choice, greedy = proposal["layer"], proposal["choice"], proposal["greedy"]
    if choice is None:
        return "trains each action ahead before it proposes, so that its proposal is not known from here"
    drawn = "" if proposal["epsilon"] is None else f" (a random draw had probability {proposal['epsilon']:.2g})"
    if not proposal["explored"]:
        values = dict(zip(proposal["legal"], proposal["q_values"] or (), strict=False))
        ruled = bool(values) and values[choice] < max(values.values())
        return f"proposed: {action(layer, choice)}, {'by its rule' if ruled else 'its best action'}{drawn}"
    best = "" if choice == greedy else f"; its best action was: {action(layer, greedy)}"
    return f"proposed: {action(layer, choice)}, to explore{drawn}{best}"


def _passed_over(proposal: Facts) -> list[str]:
    """That a draw, and no value, decided, where another action has a higher one; other rules an agent tells itself."""
    values = dict(zip(proposal["legal"], proposal["q_values"], strict=True))
    choice, best = proposal["choice"], max(values, key=values.__getitem__)
    if not proposal["explored"] or choice is None or values[best] <= values[choice]:
        return []
    layer = proposal["layer"]
    return [
        f"{action(layer, best).capitalize()} has the highest value, {values[best]:+.3g}, and was passed over: the "
        f"proposal ({action(layer, choice)}, {values[choice]:+.3g}) is there to explore."
    ]


def _came(facts: Facts) -> list[str]:
    came = facts["came"]
    if came is None:
        return ["What came of it is not known yet."]
    words = facts["proposal"]["learning"]
    told = [f"{words[name]} {value:+.3g}" for name, value in came["learning"].items() if name in words]
    lines = [f"What the agent learned from, then: {', '.join(told)} (units of reward)."] if told else []
    if came["realised"] is not None:
        early = ", with training's own gain, as it is in the first episode"
        unknown = ", so far: the run has not gone on for long enough" if facts["returns"] else early
        known = unknown if came["truncated"] else ""
        lines.append(f"What came of it, counted as its values are: {came['realised']:+.3g}{known}.")
    return lines


def _agreement(facts: Facts) -> list[str]:
    if "no_agreement" in facts:
        return [f"Whether its values are right cannot be said yet. {facts['no_agreement']}"]
    found = facts["agreement"]
    if found["value"] is None:
        return ["Whether its values are right cannot be said: one side of the comparison never varies."]
    return [
        f"Rank correlation of its values with what came of them{_within(facts)}: {found['value']:.2f} "
        f"[{found['low']:.2f}, {found['high']:.2f}] over {found['decisions']} decisions that changed a tie."
    ]


def _within(facts: Facts) -> str:
    return " (both less their means over the episode around)" if facts["returns"] else ""
