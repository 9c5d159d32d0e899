"""The view memory: what a training step holds in memory, counted, measured and predicted.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...core.columns import Column
from ..ticks import Tick
from .registry import VIEWS, Ask, Facts, Found, Pictures, Rows, Table, View, ViewDescription

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe

COLUMNS = (
    Column("map", "ties", "Untied, as it is, or all tied"),
    Column("when", "when", "Between two steps, at a step's fullest moment, or each component at its own most"),
    Column("kind", "kind", "Counted from tensors, measured in a step of a copy, or predicted from shapes"),
    Column("component", "component", "What the bytes are"),
    Column("mb", "MB", "Millions of bytes", number=True, digits=3),
)


@VIEWS.register(
    ViewDescription(
        "memory",
        "What a training step holds in memory",
        about="What a training step holds in memory.",
        tab="Memory",
        asks=(Ask("Follow a step's memory"),),
        reads_probe=False,
        across=2,
        table=COLUMNS,
        by="map",
    )
)
class Memory(View):
    """Frame `memory` of `memory.ledger.ledger` for a step of the run's training.

    Facts: `official`, what the official code would print (`analysis.memory.ledger.official_line`).
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        from ...analysis.memory.ledger import ledger, official_line

        training, tokens = inspection.config.training, inspection.probe_tokens()
        bf16 = training.precision == "bf16"
        frame = ledger(inspection.model, tokens, batch_size=training.batch_size, bf16=bf16, tick=tick)
        # The process that looks is not the one that trains.
        kept = frame.filter(frame["component"] != "resident")
        return {"frames": {"memory": kept.to_dicts()}, "facts": {"official": official_line(inspection.model)}}

    def words(self, facts: Facts) -> list[str]:
        line = facts["official"]
        shares = (f"{line[name]:,} ({line[name] / line['untied']:.1%} of untied)" for name in ("claimed", "trainable"))
        printed, true = shares
        return [f"Trainable parameters that the official code would print: {printed}; true: {true}. {line['reason']}"]

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...charts.captions import captioned
        from ...charts.inside.memory import CAPTIONS, memory_by_layer, memory_of_maps

        size: dict[str, Any] = {"width": "container", "height": 220}
        maps, layers = memory_of_maps(frames["memory"], **size), memory_by_layer(frames["memory"], **size)
        return {
            "Three tie maps side by side": captioned(maps.to_dict(), CAPTIONS["memory_of_maps"]),
            "Which layer holds it": captioned(layers.to_dict(), CAPTIONS["memory_by_layer"]),
        }

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        totals: dict[tuple[str, str, str, str], float] = {}
        for row in frames["memory"]:
            key = row["map"], row["when"], row["kind"], row["component"]
            totals[key] = totals.get(key, 0.0) + row["bytes"] / 1e6
        names = [column.name for column in COLUMNS]
        rows = [dict(zip(names, (*key, size), strict=True)) for key, size in totals.items()]
        return [Table(COLUMNS, rows, "Sums over layers; press a heading to sort.")]
