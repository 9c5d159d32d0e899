"""Rows about paired runs: what a fork costs, and what twins cost beside the steps that they train."""

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
from ..counterfactual.interim import plan_at
from ..counterfactual.questions import question, spec_about, state
from ..counterfactual.runner import StudyRunner
from ..counterfactual.spec import After, StudyChoices
from ..counterfactual.study import Study
from ..records.tree import moment_name
from ..session.door import RunText
from ..session.moment import Moment
from ..session.schedule import EmptySchedule
from ..session.session import Session
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
        f"fork's share of a decision, {config.model.layers} x {config.model.width}",
        share,
        at_most=0.05,
        holds=bool(np.median(share) <= 0.05 or fork <= 0.02),
        target="at most 0.05, or 20 ms",
        fork_milliseconds=float(fork * 1e3),
        decision_milliseconds=float(decision * 1e3),
    )


ALONE: dict[After, str] = {"hold": "bare steps", "continue-locked": "the same decisions in plain sessions"}
"""What happens after the fork -> what the same steps alone are."""


def twins_against_their_steps(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """Pairs of 6 layers in two processes of one thread, against the same steps alone in two such processes.

    Both are timed inside the processes, from the moment opened to the last number: neither pays for starting them. What
    twins do besides: forks, evaluations on 512 windows (all, where the text has fewer) at the horizon and on
    `CURVE_WINDOWS` of them at ten marks before. Alone means: with the map held, bare optimizer steps under both maps;
    where the agent goes on, plain sessions that are given the same actions, so that the agent's rewards are on both
    sides.
    """
    small = config.replace(layers=6, decisions=400, evaluate_every=0, sample_every=0, checkpoint_seconds=0)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        with Session(small, run, data=data) as session:
            session.run(30)
            session.save(moment_name(session.decision + 1))
        for after, alone in ALONE.items():
            ratios, pair, bare = _rounds(run, after, max(3, rounds // 6))
            yield row(
                f"twins / {alone}, {after}, 6 x {small.model.width}, horizon {HORIZON}",
                ratios,
                at_most=1.15,
                pair_seconds=pair,
                alone_seconds=bare,
            )
        study = _study(run, "continue-locked", (FULL,))
        runner = StudyRunner(study, workers=PROCESSES)
        start = time.perf_counter()
        runner.start()
        runner.wait()
        whole = time.perf_counter() - start
        alone_seconds = _alone(study, FULL // PROCESSES)
        yield row(
            f"R = {FULL} twins with their start-up / the same decisions, 6 x {small.model.width}, horizon {HORIZON}",
            [whole / alone_seconds],
            at_most=1.5,
            holds=whole <= 60,
            target="within 60 s",
            seconds=whole,
            alone_seconds=alone_seconds,
        )


def _study(run: Path, after: After, analyses: tuple[int, ...]) -> Study:
    found = question(run)
    action = next(source for source in found.legal if source != found.proposed)
    choices = StudyChoices(after=after, horizon=HORIZON)
    return state(run, spec_about(found, action, run, choices, primary=False, plan=plan_at(analyses)), found)


def _rounds(run: Path, after: After, rounds: int) -> tuple[list[float], float, float]:
    """Ratio of each round; median seconds of a pair, and of its steps alone."""
    ratios, twins, alone = [], [], []
    for _ in range(rounds):
        study = _study(run, after, (PROCESSES,))
        runner = StudyRunner(study, workers=PROCESSES)
        runner.start()
        runner.wait()
        twins.append(max(values["seconds"] for values in study.replicates()))
        alone.append(_alone(study, 1))
        ratios.append(twins[-1] / alone[-1])
    return ratios, float(np.median(twins)), float(np.median(alone))


def _alone(study: Study, each: int) -> float:
    """Seconds in which two processes at a time train what so many replicates each trained; the slower one's."""
    numbers = [str(values["replicate"]) for values in study.replicates()]
    shares = [numbers[start::PROCESSES][:each] for start in range(PROCESSES)]
    command = [sys.executable, "-m", "layertie_lab.bench.twins", str(study.path)]
    processes = [subprocess.Popen([*command, *share], stdout=subprocess.PIPE, text=True) for share in shares]
    return max(float(json.loads(process.communicate()[0])) for process in processes)


def _train(path: str, numbers: list[int]) -> float:
    """Seconds of a study's replicates without what makes twins of them."""
    study = Study.open(path)
    tensors, meta = study.moment()
    moment = Moment(study.config, tensors, meta, RunText.of(study.run)).open()
    torch.set_num_threads(1)
    found = {values["replicate"]: values for values in study.replicates()}
    start = time.perf_counter()
    for number in numbers:
        for side in ("proposed", "answered"):
            _branch(moment, found[number][side]["answers"], number, study.spec.after == "hold")
    return time.perf_counter() - start


def _branch(moment: Session, answers: list[list[Any]], replicate: int, hold: bool) -> None:
    session = moment.fork(replicate, schedule=EmptySchedule())
    end = session.step + HORIZON
    for _, _, choice, by in answers:
        session.begin(choice, by)
        while session.pending_steps and session.step < end:
            session.advance()
        if hold or session.step >= end:
            break
        session.finish()
    for step in range(session.step, end):
        session.components.trainer.step(session.components.training_batches(step), step)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_train(sys.argv[1], [int(number) for number in sys.argv[2:]])))
