"""Internal influence: the mean gradient at a layer on the path from baseline to text, times its update on the text.

The numbers are those of captum by the trapezoid rule (whose weights in captum sum to 1 - 1/points, here to 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..capture import Tick
from .paths import Path, path_method
from .registry import AttributionDescription


@path_method(
    AttributionDescription(
        "internal-influence",
        "Internal influence of the layer",
        about="the mean gradient at the layer on the path from baseline to text, times the update on the text",
        unit="mean gradient on the path times the update",
        meaning="What the loss would lose with the update if it were linear; below 0 the layer lowers it. No sum is "
        "promised.",
        reads="the baseline",
        source="Leino et al. (ITC 2018), definition 1",
        axis="influence (nats per token)",
    )
)
def internal_influence(path: Path, tick: Tick) -> Tensor:
    """What passes by is NaN: no sum is promised, so it completes nothing."""
    shares = []
    for step in path.walk:
        mean = (step.gradient[1:] + step.gradient[:-1]) / 2
        shares.append((mean.mean(0) * step.update[-1]).sum())
    found = torch.stack(shares).to("cpu", torch.float64)
    return torch.stack([torch.full_like(found, torch.nan), found], dim=1)
