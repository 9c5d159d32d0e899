"""The replicates of a study, trained one after another in a process of their own (`runner`)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..session.door import RunText
from ..session.moment import Moment
from .pair import Pair, Twin, check_study, train_pair
from .study import Study


class Replicates:
    """The moment of a study, opened once, and a pair from it for each number.

    Args:
        study: The study's folder.
        threads: CPU threads.

    Raises:
        LayertieError: The study or the run's text cannot be read, or the study does not fit the moment.
    """

    def __init__(self, study: Path, threads: int) -> None:
        self._study = Study.open(study)
        tensors, meta = self._study.moment()
        self.session = Moment(self._study.config, tensors, meta, RunText.of(self._study.run)).open()
        torch.set_num_threads(threads)
        check_study(self.session, self._study.spec)

    def answer(self, number: int, tell: Callable[[float], None], /) -> dict[str, Any]:
        """One replicate as plain values (`values_of`), as they are read back from the study's folder.

        Args:
            number: Of the replicate.
            tell: Called with the optimizer steps done, of both branches.
        """
        spec, start = self._study.spec, time.perf_counter()
        pair = train_pair(self.session, spec.answered, spec, number, proposed=spec.proposed, tick=tell)
        values = values_of(pair) | {"seconds": round(time.perf_counter() - start, 3)}
        return json.loads(json.dumps(values))


def values_of(pair: Pair) -> dict[str, Any]:
    """A pair as JSON has it: marks, and for each branch losses, metrics, tie map and actions.

    `curve_to_end`: the loss at the horizon too is on the windows of the curve, not on all as in older studies.
    """

    def branch(twin: Twin) -> dict[str, Any]:
        return {
            "answer": twin.action,
            "losses": list(twin.losses),
            "metrics": twin.metrics,
            "ties": list(twin.ties),
            "answers": [[d.proposal.decision, d.proposal.layer, d.choice, d.by] for d in twin.decisions],
        }

    return {
        "replicate": pair.replicate,
        "marks": list(pair.plan.evaluated_at),
        "proposed": branch(pair.proposed),
        "answered": branch(pair.answered),
        "windows": pair.windows,
        "curve_windows": pair.curve_windows,
        "curve_to_end": True,
        "errors": list(pair.errors),
        "metric_errors": pair.metric_errors,
        "threads": pair.threads,
    }
