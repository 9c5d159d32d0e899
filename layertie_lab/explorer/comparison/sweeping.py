"""A sweep from the page: read from its form, planned, made beside the page, and ended when the page is gone."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ...agent.policies.registry import POLICIES
from ...core.config import RunConfig, Scale, TextConfig
from ...core.durations import in_time
from ...core.errors import ConfigError, LayertieError
from ...core.serialize import Setting, settings_of
from ...records.directory import RunDirectory, is_run
from ...records.log.reader import load_run
from ...records.runs import RunSummary, list_runs, new_folder
from ...records.sweeps import SweepDirectory, is_sweep
from ...text.corpora.registry import builtin_corpora
from ...workers.limits import check_room, most
from ...workers.sweep import NOT_VARIED, Progress, Swept, plan, sweep

SCALES: tuple[Scale, ...] = ("tiny", "laptop")
"""Sizes that a page offers; larger ones are for the command line."""
MOST_RUNS = 100
"""Runs of a sweep that a page starts."""
TOLD_AFTER = 12
"""Decisions by which an estimate of the time left is made, at least."""
DEFAULTS = {
    "policies": "lab random independent",
    "seeds": "1 2 3",
    "scale": "tiny",
    "decisions": "30",
    "corpus": TextConfig().corpus,
    "setting": "",
    "values": "",
}
"""What stands in the form at first."""
_HIDDEN = ("records.", "text.corpus", "text.splits", "decisions")
_FIRST = ("training.learning_rate", "agent.owners", "agent.blocks", "training.steps_per_decision", "model.layers")


def fields() -> dict[str, Any]:
    """What the form offers: policies (name, title, about), settings (path, words), sizes, texts, and its defaults."""
    return {
        "policies": [
            [each.name, each.title, each.about] for each in POLICIES if not each.by_hand and each.name != "map"
        ],
        "settings": [[setting.path, setting.path.replace("_", " ").replace(".", ": ")] for setting in _varying()],
        "scales": list(SCALES),
        "corpora": [list(each) for each in builtin_corpora()],
        "values": DEFAULTS,
    }


def _varying() -> list[Setting]:
    own = [
        setting
        for setting in settings_of(RunConfig)
        if setting.name not in NOT_VARIED and setting.path != "agent.map" and not setting.path.startswith(_HIDDEN)
    ]
    return sorted(own, key=lambda each: _FIRST.index(each.path) if each.path in _FIRST else len(_FIRST))


@dataclass
class Planned:
    """A form, read.

    Args:
        configs: The runs; empty where something is wrong.
        wrong: Field -> what is wrong with it.
        sentence: How many runs it makes, and how much each trains.
    """

    configs: list[RunConfig] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    sentence: str = ""


def read(values: Mapping[str, Any]) -> Planned:
    """The runs that a form asks for, or what is wrong beside each field."""
    typed = {name: str(values.get(name, "")).strip() for name in DEFAULTS}
    found = Planned()
    policies = typed["policies"].split()
    if not policies:
        found.wrong["policies"] = "Expected at least one policy. Tick two, to hold one against the other."
    seeds = _tried(found, "seeds", lambda: _whole_numbers(typed["seeds"]))
    decisions = _tried(found, "decisions", lambda: _whole_numbers(typed["decisions"]))
    if decisions is not None and len(decisions) != 1:
        found.wrong["decisions"] = "Expected one number."
    if typed["scale"] not in SCALES:
        found.wrong["scale"] = f"Expected {' or '.join(SCALES)}."
    if typed["corpus"] not in {name for name, _ in builtin_corpora()}:
        found.wrong["corpus"] = "Expected a built-in text."
    vary = _tried(found, "values", lambda: _values(typed["setting"], typed["values"]))
    if found.wrong or seeds is None or decisions is None or vary is None:
        return found
    count = len(policies) * len(seeds) * math.prod(len(each) for each in vary.values())
    if count > MOST_RUNS:
        found.wrong["seeds"] = f"Expected at most {MOST_RUNS} runs, but this makes {count}. Take fewer of something."
        return found
    try:
        base = RunConfig.preset(typed["scale"], corpus=typed["corpus"], decisions=decisions[0])
        found.configs = plan(base, policies, seeds, vary=vary, baselines=False)
        if len({each.hash for each in found.configs}) < len(found.configs):
            raise ConfigError("Expected runs that differ, but some come twice.", "Name each value once.")
    except ConfigError as error:
        said = str(error)
        found.configs = []
        place = "decisions" if "decisions" in said else "values" if vary else "policies"
        found.wrong[place] = said
        return found
    found.sentence = _words(found.configs, policies, seeds, vary)
    return found


def _tried(found: Planned, name: str, reading: Callable[[], Any]) -> Any:
    try:
        return reading()
    except ConfigError as error:
        found.wrong[name] = str(error)
        return None


def _whole_numbers(words: str) -> list[int]:
    """`1 2 3` or `1-5`, each once."""
    numbers: list[int] = []
    for word in words.replace(",", " ").split():
        first, dash, last = word.partition("-")
        if not all(
            part.isascii() and part.isdecimal() and len(part) < 10 for part in ((first, last) if dash else (first,))
        ):
            raise ConfigError(f"Expected whole numbers, but got {word[:20]!a}.", "Write 1 2 3, or 1-5.")
        ends = int(first), int(last) if dash else int(first)
        if not 0 <= ends[1] - ends[0] < MOST_RUNS:
            raise ConfigError(f"Expected a range of at most {MOST_RUNS} numbers, but got {word}.", "Write 1-5.")
        numbers += range(ends[0], ends[1] + 1)
    if not numbers:
        raise ConfigError("Expected at least one number, but got none.", "Write 1 2 3.")
    if len(set(numbers)) < len(numbers):
        raise ConfigError("Expected each number once.", "Write 1 2 3.")
    return numbers


def _values(path: str, words: str) -> dict[str, list[Any]]:
    """The setting that varies, and its values."""
    if not path:
        return {}
    setting = next((each for each in _varying() if each.path == path), None)
    if setting is None:
        raise ConfigError("Expected a setting of the list.", "Choose one, or none.")
    parts = words.replace(",", " ").split()
    if not parts:
        raise ConfigError(f"Expected values of {setting.name}, but got none.", f"Write {_example(setting)}.")
    return {path.replace(".", "__"): [_value(setting, part) for part in dict.fromkeys(parts)]}


def _example(setting: Setting) -> str:
    if setting.choices:
        return " ".join(map(str, setting.choices[:2]))
    if setting.kind is bool:
        return "true false"
    return f"{setting.default} {setting.default * 2}" if setting.kind in (int, float) else "two of them"


def _value(setting: Setting, word: str) -> Any:
    if setting.kind is bool and word.lower() in ("true", "false"):
        return word.lower() == "true"
    if setting.kind in (int, float):
        try:
            return setting.kind(word)
        except ValueError:
            number = "whole numbers" if setting.kind is int else "numbers"
            raise ConfigError(
                f"Expected {number} for {setting.name}, but got {word[:20]!a}.", f"Write {_example(setting)}."
            ) from None
    return word


def _words(configs: list[RunConfig], policies: list[str], seeds: list[int], vary: Mapping[str, list[Any]]) -> str:
    parts = [_some(len(policies), "policy", "policies"), _some(len(seeds), "seed", "seeds")]
    parts += [_some(len(values), "value", "values") for values in vary.values()]
    steps = sum(config.decisions * config.training.steps_per_decision for config in configs)
    few = "" if len(seeds) > 1 else " One seed gives no interval."
    return (
        f"{_some(len(configs), 'run', 'runs')}: {' x '.join(parts)}, {configs[0].decisions} decisions each; "
        f"{steps:,} optimizer steps in all.{few}"
    )


def _some(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


# -- how long ----------------------------------------------------------------------------------------------------------


def duration(root: Path, configs: list[RunConfig]) -> str:
    """About how long it takes, by what an earlier run of this size took here; what to expect where there is none."""
    config = configs[0]
    for run in _like(root, config):
        with suppress(LayertieError):
            seconds = load_run(run.path, damaged="keep").timings.drop_nulls("seconds")["seconds"]
            if len(seconds) >= 5:
                each = float(seconds.to_numpy().mean())
                total = each * sum(config.decisions for config in configs) / processes(len(configs))
                took = f"About {in_time(total)} of training, by the times of {run.name}"
                return f" {took}, and some seconds to begin each run."
    return " How long it takes is said when the first decisions are made."


def _like(root: Path, config: RunConfig) -> list[RunSummary]:
    runs = list_runs(root)
    with suppress(OSError):
        for path in root.iterdir():
            if is_sweep(path) and not is_run(path):
                runs += list_runs(path)[:1]
    size = config.model.layers, config.model.width
    return [
        run for run in sorted(runs, key=lambda run: -run.modified) if run.scale == config.scale and _size(run) == size
    ]


def _size(run: RunSummary) -> tuple[int, int]:
    with suppress(LayertieError):
        model = RunDirectory.open(run.path).config.model
        return model.layers, model.width
    return 0, 0


def processes(runs: int) -> int:
    """Runs at a time: what the cores and the server's limit allow."""
    return max(1, min(runs, os.cpu_count() or 1, most()))


