"""Fixed tie maps from the literature, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from .errors import ConfigError
from .ties import TieMap


def independent(layers: int) -> TieMap:
    """No sharing: the conventional transformer."""
    return TieMap.independent(layers)


def all_tied(layers: int) -> TieMap:
    """One block everywhere (ALBERT, Lan et al. 2019; Universal Transformer, Dehghani et al. 2018)."""
    return TieMap.all_tied(layers)


def sequence(layers: int, blocks: int) -> TieMap:
    """Runs of equal length: 0 0 1 1 2 2 (Takase & Kiyono 2021, arXiv 2104.06022, "sequence")."""
    firsts = [next(i for i in range(layers) if i * blocks // layers == b) for b in range(blocks)]
    return TieMap(tuple(firsts[i * blocks // layers] for i in range(layers)))


def cycle(layers: int, blocks: int) -> TieMap:
    """The first blocks over and over: 0 1 2 0 1 2 (Takase & Kiyono 2021, "cycle")."""
    return TieMap(tuple(i % blocks for i in range(layers)))


def cycle_reverse(layers: int, blocks: int) -> TieMap:
    """A cycle whose last round runs backwards: 0 1 2 2 1 0 (Takase & Kiyono 2021, "cycle (rev)")."""
    start = layers - blocks
    return TieMap(tuple(i % blocks if i < max(start, blocks) else layers - 1 - i for i in range(layers)))


def sandwich(layers: int) -> TieMap:
    """First and last on their own, the middle shared: 0 1 1 1 n-1 (Subformer, Reid et al. 2021, arXiv 2101.00234)."""
    return TieMap(tuple(i if i in (0, layers - 1) else 1 for i in range(layers)))


def middle_cycle(layers: int, blocks: int) -> TieMap:
    """First and last on their own, a cycle between them: 0 1 2 1 2 n-1 (Mixture-of-Recursions, arXiv 2507.10524)."""
    inner = max(1, blocks - 2)
    return TieMap(tuple(i if i in (0, layers - 1) else 1 + (i - 1) % inner for i in range(layers)))


def repeat(layers: int) -> TieMap:
    """Each block twice in a row: 0 0 2 2 4 4 (MobileLLM-LS, Liu et al. 2024, arXiv 2402.14905)."""
    return TieMap(tuple(i - i % 2 for i in range(layers)))


_WITH_BLOCKS: dict[str, Callable[[int, int], TieMap]] = {
    "sequence": sequence,
    "cycle": cycle,
    "cycle-reverse": cycle_reverse,
    "middle-cycle": middle_cycle,
}
_PLAIN: dict[str, Callable[[int], TieMap]] = {
    "independent": independent,
    "all-tied": all_tied,
    "sandwich": sandwich,
    "repeat": repeat,
}
PATTERNS: tuple[str, ...] = (*_PLAIN, *_WITH_BLOCKS)
GIVEN = "map"
"""The policy whose fixed map is none of these, but the one that the setting agent.map gives."""


def about(name: str) -> str:
    """What a pattern is, in a sentence, with its source."""
    return inspect.getdoc((_PLAIN | _WITH_BLOCKS)[name]) or ""


def pattern(name: str, layers: int, blocks: int | None = None) -> TieMap:
    """A fixed map by name.

    Args:
        name: One of `PATTERNS`.
        layers: Number of layers, at least 1.
        blocks: Number of distinct blocks for the patterns that take one; default a third of the layers, at least 1
            (middle-cycle: at least 3 where the depth allows it).

    Raises:
        ConfigError: Unknown name, or a number of blocks outside 1 .. layers.
    """
    if name not in PATTERNS:
        raise ConfigError(f"Expected a pattern out of {', '.join(PATTERNS)}, but got {name!r}.", "Choose one of these.")
    if name in _PLAIN:
        return _PLAIN[name](layers)
    chosen = max(1, layers // 3) if blocks is None else blocks
    if not 1 <= chosen <= layers:
        raise ConfigError(
            f"Expected 1 to {layers} blocks for {layers} layers, but got {chosen}.", "Lower the number of blocks."
        )
    return _WITH_BLOCKS[name](layers, chosen)
