"""What the explorer says and draws: names, sentences, panels and files of runs, as plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ..agent.descriptions import RewardDescription
from ..agent.policies.registry import POLICIES
from ..agent.rewards.registry import REWARDS
from ..core.config import RunConfig
from ..records.runs import RunSummary, list_runs

ABOUT = {"audit": "What the run claims, beside what is true of it."}
WORKING = {"audit": "Reading the run's records; training goes on meanwhile."}


def stem(config: RunConfig) -> str:
    """The name of a new run's folder: the moment and the settings that matter."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{config.scale}-{config.algorithm}-seed{config.seed}"


def about(config: RunConfig, *, example: bool = False, timing: Mapping[str, Any] | None = None) -> str:
    """A line on a run."""
    model = config.model
    words = [
        "a recorded example" if example else "",
        f"{config.scale} ({model.layers} layers x {model.width})",
        config.algorithm if config.agent.policy == config.algorithm else f"{config.algorithm}, {config.agent.policy}",
        config.text.corpus,
        f"seed {config.seed}",
    ]
    if timing is not None:
        peak = timing.get("device_peak_bytes") or 0
        words.append(f"process {timing['resident_bytes'] / 1e6:.0f} MB")
        words.append(f"device peak {peak / 1e6:.0f} MB" if peak else "")
    return ", ".join(word for word in words if word)


def names(root: Path) -> list[str]:
    """The runs of a folder, the latest first."""
    return [run.name for run in list_runs(root)]


def rows(root: Path, examples: Path) -> list[dict[str, str]]:
    """The run menu's rows.

    Raises:
        RecordError: The folder of runs cannot be listed.
    """
    return [_row(run) for run in list_runs(root)] + [_row(run, "example") for run in list_runs(examples)]


def _row(run: RunSummary, status: str = "") -> dict[str, str]:
    return {
        "name": run.name,
        "status": status or run.status,
        "what": f"{run.scale}, {run.algorithm}" if run.scale else "",
        "reached": f"{run.decisions} of {run.budget}",
        "loss": "" if run.validation_loss is None else f"{run.validation_loss:.3f}",
        "when": f"{datetime.fromtimestamp(run.modified):%d %b %H:%M}",
        "note": run.note,
    }


def state(run: Any, example: bool) -> dict[str, Any]:
    """What the steering panel shows of a run that is not going on: how it stands, and its last decision."""
    return {**_last_decision(run), **_standing(run, example)}


def _last_decision(run: Any) -> dict[str, Any]:
    if not run.decisions.height:
        return {}
    last = run.decisions.row(-1, named=True)
    valued = run.q_values.filter(run.q_values["decision"] == last["decision"]).sort("answer")
    values, layer = valued["q_value"].to_list(), last["layer"]
    # Rules may have left some answers only, which are those that have values.
    legal = valued["answer"].to_list() or list(range(layer + 1))
    after = run.ties.filter(run.ties["decision"] == last["decision"]).sort("layer")["owner"].to_list()
    owners = [layer if answer == layer else after[answer] for answer in legal]
    return {
        "asked": last["decision"],
        "legal": legal,
        "owners": owners,
        "q_values": values,
        **{name: last[name] for name in ("episode", "layer", "present", "proposed", "explored", "epsilon")},
    }


def _standing(run: Any, example: bool) -> dict[str, Any]:
    done, budget = run.decisions.height, run.config.decisions
    if run.damage:
        return {"status": "empty", "status_text": "This run cannot be gone on with.", "error": run.damage}
    if example:
        return {"status": "empty", "status_text": "A recorded example. Press Start above to train one yourself."}
    if run.opened is None:
        return {"status": "paused", "status_text": "This run holds no decision yet. Step or Run begins it."}
    if run.status == "finished":
        words = f"Finished after {done} decisions. Step, or run some more, goes on with it."
        return {"status": "finished", "status_text": words}
    if run.status == "failed":
        why = run.telemetry("failed")[-1].get("sentence", "")
        words = f"An error ended the training in decision {done + 1}. Step or Run tries to go on."
        return {"status": "paused", "status_text": words, "error": why}
    return {"status": "paused", "status_text": f"Stopped after {done} of {budget} decisions. Step or Run goes on."}


def look(config: RunConfig) -> tuple[Any, ...]:
    """What the live panels depend on: equal for two runs that can be drawn in the same panels."""
    told = REWARDS.find(config.reward.kind) or RewardDescription(config.reward.kind, config.reward.kind)
    agent = POLICIES.find(config.agent.policy)
    return config.training.steps_per_decision, told, agent is not None and agent.draws


def by_hand(config: RunConfig) -> bool:
    """Whether a person is expected to act."""
    agent = POLICIES.find(config.agent.policy)
    return agent is not None and agent.by_hand


def panels(config: RunConfig) -> dict[str, Any]:
    """Title -> spec of the live panels."""
    return _panels(*look(config))


@cache
def _panels(steps: int, told: RewardDescription, draws: bool) -> dict[str, Any]:
    from ..charts.run.live import live_spec

    def spec(name: str, height: int, **options: Any) -> dict[str, Any]:
        return live_spec(name, steps_per_decision=steps, height=height, **options)

    return {
        "Loss": spec("loss", 160),
        "Trainable parameters": spec("parameters", 160),
        "Reward": spec("reward", 160, title=told.axis, caption=told.about),
        "Perplexity": spec("perplexity", 160),
        "Memory": spec("memory", 160),
        "Distinct blocks": spec("blocks", 160),
        **({"Epsilon": spec("epsilon", 160)} if draws else {}),
    }


def decisions_file(path: Path, format: str) -> tuple[str, bytes]:
    """A run's table of decisions as a file: its name and content.

    Raises:
        RecordError: The run cannot be read.
    """
    from ..records.export import frame_bytes
    from ..records.log.reader import load_run

    frame = load_run(path, damaged="keep").decisions
    return f"{path.name}-decisions.{format}", frame_bytes(frame, format)
