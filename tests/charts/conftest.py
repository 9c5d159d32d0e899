"""A simulated run, and small frames, for all tests of this folder."""

from __future__ import annotations

import polars as pl
import pytest
from simulated_runs import Tables, as_frames, simulate

from layertie_lab.core.tables import COLUMNS
from layertie_lab.core.ties import TieMap


@pytest.fixture(scope="session")
def run_rows() -> Tables:
    """Rows of a run of 30 decisions, with overrides."""
    return simulate(30)


@pytest.fixture(scope="session")
def run_frames(run_rows: Tables) -> dict[str, pl.DataFrame]:
    """The same run as frames."""
    return as_frames(run_rows)


@pytest.fixture(scope="session")
def no_frames() -> dict[str, pl.DataFrame]:
    """A run in which nothing has happened."""
    return as_frames({name: [] for name in COLUMNS})


@pytest.fixture(scope="session")
def similarity() -> pl.DataFrame:
    """Similarity of 4 layers, pairs given once, where 2 is tied to 0 and 3 to 1."""
    owners = TieMap((0, 1, 0, 1)).owners
    rows = [
        {
            "layer_a": a,
            "layer_b": b,
            "value": 1 - 0.2 * (b - a),
            "low": 0.1,
            "high": 1.0,
            "null": 0.5,
            "method": "cka",
            "owner_a": owners[a],
            "owner_b": owners[b],
        }
        for a in range(4)
        for b in range(a, 4)
    ]
    return pl.DataFrame(rows)


@pytest.fixture(scope="session")
def attribution() -> pl.DataFrame:
    """Attribution to 3 layers, of which the last is tied to the first and has no interval."""
    return pl.DataFrame(
        {
            "layer": [0, 1, 2],
            "owner": [0, 1, 0],
            "value": [0.2, -0.1, 0.3],
            "low": [0.1, -0.2, None],
            "high": [0.3, 0.0, None],
            "method": ["conductance"] * 3,
        }
    )
