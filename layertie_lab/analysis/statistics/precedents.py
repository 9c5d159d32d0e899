"""What a decision looked like before: the nearest past decisions, what was done then and what came of it."""

from __future__ import annotations

import numpy as np
import polars as pl

from ...core.errors import AnalysisError

SCHEMA: dict[str, type[pl.DataType]] = {
    "decision": pl.Int64, "layer": pl.Int64, "distance": pl.Int64, "present": pl.Int64, "choice": pl.Int64,
    "by": pl.String, "explored": pl.Boolean, "q_choice": pl.Float64, "reward": pl.Float64, "above_trend": pl.Float64,
}  # fmt: skip


def nearest_decisions(decisions: pl.DataFrame, ties: pl.DataFrame, decision: int, *, k: int = 8) -> pl.DataFrame:
    """The past decisions about the same layer whose tie map was nearest.

    Args:
        decisions: The table `decisions` of a run.
        ties: The table `ties`.
        decision: Which one is to be explained; only earlier ones count.
        k: How many.

    Returns:
        Nearest first, of equals the latest: decision, layer, distance (entries of the map before the decision that
        differ, the layer's own among them), present, choice, by, explored, q_choice, reward, above_trend (reward less
        the mean reward of the episode around it: half an episode before and after; of the run's first decisions as many
        before as after, so that a steep start does not count for or against them, and the very first is 0).

    Raises:
        AnalysisError: A decision that the run has not come to.
    """
    layers = ties["layer"].n_unique() if ties.height else 0
    if not layers or not 1 <= decision <= decisions.height + 1:
        raise AnalysisError(
            f"Expected a decision from 1 to {decisions.height + 1}, but got {decision}.", "Choose one of these."
        )
    layer = (decision - 1) % (layers - 1) + 1
    maps = ties.sort("decision", "layer")["source"].to_numpy().reshape(-1, layers)
    if len(maps) < decision:
        raise AnalysisError(f"Expected the tie map before decision {decision}, but it is not in the log.", "")
    past = decisions.filter((pl.col("layer") == layer) & (pl.col("decision") < decision))
    rewards = decisions.filter(pl.col("decision") < decision)["reward"].to_numpy()
    half = max(1, (layers - 1) // 2)
    rows = []
    for row in past.iter_rows(named=True):
        number = row["decision"]
        reach = min(half, number - 1)
        around = rewards[number - 1 - reach : number + reach]
        distance = int((maps[number - 1] != maps[decision - 1]).sum())
        rows.append(
            (
                number,
                layer,
                distance,
                row["present"],
                row["choice"],
                row["by"],
                row["explored"],
                row["q_choice"],
                row["reward"],
                row["reward"] - float(np.mean(around)),
            )
        )
    found = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return found.sort("distance", "decision", descending=[False, True]).head(k)
