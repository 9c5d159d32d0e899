"""Colours: one per owner layer, and one per meaning, the same in every chart and widget.

All of them have a contrast of at least 3:1 against both a white and a near-black page, so that one palette serves light
and dark themes. The owner colours were found by maximising the smallest distance in OKLab under normal vision and under
simulated protanopia, deuteranopia and tritanopia: any two of the first twelve differ by at least 7 (in units of a
hundredth), and so do layers next to each other in all 48. Colour is never the only sign: owners are also named.
"""

from __future__ import annotations

OWNER_COLOURS: list[str] = [
    "#485af0", "#d80c00", "#9690a8", "#187800", "#ba2496", "#0096fc", "#cc7e00", "#905a60",
    "#fc5484", "#5a966c", "#b466cc", "#7e54c0", "#c62a3c", "#546cfc", "#b45a90", "#9c963c",
    "#487242", "#8a7eea", "#e4669c", "#a87e5a", "#8a54a2", "#a84e00", "#6054d8", "#3c9c90",
    "#8a72b4", "#c66c0c", "#c666fc", "#007e72", "#d23072", "#ae30ba", "#a884c0", "#7866e4",
    "#729c7e", "#9c7248", "#c64ea8", "#d260e4", "#6c7284", "#9c5442", "#9c5ac6", "#ea6c3c",
    "#308a72", "#d8421e", "#7284d8", "#ba6ca8", "#ba5a60", "#786084", "#849c54", "#ae8496",
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
