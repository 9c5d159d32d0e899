"""Which departures (numbered in `audit_findings`) a model at rest shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .findings import TITLES, Finding, Told, Verdict, some


def at_rest(
    rows: Sequence[Mapping[str, Any]], totals: Mapping[str, int | None], *, has_optimizer: bool
) -> Iterator[Finding]:
    """Departures 1, 2, 3, 4, 9 and 10.

    Args:
        rows: Rows of `audit_module.LAYER_COLUMNS`.
        totals: Counts of `audit_module.TOTALS`.
        has_optimizer: Whether there is an optimizer in them.
    """
    counts = {name: value for name, value in totals.items() if value is not None}
    told: dict[int, Told] = {1: _gradients(rows, counts)}
    told |= _storages(counts)
    told[9] = _parameters(counts)
    if has_optimizer:
        told |= _optimizer(rows, counts)
    else:
        told |= dict.fromkeys((2, 10), ("cannot be told", "There is no optimizer to look at.", {}))
    for number in sorted(told):
        yield Finding(number, TITLES[number - 1], *told[number])


def _gradients(rows: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> Told:
    sharing = [row for row in rows if row["on_earlier_storage"]]
    dropped = sum(row["gradient"] == "none" for row in sharing)
    evidence = {"on_earlier_storage": len(sharing), "without_gradient": dropped, "layers": counts["layers"]}
    if not sharing:
        return "cannot be told", "No layer shares storage with an earlier one.", evidence
    if not dropped:
        words = f"Each of {some(len(sharing), 'layer')} on the storage of an earlier one gives its gradient to it."
        return "not exhibited", words, evidence
    words = (
        f"{dropped} of {some(len(sharing), 'layer')} on the storage of an earlier one give no gradient to it "
        f"({counts['frozen_copies']} share all of their weights)."
    )
    return "exhibited", words, evidence


def _storages(counts: Mapping[str, int]) -> dict[int, Told]:
    if "claimed_independent" not in counts:
        return dict.fromkeys((3, 4), ("cannot be told", "No map is claimed.", {}))
    claimed, true = counts["claimed_independent"], counts["distinct_blocks"]
    words = f"The map claims {some(claimed, 'independent layer')}, on {some(true, 'distinct block')} in memory"
    evidence = {"claimed_independent": claimed, "distinct_blocks": true}
    alone = counts["frozen_alone"]
    return {
        3: ("exhibited" if claimed > true else "not exhibited", f"{words}.", evidence),
        4: (
            "exhibited" if claimed < true else "not exhibited",
            f"{words}; {some(alone, 'layer')} frozen on weights of their own.",
            evidence | {"frozen_alone": alone},
        ),
    }


def _parameters(counts: Mapping[str, int]) -> Told:
    ways = {"counted_parameters": "by Parameter object", "claimed_parameters": "by layer of the claimed map"}
    true = counts["true_parameters"]
    over = [name for name in ways if counts.get(name, 0) > true]
    shown = [name for name in (over or ways) if name in counts]
    words = " and ".join(f"{counts[name]:,} counted {ways[name]}" for name in shown)
    evidence = {"true_parameters": true} | {name: counts[name] for name in ways if name in counts}
    words += f", where {true:,} require gradients, each storage once."
    return ("exhibited" if over else "not exhibited"), words, evidence


def _optimizer(rows: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> dict[int, Told]:
    names = ("storages_updated_several_times", "storages_held_several_times", "held_entries", "idle_states", "not_held")
    evidence = {name: counts[name] for name in names}
    several, idle = counts["storages_updated_several_times"], counts["idle_states"]
    if several:
        most = max(row["updates"] or 0 for row in rows)
        updates = f"{some(several, 'storage')} updated several times per step (up to {most} times in a layer)."
    else:
        updates = f"No storage is updated more than once per step ({counts['held_entries']} entries)."
    size = f"{counts['idle_state_bytes'] / 1e6:.2f} MB"
    outside, missing = counts["held_outside_the_module"], counts["not_held"]
    lacks = [f"{some(outside, 'Parameter')} not of this model"] if outside else []
    lacks += [f"{some(missing, 'Parameter')} that require gradients left out"] if missing else []
    told: Verdict = "exhibited" if idle else "not exhibited"
    if idle:
        states = f"The optimizer keeps state for {some(idle, 'Parameter')} that are not trained ({size})."
    elif not any(row["has_state"] for row in rows):
        told, states = "cannot be told", "The optimizer holds no state of the layers yet; audit again after a step."
    else:
        states = "The optimizer holds no state but for what is trained."
    if lacks:
        states += f" It does not fit the model: {', '.join(lacks)}."
    return {
        2: ("exhibited" if several else "not exhibited", updates, evidence),
        10: (told, states, evidence | {"held_outside_the_module": outside}),
    }
