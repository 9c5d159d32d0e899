"""The view attribution: what each layer does for the loss, by the methods asked for.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from ...core.errors import AnalysisError
from ..ticks import Tick, part
from .registry import VIEWS, Ask, Choice, Facts, Found, Pictures, Rows, Table, View, ViewDescription
from .tables import per_layer

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe

METHODS = ("skipped", "conductance")
"""Where none is named."""
_ALL = ("skipped", "conductance", "integrated-gradients", "internal-influence", "feature-ablation", "deeplift")


@VIEWS.register(
    ViewDescription(
        "attribution",
        "What each layer does for the loss",
        about="What each layer does for the loss.",
        tab="Attribution",
        asks=(
            Ask("Attribute the loss"),
            Ask("Other weights in its place", {"methods": ["skipped", "replaced"]}),
            Ask("All methods", {"methods": list(_ALL)}),
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

    Options: methods ("skipped" and "replaced" are the loss if a layer is skipped, or a neighbour's block stands in),
    baseline, target ([sequence, position] of the one token whose loss is explained).

    A method that has no sound answer for this model is left out; the fact `refused` says why, by method. If all are,
    the first reason is raised.
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        from ...analysis.attribution.layers import Target, layer_attribution, loss_if_replaced, loss_if_skipped
        from ...analysis.attribution.paths import Method

        methods = list(dict.fromkeys(options.get("methods") or METHODS))
        known = ("skipped", "replaced", *get_args(Method))
        if unknown := [method for method in methods if method not in known]:
            raise AnalysisError(
                f"Expected methods out of {', '.join(known)}, but got {', '.join(map(repr, unknown))}.",
                "Name some of these.",
            )
        target = Target(*options["target"]) if options.get("target") else None
        passes = {"skipped": loss_if_skipped, "replaced": loss_if_replaced}
        rows: list[dict[str, Any]] = []
        refused: dict[str, str] = {}
        for done, method in enumerate(methods):
            share = part(tick, done / len(methods), (done + 1) / len(methods))
            try:
                if method in passes:
                    found = passes[method](inspection.model, probe.tokens, target=target, tick=share)
                else:
                    baseline = options.get("baseline") or "zero"
                    found = layer_attribution(
                        inspection.model, probe.tokens, [method], target=target, baseline=baseline, tick=share
                    )
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
        return {"frames": {"attribution": rows}, "facts": {"refused": refused}}

    def words(self, facts: Facts) -> list[str]:
        return [f"No {method}: {reason}" for method, reason in facts.get("refused", {}).items()]

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        from ...charts.inside.attribution import CAPTIONS

        return bars_by_method(frames["attribution"], CAPTIONS["attribution"])

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        return per_layer(frames["attribution"])


def bars_by_method(frame: pl.DataFrame, caption: str) -> Pictures:
    """A picture per method of attribution."""
    from ...charts.captions import captioned
    from ...charts.inside.attribution import attribution_bars

    made: Pictures = {}
    for method in frame["method"].unique(maintain_order=True):
        title, axis = _TITLES.get(method, (method, None))
        chart = attribution_bars(frame, method=method, title=axis, width="container", height=220)
        made[title] = captioned(chart.to_dict(), caption)
    return made


_TITLES = {
    "skipped": ("Loss without the layer", "rise of the loss (nats per token)"),
    "replaced-before": ("Loss with the weights of the layer before", "rise of the loss (nats per token)"),
    "replaced-after": ("Loss with the weights of the layer after", "rise of the loss (nats per token)"),
    "conductance": ("Conductance of the layer", "change of the loss (nats per token)"),
    "integrated-gradients": ("Integrated gradients of the layer", "change of the loss (nats per token)"),
    "internal-influence": ("Internal influence of the layer", "influence (nats per token)"),
    "feature-ablation": ("Ablation of the layer's update", "change of the loss (nats per token)"),
    "deeplift": ("DeepLift of the layer", "change of the loss (nats per token)"),
}
