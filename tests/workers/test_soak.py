"""A long run in a worker, snapshots and moments on: its memory does not grow, nor does what a decision costs."""

from __future__ import annotations

import json
import os
import statistics
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from layertie_lab import RunConfig
from layertie_lab.core.events import DecisionFinished
from layertie_lab.core.notices import Entry
from layertie_lab.workers.worker import Worker

DECISIONS = int(os.environ.get("LAYERTIE_SOAK", "20000"))
"""How long: a shorter soak says less."""
SETTLED = 2_000
"""Decisions after which memory is held against what it was."""


def settings(text: Path, decisions: int) -> RunConfig:
    return RunConfig.preset("tiny", corpus=str(text), decisions=decisions, threads=1, moment_every=50, dropout=0.1)


def anonymous(process: psutil.Process) -> int:
    """Bytes of a process's memory that are no file's.

    Its unique set size will not do: pages of libraries count there as soon as others that have them end.
    """
    return sum(each.anonymous + each.swap for each in process.memory_maps())


def soak(text: Path, folder: Path, decisions: int, every: int) -> list[tuple[int, float, int, int]]:
    """(decision, CPU seconds of the worker, its own memory in bytes, this process's) every so many decisions."""
    rows: list[tuple[int, float, int, int]] = []
    with Worker(settings(text, decisions), folder) as worker:
        worker.wait_ready(300)
        process, here = psutil.Process(worker.pid), psutil.Process()

        def note(entry: Entry) -> None:
            if isinstance(entry, DecisionFinished) and entry.decision % every == 0:
                spent = process.cpu_times()
                own, mine = anonymous(process), anonymous(here)
                rows.append((entry.decision, spent.user + spent.system, own, mine))
                print(*rows[-1], flush=True)

        worker.subscribe(note)
        worker.run(outcomes=False)  # all in one call, as from a page
    return rows


def judged(rows: list[tuple[int, float, int, int]], settled: int) -> tuple[float, float, float]:
    """(growth of the worker's memory, of this process's, CPU of a decision in the last tenth over the first)."""
    # Between two of them, so that setting up does not count.
    costs = [(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairwise(rows)]
    tenth = max(1, len(costs) // 10)
    ratio = statistics.median(costs[-tenth:]) / statistics.median(costs[:tenth])
    after = [row for row in rows if row[0] >= settled]
    base, last = after[0], after[-1]
    return last[2] / base[2] - 1, last[3] / base[3] - 1, ratio


@pytest.mark.slow
def test_a_short_soak(text_file: Path, tmp_path: Path) -> None:
    rows = soak(text_file, tmp_path / "run", 600, 50)
    worker, here, _ = judged(rows, 300)
    assert worker < 0.02
    assert here < 0.02


@pytest.mark.long
@pytest.mark.timeout(24 * 3600)
def test_a_soak(text_file: Path, tmp_path: Path) -> None:
    rows = soak(text_file, tmp_path / "run", DECISIONS, 250)
    (tmp_path / "soak.json").write_text(json.dumps(rows))
    worker, here, ratio = judged(rows, min(SETTLED, DECISIONS // 2))
    print(f"memory of the worker {worker:+.2%}, of this process {here:+.2%}; CPU of a decision x {ratio:.3f}")
    assert worker < 0.01
    assert here < 0.01
    assert ratio <= 1.05
