"""What the answer of a view says in words, besides its pictures and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Facts = Mapping[str, Any]

ERRORS = {
    "td_error": "temporal-difference error",
    "prediction_error": "error of its prediction",
    "change": "change of the reward",
}
"""What a policy tells of its learning -> in words; the rest (`noise`, `q_loss`, ...) is about its fit as a whole."""


def moment(decision: int) -> str:
    """A moment of a run."""
    return f"after decision {decision}" if decision else "before the first decision"


def probe(facts: Facts) -> str:
    """What was looked at: the moment, and the probe set where it matters, in a sentence or two."""
    other = f", beside {facts['other']}" if "other" in facts else ""
    if facts["view"] == "reasons":
        return f"One run, before decision {facts['decision'] + 1}."
    if facts["view"] in _WITHOUT_PROBE:
        return f"One run, {moment(facts['decision'])}{other}."
    warnings = " ".join(facts["warnings"])
    return f"One run, {moment(facts['decision'])}{other}; probe set: {facts['probe']}. {warnings}".strip()


_WITHOUT_PROBE = ("weights", "reasons", "memory", "sample")
"""Views that the probe text does not matter to."""


def sentences(facts: Facts) -> list[str]:
    """The facts of an answer (`views.answer`) that a reader should know, a sentence or two each."""
    return _SENTENCES.get(facts["view"], lambda facts: [])(facts)


def answer(layer: int, choice: int) -> str:
    """An answer about a layer."""
    return "on its own" if choice == layer else f"tied to {choice}"


def _attribution(facts: Facts) -> list[str]:
    return [f"No {method}: {reason}" for method, reason in facts.get("refused", {}).items()]


def _costs(facts: Facts) -> list[str]:
    return [f"No rank correlations: {facts['no_evidence']}"] if "no_evidence" in facts else []


def _tokens(facts: Facts) -> list[str]:
    return [f"Nothing over sequences: {facts['no_intervals']}"] if "no_intervals" in facts else []


def _token(facts: Facts) -> list[str]:
    return [f"Token {facts['position']} of sequence {facts['sequence']} (both counted from 0): {facts['target']!r}."]


def _memory(facts: Facts) -> list[str]:
    line = facts["official"]
    shares = (f"{line[name]:,} ({line[name] / line['untied']:.1%} of untied)" for name in ("claimed", "trainable"))
    printed, true = shares
    return [f"Trainable parameters that the official code would print: {printed}; true: {true}. {line['reason']}"]


def _reasons(facts: Facts) -> list[str]:
    proposal, answered = facts["proposal"], facts["answered"]
    layer = proposal["layer"]
    lines = [
        f"Decision {proposal['decision']} asks about layer {layer}, which stood {answer(layer, proposal['present'])}; "
        f"{len(proposal['legal'])} answers were legal."
    ]
    lines.append(f"The agent ({proposal['policy']}) {_proposed(proposal)}. Its values depend on {proposal['reads']}.")
    if proposal["q_values"] is not None:
        pairs = zip(proposal["legal"], proposal["q_values"], strict=True)
        lines.append(f"Values: {', '.join(f'{answer(layer, one)} {value:+.3g}' for one, value in pairs)}.")
    if answered is None:
        lines.append("It has not been answered yet.")
        return [*lines, *_agreement(facts)]
    who = {"human": "a person", "agent": "the agent"}.get(answered["by"], answered["by"])
    against = ", against the proposal" if answered["overridden"] else ""
    reward = "" if answered["reward"] is None else f"; the reward was {answered['reward']:.4g}"
    lines.append(f"Answered: {answer(layer, answered['choice'])}, by {who}{against}{reward}.")
    return [*lines, *_came(facts), *_agreement(facts)]


def _proposed(proposal: Facts) -> str:
    layer, choice, greedy = proposal["layer"], proposal["choice"], proposal["greedy"]
    if choice is None:
        return "trains each answer ahead before it proposes, so that its proposal is not known from here"
    drawn = "" if proposal["epsilon"] is None else f" (a random draw had probability {proposal['epsilon']:.2g})"
    if not proposal["explored"]:
        return f"proposed: {answer(layer, choice)}, its best answer{drawn}"
    best = "" if choice == greedy else f"; its best answer was: {answer(layer, greedy)}"
    return f"proposed: {answer(layer, choice)}, to explore{drawn}{best}"


def _came(facts: Facts) -> list[str]:
    came = facts["came"]
    if came is None:
        return ["What came of it is not known yet."]
    told = [f"{ERRORS[name]} {value:+.3g}" for name, value in came["learning"].items() if name in ERRORS]
    lines = [f"What the agent learned from, then: {', '.join(told)} (units of reward)."] if told else []
    if came["realised"] is not None:
        early = ", with training's own gain, as it is in the first pass"
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
    return " (both less their means over the pass around)" if facts["returns"] else ""


_SENTENCES: dict[str, Callable[[Facts], list[str]]] = {
    "attribution": _attribution,
    "costs": _costs,
    "tokens": _tokens,
    "token": _token,
    "memory": _memory,
    "reasons": _reasons,
}
