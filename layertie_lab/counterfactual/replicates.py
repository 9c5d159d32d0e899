"""The process that trains twins: `python -m layertie_lab.counterfactual.replicates STUDY THREADS`.

It reads numbers of replicates from its standard input, a line each, and writes lines of JSON to its standard output:
`{"ready": true}`, `{"replicate": n, "steps": done}` now and then, `{"done": values}` for each, or `{"error": sentence}`
where it cannot go on. It ends when its standard input does, which is when its parent does, however that ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any

TELL_SECONDS = 0.2
"""Least time between two words on the steps done."""


def main(study: str, threads: int) -> None:
    """Train what is asked for until nobody asks any more."""
    numbers: SimpleQueue[int] = SimpleQueue()
    # A thread of its own, so that the end of the parent ends a replicate in the middle.
    threading.Thread(target=_listen, args=(numbers,), daemon=True).start()
    from ..core.errors import LayertieError

    try:
        crew = Twins(Path(study), threads)
        _say({"ready": True})
        while True:
            number = numbers.get()
            try:
                _say({"done": crew.train(number)})
            except LayertieError as error:
                _say({"done": {"replicate": number, "error": str(error)}})
    except LayertieError as error:
        _say({"error": str(error)})
    except Exception as error:  # the parent has a person to tell it to
        _say({"error": f"The twins' process failed: {type(error).__name__}: {error}"})
        raise


class Twins:
    """The moment of a study, opened once, and a pair from it for each number.

    Args:
        study: The study's folder.
        threads: CPU threads.

    Raises:
        LayertieError: The study or the run's text cannot be read, or the study does not fit the moment.
    """

    def __init__(self, study: Path, threads: int) -> None:
        import torch

        from ..session.moment import Moment
        from ..session.provided import Provided
        from .pair import check_study
        from .study import Study

        self._study = Study.open(study)
        tensors, meta = self._study.moment()
        self.session = Moment(self._study.config, tensors, meta, Provided(), -1).open()
        torch.set_num_threads(threads)
        check_study(self.session, self._study.spec)

    def train(self, number: int) -> dict[str, Any]:
        """One replicate as plain values (`values_of`), with its steps told meanwhile."""
        from .pair import train_pair

        spec, told = self._study.spec, time.monotonic()

        def tick(steps: int) -> None:
            nonlocal told
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                _say({"replicate": number, "steps": steps})

        start = time.perf_counter()
        pair = train_pair(self.session, spec.answered, spec, number, proposed=spec.proposed, tick=tick)
        return values_of(pair) | {"seconds": round(time.perf_counter() - start, 3)}


def values_of(pair: Any) -> dict[str, Any]:
    """A pair as JSON has it: marks, and for each branch losses, metrics, tie map and actions."""

    def branch(twin: Any) -> dict[str, Any]:
        answers = [[d.proposal.decision, d.proposal.layer, d.choice, d.by] for d in twin.decisions]
        values = {name: value for name, value in asdict(twin).items() if name in ("answer", "losses", "metrics")}
        return values | {"ties": list(twin.ties), "answers": answers}

    return {
        "replicate": pair.replicate,
        "marks": list(pair.plan.evaluated_at),
        "proposed": branch(pair.proposed),
        "answered": branch(pair.answered),
        "windows": pair.windows,
        "curve_windows": pair.curve_windows,
        "errors": list(pair.errors),
        "metric_errors": pair.metric_errors,
        "threads": pair.threads,
    }


def _listen(numbers: SimpleQueue[int]) -> None:
    for line in sys.stdin:
        numbers.put(int(line))
    os._exit(0)


def _say(message: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):  # nobody listens any more
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
