"""Departures 1 to 5 in a run's two books: gradients, storages, start and chains (numbered in `audit_findings`).

Rows are those of `audit_rows`, from the start (decision 0); `made` are the ones after a decision.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ...core.ties import TieMap
from .findings import Told, some
from .rows import Row


def dropped_gradients(made: Sequence[Row]) -> Told:
    """1: whether layers on the storage of an earlier one give their gradient to it."""
    known = [row for row in made if row.get("gradient") is not None]
    copies = [[i for i, block in enumerate(row["true_map"]) if block < i] for row in known]
    if not any(copies):
        words = "No layer shared its weights with an earlier one." if known else "The decisions do not explain the log."
        return "cannot be told", words, {}
    dropped = [sum(row["gradient"][i] == "none" for i in layers) for row, layers in zip(known, copies, strict=True)]
    times = sum(count > 0 for count in dropped)
    evidence = {"decisions": len(known), "with_dropped_gradients": times, "most_positions": max(dropped)}
    if not times:
        words = f"Wherever a layer shared its weights, its gradient reached them ({some(len(known), 'decision')})."
        return "not exhibited", words, evidence
    words = (
        f"At {times:,} of {some(len(known), 'decision')} copies gave no gradient to the weights they use (up to "
        f"{max(dropped)} of {len(known[-1]['true_map'])} positions); how far that is from the gradient of a shared "
        "weight is not on record."
    )
    return "exhibited", words, evidence


def shared_after_untying(rows: Sequence[Row]) -> Told:
    """2: whether a layer that becomes independent keeps the storage of its old source."""
    untied = _untied(rows)
    stayed = sum(before["true_map"][after["layer"]] == after["true_map"][after["layer"]] for before, after in untied)
    several = [row["most_updates"] for row in rows[1:] if row.get("most_updates", 0) > 1]
    evidence = {
        "answers_on_its_own": len(untied),
        "stayed_on_shared_storage": stayed,
        "decisions": len(rows) - 1,
        "with_several_updates": len(several),
        "most_updates": max(several, default=1),
    }
    actions = f'{some(len(untied), "action")} "on its own" of a layer that shared its storage'
    if stayed or several:
        words = (
            f"At {stayed:,} of {actions}, it went on sharing it; at {len(several):,} of "
            f"{some(len(rows) - 1, 'decision')} the optimizer updated one storage several times per step (up to "
            f"{max(several, default=1)} times)."
        )
        return "exhibited", words, evidence
    if not untied:
        return "cannot be told", "No layer that shared its storage became independent.", evidence
    words = f"At {actions}, it got one of its own each time; no storage was updated more than once per step."
    return "not exhibited", words, evidence


def merging(rows: Sequence[Row]) -> Told:
    """3: whether the number of distinct blocks only falls, whatever the map claims."""
    changes = [after["true_blocks"] - before["true_blocks"] for before, after in itertools.pairwise(rows)]
    rises, falls = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    above = [row for row in rows[1:] if row["claimed_independent"] > row["true_blocks"]]
    first, last = rows[0]["true_blocks"], rows[-1]["true_blocks"]
    since = next(row["decision"] for row in rows if row["true_blocks"] == last)
    most = max((row["claimed_independent"] for row in above), default=0)
    evidence = {
        "blocks_at_start": first,
        "blocks_at_end": last,
        "end_reached_at_decision": since,
        "rises": rises,
        "falls": falls,
        "decisions": len(changes),
        "claimed_above_true": len(above),
        "most_claimed_then": most,
    }
    if rises:
        words = f"Distinct blocks became more {some(rises, 'time')} and fewer {some(falls, 'time')}, {first} to {last}."
        return "not exhibited", words, evidence
    if not falls or not (above or _untied(rows)):
        words = f"Distinct blocks went from {first} to {last}; nothing was untied that could have made them more."
        return "cannot be told", words, evidence
    words = f"Distinct blocks only became fewer, from {first} at the start to {last} (from decision {since} on)"
    if above:
        words += (
            f", while at {len(above):,} of {some(len(changes), 'decision')} the map claimed more independent layers "
            f"than there were blocks (up to {most})"
        )
    return "exhibited", f"{words}.", evidence


def start(rows: Sequence[Row]) -> Told:
    """4: whether the map at the start says what is in memory."""
    first = rows[0]
    claimed, true, layers = first["claimed_independent"], first["true_blocks"], len(first["true_map"])
    evidence = {"claimed_independent": claimed, "true_blocks": true}
    if true <= claimed:
        words = f"The run began with {some(claimed, 'independent layer')}, on {some(true, 'distinct block')}."
        return "not exhibited", words, evidence
    asked = {row["layer"]: row["decision"] for row in reversed(rows[1:])}
    missing = layers - 1 - len(asked)
    then = f"{missing} were never asked" if missing else f"the last was first asked at decision {max(asked.values())}"
    words = (
        f"The map at the start claimed {some(claimed, 'independent layer')}, where {true} distinct blocks were in "
        f"memory: the others held weights of their own, frozen until asked ({then})."
    )
    return "exhibited", words, evidence | {"never_asked": missing}


def chains(rows: Sequence[Row]) -> Told:
    """5: whether layers stay behind when their source is re-tied."""
    asked: set[int] = set()
    strayed: list[int] = []
    untrained = occasions = 0
    for before, after in itertools.pairwise(rows):
        layer = after["layer"]
        asked.add(layer)
        moved = after["choice"] != before["claimed_map"][layer]
        occasions += moved and any(source == layer for i, source in enumerate(before["claimed_map"]) if i != layer)
        owners, blocks = TieMap(tuple(after["claimed_map"])).owners, after["true_map"]
        away = [i for i in asked if blocks[i] != blocks[owners[i]]]
        strayed.append(len(away))
        if after.get("gradient") is not None:
            fed = {blocks[i] for i, flow in enumerate(after["gradient"]) if flow != "none"}
            untrained += any(blocks[i] not in fed for i in away)
    times = sum(count > 0 for count in strayed)
    evidence = {
        "decisions": len(strayed),
        "with_strayed_layers": times,
        "most_strayed": max(strayed),
        "on_untrained_weights": untrained,
        "sources_re_tied": occasions,
    }
    if times:
        words = (
            f"At {times:,} of {some(len(strayed), 'decision')} a tied layer was on other weights than its owner by the "
            f"map (up to {some(max(strayed), 'layer')} at once), at {untrained:,} on weights that nobody trained."
        )
        return "exhibited", words, evidence
    if not occasions:
        return "cannot be told", "No layer that others were tied to was ever re-tied.", evidence
    words = f"At {some(occasions, 'action')} that re-tied a layer with followers, these went along."
    return "not exhibited", words, evidence


def _untied(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """(before, after) of each action "on its own" of a layer that used an earlier layer's storage."""
    return [
        (before, after)
        for before, after in itertools.pairwise(rows)
        if after["choice"] == after["layer"] and before["true_map"][after["layer"]] < after["layer"]
    ]
