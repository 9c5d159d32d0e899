"""The view weights: how alike each weight matrix is in each pair of layers.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..ticks import Tick
from .registry import VIEWS, Ask, Facts, Found, Pictures, Rows, Table, View, ViewDescription
from .tables import matrices

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe


@VIEWS.register(
    ViewDescription(
        "weights",
        "How alike their weights are",
        about="How alike each weight matrix is in its layers.",
        beside="similarity",
        asks=(Ask("Their weights, one by one"),),
        reads_probe=False,
        options=("other",),
    )
)
class Weights(View):
    """Frame `weights` of `similarity.spectra.tensor_similarity` of weight matrices.

    Options: other, as in `similarity`; the models must have equal widths.
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        import polars as pl

        from ...analysis.similarity.spectra import tensor_similarity
        from ..comparable import named, other_of

        model, other = inspection.model, other_of(options)
        matrices = [name for name, p in model.stack.layers[0].named_parameters() if p.ndim == 2]
        frame = tensor_similarity(model, None if other is None else other.model, tick=tick)
        frames = {"weights": frame.filter(pl.col("tensor").is_in(matrices)).to_dicts()}
        return {"frames": frames, "facts": {} if other is None else named(inspection, other)}

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...charts.captions import captioned
        from ...charts.inside.similarity import CAPTIONS, similarity_heatmap

        frame, made = frames["weights"].rename({"tensor": "method", "cosine": "value"}), {}
        names = ("layer of this run", "layer of the other") if "other" in facts else ("layer a", "layer b")
        caption = CAPTIONS["weights_of_models" if "other" in facts else "weights"]
        for tensor in frame["method"].unique(maintain_order=True):
            chart = similarity_heatmap(frame, method=tensor, names=names, width="container", height=320)
            made[f"Weights of {tensor} (cosine)"] = captioned(chart.to_dict(), caption)
        return made

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        return matrices([row | {"method": row["tensor"], "value": row["cosine"]} for row in frames["weights"]])
