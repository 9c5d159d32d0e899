"""The view similarity: how alike each pair of layers is, by each method.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...core.descriptions import Description
from ..ticks import Tick
from .registry import VIEWS, Ask, Facts, Found, Pictures, Rows, Table, View, ViewDescription
from .tables import matrices

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe


@VIEWS.register(
    ViewDescription(
        "similarity",
        "How alike the layers are",
        about="How alike its layers are.",
        tab="Similarity",
        asks=(Ask("Compare layers"),),
        options=("other", "similarities"),
        repeats="Compare again",
    )
)
class Similarity(View):
    """Frame `similarity` of `analysis.similarity`, beside a fresh initialisation.

    Options: methods; other ({"run": directory, "decision": after which}), another model for the columns, whose facts
    are then `other` and `other_layers`, and the frame `aligned` holds the pairs at equal relative depth.
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        from ...analysis.similarity.alignment import diagonal
        from ...analysis.similarity.fresh import freshly_initialised
        from ...analysis.similarity.layer_similarity import layer_similarity
        from ...analysis.similarity.registry import SIMILARITIES, similarities_of_any_shape
        from ...models.tied_model import Initialised
        from ..comparable import check_comparable, named, other_of

        model, tokens = inspection.model, inspection.model.inputs(probe.tokens)
        other = other_of(options)
        if other is None:
            methods = options.get("methods") or SIMILARITIES.names
            begun = freshly_initialised(model) if isinstance(model, Initialised) else None
            frame = layer_similarity(model, tokens, methods, fresh=begun, tick=tick)
            return {"frames": {"similarity": frame.to_dicts()}}
        check_comparable(inspection.config, other.config)
        context = other.config.model.context
        cut = f"{probe.source}, cut to the {context} that the other reads"
        facts = {} if tokens.shape[1] <= context else {"probe": cut}
        same_shape = replace(inspection.config.model, layers=1) == replace(other.config.model, layers=1)
        methods = options.get("methods") or (SIMILARITIES.names if same_shape else similarities_of_any_shape())
        known = isinstance(model, Initialised) and isinstance(other.model, Initialised)
        fresh = (freshly_initialised(model), freshly_initialised(other.model, seed=1)) if known else None
        frame = layer_similarity(model, tokens[:, :context], methods, other=other.model, fresh=fresh, tick=tick)
        frames = {"similarity": frame.to_dicts(), "aligned": diagonal(frame).to_dicts()}
        return {"frames": frames, "facts": named(inspection, other) | facts}

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...analysis.similarity.registry import SIMILARITIES
        from ...charts.captions import captioned
        from ...charts.inside.similarity import CAPTIONS, similarity_heatmap

        frame, made = frames["similarity"], {}
        names = ("layer of this run", "layer of the other") if "other" in facts else ("layer a", "layer b")
        reading = CAPTIONS["similarity_of_models" if "other" in facts else "similarity"]
        for method in frame["method"].unique(maintain_order=True):
            chart = similarity_heatmap(frame, method=method, names=names, width="container", height=320)
            described = SIMILARITIES.describe(method) if method in SIMILARITIES else Description(method, method)
            made[described.title] = captioned(chart.to_dict(), f"{described.meaning} {reading}".strip())
        return made

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        return matrices(frames["similarity"])
