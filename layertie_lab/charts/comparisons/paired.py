"""Paired runs as pictures: both futures of every replicate, their difference over the horizon, what each says.

Panels read named data sets (`core.tables.STUDY_COLUMNS`), as those over a run do, so that rows can be appended while
replicates come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import altair as alt
import polars as pl
from altair.utils.schemapi import debug_mode

from .. import palette
from ..captions import captioned
from ..drawn import VConcatChart
from ..frames import rows as rows_of
from ..run.parts import MAIN, SHORT_ZERO, Panel, Rows, Width, assemble, empty_note, legend, names, table
from ..theme import vega_config

CAPTIONS = {
    "twin_curves": (
        "Held-out loss after the fork. Each thin line is one branch of one replicate: blue as the agent proposed,"
        " dashed orange as chosen. Both branches of a replicate read the same batches. Dashed upright: the horizon"
        " that was stated."
    ),
    "difference_over_horizon": (
        "Above zero what was chosen is worse, below it better. Thin grey: one replicate each. Orange: their mean,"
        " shaded with its 95 % t interval, at each point by itself. Diamond at the dashed horizon, which was stated"
        " before: what the verdict is about, on all windows, with the interval of the latest interim analysis. Green"
        " band: differences that do not matter. Brown, at the left: the steps after which the agent is rewarded."
    ),
    "replicate_dots": (
        "Grey dots: the difference in the stated metric at the horizon, a dot per replicate. Orange line: the mean so"
        " far. Diamonds with upright lines: the interim analyses that were planned, with the interval at each one's own"
        " level, of the median where the differences do not look normal; between them there is no verdict. Green band:"
        " differences that do not matter."
    ),
}
"""Chart -> how to read it."""
EVEN = " All points of a line are evaluated on the same windows of the text"
PART = ", {}, so that it ends at another number than each replicate has there."
"""What is to be added to that where the curves are drawn from a part of the windows that count."""
UNEVEN = (
    " In this study the points at the horizon were evaluated on more of the text than those before, so a step of all"
    " lines there comes from the text, not from training."
)
"""What is to be added, for studies of this version and of older ones."""

BRANCHES = ["as proposed", "as chosen"]
DASHES = [[1, 0], [5, 4]]
"""Dash and gap of their lines, px."""
PLAIN = alt.Axis(labelExpr=SHORT_ZERO)
WHOLE = alt.Axis(tickMinStep=1, labelExpr=SHORT_ZERO)
WAITING = "No replicate has come yet."


@dataclass(frozen=True)
class Stated:
    """What the panels draw of a statement.

    Args:
        horizon: Optimizer steps after the fork at which the branches are compared.
        band: Half the equivalence band, in the metric's unit.
        reward_window: Steps in the agent's own reward window; 0 for none.
        metric: The stated metric, in words.
        unit: Its unit.
        is_loss: Whether the metric is the held-out loss that the curves draw, so that the band belongs there too.
        uneven: Whether the curves' last points were evaluated on other windows than those before.
        windows: From how many windows the curves are drawn, and on how many the metric is compared; None before a
            replicate has said so.
    """

    horizon: int
    band: float
    reward_window: int = 0
    metric: str = "held-out loss"
    unit: str = "nats"
    is_loss: bool = True
    uneven: bool = False
    windows: tuple[int, int] | None = None


def _steps() -> alt.X:
    scale = alt.Scale(zero=True, nice=False)
    return alt.X(
        "steps:Q",
        title="optimizer steps after the fork",
        scale=scale,
        axis=WHOLE,
    )


def _one(**values: Any) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[values]))


def _horizon(stated: Stated) -> alt.Chart:
    return _one(steps=stated.horizon).mark_rule(style="reference").encode(x=_steps())


def twin_curves(stated: Stated, panel: Panel | None = None, rows: Rows | None = None) -> alt.LayerChart:
    """Held-out loss of both branches of every replicate, a thin line each.

    Args:
        stated: What the study is about.
        panel: The layout.
        rows: Rows of `twin_curves` to begin with.
    """
    panel = panel or Panel()
    scale = names(BRANCHES, [palette.AGENT, palette.ANSWERED])
    y = alt.Y("loss:Q", title="held-out loss (nats per token)", scale=alt.Scale(zero=False), axis=PLAIN)
    colour = alt.Color("branch:N", scale=scale, legend=legend(panel, columns=2))
    # Where both futures are nearly the same, the one drawn last would hide the other if its lines were unbroken.
    lines = [
        table("twin_curves")
        .transform_filter(alt.datum.branch == branch)
        .mark_line(strokeWidth=1.3, opacity=0.6, strokeDash=dash)
        .encode(x=_steps(), y=y, color=colour, detail="replicate:N")
        for branch, dash in zip(BRANCHES, DASHES, strict=True)
    ]
    points = (
        table("twin_curves")
        .mark_point(filled=True, size=18, opacity=0.6)
        .encode(
            x=_steps(),
            y="loss:Q",
            color=alt.Color("branch:N", scale=scale),
            tooltip=[
                alt.Tooltip("replicate:Q"),
                alt.Tooltip("branch:N"),
                alt.Tooltip("steps:Q", title="steps"),
                alt.Tooltip("loss:Q", format=".4f", title="loss (nats)"),
            ],
        )
    ).properties(name=MAIN)
    layers = [_horizon(stated), points, *lines, *empty_note(["twin_curves"], WAITING)]
    about = "Held-out loss of both branches of every replicate, over optimizer steps after the fork."
    return assemble(layers, panel, ["twin_curves"], rows, zoom=False, hover=False, description=about)


def difference_over_horizon(stated: Stated, panel: Panel | None = None, rows: Rows | None = None) -> alt.LayerChart:
    """Difference of the held-out loss over the horizon: a thin line per replicate, the mean with its interval.

    Args:
        stated: What the study is about.
        panel: The layout.
        rows: Rows of `twin_differences`, `twin_curve` and `twin_looks` to begin with.
    """
    panel = panel or Panel()
    y = alt.Y("difference:Q", title="chosen minus proposed (nats)", scale=alt.Scale(zero=False), axis=PLAIN)
    layers = [*_bands(stated, "twin_differences", shade_band=stated.is_loss), _horizon(stated)]
    layers.append(
        table("twin_differences")
        .mark_line(strokeWidth=1, opacity=0.5, color=palette.TIED)
        .encode(x=_steps(), y=y, detail="replicate:N")
        .properties(name=MAIN)
    )
    bounded = table("twin_curve").transform_filter("isValid(datum.low)")
    layers.append(
        bounded.mark_area(opacity=0.28, color=palette.ANSWERED).encode(x=_steps(), y=alt.Y("low:Q"), y2="high:Q")
    )
    mean = table("twin_curve").encode(
        x=_steps(),
        y=alt.Y("value:Q"),
        tooltip=[
            alt.Tooltip("steps:Q", title="steps"),
            alt.Tooltip("value:Q", title="mean (nats)", format="+.4~f"),
            alt.Tooltip("low:Q", format="+.4~f"),
            alt.Tooltip("high:Q", format="+.4~f"),
            alt.Tooltip("count:Q", title="replicates"),
        ],
    )
    layers.append(mean.mark_line(strokeWidth=2.5, color=palette.ANSWERED))
    layers.append(mean.mark_point(filled=True, size=36, opacity=1, color=palette.ANSWERED))
    if stated.is_loss:
        latest = (
            table("twin_looks")
            .transform_joinaggregate(latest="max(order)")
            .transform_filter("datum.order == datum.latest")
            .transform_calculate(steps=str(stated.horizon))
        ).encode(x=_steps())
        layers += _estimates(latest)
    layers += empty_note(["twin_differences"], WAITING)
    about = "Difference of the held-out loss over the steps after the fork, with the mean and its interval."
    tables = ["twin_differences", "twin_curve", "twin_looks"]
    return assemble(layers, panel, tables, rows, zoom=False, hover=False, description=about)


def replicate_dots(stated: Stated, panel: Panel | None = None, rows: Rows | None = None) -> alt.LayerChart:
    """Each replicate's difference in the stated metric at the horizon, the running mean, and the interval at each
    interim analysis.

    Args:
        stated: What the study is about.
        panel: The layout.
        rows: Rows of `twin_values` and `twin_looks` to begin with.
    """
    panel = panel or Panel()
    x = alt.X(
        "order:Q",
        title="replicate",
        scale=alt.Scale(zero=True, nice=False),
        axis=WHOLE,
    )
    unit = f" ({stated.unit})" if stated.unit else ""
    y = alt.Y("difference:Q", title=f"chosen minus proposed{unit}", scale=alt.Scale(zero=False), axis=PLAIN)
    dots = (
        table("twin_values")
        .mark_point(filled=True, size=60, opacity=0.9, color=palette.TIED)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("replicate:Q"), alt.Tooltip("difference:Q", format="+.5~f")])
        .properties(name=MAIN)
    )
    mean = table("twin_values").mark_line(strokeWidth=2, color=palette.ANSWERED).encode(x=x, y=alt.Y("mean:Q"))
    analyses = table("twin_looks").encode(x=x)
    layers = [
        *_bands(stated, "twin_values", window=False),
        dots,
        mean,
        *_estimates(analyses),
        *empty_note(["twin_values"], WAITING),
    ]
    about = (
        f"Difference in {stated.metric} of each replicate, the running mean, and its interval at each interim analysis."
    )
    return assemble(layers, panel, ["twin_values", "twin_looks"], rows, zoom=False, hover=False, description=about)


def _estimates(analyses: alt.Chart) -> list[alt.Chart]:
    """The estimates of interim analyses as diamonds, each with its interval, where they stand along x."""
    whisker = analyses.mark_rule(strokeWidth=3, color=palette.ANSWERED).encode(y=alt.Y("low:Q"), y2="high:Q")
    middle = analyses.mark_point(filled=True, shape="diamond", size=130, opacity=1, color=palette.ANSWERED).encode(
        y=alt.Y("value:Q"),
        tooltip=[
            alt.Tooltip("order:Q", title="interim analysis at"),
            alt.Tooltip("value:Q", title="estimate", format="+.5~f"),
            alt.Tooltip("low:Q", format="+.5~f"),
            alt.Tooltip("high:Q", format="+.5~f"),
        ],
    )
    return [whisker, middle]


def _bands(stated: Stated, rows: str, *, shade_band: bool = True, window: bool = True) -> list[alt.Chart]:
    """What is drawn behind: the band of differences that do not matter, the agent's reward window, and zero."""
    layers = []
    if shade_band and stated.band > 0:
        # Alone it would fill the plot, and say nothing.
        some = _one(low=-stated.band, high=stated.band).transform_filter(f"length(data('{rows}')) > 0")
        band = some.mark_rect(color=palette.VALIDATION, opacity=0.16)
        layers.append(band.encode(y=alt.Y("low:Q"), y2="high:Q"))
    if window and stated.reward_window > 0:
        first = _one(start=0, end=stated.reward_window).transform_filter(f"length(data('{rows}')) > 0")
        reward = first.mark_rect(color=palette.REWARD_SPLIT, opacity=0.18)
        layers.append(reward.encode(x=alt.X("start:Q"), x2="end:Q"))
    layers.append(_one(zero=0).mark_rule(style="reference").encode(y=alt.Y("zero:Q")))
    return layers


