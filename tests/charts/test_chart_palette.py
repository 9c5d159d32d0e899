"""Colours can be seen on light and dark pages, and told apart, also by colour-blind readers."""

import numpy as np
import pytest

from layertie_lab.agent.policies.registry import POLICIES
from layertie_lab.charts import palette

# Linear RGB under full dichromacy: Machado, Oliveira & Fernandes (2009).
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colour: str) -> np.ndarray:
    channel = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    bright, dim = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other)), reverse=True)
    return bright / dim


def oklab(colour: str, vision: str) -> np.ndarray:
    """OKLab coordinates (Ottosson 2020), times 100."""
    seen = np.clip(VISION[vision] @ linear(colour), 0, 1)
    return TO_LAB @ np.cbrt(TO_LMS @ seen) * 100


def test_every_policy_has_a_colour_of_its_own_which_stays():
    assert set(POLICIES.names) <= set(palette.POLICIES)
    assert len(set(palette.POLICIES)) == len(palette.POLICIES) < len(palette.OWNER_COLOURS)
    # Charts of older sweeps keep their colours: a new policy comes last.
    assert palette.POLICIES[:4] == ("lab", "paper", "official-code", "random")
    assert palette.POLICIES[16:] == (
        *("annealing", "hill-climbing", "ucb", "tie-once-by-cost", "tie-once-by-gradient", "map", "lab-1"),
    )


def test_there_is_a_different_colour_for_each_of_48_layers():
    assert len(set(palette.OWNER_COLOURS)) == len(palette.OWNER_COLOURS) >= 48
    assert palette.owner_colours(50)[48:] == palette.OWNER_COLOURS[:2]


@pytest.mark.parametrize("page", [palette.LIGHT_PAGE, palette.DARK_PAGE])
def test_every_colour_stands_out_from_light_and_dark_pages(page: str):
    marks = {name: c for name, c in palette.SEMANTIC_COLOURS.items() if not name.startswith("override")}
    for colour in (*palette.OWNER_COLOURS, *marks.values(), *palette.MEMORY_COLOURS.values()):
        assert contrast(colour, page) >= 3, f"{colour} on {page}: {contrast(colour, page):.2f}"
    assert max(contrast(palette.OVERRIDE, page), contrast(palette.OVERRIDE_EDGE, page)) >= 7
    assert contrast(palette.OVERRIDE, palette.OVERRIDE_EDGE) >= 7


@pytest.mark.parametrize("vision", VISION)
def test_colours_that_meet_can_be_told_apart(vision: str):
    seen = np.stack([oklab(colour, vision) for colour in palette.OWNER_COLOURS])
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    pairs = np.triu(np.ones_like(distance, bool), 1)
    lag = np.abs(np.subtract.outer(np.arange(len(seen)), np.arange(len(seen))))
    assert distance[:12, :12][pairs[:12, :12]].min() >= 6.5
    assert distance[lag == 1].min() >= 6.5
    assert distance[pairs].min() >= 2  # about the smallest difference that is seen side by side


def test_no_owner_glares_or_looks_disabled():
    for colour in palette.OWNER_COLOURS:
        assert 6 <= np.hypot(*oklab(colour, "normal")[1:]) <= 17, colour


@pytest.mark.parametrize("vision", VISION)
def test_no_owner_can_be_taken_for_an_override(vision: str):
    mark = oklab(palette.OVERRIDE, vision)
    assert min(np.linalg.norm(oklab(colour, vision) - mark) for colour in palette.OWNER_COLOURS) >= 15


def test_semantic_colours_of_one_chart_differ():
    for together in (
        [palette.TRAIN, *(palette.SPLIT_COLOURS[s] for s in ("validation", "test", "reward"))],
        [palette.AGENT, palette.EXPLORED, palette.OVERRIDE, palette.TREND],
        [palette.TRUE_COUNT, palette.CLAIMED_COUNT],
        list(palette.MEMORY_COLOURS.values()),
    ):
        for vision in VISION:
            seen = [oklab(colour, vision) for colour in together]
            for i, one in enumerate(seen):
                for other in seen[:i]:
                    assert np.linalg.norm(one - other) >= 3, (vision, together)
