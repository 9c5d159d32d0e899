"""Colours: one per owner layer, and one per meaning, the same in every chart and widget.

All of them have a contrast of at least 3:1 against both a white and a near-black page, so that one palette serves light
and dark themes. The owner colours are calm: their OKLab chroma lies between .06, below which a block looks disabled,
and .17, above which it glares. Among these they were found by maximising the smallest distance in OKLab under normal
vision and under simulated protanopia, deuteranopia and tritanopia: any two of the first twelve differ by at least 6.5
(in units of a hundredth), and so do layers next to each other in all 48. Colour is never the only sign: owners are also
named.
"""

from __future__ import annotations

OWNER_COLOURS: list[str] = [
    "#6068d8", "#c08810", "#c04058", "#0098f0", "#7858b0", "#e06090", "#a05800", "#a878c8",
    "#007850", "#009888", "#905888", "#b07008", "#6878e8", "#9068a0", "#c87058", "#9880e0",
    "#b04070", "#8068b8", "#b880a8", "#509040", "#6858c8", "#c068b0", "#789068", "#687030",
    "#a068d0", "#b85870", "#70a030", "#8858a0", "#408880", "#c06840", "#7088b8", "#6868c8",
    "#d05888", "#688818", "#b05068", "#00a098", "#e86068", "#408838", "#a070a0", "#58a078",
    "#088058", "#8870c0", "#509850", "#387800", "#986090", "#4068b8", "#b87898", "#886048",
]  # fmt: skip
"""Colour of owner layer 0, 1, ... 47; deeper layers begin again at the first."""

POLICIES = (
    *("lab", "paper", "official-code", "random", "independent", "all-tied", "sequence", "cycle", "cycle-reverse"),
    *("sandwich", "middle-cycle", "repeat", "human", "random-matched", "look-ahead", "share-then-unshare", "annealing"),
    *("hill-climbing", "ucb", "tie-once-by-cost", "tie-once-by-gradient", "map", "lab-1"),
)
"""Policies that have the colours of the first owners, in this order, in every chart; others get a later one by their
name."""

OVERRIDE = "#ffd21f"
"""Fill of the override mark, a diamond: the one light colour of the palette, so no owner can be taken for it."""
OVERRIDE_EDGE = "#1a1a1a"
"""Outline of the override mark; with it the mark also stands out on a white page."""

AGENT = "#2f7ed8"
"""The agent: what it proposed."""
ANSWERED = "#c4501a"
"""The branch in which another action than the agent's was taken."""
EXPLORED = "#8b8f98"
"""A proposal that was a random draw (drawn hollow)."""
TIED = "#8b8f98"
"""A tied layer where its owner does not matter."""
TRAIN = "#8b8f98"
"""Training loss."""
VALIDATION = "#0b8a72"
"""Validation loss."""
TREND = "#9a6fc0"
"""A running mean."""
TEST = "#b4508c"
"""Test loss."""
REWARD_SPLIT = "#a8742a"
"""Loss on the text set aside for rewards."""
TRUE_COUNT = "#2f7ed8"
"""A number counted from the storages."""
CLAIMED_COUNT = "#c8651b"
"""The number the official code would print."""

MEMORY_COLOURS: dict[str, str] = {
    "parameters": "#2f7ed8",
    "gradients": "#c8651b",
    "optimizer": "#0b8a72",
    "activations": "#9a6fc0",
    "temporaries": "#9c963c",
    "allocator slack": "#8b8f98",
}
"""Colour of each component of memory."""

SEMANTIC_COLOURS: dict[str, str] = {
    "agent": AGENT,
    "override": OVERRIDE,
    "override_edge": OVERRIDE_EDGE,
    "explored": EXPLORED,
    "tied": TIED,
    "train": TRAIN,
    "validation": VALIDATION,
    "trend": TREND,
    "test": TEST,
    "reward": REWARD_SPLIT,
    "true_count": TRUE_COUNT,
    "claimed_count": CLAIMED_COUNT,
}
"""Meaning -> colour, for widgets."""

SPLIT_COLOURS: dict[str, str] = {"validation": VALIDATION, "test": TEST, "reward": REWARD_SPLIT, "train": TRAIN}
"""Colour of each split's evaluations."""

LIGHT_PAGE = "#ffffff"
DARK_PAGE = "#181c1a"


def owner_colour(owner: int) -> str:
    """The colour of an owner layer, as `#rrggbb`.

    Args:
        owner: The layer, counted from 0; from 48 on the colours begin again.
    """
    return OWNER_COLOURS[owner % len(OWNER_COLOURS)]


def owner_colours(layers: int) -> list[str]:
    """The colours of layers 0 .. layers - 1."""
    return [owner_colour(layer) for layer in range(layers)]
