"""A sweep's folder: many runs side by side, what was planned, and one frame of what came of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ..core.config import RunConfig
from ..core.errors import ConfigError, LayertieError, RecordError
from ..core.measures import perplexity
from ..core.plain import fits
from ..core.serialize import changed, value_at
from .directory import is_run
from .io.disk import clear_unfinished, writing
from .io.document import read_document, reason, write_document
from .io.lock import WriterLock, is_held
from .io.regular import is_there
from .log.reader import load_run
from .runs import summarize

FORMAT = 1
"""Number of the layout of `sweep.json`."""

RESULTS: dict[str, tuple[Any, str]] = {
    "run": (pl.String, "the run's folder, inside the sweep's"),
    "status": (
        pl.String,
        "planned, running, finished, stopped (can be resumed), diverged (a loss ended it that is no number, or beyond "
        "all that is learned from), failed (another error did) or damaged",
    ),
    "policy": (pl.String, "who decides; with its map where a sweep gives the policy map several"),
    "algorithm": (pl.String, "which preset the run's semantics came from"),
    "setting": (pl.String, 'the settings that vary within a policy, as "name=value, ..."; "" where none does'),
    "seed": (pl.Int64, "seed of all random draws; runs of one seed and setting read the same batches"),
    "replicate": (pl.Int64, "which of several otherwise equal runs"),
    "validation_loss": (pl.Float64, "held-out loss after the last decision, nats per token"),
    "best_validation_loss": (pl.Float64, "the lowest of the run's scheduled held-out losses, nats per token"),
    "standard_error": (pl.Float64, "of validation_loss, over evaluation windows, nats per token"),
    "perplexity": (pl.Float64, "exp(validation_loss)"),
    "bits_per_byte": (pl.Float64, "validation_loss in bits per UTF-8 byte"),
    "owners": (pl.Int64, "independent layers at the end, by the tie map"),
    "blocks": (pl.Int64, "distinct blocks at the end, counted by storage"),
    "layers": (pl.Int64, "depth of the model"),
    "trainable_parameters": (pl.Int64, "parameters that receive gradients at the end, counted once per storage"),
    "untied_parameters": (pl.Int64, "parameters of the same model with nothing tied"),
    "decisions": (pl.Int64, "decisions made"),
    "steps": (pl.Int64, "optimizer steps done"),
    "seconds": (pl.Float64, "wall-clock seconds of its decisions, evaluations included, set-up not"),
}
"""Column -> (polars type, meaning with unit) of `SweepDirectory.results`."""


class SweepDirectory:
    """A folder that holds a sweep: `sweep.json` (the plan) and one run directory per planned run.

    Make one with `SweepDirectory.plan` or `SweepDirectory.open`.

    Args:
        path: The folder.
        runs: Name of each run's folder -> its settings.
    """

    def __init__(self, path: Path, runs: dict[str, RunConfig]) -> None:
        self.path = path
        self.runs = runs
        self._lock: WriterLock | None = None

    @classmethod
    def plan(cls, path: str | Path, configs: Iterable[RunConfig]) -> SweepDirectory:
        """A new sweep, or an existing one with the same runs and perhaps more.

        Args:
            path: A folder that does not exist, is empty, or holds a sweep.
            configs: The settings of each run, no two alike. All runs that the sweep has already must be among them.

        Raises:
            ConfigError: No run, or one twice.
            RecordError: The folder holds something else, or a sweep with other settings.
            StorageError: It cannot be written.
        """
        path, wanted = Path(path), _different(list(configs))
        planned: dict[str, RunConfig] = {}
        if is_sweep(path):
            planned = cls.open(path).runs
            _refuse_other_settings(path, planned, wanted)
        elif is_run(path) or (path.exists() and (not path.is_dir() or _holds_something(path))):
            raise RecordError(
                f"Expected a new folder or a sweep's, but {path} holds something else.", "Choose another folder."
            )
        known = {config.hash for config in planned.values()}
        new = [config for config in wanted if config.hash not in known]
        runs = planned | _named(new, wanted, taken=planned)
        sweep = cls(path, runs)
        if new:
            with writing(path):
                path.mkdir(parents=True, exist_ok=True)
            values = {"format": FORMAT, "runs": {name: config.to_dict() for name, config in runs.items()}}
            write_document(path / "sweep.json", values, indent=1)
        return sweep

    @classmethod
    def open(cls, path: str | Path) -> SweepDirectory:
        """An existing sweep.

        Raises:
            RecordError: The folder holds no sweep, or one that is damaged or from a newer version.
        """
        path = Path(path)
        file = path / "sweep.json"
        try:
            values = read_document(file)
            number, runs = values["format"], values["runs"]
            if not fits(runs, dict[str, dict]):
                raise ValueError("its runs are no settings by name")
        except OSError as error:
            raise RecordError(
                f"Expected a sweep's folder, but {path} has no sweep.json that can be read ({reason(error)}).",
                "Name the folder that was given as --directory when the sweep was started.",
            ) from None
        except (ValueError, KeyError) as error:
            raise RecordError(f"Expected a sweep's plan in {file}, but it is damaged ({reason(error)}).") from None
        if number != FORMAT:
            raise RecordError(
                f"Expected a sweep of format {FORMAT}, but {path} has {number!r}.", "Update layertie_lab."
            )
        try:
            return cls(path, {name: RunConfig.from_dict(config) for name, config in runs.items()})
        except LayertieError as error:
            raise RecordError(f"Expected settings that can be run in {file}. {error.message}", error.remedy) from None

    def lock(self) -> None:
        """Become the one process that works on the sweep, until `unlock` or the process's end.

        Raises:
            RecordError: Another one is at it.
        """
        self._lock = WriterLock(self.path / "writer.lock")
        clear_unfinished(self.path)

    def unlock(self) -> None:
        """Let others go on with it."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def running(self) -> bool:
        """Whether a process is at it now."""
        return is_held(self.path / "writer.lock")

    @property
    def begun(self) -> list[Path]:
        """The folders of the runs that have begun, in the plan's order."""
        return [path for name in self.runs if is_run(path := self.path / name)]

    def status(self, name: str) -> str:
        """planned, or the run's `records.directory.Status`."""
        path = self.path / name
        return summarize(path).status if is_run(path) else "planned"

    def decisions(self, name: str) -> int:
        """Decisions that a run has made so far."""
        path = self.path / name
        return summarize(path).decisions if is_run(path) else 0

    def results(self) -> pl.DataFrame:
        """One row per planned run, in the plan's order; columns and units: `RESULTS`.

        What a run has not come to yet is null.
        """
        configs = list(self.runs.values())
        settings, several = varied_settings(configs), len(given_maps(configs)) > 1
        rows = [self._row(name, config, settings, several) for name, config in self.runs.items()]
        return pl.DataFrame(rows, schema={column: kind for column, (kind, _) in RESULTS.items()})

    def _row(self, name: str, config: RunConfig, settings: Sequence[str], several_maps: bool) -> dict[str, Any]:
        row: dict[str, Any] = dict.fromkeys(RESULTS) | {
            "run": name,
            "status": self.status(name),
            "policy": _who(config) if several_maps else config.agent.policy,
            "algorithm": config.algorithm,
            "setting": _setting(config, settings),
            "seed": config.seed,
            "replicate": config.replicate,
            "layers": config.model.layers,
        }
        if row["status"] in ("planned", "damaged"):
            return row
        run = load_run(self.path / name, damaged="keep")
        if run.damage:
            return row | {"status": "damaged"}
        decisions = run.decisions
        validation = run.evaluations.filter(pl.col("split") == "validation")
        if run.opened is not None:
            row["untied_parameters"] = run.opened.untied_parameters
        if decisions.height:
            row |= decisions.tail(1).select("owners", "blocks", "trainable_parameters", steps="step").to_dicts()[0]
            row |= {"decisions": decisions.height, "seconds": run.timings["seconds"].sum()}
        if row["status"] == "finished" and validation.height:
            last = validation.tail(1).to_dicts()[0]
            row |= {
                "validation_loss": last["loss"],
                "best_validation_loss": validation["loss"].min(),
                "standard_error": last["standard_error"],
                "perplexity": perplexity(last["loss"]),
                "bits_per_byte": last["bits_per_byte"],
            }
        return row


