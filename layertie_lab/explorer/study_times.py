"""How long pairs take, from what was measured on this run: what a person is told before a study is stated."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..counterfactual.study import Study
from .study_form import PILOT, PLANS

NOTICEABLE = 0.25
"""Share by which a pace changes before another one is told."""


def of_pairs(studies: Iterable[Study]) -> float:
    """Seconds that an optimizer step has taken in the pairs of a run's studies, with its share of the evaluations; 0
    where none has come."""
    seconds, steps = 0.0, 0
    for study in studies:
        for values in study.replicates():
            if "seconds" in values:
                seconds, steps = seconds + values["seconds"], steps + 2 * study.spec.horizon
    return seconds / steps if steps else 0.0


def of_run(steps_per_second: float, threads: int) -> float:
    """The same from the run's own pace, in a process with one thread; 0 where it is not known.

    Args:
        steps_per_second: Of the run; 0 if unknown.
        threads: CPU threads of the run; 0 = one per core.
    """
    return (threads or _cores()) / steps_per_second if steps_per_second > 0 else 0.0


def is_news(before: float, now: float) -> bool:
    """Whether a pace differs enough from another one to be told."""
    return abs(now - before) > NOTICEABLE * before


def timing(seconds: float) -> dict[str, Any]:
    """What `widgets.forms.hypothesis_panel` makes a duration of; empty where nothing was measured.

    Args:
        seconds: Per optimizer step, in one process.
    """
    if seconds <= 0:
        return {}
    last = {name: plan.last for name, (_, plan) in PLANS.items()}
    return {"seconds": seconds, "processes": _cores(), "replicates": last, "pilot": PILOT}


def _cores() -> int:
    return os.cpu_count() or 1
