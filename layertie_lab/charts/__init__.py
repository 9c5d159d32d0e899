"""Pictures: polars frames or live rows in, Altair charts out.

`from layertie_lab import charts; charts.loss_chart(run.steps, run.evaluations, run.decisions)`

In reading order: `frames` (rows of a chart), `palette`, `theme`, `captions` (how to read a chart stands beside it),
`run/` (panels over a run), `inside/` (views of a moment), `comparisons/`, `page` (charts as a file). A new chart is one
file, named in `_HOMES` here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

CAPTIONS: dict[str, str]
"""Chart -> how to read it, gathered from the modules of the charts."""

if TYPE_CHECKING:
    from .comparisons.audit import audit_chart, claimed_and_true, gradient_flow
    from .comparisons.compare import compared_curves
    from .comparisons.groups import aligned_maps, loss_and_size, seed_differences
    from .comparisons.paired import Stated, study_chart, twin_specs
    from .comparisons.sweeps import parameters_against_loss, policy_intervals, profile_chart, sweep_chart
    from .inside.attribution import attribution_bars, attribution_methods
    from .inside.profile import spectra_chart, update_profile_chart
    from .inside.similarity import similarity_against_cost, similarity_heatmap
    from .page import to_html
    from .run.live import LIVE, live_chart, live_spec
    from .run.maps import tie_map
    from .run.static import (
        blocks_chart,
        epsilon_chart,
        loss_chart,
        memory_chart,
        parameters_chart,
        q_value_chart,
        reward_chart,
        tie_history,
    )
    from .theme import vega_config

__all__ = [
    "CAPTIONS", "LIVE", "Stated", "aligned_maps", "attribution_bars", "attribution_methods", "audit_chart",
    "blocks_chart", "claimed_and_true",
    "compared_curves", "epsilon_chart", "gradient_flow", "live_chart", "live_spec", "loss_and_size", "loss_chart",
    "memory_chart",
    "parameters_against_loss",
    "parameters_chart", "policy_intervals", "profile_chart", "q_value_chart", "reward_chart",
    "seed_differences", "similarity_against_cost", "similarity_heatmap",
    "spectra_chart", "study_chart", "sweep_chart", "tie_history", "tie_map", "to_html", "twin_specs",
    "update_profile_chart", "vega_config",
]  # fmt: skip

# The command line takes colours from `charts.palette` and should not wait for Altair.
_HOMES = {
    "inside.attribution": ["attribution_bars", "attribution_methods"],
    "comparisons.audit": ["audit_chart", "claimed_and_true", "gradient_flow"],
    "comparisons.compare": ["compared_curves"],
    "comparisons.groups": ["aligned_maps", "loss_and_size", "seed_differences"],
    "inside.profile": ["spectra_chart", "update_profile_chart"],
    "run.live": ["LIVE", "live_chart", "live_spec"],
    "run.maps": ["tie_map"],
    "page": ["to_html"],
    "inside.similarity": ["similarity_against_cost", "similarity_heatmap"],
    "run.static": [
        "blocks_chart", "epsilon_chart", "loss_chart", "memory_chart", "parameters_chart", "q_value_chart",
        "reward_chart", "tie_history",
    ],
    "comparisons.sweeps": ["parameters_against_loss", "policy_intervals", "profile_chart", "sweep_chart"],
    "theme": ["vega_config"],
    "comparisons.paired": ["Stated", "study_chart", "twin_specs"],
}  # fmt: skip
_CAPTIONED = (
    *(f"run.{module}" for module in ("panels", "strips", "maps", "glance")),
    *(
        f"inside.{module}"
        for module in ("similarity", "profile", "attribution", "tokens", "costs", "reasons", "memory")
    ),
    *(f"comparisons.{module}" for module in ("paired", "audit", "groups")),
)
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    if name == "CAPTIONS":
        return {
            chart: caption
            for module in _CAPTIONED
            for chart, caption in import_module(f".{module}", __name__).CAPTIONS.items()
        }
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
