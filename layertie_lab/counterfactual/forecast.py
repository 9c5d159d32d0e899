"""From a pilot study to what a study would see, before the effort."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..analysis.statistics.paired import paired_difference
from ..core.statements import METRICS, Statement
from .interim import Plan
from .power import Forecast, forecast
from .study import differences


def forecast_of(statement: Statement, replicates: Sequence[Mapping[str, Any]], plan: Plan) -> Forecast | None:
    """What a study with a plan would see and take, from a pilot's spread and times; None where its replicates agree.

    Args:
        statement: The pilot's.
        replicates: The pilot's.
        plan: Of the study to come.

    Raises:
        AnalysisError: Fewer than two replicates, or one that diverged.
    """
    found = paired_difference(differences(statement, replicates))
    if found.constant:
        return None
    seconds = sum(values["seconds"] for values in replicates) / len(replicates)
    # Every process has a replicate of its own.
    at_a_time = min(os.cpu_count() or 1, plan.last)
    return forecast(
        found.spread,
        found.replicates,
        plan,
        statement.smallest_difference,
        seconds / at_a_time,
        unit=METRICS[statement.metric].unit,
    )
