"""Charts of twins: valid when empty and when filled, light and dark, with what they say in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import altair as alt
import polars as pl
import pytest
import vl_convert

from layertie_lab.charts import CAPTIONS, palette, to_html
from layertie_lab.charts.comparisons.paired import PANELS, WAITING, Stated, study_chart, twin_specs
from layertie_lab.core.tables import STUDY_COLUMNS

STATED = Stated(horizon=20, band=0.003, reward_window=4)


def tables(count: int = 4) -> dict[str, list[dict[str, Any]]]:
    """Rows of so many replicates, a look at the last of them."""
    numbers, marks = range(1, count + 1), (0, 10, 20)
    gap = {(n, s): 0.001 * s * (1 + 0.1 * n) for n in numbers for s in marks}
    mean = {s: sum(gap[n, s] for n in numbers) / max(count, 1) for s in marks}
    return {
        "twin_curves": [
            {"replicate": n, "steps": s, "branch": branch, "loss": 3 - s / 40 + sign * gap[n, s]}
            for n in numbers
            for s in marks
            for branch, sign in (("as proposed", 0), ("as chosen", 1))
        ],
        "twin_differences": [{"replicate": n, "steps": s, "difference": gap[n, s]} for n in numbers for s in marks],
        "twin_curve": [
            {
                "steps": s,
                "value": mean[s],
                "low": mean[s] - 0.002 if s else None,
                "high": mean[s] + 0.002 if s else None,
                "count": count,
            }
            for s in marks
            if count
        ],
        "twin_values": [{"replicate": n, "order": n, "difference": gap[n, 20], "mean": mean[20]} for n in numbers],
        "twin_looks": [{"order": count, "value": mean[20], "low": mean[20] - 0.004, "high": mean[20] + 0.004}]
        if count > 1
        else [],
    }


def frames(count: int = 4) -> dict[str, pl.DataFrame]:
    return {
        name: pl.DataFrame(rows, schema=None if rows else STUDY_COLUMNS[name]) for name, rows in tables(count).items()
    }


def picture(spec: dict[str, Any]) -> str:
    return vl_convert.vegalite_to_svg(spec)


def test_the_made_up_rows_have_the_real_columns() -> None:
    assert {name: list(rows[0]) for name, rows in tables().items()} == STUDY_COLUMNS


def test_live_panels_wait_in_words_and_carry_their_captions() -> None:
    specs = twin_specs(STATED)
    for spec in specs.values():
        alt.Chart.from_dict(spec)  # against the schema
    assert list(specs) == [title for title, _ in PANELS.values()]
    for (name, _), spec in zip(PANELS.items(), specs.values(), strict=True):
        assert spec["usermeta"]["caption"].startswith(CAPTIONS[name])
        assert spec["width"] == "container"
        data = {key for key in spec["datasets"] if key.startswith("twin_")}
        assert data
        assert all(spec["datasets"][key] == [] for key in data)
        waiting = picture(spec | {"width": 500})
        assert WAITING in waiting
        assert ">0<" in waiting
        assert "0.000" not in waiting
        filled = picture(spec | {"width": 500, "datasets": spec["datasets"] | {k: tables()[k] for k in data}})
        assert WAITING not in filled
        assert "NaN" not in filled
        assert len(filled) > 2000
    older = twin_specs(replace(STATED, uneven=True))
    said = [spec["usermeta"]["caption"] for spec in older.values()]
    assert ["on more of the text than those before" in words for words in said] == [True, True, False]


@pytest.mark.parametrize("count", [0, 1, 4])
@pytest.mark.parametrize("dark", [False, True])
def test_a_study_is_drawn_whole(count: int, dark: bool) -> None:
    drawn = picture(study_chart(STATED, frames(count), dark=dark).to_dict())
    assert (WAITING in drawn) == (count == 0)
    assert "NaN" not in drawn
    for title, _ in PANELS.values():
        assert title in drawn
    if count:
        assert palette.ANSWERED in drawn
        assert palette.AGENT in drawn
    light = picture(study_chart(STATED, frames(count)).to_dict())
    assert (drawn == light) != dark


def test_the_band_stands_with_the_metric_that_it_is_about() -> None:
    def bands(stated: Stated) -> int:
        return picture(study_chart(stated, frames()).to_dict()).count(f'fill="{palette.VALIDATION}"')

    assert bands(STATED) == 2
    other = replace(STATED, is_loss=False, metric="perplexity", unit="")
    assert bands(other) == 1
    assert bands(replace(STATED, band=0.0)) == 0
    assert "chosen minus proposed (nats)" in picture(study_chart(STATED, frames()).to_dict())


def test_the_page_has_nothing_from_the_network() -> None:
    page = to_html(study_chart(STATED, frames()), title="study-001")
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert "study-001" in page