# -- making ------------------------------------------------------------------------------------------------------------

_every: weakref.WeakSet[Making] = weakref.WeakSet()


class Making:
    """The sweep that runs for a page, apart from its tab, so that it can be ended when the tab is gone.

    Attributes:
        path: Its folder; None where none runs.
        cancelled: Whether it was asked to end.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.cancelled = False
        _every.add(self)

    def cancel(self) -> None:
        """End it; what is under way is saved."""
        self.cancelled = True

    def begin(
        self,
        path: Path,
        watch: Callable[[Progress], None],
        ended: Callable[[Path, Swept | LayertieError], None],
    ) -> None:
        """Make, or go on with, the sweep planned in a folder, in a thread.

        Args:
            path: The folder.
            watch: Called twice a second.
            ended: Called at the end, with the folder and what came of it, or what went wrong.

        Raises:
            WorkerError: As many sweeps run as the server allows.
            LayertieError: One runs for this page already.
        """
        if self.path is not None:
            raise LayertieError("Expected one sweep at a time, but one runs.", "Wait for it, or cancel it.")
        check_room("sweeps under way", sum(other.path is not None for other in _every), "Wait for one to end.")
        self.path, self.cancelled = path, False
        threading.Thread(
            target=_make, args=(self, path, watch, ended), name="layertie sweep of a page", daemon=True
        ).start()


def _make(
    making: Making,
    path: Path,
    watch: Callable[[Progress], None],
    ended: Callable[[Path, Swept | LayertieError], None],
) -> None:
    came: Swept | LayertieError
    try:
        came = sweep(
            None,
            path,
            processes=processes(len(SweepDirectory.open(path).runs)),
            should_stop=lambda: making.cancelled,
            watch=watch,
        )
    except LayertieError as error:
        came = error
    finally:
        making.path = None
    ended(path, came)


def write_plan(root: Path, configs: list[RunConfig]) -> Path:
    """Write a sweep down in a folder of its own.

    Raises:
        StorageError: It cannot be written.
    """
    path = new_folder(root, f"{datetime.now():%Y%m%d-%H%M%S}-sweep-{configs[0].scale}")
    try:
        SweepDirectory.plan(path, configs)
    except LayertieError:
        with suppress(OSError):  # not empty: something of the plan is there
            path.rmdir()
        raise
    return path


def how_far(progress: Progress, before: int) -> str:
    """A sweep's progress in a sentence; how long it goes on for once there is something to tell it by.

    Args:
        progress: Now.
        before: Decisions that had been made when this call began.
    """
    done = f"{progress.finished} of {_some(progress.runs, 'run', 'runs')} finished"
    made = f"{progress.decisions:,} of {progress.budget:,} decisions"
    # The first decisions come late, since processes begin with them: an estimate by these would be far too long.
    told = progress.decisions - before >= max(TOLD_AFTER, progress.budget // 20)
    left = f"; about {in_time(progress.seconds_left)} more" if told and progress.seconds_left is not None else ""
    return f"{done}, {made}{left}."
