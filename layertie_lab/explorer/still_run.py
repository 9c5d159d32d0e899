"""What the steering panel shows of a run that does not go on: how it stands, and what would be asked next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..agent.schedule import next_layer
from ..core.errors import LayertieError
from ..core.events import RulesChanged
from ..core.notices import LeftOpen, ProcessStarted
from ..core.plain import of_type
from ..core.rules import Rules
from ..core.ties import TieMap
from ..records.directory import ENDED_BY_ERROR
from ..records.log.cursor import read_events
from ..records.log.reader import Run
from .bar_scale import BarScale


def state_of(run: Run, *, example: bool, cut_off: bool = False) -> dict[str, Any]:
    """Attributes of a `SteerPanel`.

    Args:
        run: As its log has it.
        example: Whether it is a recorded example.
        cut_off: Whether it was stopped because the connection to its page was lost.
    """
    asked = {} if example or run.damage else _at_hand(run)
    standing = _standing(run, example, cut_off)
    said = " ".join(filter(None, [standing.get("error", ""), *(each for each in run.losses if each != run.damage)]))
    hand = {**_last_decision(run), **asked}
    return {**hand, **_scale(run, hand), **standing, **({"error": said} if said else {})}


def _last_decision(run: Run) -> dict[str, Any]:
    if not run.decisions.height:
        return {}
    last = run.decisions.row(-1, named=True)
    valued = run.q_values.filter(run.q_values["decision"] == last["decision"]).sort("answer")
    values, deviations, layer = valued["q_value"].to_list(), valued["q_deviation"].to_list(), last["layer"]
    # Constraints may have left some actions only, which are those that have values.
    legal = valued["answer"].to_list() or list(range(layer + 1))
    ties = _map_after(run)
    return {
        "asked": last["decision"],
        "legal": legal,
        "owners": [] if ties is None else _owners(ties, layer, legal),
        "q_values": values,
        "q_deviations": [] if None in deviations else deviations,
        **{
            name: last[name]
            for name in ("episode", "layer", "present", "proposed", "explored", "epsilon", "choice", "by")
        },
    }


def _scale(run: Run, hand: Mapping[str, Any]) -> dict[str, float]:
    """The scale of its bars: what the sweep that it belongs to has seen."""
    if not hand:
        return {}
    scale = BarScale()
    for made in run.decisions.filter(run.decisions["episode"] == hand["episode"]).iter_rows(named=True):
        valued = run.q_values.filter(run.q_values["decision"] == made["decision"]).sort("answer")
        deviations = valued["q_deviation"].to_list()
        scale.take(
            {
                "episode": made["episode"],
                "legal": valued["answer"].to_list(),
                "q_values": valued["q_value"].to_list(),
                "q_deviations": [] if None in deviations else deviations,
                "present": made["present"],
            }
        )
    return {"q_scale": scale.take(hand)}


def _at_hand(run: Run) -> dict[str, Any]:
    """The decision that a person may answer, which resumes the run; nothing where it is not certain which that is.

    The agent's proposal is known where it was open when the run was let go; else the agent is asked when it goes on.
    """
    ties, decision = _map_after(run), run.decisions.height + 1
    if ties is None or run.under_way:
        return {}
    episode, layer = next_layer(decision, len(ties))
    open_one = _left_open(run, decision, layer, ties)
    legal = _legal(run, ties, layer) if open_one is None else open_one.legal
    if not legal:
        return {}
    values = [] if open_one is None else open_one.q_values or []
    deviations = [] if open_one is None else open_one.q_deviations or []
    last = run.decisions.row(-1, named=True) if run.decisions.height else {}
    return {
        "asked": decision,
        "episode": episode,
        "layer": layer,
        "legal": legal,
        "owners": _owners(ties, layer, legal),
        "q_values": values if all(map(math.isfinite, values)) else [],
        "q_deviations": deviations if all(map(math.isfinite, deviations)) else [],
        "present": ties[layer],
        "proposed": None if open_one is None else open_one.choice,
        "explored": open_one is not None and open_one.explored,
        "epsilon": None if open_one is None else open_one.epsilon,
        "choice": None,
        "by": "",
        "last": {name: last[name] for name in ("decision", "layer", "choice", "proposed", "by")} if last else {},
        "can_act": True,
    }


def _left_open(run: Run, decision: int, layer: int, ties: TieMap) -> LeftOpen | None:
    """The proposal that was open when the run was let go last, if it is of this decision."""
    noted, processes = run.telemetry(LeftOpen.kind), run.telemetry(ProcessStarted.kind)
    if not noted or (processes and processes[-1].get("time", 0.0) > noted[-1].get("time", 0.0)):
        return None
    try:
        found = LeftOpen(**of_type(noted[-1], LeftOpen, more=True))
    except ValueError:
        return None  # whoever reads what a run noted may find another version's words
    of_this = (found.decision, found.layer, found.present) == (decision, layer, ties[layer])
    may_be = found.choice in found.legal and all(0 <= action <= layer for action in found.legal)
    valued = all(each is None or len(each) == len(found.legal) for each in (found.q_values, found.q_deviations))
    return found if of_this and may_be and valued else None


def _legal(run: Run, ties: TieMap, layer: int) -> list[int]:
    """The actions that the constraints in force leave for a layer; none where they leave none."""
    changes = [event for event in read_events(run.directory, RulesChanged) if isinstance(event, RulesChanged)]
    try:
        return list(Rules.parse(changes[-1].rules if changes else run.config.ties.rules).legal(ties, layer))
    except LayertieError:
        return []


def _map_after(run: Run) -> TieMap | None:
    """The map after the last decision."""
    if run.opened is None:
        return None
    last = run.ties.filter(run.ties["decision"] == run.ties["decision"].max()).sort("layer")
    return TieMap(tuple(last["source"].to_list())) if last.height else None


def _owners(ties: TieMap, layer: int, legal: list[int]) -> list[int]:
    return [layer if source == layer else ties.owners[source] for source in legal]


def _standing(run: Run, example: bool, cut_off: bool) -> dict[str, Any]:
    done, budget = run.decisions.height, run.config.decisions
    if run.damage:
        return {"status": "empty", "status_text": "This run cannot be gone on with.", "error": run.damage}
    if example:
        return {"status": "empty", "status_text": "A recorded example. New run trains one of your own."}
    if run.opened is None:
        return {"status": "paused", "status_text": "This run holds no decision yet. Step or Run begins it."}
    if run.status == "finished":
        words = f"Finished after {done} decisions. Step, or run some more, goes on with it."
        return {"status": "finished", "status_text": words}
    if run.status in ENDED_BY_ERROR:
        why = run.telemetry("failed")[-1].get("sentence", "")
        what = "The run diverged" if run.status == "diverged" else "An error ended the training"
        words = f"{what} in decision {done + 1}. Step or Run tries to go on."
        return {"status": "paused", "status_text": words, "error": why}
    if cut_off:
        words = (
            f"The connection to this page was lost, so the run was saved and stopped after {done} of {budget} "
            "decisions. Step or Run goes on."
        )
        return {"status": "paused", "status_text": words}
    return {"status": "paused", "status_text": f"Stopped after {done} of {budget} decisions. Step or Run goes on."}
