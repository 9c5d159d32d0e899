"""A comparison of two groups in one plain sentence, its interval in it."""

from __future__ import annotations

import math

from .amounts import UNITS, Metric
from .compare import Comparison

_WORDS = {
    "validation-loss": ("has", "nats more loss", "nats less loss"),
    "train-loss": ("has", "nats more training loss", "nats less training loss"),
    "perplexity": ("has a perplexity", "higher", "lower"),
    "bits-per-byte": ("needs", "bits per byte more", "bits per byte fewer"),
    "trainable-parameters": ("trains", "parameters more", "parameters fewer"),
    "memory": ("needs", "bytes more", "bytes fewer"),
}
"""Metric -> the verb, the words for more, the words for less."""
_TURNS = {
    "nats more loss": ("more", "less"),
    "nats more training loss": ("more", "less"),
    "higher": ("higher", "lower"),
    "bits per byte more": ("more", "fewer"),
    "parameters more": ("more", "fewer"),
    "bytes more": ("more", "fewer"),
}
"""Words for more -> those at the two ends of an interval around no difference."""


def plain_sentence(found: Comparison, metric: Metric = "validation-loss") -> str:
    """`lab has 0.240 nats more loss than independent, 95 % interval [0.210, 0.270], 5 seeds.`

    An interval on both sides of no difference says so, and that the groups are not told apart. Where there are too few
    runs for an interval the sentence says that instead.
    """
    verb, more, less = _WORDS[metric]
    digits = places(found, metric)
    words = more if found.difference >= 0 else less
    opening = f"{found.other} {verb} {abs(found.difference):,.{digits}f} {words} than {found.first}"
    if found.difference == 0:
        opening = f"{found.other} and {found.first} have the same {metric.replace('-', ' ')}"
    if found.kind == "single":
        shared = "in the one seed that both have" if found.pairs == 1 else "in runs that share no two seeds"
        return f"{opening}, {shared}: no interval, so this is no claim. It takes two seeds on both sides at the least."
    how = f"{found.pairs} seeds" if found.kind == "paired" else "runs of different seeds (Welch)"
    if found.interval is None:
        return f"{opening}, in every run, {how}."
    low, high = float(found.interval.low), float(found.interval.high)
    if low <= 0 <= high:
        up, down = _TURNS[more]
        ends = f"from {abs(low):,.{digits}f} {down} to {abs(high):,.{digits}f} {up}"
        return f"{opening}, 95 % interval {ends}, {how}: not told apart."
    near, far = sorted((abs(low), abs(high)))
    return f"{opening}, 95 % interval [{near:,.{digits}f}, {far:,.{digits}f}], {how}."


def places(found: Comparison, metric: Metric) -> int:
    """Decimals that show two digits of half the interval's width."""
    if UNITS[metric] in ("parameters", "bytes"):
        return 0
    size = abs(found.difference) if found.interval is None else float(found.interval.high - found.interval.low) / 2
    return 3 if size <= 0 else min(6, max(0, 1 - math.floor(math.log10(size))))
