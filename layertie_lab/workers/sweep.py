"""Many runs on this machine's cores: each in a process and a folder of its own, so that any of them can be killed."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import polars as pl

from ..agent.policies.registry import POLICIES
from ..core.config import Algorithm, RunConfig
from ..core.errors import ConfigError, LayertieError
from ..core.patterns import GIVEN, PATTERNS
from ..core.serialize import changed
from ..records.directory import is_run
from ..records.reads import text_facts
from ..records.sweeps import SweepDirectory
from ..session.door import RunText
from .worker import Worker

BASELINES: tuple[str, ...] = ("random", *PATTERNS)
"""Policies that learn nothing; every comparison shows them unless told otherwise."""

NOT_VARIED = {
    "policy": "Name the policies: --policies lab random.",
    "seed": "Name the seeds: --seeds 1 2 3.",
    "algorithm": "Name lab, paper and official-code among the policies: each runs as the algorithm of that name.",
    "scale": "Make a sweep per scale.",
}
"""Settings that a sweep has places of their own for, with what to do."""

_TURN = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Args:
        runs: Runs planned.
        finished: Runs finished, those of earlier calls too.
        decisions: Decisions made, over all runs.
        budget: Decisions to make, over all runs.
        training: Names of the runs under way.
        seconds_left: Estimated wall-clock seconds to the end; None before anything can be said.
    """

    runs: int
    finished: int
    decisions: int
    budget: int
    training: tuple[str, ...]
    seconds_left: float | None


@dataclass(frozen=True)
class Swept:
    """What a sweep has come to.

    Args:
        results: One row per planned run; columns and units: `records.sweeps.RESULTS`.
        failures: Run -> the sentence that says why it could not be finished.
        stopped: Whether it was asked to stop before its end.
    """

    results: pl.DataFrame
    failures: dict[str, str]
    stopped: bool


def plan(
    base: RunConfig,
    policies: Sequence[str],
    seeds: Sequence[int],
    *,
    vary: Mapping[str, Sequence[Any]] | None = None,
    baselines: bool = True,
) -> list[RunConfig]:
    """Policies x seeds x settings at equal decisions, one torch thread each unless `base` says otherwise.

    `lab`, `paper` and `official-code` are the presets of that name, with those settings of `base` that differ from its
    own preset. All other policies run under the semantics of `base`. A map, of `base` or varied, is for the policy map
    alone; the others run once, however many maps there are.

    Args:
        base: Everything that is the same; its own policy and seed do not count.
        policies: Names out of `agent.policies.registry.POLICIES`, or none for the baselines alone.
        seeds: One run of each for every policy.
        vary: Setting's name -> values; all combinations are run.
        baselines: Whether to add random and the fixed patterns.

    Raises:
        ConfigError: No seed, an unknown or unfit policy, one twice, a map that is for none of them, or settings that
            cannot be run.
    """
    names = list(policies) + [name for name in BASELINES if baselines and name not in policies]
    for name in names:
        if POLICIES.describe(name).by_hand:
            raise ConfigError(
                f"Expected policies that act by themselves, but got {name}, and a sweep asks nobody.", "Leave it out."
            )
    if not seeds:
        raise ConfigError("Expected at least one seed, but got none.", "Name some: --seeds 1 2 3 4 5.")
    given = changed(base, RunConfig.preset(base.scale, algorithm=base.algorithm))
    for own in ("agent.policy", "seed"):
        given.pop(own, None)
    if not base.training.threads:
        given["training.threads"] = 1
    # Fifty runs would fill a disk with looks back that nobody asked for.
    given.setdefault("records.snapshot_mebibytes", 0)
    combinations: list[dict[str, Any]] = [{}]
    for setting, values in (vary or {}).items():
        if (name := _bare(setting)) in NOT_VARIED:
            raise ConfigError(f"Expected other settings to vary, but got {setting}.", NOT_VARIED[name])
        if not values:
            raise ConfigError(f"Expected at least one value of {setting}, but got none.", "Write NAME=VALUE,VALUE.")
        combinations = [before | {setting: value} for before in combinations for value in values]
    maps = [setting for setting in (*given, *combinations[0]) if _bare(setting) == GIVEN]
    if maps and GIVEN not in names:
        raise ConfigError(
            f"Expected the policy {GIVEN} in a sweep with a map, but got {', '.join(names)}.",
            f"Add it: --policies {GIVEN}, or leave the map out.",
        )
    return [
        _preset(base, name, given | {"seed": seed} | settings)
        for settings in combinations
        for seed in seeds
        for name in names
        if name == GIVEN or all(settings[varied] == combinations[0][varied] for varied in maps if varied in settings)
    ]


def _preset(base: RunConfig, policy: str, changes: dict[str, Any]) -> RunConfig:
    if policy == GIVEN:
        return RunConfig.preset(base.scale, algorithm=base.algorithm, policy=policy, **changes)
    changes = {setting: value for setting, value in changes.items() if _bare(setting) != GIVEN}
    if policy in get_args(Algorithm):
        return RunConfig.preset(base.scale, algorithm=policy, **changes)
    return RunConfig.preset(base.scale, algorithm=base.algorithm, policy=policy, **changes)


def _bare(setting: str) -> str:
    """A setting's own name."""
    return setting.rpartition(".")[2].rpartition("__")[2]


