"""What the steering panel shows of a run that does not go on: how it stands, and its last decision."""

from __future__ import annotations

from typing import Any

from ..records.directory import ENDED_BY_ERROR
from ..records.log.reader import Run


def state_of(run: Run, *, example: bool, cut_off: bool = False) -> dict[str, Any]:
    """Attributes of a `SteerPanel`.

    Args:
        run: As its log has it.
        example: Whether it is a recorded example.
        cut_off: Whether it was stopped because the connection to its page was lost.
    """
    standing = _standing(run, example, cut_off)
    said = " ".join(filter(None, [standing.get("error", ""), *(each for each in run.losses if each != run.damage)]))
    return {**_last_decision(run), **standing, **({"error": said} if said else {})}


def _last_decision(run: Run) -> dict[str, Any]:
    if not run.decisions.height:
        return {}
    last = run.decisions.row(-1, named=True)
    valued = run.q_values.filter(run.q_values["decision"] == last["decision"]).sort("answer")
    values, deviations, layer = valued["q_value"].to_list(), valued["q_deviation"].to_list(), last["layer"]
    # Constraints may have left some actions only, which are those that have values.
    legal = valued["answer"].to_list() or list(range(layer + 1))
    after = run.ties.filter(run.ties["decision"] == last["decision"]).sort("layer")["owner"].to_list()
    owners = [layer if source == layer else after[source] for source in legal]
    return {
        "asked": last["decision"],
        "legal": legal,
        "owners": owners,
        "q_values": values,
        "q_deviations": [] if None in deviations else deviations,
        **{
            name: last[name]
            for name in ("episode", "layer", "present", "proposed", "explored", "epsilon", "choice", "by")
        },
    }


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
