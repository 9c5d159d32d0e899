"""Layers at equal relative depth."""

from __future__ import annotations

import polars as pl
import pytest

from layertie_lab.analysis.similarity.alignment import diagonal, relative_depth
from layertie_lab.core.errors import AnalysisError


@pytest.mark.parametrize(
    ("layers_a", "layers_b", "pairs"),
    [
        (3, 3, [(0, 0), (1, 1), (2, 2)]),
        (4, 2, [(0, 0), (1, 0), (2, 0), (3, 1)]),
        (2, 4, [(0, 0), (0, 1), (0, 2), (1, 3)]),
        (5, 3, [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)]),
        (3, 1, [(0, 0), (1, 0), (2, 0)]),
    ],
)
def test_pairs_at_equal_relative_depth(layers_a: int, layers_b: int, pairs: list[tuple[int, int]]) -> None:
    found = relative_depth(layers_a, layers_b)
    assert found.select("layer_a", "layer_b").rows() == pairs
    assert found.row(-1)[2:] == (1.0, 1.0)
    assert found["depth_a"][0] == pytest.approx(1 / layers_a)


@pytest.mark.parametrize(("layers_a", "layers_b"), [(12, 48), (7, 12), (12, 5)])
def test_no_other_layer_is_nearer(layers_a: int, layers_b: int) -> None:
    found = relative_depth(layers_a, layers_b)
    assert found.height == max(layers_a, layers_b)
    for own, gap in ((row[layers_a < layers_b], abs(row[2] - row[3])) for row in found.rows()):
        deep, flat = max(layers_a, layers_b), min(layers_a, layers_b)
        assert gap == pytest.approx(min(abs((own + 1) / deep - (other + 1) / flat) for other in range(flat)))


def test_the_diagonal_keeps_methods_apart() -> None:
    frame = pl.DataFrame(
        [(m, a, b, 10.0 * a + b) for m in ("procrustes", "cka") for a in range(4) for b in range(2)],
        schema=["method", "layer_a", "layer_b", "value"],
        orient="row",
    )
    found = diagonal(frame)
    assert found["method"].to_list() == ["procrustes"] * 4 + ["cka"] * 4
    assert found["value"].to_list() == [0.0, 10.0, 20.0, 31.0] * 2
    assert found["depth_b"].to_list() == [0.5, 0.5, 0.5, 1.0] * 2


def test_refusals() -> None:
    with pytest.raises(AnalysisError, match="1 layer or more"):
        relative_depth(0, 3)
    with pytest.raises(AnalysisError, match="0 rows without method"):
        diagonal(pl.DataFrame(schema={"layer_a": pl.Int64, "layer_b": pl.Int64}))
