"""Where things stand in the loss panel, as it is drawn: the override on the curve, the baseline's name beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import vl_convert
from drawn_marks import marks, words

from layertie_lab.charts import palette
from layertie_lab.charts.run.live import live_spec

STEPS = 4
WIDTH = 320
LETTER, LINE = 6.5, 12.0
"""Width and height of a letter of the label, pixels, rather more than less."""

Curve = Callable[[float], float]


def spec(decisions: int, curve: Curve, *, baseline: float = 3.0, thinned: int = 1, **options: Any) -> dict[str, Any]:
    steps = [
        {"step": step, "decision": math.ceil(step / STEPS), "loss": curve(step / (decisions * STEPS))}
        for step in range(1, decisions * STEPS + 1)
        if step % thinned == 0
    ]
    made = [
        {
            "decision": decision,
            "step": (decision - 1) * STEPS,
            "layer": 1,
            "proposed": 0,
            "choice": 1 if decision == decisions // 2 else 0,
            "overridden": decision == decisions // 2,
            "by": "human",
            "train_loss": curve(decision / decisions),
        }
        for decision in range(1, decisions + 1)
    ]
    split = {"split": "validation", "standard_error": 0.01}
    evaluations = [{"step": s * decisions, "loss": curve(s / STEPS), **split} for s in range(STEPS + 1)]
    rows = {
        "steps": steps,
        "decisions": made,
        "evaluations": evaluations,
        "reference": [{"name": "unigram", "loss": baseline}],
    }
    panel = live_spec("loss", steps_per_decision=STEPS, height=130, **options)
    return panel | {"datasets": panel["datasets"] | rows, "width": WIDTH}


def curve_of(chart: dict[str, Any]) -> list[tuple[float, float]]:
    """The pixels of the training loss."""
    paths = re.findall(rf'<path[^>]*d="(M[^"]+)"[^>]*stroke="{palette.TRAIN}"', vl_convert.vegalite_to_svg(chart))
    (path,) = [path for path in paths if path.count("L") > 10]
    points = [part.split(",") for part in re.split("[ML]", path) if part]
    return [(float(x), float(y)) for x, y in points]


@pytest.mark.parametrize("x", ["decision", "step"])
@pytest.mark.parametrize("thinned", [1, 3])
def test_an_override_stands_on_the_curve(x: str, thinned: int) -> None:
    chart = spec(20, lambda t: 4.5 - 2 * t + 0.2 * math.sin(40 * t), x=x, thinned=thinned)
    (at,) = {mark.at for mark in marks(chart) if mark.kind == "point" and mark.fill == palette.OVERRIDE}
    nearest = min(curve_of(chart), key=lambda point: math.dist(point, at))
    assert math.dist(nearest, at) < 1.0


def test_an_override_whose_steps_were_left_out_stands_at_the_mean_of_its_steps() -> None:
    chart = spec(20, lambda t: 4.5 - 2 * t)
    steps = [row for row in chart["datasets"]["steps"] if row["decision"] != 10]
    thin = chart | {"datasets": chart["datasets"] | {"steps": steps}}
    (at,) = {mark.at for mark in marks(thin) if mark.kind == "point" and mark.fill == palette.OVERRIDE}
    (whole,) = {mark.at for mark in marks(chart) if mark.kind == "point" and mark.fill == palette.OVERRIDE}
    assert math.dist(at, whole) < 2.0


CURVES: dict[str, Curve] = {
    "never below": lambda t: 3.4 + 1.2 * math.exp(-3 * t),
    "below at once": lambda t: 2.2 + 2.3 * math.exp(-40 * t),
    "below early": lambda t: 2.2 + 2.3 * math.exp(-6 * t),
    "below late": lambda t: 4.5 - 1.9 * t,
    "below at the end": lambda t: 4.5 - 1.55 * t,
}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("name", CURVES)
def test_the_baselines_name_does_not_lie_over_the_curves(name: str, log: bool) -> None:
    chart = spec(40, CURVES[name])
    if log:
        of = live_spec("perplexity", steps_per_decision=STEPS, height=130)
        chart = of | {"datasets": chart["datasets"], "width": WIDTH}
    label = next(mark for mark in marks(chart) if mark.text.startswith("unigram baseline"))
    left, right = label.at[0] - LETTER * len(label.text), label.at[0]
    points = curve_of(chart)
    # Always at the right end of its line, which is above it, or below.
    assert right >= max(x for x, _ in points) - 8
    over = [point for point in points if left <= point[0] <= right and label.at[1] - LINE <= point[1] <= label.at[1]]
    assert not over


def test_the_first_evaluation_alone_does_not_lift_the_baselines_name() -> None:
    def height(evaluations: int) -> float:
        chart = spec(20, lambda t: 4.5 - 3 * t + 0.9 * t * t)
        rows = {"evaluations": chart["datasets"]["evaluations"][:evaluations]}
        drawn = marks(chart | {"datasets": chart["datasets"] | rows})
        return next(mark.at[1] for mark in drawn if mark.text.startswith("unigram baseline"))

    # Its own bar moves the axis a little.
    assert abs(height(1) - height(0)) < 8


def test_the_baselines_name_changes_sides_once() -> None:
    def is_over(steps: int) -> bool:
        chart = spec(60, lambda t: 4.5 - 3 * t + 0.4 * math.sin(200 * t))
        rows = {"steps": chart["datasets"]["steps"][:steps], "evaluations": []}
        drawn = marks(chart | {"datasets": chart["datasets"] | rows})
        label = next(mark for mark in drawn if mark.text.startswith("unigram baseline"))
        line = next(mark for mark in drawn if mark.kind == "rule" and mark.fields.get("loss (nats per token)") == "3")
        return label.at[1] < line.at[1]

    sides = [is_over(steps) for steps in range(80, 160, 4)]
    assert sides == sorted(sides)
    assert (sides[0], sides[-1]) == (False, True)


@pytest.mark.parametrize("decisions", [10, 2000])
def test_the_first_evaluation_is_not_cut_off_at_the_edge(decisions: int) -> None:
    chart = spec(decisions, lambda t: 4.5 - t, thinned=max(1, decisions // 100))
    first = min((mark for mark in marks(chart) if mark.fill == palette.SPLIT_COLOURS["validation"]), key=lambda m: m.at)
    radius = math.sqrt(45 / math.pi)
    assert first.at[0] >= radius
    assert first.at[1] >= radius


def test_the_training_loss_is_read_out_with_three_decimals() -> None:
    chart = spec(10, lambda t: 2.53649)
    assert any("training loss 2.536" in text for text in words(chart))
