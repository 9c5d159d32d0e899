"""Pictures of words: the lens along the depth, the likeliest tokens, entropies and attention."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import polars as pl
import pytest
from drawn_marks import Mark, contrast, luminance, marks, words
from hand_made_answers import NAMES, OWNERS, PIECES, TEXTS, attention, entropy, lens, lens_of_token

from layertie_lab.charts.inside.tokens import attention_row, entropy_matrix, lens_curve, lens_tokens
from layertie_lab.charts.palette import OVERRIDE, TRAIN, owner_colour
from layertie_lab.core.errors import AnalysisError

TOP = [name for names in NAMES for name in names]
MADE: dict[str, tuple[pl.DataFrame, Callable[..., alt.LayerChart], list[str]]] = {
    "lens": (pl.DataFrame(lens()), lens_curve, ["depth", "layer", "owner", "loss"]),
    "lens of a token": (pl.DataFrame(lens_of_token()), lens_curve, ["depth", "layer", "owner", "loss"]),
    "likeliest": (pl.DataFrame(lens_of_token()), lambda frame, **k: lens_tokens(frame, TOP, **k),
                  ["depth", "target", "top", "top_probability"]),
    "entropy": (pl.DataFrame(entropy()), entropy_matrix, ["layer", "owner", "head", "entropy", "low", "high", "share"]),
    "attention": (pl.DataFrame(attention()), lambda frame, **k: attention_row(frame, PIECES, **k),
                  ["layer", "head", "query", "key", "weight"]),
}  # fmt: skip
EACH = pytest.mark.parametrize("name", MADE)


def kinds(chart: alt.LayerChart, kind: str) -> list[Mark]:
    return [mark for mark in marks(chart) if mark.kind == kind]


@pytest.mark.parametrize("make", [lens, lens_of_token])
def test_a_dot_has_the_loss_after_its_layers_in_the_colour_of_the_last_ones_owner(make: Callable) -> None:
    chart = lens_curve(pl.DataFrame(make()))
    dots = {int(dot.number("layers passed")): dot for dot in kinds(chart, "point")}
    assert {depth: dot.number("loss") for depth, dot in dots.items()} == {
        row["depth"]: pytest.approx(row["loss"], abs=5e-4) for row in make()
    }
    assert {depth: dot.fill or dot.stroke for depth, dot in dots.items()} == {
        0: TRAIN,
        **{depth: owner_colour(OWNERS[depth - 1]) for depth in range(1, 5)},
    }
    heights = [dots[depth].at[1] for depth in range(5)]
    assert heights == sorted(set(heights))  # the loss falls, so the dots sink


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_layers_passed_are_whole(layers: int) -> None:
    frame = pl.DataFrame(lens()).filter(pl.col("depth") <= layers)
    numbers = [str(depth) for depth in range(layers + 1)]
    assert words(lens_curve(frame))[: layers + 2] == [*numbers, "layers passed (0: the embedding alone)"]


def test_the_lens_has_an_interval_where_it_is_known_and_says_of_what_the_loss_is() -> None:
    several, one = lens_curve(pl.DataFrame(lens())), lens_curve(pl.DataFrame(lens_of_token()))
    rules = {int(rule.number("layers passed (0: the embedding alone)")): rule for rule in kinds(several, "rule")}
    assert {depth: (rule.number("low"), rule.number("high")) for depth, rule in rules.items()} == {
        row["depth"]: pytest.approx((row["low"], row["high"])) for row in lens()
    }
    assert not kinds(one, "rule")
    assert "loss (nats per token)" in words(several)
    assert "loss of the token (nats)" in words(one)


def test_the_likeliest_tokens_stand_by_rank_and_the_true_one_is_outlined() -> None:
    chart = lens_tokens(pl.DataFrame(lens_of_token()), TOP)
    cells = {(int(c.number("layers passed")), int(c.number("rank"))): c for c in kinds(chart, "rect") if c.fill}
    assert {place: (cell.fields["token"], cell.number("probability")) for place, cell in cells.items()} == {
        (row["depth"], rank): (TEXTS[token].replace(" ", "\u2423"), chance)
        for row in lens_of_token()
        for rank, (token, chance) in enumerate(zip(row["top"], row["top_probability"], strict=True), start=1)
    }
    outlined = {(int(c.number("layers passed")), int(c.number("rank"))): c for c in kinds(chart, "rect") if not c.fill}
    assert outlined.keys() == {(2, 2), (3, 1), (4, 1)}
    assert {cell.stroke for cell in outlined.values()} == {OVERRIDE}
    # A space is a token too, and a cell without words would look like none.
    said = {(int(t.number("layers passed")), int(t.number("rank"))): t.text for t in kinds(chart, "text")}
    assert said == {place: cell.fields["token"] for place, cell in cells.items()}


def test_tokens_can_be_read_on_every_shade() -> None:
    rows = [
        {"depth": depth, "target": 0, "top": [1, 2], "top_probability": [depth / 40, (40 - depth) / 40]}
        for depth in range(41)
    ]
    chart = lens_tokens(pl.DataFrame(rows), ["x"] * 82, width=2000)
    shades = {(c.number("layers passed"), c.number("rank")): c.fill for c in kinds(chart, "rect") if c.fill}
    for text in kinds(chart, "text"):
        shade = shades[text.number("layers passed"), text.number("rank")]
        assert contrast(text.fill, shade) > 3.9, f"{text.fill} on {shade}"


def test_a_head_is_as_light_as_it_looks_widely() -> None:
    chart = entropy_matrix(pl.DataFrame(entropy()))
    cells = {(int(c.number("layer")), int(c.number("head"))): c for c in kinds(chart, "rect")}
    shares = {(row["layer"], row["head"]): row["share"] for row in entropy()}
    assert cells.keys() == shares.keys()
    for place, cell in cells.items():
        assert cell.number("share") == pytest.approx(shares[place])
        assert cell.number("owner") == OWNERS[place[0]]
    light = [luminance(cells[place].fill) for place in sorted(shares, key=shares.__getitem__)]
    assert light == sorted(set(light))
    # The scale is that of shares, 0 to 1, and not that of the rows: one head alone keeps its shade.
    (alone,) = kinds(entropy_matrix(pl.DataFrame(entropy()[:1])), "rect")
    assert alone.fill == cells[0, 0].fill


def test_attention_is_the_mean_over_heads_beside_the_text_that_is_read() -> None:
    cells = kinds(attention_row(pl.DataFrame(attention()), PIECES), "rect")
    mean: dict[tuple[int, int], list[float]] = {}
    for row in attention():
        mean.setdefault((row["layer"], row["key"]), []).append(row["weight"])
    drawn = {(int(c.number("layer")), int(c.number("token"))): c for c in cells}
    assert len(cells) == len(drawn) == 4 * 3
    for place, weights in mean.items():
        assert drawn[place].number("weight") == pytest.approx(sum(weights) / len(weights), abs=5e-4)
        assert drawn[place].fields["text"] == PIECES[place[1]].replace(" ", "\u2423")
    for layer in range(4):
        assert sum(drawn[layer, key].number("weight") for key in range(3)) == pytest.approx(1, abs=2e-3)


@EACH
@pytest.mark.parametrize("dark", [False, True])
def test_the_spec_is_valid_light_and_dark(name: str, dark: bool) -> None:
    frame, draw, _ = MADE[name]
    spec = draw(frame, width="container", height=123, dark=dark).to_dict()
    assert isinstance(alt.Chart.from_dict(spec), alt.LayerChart)
    assert (spec["width"], spec["height"], spec["autosize"]["type"]) == ("container", 123, "fit-x")


@EACH
def test_an_empty_frame_gives_words(name: str) -> None:
    frame, draw, _ = MADE[name]
    (said,) = words(draw(frame.clear()))
    assert said.endswith(".")


@EACH
def test_a_frame_without_a_column_is_refused_by_name(name: str) -> None:
    frame, draw, needed = MADE[name]
    for column in needed:
        with pytest.raises(AnalysisError, match=f"{column} are missing"):
            draw(frame.drop(column))