def sweep(
    configs: Iterable[RunConfig] | None,
    directory: str | Path,
    *,
    processes: int = 0,
    text: str | Path | None = None,
    should_stop: Callable[[], bool] | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Swept:
    """Make the runs of a sweep that are not finished yet, several at a time.

    Finished runs are passed over and stopped ones are resumed, so that after Ctrl-C or a kill the same call goes on
    where the sweep was. Runs that begin later read what those before them with the same settings of the text read. One
    run's failure does not end the others.

    Args:
        configs: The settings of each run (see `plan`); None for those that the folder's sweep was planned with.
        directory: The sweep's folder; each run is a run directory inside.
        processes: Runs at a time; 0 = one per core.
        text: Where the text of the runs that have begun lies now (`session.door.RunText.find`).
        should_stop: Asked twice a second; True saves what is under way and ends the call.
        watch: Called twice a second with the progress.

    Raises:
        ConfigError: No runs, one twice, or a negative number of processes.
        RecordError: A folder that is not a sweep's, or that holds a sweep with other settings or one under way; another
            text than the runs'.
        StorageError: The plan cannot be written.
    """
    if processes < 0:
        raise ConfigError(f"Expected 0 or more processes, but got {processes}.", "0 means one per core.")
    planned = SweepDirectory.open(directory) if configs is None else SweepDirectory.plan(directory, configs)
    planned.lock()
    try:
        for run in planned.begun if text is not None else ():
            RunText.of(run).find(text=text)
        crew = _Crew(planned)
        stopped = crew.work(processes or os.cpu_count() or 1, should_stop or (lambda: False), watch)
        return Swept(planned.results(), crew.failures, stopped)
    finally:
        planned.unlock()


@dataclass
class _Crew:
    """The workers of one call of `sweep`."""

    planned: SweepDirectory
    failures: dict[str, str] = field(default_factory=dict)
    _workers: dict[str, Worker] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _done: set[str] = field(default_factory=set)
    _found: dict[str, int] = field(default_factory=dict)
    _stopping: bool = False

    def work(self, processes: int, should_stop: Callable[[], bool], watch: Callable[[Progress], None] | None) -> bool:
        """Do what is to be done; whether it was stopped before its end."""
        runs = self.planned.runs
        self._done = {name for name in runs if self.planned.status(name) == "finished"}
        left = [name for name in runs if name not in self._done]
        self._found = {name: self.planned.decisions(name) for name in left}
        self._before, self._began = self._decisions(), time.monotonic()
        with ThreadPoolExecutor(processes, thread_name_prefix="layertie sweep") as pool:
            try:
                pending: set[Future[None]] = {pool.submit(self._make, name) for name in left}
                while pending:
                    # In short turns: Ctrl-C does not wake the main thread from a long wait once polars is imported.
                    ended, pending = wait(pending, timeout=_TURN)
                    for future in ended:
                        future.result()
                    if watch is not None:
                        watch(self._progress())
                    if should_stop() and not self._stopping:
                        self._end(Worker.close)
            except BaseException:
                self._end(Worker.kill)
                raise
        return self._stopping and len(self._done) + len(self.failures) < len(runs)

    def _make(self, name: str) -> None:
        path = self.planned.path / name
        with self._lock:
            if self._stopping:
                return
            begun = is_run(path)
            reads_as = None if begun else self._sibling(self.planned.runs[name])
            worker = Worker(self.planned.runs[name], path, resume=begun, reads_as=reads_as)
            self._workers[name] = worker
        try:
            worker.run(outcomes=False)
            worker.close()
            if self.planned.status(name) == "finished":
                self._done.add(name)
        except LayertieError as error:
            if not self._stopping:
                self.failures[name] = str(error)
                with contextlib.suppress(LayertieError):  # the run's own error is the one to tell
                    worker.close()
        finally:
            with self._lock:
                self._workers.pop(name, None)

    def _sibling(self, config: RunConfig) -> Path | None:
        """A run that has begun and says what it reads, where another one with these settings is to read the same."""
        alike = (run for run in self.planned.begun if self.planned.runs[run.name].text == config.text)
        return next((run for run in alike if text_facts(run) is not None), None)

    def _end(self, how: Callable[[Worker], None]) -> None:
        with self._lock:
            self._stopping = True
            workers = list(self._workers.values())
        for worker in workers:
            how(worker)

    def _decisions(self) -> int:
        with self._lock:
            for name, worker in self._workers.items():
                if (beat := worker.last_heartbeat) is not None:
                    self._found[name] = max(self._found[name], beat.decision)
        whole = sum(config.decisions for name, config in self.planned.runs.items() if name in self._done)
        return whole + sum(decisions for name, decisions in self._found.items() if name not in self._done)

    def _progress(self) -> Progress:
        runs, decisions = self.planned.runs, self._decisions()
        budget = sum(config.decisions for config in runs.values())
        made, seconds = decisions - self._before, time.monotonic() - self._began
        # Runs that could not be finished are no longer to be waited for.
        left = budget - decisions - sum(runs[name].decisions for name in self.failures)
        return Progress(
            runs=len(runs),
            finished=len(self._done),
            decisions=decisions,
            budget=budget,
            training=tuple(self._workers),
            seconds_left=max(0, left) * seconds / made if made > 0 else None,
        )