PANELS = {
    "twin_curves": ("Both futures", twin_curves),
    "difference_over_horizon": ("The difference over the horizon", difference_over_horizon),
    "replicate_dots": ("Each replicate", replicate_dots),
}
"""Name -> (title, how it is made)."""


def caption_of(name: str, stated: Stated) -> str:
    """How to read a chart of a study."""
    if name not in ("twin_curves", "difference_over_horizon"):
        return CAPTIONS[name]
    return CAPTIONS[name] + (UNEVEN if stated.uneven else f"{EVEN}{_part(stated.windows)}")


def _part(windows: tuple[int, int] | None) -> str:
    if windows is None:
        return PART.format("as a rule fewer than the verdict goes by")
    drawn, counted = windows
    return PART.format(f"{drawn:,} of the {counted:,} that the verdict goes by") if drawn < counted else "."


def twin_specs(stated: Stated, *, height: int = 200) -> dict[str, dict[str, Any]]:
    """Title -> Vega-Lite spec of the live panels, with their captions under "usermeta"; not checked (`live_spec`)."""
    with debug_mode(False):
        return {
            title: captioned(make(stated, Panel(height=height)).to_dict(), caption_of(name, stated))
            for name, (title, make) in PANELS.items()
        }


def twin_pictures(
    stated: Stated, tables: Mapping[str, pl.DataFrame], *, height: int = 220, dark: bool = False
) -> dict[str, dict[str, Any]]:
    """Title -> Vega-Lite spec of all panels with their rows inside, and their captions under "usermeta".

    Args:
        stated: What the study is about.
        tables: Frames by their names in `core.tables.STUDY_COLUMNS` (`counterfactual.frames.tables_of`).
        height: Of each plot in pixels; they are as wide as their places.
        dark: Whether the page is dark.
    """
    panel, filled = Panel(height=height, dark=dark), {name: rows_of(frame) for name, frame in tables.items()}
    return {
        title: captioned(make(stated, panel, filled).to_dict(), caption_of(name, stated))
        for name, (title, make) in PANELS.items()
    }


