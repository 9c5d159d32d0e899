"""How a run looks in a terminal."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..charts.palette import owner_colour
from ..core.events import DecisionFinished, Evaluated, Stepped
from ..core.notices import SnapshotsNoted
from ..core.ties import TieMap

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_SECONDS = 10.0


def tie_map_text(ties: TieMap, layer: int | None = None) -> Text:
    """Layers in a row, each showing its owner in the owner's colour; the layer at hand is underlined."""
    text = Text()
    for position, owner in enumerate(ties.owners):
        style = f"bold white on {owner_colour(owner)}" if owner == position else f"bold {owner_colour(owner)}"
        text.append(f"{owner:^4}", style=f"{style} underline" if position == layer else style)
    return text


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Numbers as a row of blocks: the lowest is the lowest block. Longer series show the mean of each bucket."""
    if not values:
        return ""
    width = min(width, len(values))
    edges = [round(i * len(values) / width) for i in range(width + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[round((mean - low) * scale)] for mean in means)


def size_text(size: float) -> str:
    """A number of bytes with its unit (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def duration(seconds: float) -> str:
    """A time as h:mm:ss or m:ss; in days and years where it is longer."""
    if seconds >= 2 * 365 * 86_400:
        return f"{seconds / 365 / 86_400:,.0f} years"
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:,.0f} days"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def summary_lines(summary: dict[str, Any]) -> Iterable[str]:
    """A run's summary in a few lines."""
    speed = summary["steps_per_second"]
    untied = summary["untied_parameters"]
    yield (
        f"validation loss {summary['final_validation_loss']:.4f} nats/token (best "
        f"{summary['best_validation_loss']:.4f}; without context {summary['unigram_entropy']:.4f}), perplexity "
        f"{summary['perplexity']:.2f}, {summary['bits_per_byte']:.3f} bits per byte"
    )
    yield (
        f"{summary['owners']} independent layer{'' if summary['owners'] == 1 else 's'}, "
        f"{summary['trainable_parameters']:,} trainable parameters "
        f"({summary['trainable_parameters'] / untied:.0%} of the untied model's {untied:,})"
    )
    yield (
        f"{summary['decisions']} decisions, {summary['steps']} steps"
        + (f", {speed:.1f} steps/s" if speed else "")
        + f", peak memory {size_text(summary['peak_memory_bytes'])}"
    )
    if summary["directory"]:
        yield f"run: {summary['directory']}"


class Display:
    """A live picture of a session while it runs: progress with time left, tie map, loss, owners, memory.

    In a terminal it is redrawn in place; elsewhere (a log file) a line is written every ten seconds.
    """

    def __init__(self, session: Any, console: Console, target: int, *, quiet: bool = False) -> None:
        self._session, self._console, self._quiet = session, console, quiet
        self._losses: deque[float] = deque(maxlen=2_000)
        self._validation: Evaluated | None = None
        self._came: DecisionFinished | None = None
        self._layer: int | None = None
        self._spoke = time.monotonic()
        self._progress = Progress(
            TextColumn("decisions"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("time left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("", total=target, completed=session.decision)
        self._live: Live | None = None

    def __enter__(self) -> Display:
        for note in () if self._quiet else self._session.text_notes:
            self._console.print(note, soft_wrap=True)
        self._unsubscribe = self._session.subscribe(self._hear)
        if not self._quiet and self._console.is_terminal:
            self._live = Live(get_renderable=self._picture, console=self._console, refresh_per_second=5)
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._unsubscribe()
        if self._live is not None:
            self._live.stop()

    def _hear(self, entry: Any) -> None:
        if isinstance(entry, Stepped):
            self._losses.append(entry.loss)
        elif isinstance(entry, DecisionFinished):
            self._came = entry
            self._progress.update(self._task, completed=entry.decision)
            self._speak()
        elif isinstance(entry, Evaluated) and entry.split == "validation":
            self._validation = entry
        elif isinstance(entry, SnapshotsNoted) and not self._quiet:
            self._console.print(entry.sentence, soft_wrap=True, markup=False)

    def _speak(self) -> None:
        if self._live is None and not self._quiet and time.monotonic() - self._spoke > PLAIN_SECONDS:
            self._spoke = time.monotonic()
            self._console.print(self._plain(), soft_wrap=True)

    def _plain(self) -> str:
        came, validation = self._came, self._validation
        parts = [f"decision {came.decision}, step {came.step}" if came else "starting"]
        if came:
            parts += [f"train loss {came.train_loss:.4f}", f"ties {came.ties}", f"{came.owners} independent"]
        if validation:
            parts.append(f"validation loss {validation.loss:.4f}")
        return ", ".join(parts)

    def _picture(self) -> RenderableType:
        facts = Table.grid(padding=(0, 3))
        ties = self._session.ties
        losses, came, validation = list(self._losses), self._came, self._validation
        layer = None if came is None else 1 + (came.decision - 1) % max(1, len(ties) - 1)
        facts.add_row("owner of each layer", tie_map_text(ties, layer))
        if losses:
            facts.add_row("train loss", f"{losses[-1]:.4f} nats/token  {sparkline(losses, 40)}")
        if validation:
            error = f"± {validation.standard_error:.4f}"
            facts.add_row("validation loss", f"{validation.loss:.4f} {error} (decision {validation.decision})")
        if came:
            facts.add_row("independent layers", f"{came.owners} of {len(ties)}")
            facts.add_row("training memory", f"{size_text(sum(came.memory.values()))} predicted")
        return Group(self._progress, facts)