def varied_settings(configs: Sequence[RunConfig]) -> list[str]:
    """The settings, by path, in which runs of one policy and algorithm differ, apart from seed, replicate and map.

    A map is not among them: it tells who decides, and runs of all other policies are paired with those of every map.
    """
    first: dict[tuple[str, str], RunConfig] = {}
    found: dict[str, None] = {}
    for config in configs:
        base = first.setdefault((config.algorithm, config.agent.policy), config)
        found |= dict.fromkeys(changed(config, base))
    apart = ("seed", "replicate", "agent.map")
    return [path for path in found if path not in apart and not path.startswith("records.")]


def given_maps(configs: Sequence[RunConfig]) -> list[str]:
    """The maps that runs are given (`agent.map`), each once."""
    return list(dict.fromkeys(config.agent.map for config in configs if config.agent.map))


def label_of(config: RunConfig, settings: Sequence[str], *, several_maps: bool = False) -> str:
    """What tells a run from those of other policies and settings, whatever its seed: `lab, learning_rate=0.003`.

    Args:
        config: The run's settings.
        settings: Those that vary within a policy (`varied_settings`).
        several_maps: Whether runs are given several maps (`given_maps`).
    """
    parts = [_who(config) if several_maps else config.agent.policy]
    if config.algorithm not in ("lab", config.agent.policy):
        parts.append(config.algorithm)
    return ", ".join(filter(None, (*parts, _setting(config, settings))))


