"""The view profile: what each layer adds to the residual stream, and the spectra of its weights.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..ticks import Tick, part
from .registry import VIEWS, Ask, Facts, Found, Pictures, Rows, Table, View, ViewDescription
from .tables import per_layer

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe

MOST_VALUES = 64
"""Singular values of a matrix that are kept, at most: more are not seen in a picture."""


@VIEWS.register(
    ViewDescription(
        "profile",
        "What each layer adds",
        about="What each layer adds to the residual stream, and the spectra of its weights.",
        beside="similarity",
        asks=(Ask("What each layer adds"),),
    )
)
class Profile(View):
    """Frames `profile` of `similarity.profile.update_profile` and `spectra` of `similarity.spectra.spectra`.

    Of each matrix at most `MOST_VALUES` singular values, evenly spread over the logarithm of their number.
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        import numpy as np
        import polars as pl

        from ...analysis.similarity.profile import update_profile
        from ...analysis.similarity.spectra import spectra

        found = update_profile(inspection.model, inspection.model.inputs(probe.tokens), tick=part(tick, 0.0, 0.5))
        values = spectra(inspection.model, tick=part(tick, 0.5, 1.0))
        most = max(values["index"].to_list(), default=0)
        kept = np.unique(np.geomspace(1, most + 1, MOST_VALUES).round().astype(int) - 1)
        values = values.filter(pl.col("index").is_in(kept.tolist()))
        return {"frames": {"profile": found.to_dicts(), "spectra": values.to_dicts()}}

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...analysis.similarity.profile import MEASURES
        from ...charts.captions import captioned
        from ...charts.inside.profile import CAPTIONS, spectra_chart, update_profile_chart

        size: dict[str, Any] = {"width": "container", "height": 200}
        profile, spectra, made = frames["profile"], frames["spectra"], {}
        for measure in MEASURES:
            chart = update_profile_chart(profile, measure=measure.name, title=measure.axis, **size)
            made[measure.title] = captioned(chart.to_dict(), CAPTIONS["update_profile"])
        for tensor in spectra["tensor"].unique(maintain_order=True):
            chart = spectra_chart(spectra, tensor=tensor, **size)
            made[f"Singular values of {tensor}"] = captioned(chart.to_dict(), CAPTIONS["spectra"])
        return made

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        return per_layer([row | {"method": row["measure"]} for row in frames["profile"]])
