"""The view attribution: what each layer does for the loss, by the methods asked for.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...core.errors import AnalysisError
from ..ticks import Tick, part
from .registry import VIEWS, Ask, Choice, Facts, Found, Pictures, Rows, Table, View, ViewDescription
from .tables import per_layer

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe


@VIEWS.register(
    ViewDescription(
        "attribution",
        "What each layer does for the loss",
        about="What each layer does for the loss.",
        tab="Attribution",
        asks=(
            Ask("Attribute the loss"),
            Ask("Other weights in its place", {"methods": ["skipped", "replaced"]}),
            Ask("All methods", {"methods": ["all"]}),
        ),
        options=("methods", "baseline"),
        choices=(
            Choice(
                "baseline",
                "Against",
                {"zero": "zero embedding", "mean": "mean embedding", "pad": "commonest token everywhere"},
            ),
        ),
    )
)
class Attribution(View):
    """Frame `attribution` of `analysis.attribution`.

    Options: methods (a name stands for all that begin with it and a dash; "all"), baseline, target ([sequence,
    position] of the one token whose loss is explained).

    A method that has no sound answer for this model is left out; the fact `refused` says why, by method. If all are,
    the first reason is raised.
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        from ...analysis.attribution.registry import ATTRIBUTIONS, Asked, attributions_named, usual_attributions
        from ...analysis.attribution.targets import Target

        wanted = list(options.get("methods") or usual_attributions())
        methods = list(ATTRIBUTIONS.names) if wanted == ["all"] else attributions_named(wanted)
        target = Target(*options["target"]) if options.get("target") else None
        asked = Asked(target, options.get("baseline") or "zero")
        rows: list[dict[str, Any]] = []
        refused: dict[str, str] = {}
        for done, method in enumerate(methods):
            share = part(tick, done / len(methods), (done + 1) / len(methods))
            try:
                found = ATTRIBUTIONS.get(method)(inspection.model, probe.tokens, asked, share)
            except AnalysisError as error:
                if len(methods) == 1:
                    raise
                refused[method] = str(error)
            else:
                rows += found.to_dicts()
        if not rows:
            raise AnalysisError(
                f"Expected an attribution, but no method has a sound one. {next(iter(refused.values()))}", ""
            )
        return {"frames": {"attribution": rows}, "facts": {"refused": refused, "incomplete": incomplete(rows)}}

    def words(self, facts: Facts) -> list[str]:
        refused = [f"No {method}: {reason}" for method, reason in facts.get("refused", {}).items()]
        return [*refused, *facts.get("incomplete", [])]

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...charts.inside.attribution import CAPTIONS

        return bars_by_method(frames["attribution"], CAPTIONS["attribution"])

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        return per_layer(frames["attribution"])


def incomplete(rows: Rows) -> list[str]:
    """A sentence for each method whose shares miss the sum that they promise, with as many points as are taken."""
    from ...analysis.attribution import paths

    said = []
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method and row["completeness_error"] is not None]
        if not mine or (mine[0].get("points") or 0) < paths.MOST_STEPS:
            continue
        error, total = max(row["completeness_error"] for row in mine), mine[0]["total"]
        if error > paths.COMPLETE * abs(total):
            said.append(
                f"The shares of {method} miss the loss difference of {total:.3g} by up to {error:.2g} with "
                f"{mine[0]['points']} points on the path, the most that are taken: they are rough."
            )
    return said


def bars_by_method(frame: pl.DataFrame, reading: str) -> Pictures:
    """A picture per method of attribution; how all of them are read is in `reading`."""
    from ...analysis.attribution.registry import ATTRIBUTIONS, AttributionDescription
    from ...charts.captions import captioned
    from ...charts.inside.attribution import attribution_bars

    made: Pictures = {}
    for method in frame["method"].unique(maintain_order=True):
        unknown = AttributionDescription(method, method)
        described = ATTRIBUTIONS.describe(method) if method in ATTRIBUTIONS else unknown
        chart = attribution_bars(frame, method=method, title=described.axis or None, width="container", height=220)
        made[described.title] = captioned(chart.to_dict(), f"{described.meaning} {reading}".strip())
    return made