def is_sweep(path: Path) -> bool:
    """Whether a folder holds a sweep's plan, or what has come to lie in its place."""
    return is_there(path / "sweep.json")


def _who(config: RunConfig) -> str:
    return " ".join(filter(None, (config.agent.policy, config.agent.map)))


def _setting(config: RunConfig, paths: Sequence[str]) -> str:
    return ", ".join(f"{path.rpartition('.')[2]}={value_at(config, path)}" for path in paths)


def _holds_something(path: Path) -> bool:
    """Whether a folder holds more than what a kill left of a plan that was being written."""
    return any(not name.startswith(".") for name in os.listdir(path))


def _different(configs: list[RunConfig]) -> list[RunConfig]:
    if not configs:
        raise ConfigError("Expected at least one run to make, but got none.", "Name at least one policy and one seed.")
    seen: set[str] = set()
    for config in configs:
        if config.hash in seen:
            raise ConfigError(
                f"Expected runs that differ, but {config.agent.policy} with seed {config.seed} comes twice.",
                "Name each policy, seed and value once; for more runs use other seeds.",
            )
        seen.add(config.hash)
    return configs


def _refuse_other_settings(path: Path, planned: dict[str, RunConfig], wanted: list[RunConfig]) -> None:
    hashes = {config.hash for config in wanted}
    missing = {name: config for name, config in planned.items() if config.hash not in hashes}
    if not missing:
        return
    name, lost = next(iter(missing.items()))
    nearest = min((changed(config, lost) for config in wanted), key=len)
    was = ", ".join(f"{setting}={value_at(lost, setting)!r}" for setting in nearest)
    now = ", ".join(f"{setting}={value!r}" for setting, value in nearest.items())
    raise RecordError(
        f"Expected the settings of the sweep in {path}, but its run {name} has {was}, and what was given has {now}.",
        "Give the same settings (more policies and seeds may be added), go on with --resume, or choose another folder.",
    )


def _named(new: list[RunConfig], all_of_them: list[RunConfig], taken: dict[str, RunConfig]) -> dict[str, RunConfig]:
    settings, several_maps = varied_settings(all_of_them), len(given_maps(all_of_them)) > 1
    named: dict[str, RunConfig] = {}
    for config in new:
        parts = [_who(config) if several_maps else config.agent.policy]
        if config.algorithm not in ("lab", config.agent.policy):
            parts.append(config.algorithm)
        parts += [_setting(config, settings), f"seed{config.seed}", f"r{config.replicate}" if config.replicate else ""]
        name = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(part for part in parts if part))[:80].strip("-.")
        if name in taken or name in named:
            name = f"{name}-{config.hash}"
        named[name] = config
    return named
