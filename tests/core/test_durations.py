"""Durations are said in the unit that people use."""

from __future__ import annotations

import pytest

from layertie_lab.core.durations import in_time


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (95, "95 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (1_000, "17 min"),
        (3_599, "1 h"),
        (5_252, "1 h 28 min"),
        (400_000, "111 h 7 min"),
    ],
)
def test_a_duration_has_the_unit_that_people_use(seconds: float, words: str) -> None:
    assert in_time(seconds) == words