def study_chart(
    stated: Stated,
    tables: Mapping[str, pl.DataFrame],
    *,
    width: Width = 560,
    height: int = 220,
    dark: bool = False,
    title: str = "",
    subtitle: str = "",
) -> alt.VConcatChart:
    """All panels of a study, one below the other, each with how to read it.

    Args:
        stated: What the study is about.
        tables: Frames by their names in `core.tables.STUDY_COLUMNS` (`counterfactual.frames.tables_of`).
        width: Of each chart in pixels.
        height: Of each plot in pixels.
        dark: Whether the page is dark.
        title: Of the whole: the hypothesis.
        subtitle: Below it: the verdict.
    """
    panel = Panel(width=width, height=height, dark=dark)
    filled = {name: rows_of(frame) for name, frame in tables.items()}
    charts = []
    for name, (panel_title, make) in PANELS.items():
        words = wrap(caption_of(name, stated), width // 6 if isinstance(width, int) else 100)
        chart = make(stated, panel, filled).properties(title=alt.TitleParams(panel_title, subtitle=words))
        # Theme, rows and the way a chart is fitted belong to the whole.
        chart.config, chart.autosize, chart.datasets = alt.Undefined, alt.Undefined, alt.Undefined
        charts.append(chart)
    heading: dict[str, Any] = {"title": alt.TitleParams(wrap(title, 80), subtitle=wrap(subtitle, 110))} if title else {}
    return VConcatChart(
        vconcat=charts, datasets=filled, config=vega_config(dark), description="A study of paired runs.", **heading
    )
