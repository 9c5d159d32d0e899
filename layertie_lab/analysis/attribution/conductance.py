"""Conductance: what flows through a layer's update while the input goes from baseline to text.

captum takes gradients at the near end of each interval; here both ends count, which makes the error second order. The
numbers are those of captum walking there and back.
"""

from __future__ import annotations

from torch import Tensor

from ..capture import Tick
from .paths import Path, path_method
from .registry import AttributionDescription


@path_method(
    AttributionDescription(
        "conductance",
        "Conductance of the layer",
        about="what flows through the layer's update while the input goes from baseline to text",
        unit="of loss(text) - loss(baseline)",
        meaning="Below 0 the layer's update lowers the loss on the way from the baseline to the text.",
        reads="the baseline",
        source="Dhamdhere, Sundararajan & Yan (ICLR 2019), definition 1",
        axis="change of the loss (nats per token)",
        usual=True,
    )
)
def conductance(path: Path, tick: Tick) -> Tensor:
    """Gradient times step, summed along the path; what passes by and the update add up to the loss difference."""
    return path.flows[0].sum(0)
