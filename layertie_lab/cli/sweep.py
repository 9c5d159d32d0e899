"""`layertie sweep`: many runs with progress, then a table in which every number has its interval."""

from __future__ import annotations

import ast
import shlex
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from ..analysis.statistics import aggregates as numbers
from ..core.errors import AnalysisError, ConfigError
from ..records.maps import sources_of
from ..records.sweeps import SweepDirectory
from ..workers import sweep as workers_sweep
from . import arguments
from .display import PLAIN_SECONDS, duration
from .long_run import interruptible, unused
from .sweep_table import printed

# Charts (altair) are imported where a report is asked for.

_MAPS = ("map", "agent.map", "agent__map")


def sweep(command: arguments.Sweep, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Run it; (results and aggregates, exit code: 1 where a run failed, 130 where it was stopped)."""
    directory = command.directory
    if command.report is not None:
        from .sweep_report import missing_page, refuse_other

        refuse_other(command.report)
        if lacks := missing_page():
            progress.print(lacks, soft_wrap=True)
    if directory is None and (command.resume or command.summarize):
        flag = "--summarize" if command.summarize else "--resume"
        raise ConfigError(f"Expected --directory with {flag}, but got none.", "Name the sweep's folder.")
    if command.text is not None and not command.resume:
        raise ConfigError(
            "Expected --resume with --text, but it is not there.", "A new sweep names its text with --corpus."
        )
    if command.summarize and directory is not None:
        return _summarized(command, directory, SweepDirectory.open(directory).results(), output, progress), 0
    if command.resume:
        configs = None
    else:
        configs = workers_sweep.plan(
            command.config, command.policies, command.seeds, vary=varied(command.vary), baselines=command.baselines
        )
    directory = directory or unused(Path("runs"), f"sweep-{command.config.scale}")
    with interruptible() as stop, _shown(progress, command.quiet) as watch:
        swept = workers_sweep.sweep(
            configs, directory, processes=command.processes, text=command.text, should_stop=stop.is_set, watch=watch
        )
    for name, why in swept.failures.items():
        progress.print(f"{name} failed: {why}", soft_wrap=True)
    result = _summarized(command, directory, swept.results, output, progress)
    result |= {"failures": swept.failures, "stopped": swept.stopped}
    if swept.stopped:
        again = shlex.join(["layertie", "sweep", "--resume", "--directory", str(directory)])
        progress.print(f"Stopped and saved. Go on with: {again}", soft_wrap=True)
        return result, 130
    return result, 1 if swept.failures else 0


def _summarized(
    command: arguments.Sweep, directory: Path, results: pl.DataFrame, output: Console, progress: Console
) -> dict[str, Any]:
    result: dict[str, Any] = {"directory": str(directory), "results": results.to_dicts(), "aggregates": []}
    try:
        table = numbers.aggregate(results, reference=command.reference)
    except AnalysisError as error:
        progress.print(f"{_standing(results)} {error}", soft_wrap=True)
        return result
    words = numbers.caution(table)
    result |= {"aggregates": table.to_dicts(), "reference": command.reference, "caution": words}
    if not command.json:
        output.print(printed(table))
        output.print(f"Validation loss, nats per token; the reference is {command.reference}.", soft_wrap=True)
        output.print(words, soft_wrap=True)
        if set(results["status"]) != {"finished"}:
            output.print(_standing(results), soft_wrap=True)
        output.print(f"sweep: {directory}", soft_wrap=True)
    if command.report is not None:
        from .sweep_report import write

        result["files"] = [str(path) for path in write(directory, command.report, results, table, command.reference)]
        if not command.json:
            output.print(f"report: {command.report}", soft_wrap=True)
    return result


def _standing(results: pl.DataFrame) -> str:
    """How many runs are how far."""
    counts = Counter(results["status"])
    budget = "1 run" if results.height == 1 else f"{results.height} runs"
    parts = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{budget} planned: {parts}; {results['decisions'].sum():,} decisions made."


def varied(words: tuple[str, ...]) -> dict[str, list[Any]]:
    """`NAME=VALUE,VALUE` -> name and values, read as Python's numbers and truth values where they are such, and of the
    setting map as `records.maps.sources_of` reads them.

    Raises:
        ConfigError: Not of that form, or a name twice.
        TieError: Sources that are no map.
        RecordError: A map that is neither sources nor a run.
    """
    found: dict[str, list[Any]] = {}
    for word in words:
        name, sign, values = word.partition("=")
        name = name.lstrip("-").replace("-", "_")
        if not sign or not name or not values or name in found:
            raise ConfigError(
                f"Expected a setting and its values, each setting once, but got {word!r}.",
                "Write, for example, --vary learning_rate=0.001,0.003.",
            )
        read = _sources if name in _MAPS else _literal
        found[name] = [read(value) for value in values.split(",")]
    return found


def _sources(text: str) -> str:
    if text.strip().isdigit():
        raise ConfigError(
            f"Expected whole maps to vary, but got the single source {text.strip()}.",
            'Part the sources of a map by blanks and the maps by commas: --vary "map=0 0 2 2,0 1 1 3".',
        )
    return sources_of(text)


def _literal(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


@contextmanager
def _shown(console: Console, quiet: bool) -> Iterator[Any]:
    """A bar over all decisions in a terminal; elsewhere a line every ten seconds."""
    bar = Bar(
        TextColumn("decisions"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), console=console
    )
    task = bar.add_task("", total=None)
    spoke = time.monotonic()

    def watch(now: workers_sweep.Progress) -> None:
        nonlocal spoke
        left = "" if now.seconds_left is None else f", {duration(now.seconds_left)} left"
        words = f"{now.finished} of {now.runs} runs{left}: {', '.join(now.training)}"
        if console.is_terminal:
            bar.update(task, completed=now.decisions, total=now.budget, description=words)
        elif time.monotonic() - spoke >= PLAIN_SECONDS:
            spoke = time.monotonic()
            console.print(f"{now.decisions} of {now.budget} decisions, {words}", soft_wrap=True)

    if quiet:
        yield None
        return
    if console.is_terminal:
        bar.start()
    try:
        yield watch
    finally:
        bar.stop()
