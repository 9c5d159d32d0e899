"""The runs that can be opened, and what is said of one in a line."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.config import RunConfig
from ..core.errors import RecordError
from ..core.notices import Timing
from ..records.directory import ENDED_BY_ERROR
from ..records.labels import Label, read_label
from ..records.runs import RunSummary, decided_by, list_runs
from ..workers.pool import statuses
from .shown_state import STATUS
from .terms import within


def stem(config: RunConfig) -> str:
    """The name of a new run's folder: the moment and the settings that matter."""
    text = Path(text_in_words(config.text.corpus)).stem
    words = (decided_by(config.agent.policy, config.algorithm), config.scale, text)
    kept = "-".join(filter(None, (re.sub(r"[^\w.]+", "-", each).strip("-.")[:30] for each in words)))
    return f"{datetime.now():%Y%m%d-%H%M%S}-{kept}-seed{config.seed}"


def name_of(config: RunConfig) -> str:
    """What a run is called that nobody has named: who decides, how large it is, on what text, from which seed."""
    who = decided_by(config.agent.policy, config.algorithm)
    return f"{who}, {config.scale}, {text_in_words(config.text.corpus)}, seed {config.seed}"


def text_in_words(corpus: str) -> str:
    """A corpus in a word: of a file its name, without the folders that lead to it."""
    return corpus if corpus.startswith("hf:") else Path(corpus).name


def about(config: RunConfig, *, example: bool = False, timing: Timing | None = None) -> str:
    """A line on a run, beside its name."""
    model = config.model
    words = ["a recorded example" if example else "", f"{model.layers} layers x {model.width}"]
    if timing is not None:
        peak = timing.device_peak_bytes
        words.append(f"process {timing.resident_bytes / 1e6:.0f} MB")
        words.append(f"device peak {peak / 1e6:.0f} MB" if peak else "")
    return ", ".join(word for word in words if word)


def label_of(path: Path | None, config: RunConfig) -> dict[str, Any]:
    """What a run is called and what is noted on it, as the run menu shows it; why that cannot be read, as the note.

    Without a folder there is no note, and the run is called after its settings.
    """
    try:
        label = Label() if path is None else read_label(path)
    except RecordError as error:
        label = Label(remark=str(error))
    return {"title": label.title or name_of(config), "named": bool(label.title), "remark": label.remark}


def names(root: Path) -> list[str]:
    """The runs of a folder, the latest first."""
    return [run.path.name for run in list_runs(root) if within(run.path, root)]


def examples_in(folder: Path) -> list[RunSummary]:
    """The recorded examples of a folder, by name: when their files were copied says nothing."""
    return sorted(list_runs(folder), key=lambda run: run.name)


def rows(root: Path, examples: Path | None = None) -> list[dict[str, str]]:
    """The run menu's rows.

    Raises:
        RecordError: The folder of runs cannot be listed.
    """
    recorded = [] if examples is None else examples_in(examples)
    # The log of a run that is held does not say whether it waits; whoever trains it here does. That an error ended it
    # its files say, and while it waits after one this is its state.
    here = {path: STATUS.get(status, "") for path, status in statuses().items()}
    mine = [
        _row(run, _doing(run, here.get(run.path.resolve(), ""))) if within(run.path, root) else _elsewhere(run)
        for run in list_runs(root)
    ]
    return [*mine, *(_row(run, "example") for run in recorded)]


def _doing(run: RunSummary, status: str) -> str:
    waits = status == "paused" and run.status in ENDED_BY_ERROR
    return run.status if waits else status


def _elsewhere(run: RunSummary) -> dict[str, str]:
    """A link that leads out of the folder of runs: it is listed, and cannot be opened."""
    empty = dict.fromkeys(("title", "policy", "corpus", "seed", "reached", "loss", "when", "changed"), "")
    return {
        "name": run.path.name,
        "status": "elsewhere",
        "note": "A link that leads out of the folder of runs.",
        **empty,
    }


def _row(run: RunSummary, status: str = "") -> dict[str, str]:
    return {
        "name": run.name,
        "title": run.title,
        "status": status or run.status,
        "policy": run.decides,
        "corpus": text_in_words(run.corpus),
        "seed": "" if run.seed is None else str(run.seed),
        "reached": _reached(run),
        "loss": "" if run.validation_loss is None else f"{run.validation_loss:.3f}",
        "when": f"{datetime.fromtimestamp(run.modified):%d %b %H:%M}",
        "changed": f"{run.modified:.0f}",
        "note": " ".join(filter(None, (run.note, run.remark))),
    }


def _reached(run: RunSummary) -> str:
    if run.decisions > run.budget:
        return f"{run.decisions}, past its budget of {run.budget}"
    return f"{run.decisions} of {run.budget}"
