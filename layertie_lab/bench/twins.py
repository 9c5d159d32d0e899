"""Rows about the counterfactual lab: what a fork costs, and what twins cost beside the steps that they train."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.config import RunConfig
from ..core.statements import After
from ..engine.questions import plan_values, question, statement_about
from ..engine.session import Session
from ..engine.studies import StudyRunner
from ..records.studies import StudyFolder, state_study
from ..records.tree import moment_name
from ..text.dataset import TokenData
from .pairing import Row, row, seconds

HORIZON = 100
PROCESSES = 2
FULL = 8
"""Replicates of the whole study that is timed once."""


def fork_cost(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """A fork's share of a decision."""
    session = Session(config.replace(evaluate_every=0, sample_every=0, decisions=10**6), data=data)
    session.run(3)
    measured = np.empty((rounds, 2))
    for number in range(rounds):
        measured[number] = seconds(lambda: session.run(1)), seconds(session.fork)
    decision, fork = np.median(measured, axis=0)
    share = measured[:, 1] / measured[:, 0]
    yield row(
        f"fork's share of a decision, {config.model.layers} x {config.model.width}", share, at_most=0.05,
        holds=bool(np.median(share) <= 0.05 or fork <= 0.02), target="at most 0.05, or 20 ms",
        fork_milliseconds=float(fork * 1e3), decision_milliseconds=float(decision * 1e3),
    )  # fmt: skip


def twins_against_their_steps(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """Pairs of 6 layers in two processes of one thread, against the same steps alone in two such processes.

    Both are timed inside the processes, from the moment opened to the last number: neither pays for starting them. What
    twins do besides the steps: forks, evaluations on 512 windows at the horizon and 32 at ten marks before, and, where
    the agent goes on, its rewards and learning.
    """
    small = config.replace(layers=6, decisions=400, evaluate_every=0, sample_every=0, checkpoint_seconds=0)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        with Session(small, run, data=data) as session:
            session.run(30)
            session.save(moment_name(session.decision + 1))
        for after in ("hold", "continue-locked"):
            ratios, pair, bare = _rounds(run, after, max(3, rounds // 6))  # type: ignore[arg-type]
            yield row(
                f"twins / their bare steps, {after}, 6 x {small.model.width}, horizon {HORIZON}", ratios, at_most=1.15,
                pair_seconds=pair, bare_seconds=bare,
            )  # fmt: skip
        study = _study(run, "continue-locked", (FULL,))
        runner = StudyRunner(study, workers=PROCESSES)
        start = time.perf_counter()
        runner.start()
        runner.wait()
        whole = time.perf_counter() - start
        busy = sum(values["seconds"] for values in study.replicates()) / PROCESSES
        alone = _bare(run, FULL * HORIZON)
        yield row(
            f"R = {FULL} twins / their bare steps, start-up included, 6 x {small.model.width}, horizon {HORIZON}",
            [whole / alone], at_most=1.5, holds=whole <= 60, target="within 60 s", seconds=whole,
            seconds_in_replicates=busy, seconds_of_bare_steps=alone,
        )  # fmt: skip


def _study(run: Path, after: After, looks: tuple[int, ...]) -> StudyFolder:
    found = question(run)
    answer = next(source for source in found.legal if source != found.proposed)
    statement = statement_about(
        found, answer, run, statement="", primary=False, after=after, horizon=HORIZON, **plan_values(looks)
    )  # fmt: skip
    return state_study(run, statement, found.checkpoint)


def _rounds(run: Path, after: After, rounds: int) -> tuple[list[float], float, float]:
    ratios, twins, bare = [], [], []
    for _ in range(rounds):
        study = _study(run, after, (PROCESSES,))
        runner = StudyRunner(study, workers=PROCESSES)
        runner.start()
        runner.wait()
        twins.append(max(values["seconds"] for values in study.replicates()))
        bare.append(_bare(run, 2 * HORIZON))
        ratios.append(twins[-1] / bare[-1])
    return ratios, float(np.median(twins)), float(np.median(bare))


def _bare(run: Path, steps: int) -> float:
    """Seconds of so many optimizer steps in each of two processes at a time; the slower one's."""
    command = [sys.executable, "-m", "layertie_lab.bench.twins", str(run), str(steps)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    return max(float(json.loads(process.communicate()[0])) for process in processes)


def _train(run: str, steps: int) -> float:
    from ..engine.moments import Moment

    session: Any = Moment.stored(run).open()
    torch.set_num_threads(1)
    session = session.fork(1)
    start = time.perf_counter()
    for step in range(session.step, session.step + steps):
        session.parts.trainer.step(session.parts.training_batches(step), step)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_train(sys.argv[1], int(sys.argv[2]))))
