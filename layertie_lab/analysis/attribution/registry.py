"""What a method of attribution is: it says of itself what its values mean, and gives a row per layer.

    @ATTRIBUTIONS.register(AttributionDescription("mine", "What I attribute", unit="of what", axis="my measure"))
    def mine(model, tokens, asked, tick): ...  # rows of `rows.SCHEMA`, see `rows.row`

One that walks from a baseline to the text is shorter still, see `paths.path_method`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl
from torch import Tensor

from ...core.descriptions import Description, Registry
from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ..capture import Tick
from ..statistics.intervals import LEVEL
from .targets import Target

Baseline = Literal["zero", "mean", "pad"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
STEPS = 16
"""Points on a path, to begin with. Measured at 12 x 64 after 300 steps, on a loss difference of 1.5 nats per token from
the zero baseline: completeness error of integrated gradients below .003, of conductance .02 to .04 (32 points: .01)."""
AT_ONCE = 64
"""Points of a path that captum takes at once, for the memory that they need."""
COMPLETE = 0.02
"""Share of the loss difference by which shares that are to sum to it may miss it, before more points are taken."""
MOST_STEPS = 512
"""Points at most, where shares miss what they are to sum to; then it is said by how much."""
Side = Literal["above", "below"]


@dataclass(frozen=True)
class AttributionDescription(Description):
    """What a method of attribution says of itself; `unit` is what its values are of, in the unit of the model's metric.

    Args:
        axis: Its title and unit, short enough for an axis.
        lowers: On which side of 0 a layer lowers the loss.
        usual: Whether it is among those computed where none is named.
        misses: Why its shares may fall short of the loss difference; it is refused where they do. "" for one that
            holds for every model.
    """

    axis: str = ""
    lowers: Side = "below"
    usual: bool = False
    misses: str = ""


@dataclass(frozen=True)
class Asked:
    """What is asked of a method; each heeds what concerns it.

    Args:
        target: One token, whose loss is then explained (no interval); None = the mean loss of all tokens.
        baseline: Where a path begins. zero: token embeddings of 0, positions kept. mean: the mean token embedding in
            place of 0. pad: the embedding of one token, at every position.
        pad_token: The token of the baseline pad; None = the commonest one.
        steps: Points on a path; None = `STEPS`, and twice as many until shares sum to what they promise
            (`COMPLETE`), `MOST_STEPS` at most.
        level: Coverage of the intervals, 0 to 1.
    """

    target: Target | None = None
    baseline: Baseline = "zero"
    pad_token: int | None = None
    steps: int | None = None
    level: float = LEVEL


Attribution = Callable[[TiedModel, Tensor, Asked, Tick | None], pl.DataFrame]
"""(model, left as it was; [sequences, time + 1] probe tokens; asked; told the share done) -> a row per layer."""

ATTRIBUTIONS: Registry[AttributionDescription, Attribution] = Registry(
    "method of attribution",
    [
        f"layertie_lab.analysis.attribution.{module}"
        for module in ("replacement", "conductance", "internal_influence", "captum_methods")
    ],
    "layertie_lab.attributions",
)
"""Name -> method; a package brings its own in the entry-point group `layertie_lab.attributions`."""


def usual_attributions() -> tuple[str, ...]:
    """The names of those that are computed where none is named."""
    return tuple(each.name for each in ATTRIBUTIONS if each.usual)


def attributions_named(wanted: Sequence[str]) -> list[str]:
    """The methods meant, each once: a name stands for itself, or for all that begin with it and a dash.

    Raises:
        AnalysisError: A name of none.
    """
    names = ATTRIBUTIONS.names
    meant = {one: [name for name in names if name == one or name.startswith(f"{one}-")] for one in wanted}
    if unknown := [one for one, found in meant.items() if not found]:
        raise AnalysisError(
            f"Expected methods out of {', '.join(names)}, but got {', '.join(map(repr, unknown))}.",
            "Name some of these.",
        )
    return list(dict.fromkeys(name for found in meant.values() for name in found))
