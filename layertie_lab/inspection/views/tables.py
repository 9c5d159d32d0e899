"""Tables that several views have: a matrix of pairs of layers, and a value per layer with its interval."""

from __future__ import annotations

from ...core.columns import Column
from .registry import Rows, Table


def matrices(rows: Rows) -> list[Table]:
    """A table per method, layer_a down and layer_b across; what unrelated layers reach stands in the JSON."""
    tables = []
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        across = sorted({row["layer_b"] for row in mine})
        columns = [Column("layer", method), *(Column(str(b), str(b), number=True, digits=2) for b in across)]
        down: dict[int, dict[str, float]] = {}
        for row in mine:
            down.setdefault(row["layer_a"], {})[str(row["layer_b"])] = row["value"]
        tables.append(Table(columns, [{"layer": str(layer)} | down[layer] for layer in sorted(down)]))
    return tables


def per_layer(rows: Rows) -> list[Table]:
    """A table per method: each layer's value and its interval."""
    tables = []
    for method in dict.fromkeys(row["method"] for row in rows):
        columns = [Column("layer", "layer"), Column("owner", "owner")]
        heads = {"value": method, "low": "from", "high": "to"}
        columns += [Column(name, head, number=True, digits=4) for name, head in heads.items()]
        tables.append(Table(columns, [row for row in rows if row["method"] == method]))
    return tables
