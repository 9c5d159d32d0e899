"""Which runs can be held against each other, and what pictures and sentences of groups say of numbers made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from compared_runs import compared_run
from scipy import stats

from layertie_lab.analysis.statistics import groups as numbers
from layertie_lab.analysis.statistics.admission import admit
from layertie_lab.analysis.statistics.compare import Compared, Comparison, compare
from layertie_lab.analysis.statistics.wording import plain_sentence
from layertie_lab.records.log.reader import load_run


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Makes runs named a, b, c, ..."""
    names: Iterator[str] = iter("abcdefghijklmnopqrstuvwxyz")
    return lambda *losses, **more: compared_run(tmp_path / next(names), losses, **more)


def admitted(*paths: Path, metric: str = "validation-loss", at: str = "steps") -> tuple[list[str], list[str]]:
    found = admit(paths, metric=metric, at=at)  # pyright: ignore[reportArgumentType]
    return [path.name for path in found.runs], found.left_out


def test_runs_alike_are_all_admitted(run: Callable[..., Path]) -> None:
    assert admitted(run(3.0), run(2.0, seed=2), run(2.5, learning_rate=0.1)) == (["a", "b", "c"], [])


def test_the_runs_of_another_text_are_left_out_in_one_sentence(run: Callable[..., Path]) -> None:
    odd = [run(3.0, corpus="alice") for _ in range(2)]
    same = [run(3.0, seed=seed) for seed in range(3)]
    kept, left_out = admitted(*odd, *same)
    assert kept == ["c", "d", "e"]  # those that are the most, though they come later
    (sentence,) = left_out
    assert sentence.startswith("a, b are left out: the corpus there is alice, and pydoc in c. ")
    assert "cannot be held against each other" in sentence


def test_a_sentence_names_four_and_counts_the_others(run: Callable[..., Path]) -> None:
    odd = [run(3.0, context=16) for _ in range(6)]
    _, (sentence,) = admitted(*(run(3.0, seed=seed) for seed in range(7)), *odd)
    assert sentence.startswith("a, b, c, d and 2 more are left out: the context there is 16, and 32 in g.")


def test_what_cannot_be_read_or_was_not_measured_says_so(run: Callable[..., Path], tmp_path: Path) -> None:
    whole, broken, unmeasured = run(3.0), run(3.0, 2.0), run(None, start=None)
    log = broken / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:-2], b"{}\n", lines[-1]]))
    kept, left_out = admitted(whole, broken, unmeasured, tmp_path / "nowhere")
    assert kept == ["a"]
    assert [sentence.split(" ", 1)[0] for sentence in left_out] == ["b", "nowhere", "c"]
    assert "line" in left_out[0]
    assert "Expected validation-loss of a run, but it has recorded none." in left_out[2]


def test_runs_never_evaluated_at_an_equal_step_are_left_out_alone(run: Callable[..., Path]) -> None:
    kept, (sentence,) = admitted(run(3.0, 2.0), run(3.0, 2.5), run(None, None, 2.0, start=None))
    assert kept == ["a", "b"]
    assert sentence.startswith("c is left out. Expected runs that were evaluated after equally many steps")


def test_what_is_admitted_is_not_refused(run: Callable[..., Path]) -> None:
    found = admit([run(3.0), run(2.0), run(2.0, corpus="alice")], metric="validation-loss", at="tokens")
    first, other = found.runs.values()
    assert compare({"x": [first], "y": [other]}, at="tokens").comparisons[0].difference == -1.0


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def compared(run: Callable[..., Path]) -> Compared:
    """First: 3.0 to 3.2 at the end; other: less by .1, .2, .3."""
    first = [run(3.5, 3.0 + 0.1 * seed, seed=seed) for seed in range(3)]
    other = [run(3.5, 2.9, seed=0, parameters=[300, 200]), run(3.5, 2.9, seed=1), run(3.5, 2.9, seed=2)]
    return compare({"first": first, "other": other})


def test_bands_are_means_with_their_intervals_and_need_two_runs(compared: Compared) -> None:
    found = numbers.bands(compared.curves)
    assert found.columns == list(numbers.BANDS)
    last = found.filter(pl.col("at") == 4, pl.col("group") == "first").row(0, named=True)
    half = stats.t.ppf(0.975, 2) * 0.1 / 3**0.5
    assert (last["value"], last["low"], last["high"], last["runs"]) == pytest.approx((3.1, 3.1 - half, 3.1 + half, 3))
    assert numbers.bands(compared.curves.filter(pl.col("seed") == 1)).is_empty()


def test_differences_by_seed_and_their_mean(compared: Compared) -> None:
    dots = numbers.by_seed(compared.groups, compared.comparisons)
    assert dots["difference"].to_list() == pytest.approx([-0.1, -0.2, -0.3])
    (row,) = numbers.differences(compared.comparisons).iter_rows(named=True)
    assert (row["group"], row["pairs"]) == ("other", 3)
    assert row["value"] == pytest.approx(-0.2)
    half = stats.t.ppf(0.975, 2) * 0.1 / 3**0.5
    assert (row["low"], row["high"]) == pytest.approx((-0.2 - half, -0.2 + half))


def test_sizes_are_those_where_runs_are_compared(compared: Compared) -> None:
    runs = {label: [load_run(member.path) for member in members] for label, members in compared.groups.items()}
    sized = numbers.sizes(runs, compared.groups)
    assert sized.filter(pl.col("group") == "other")["parameters"].to_list() == [200, 400, 400]
    averages = numbers.means(sized)
    assert averages["parameters"].to_list() == pytest.approx([400, 1000 / 3])
    assert averages.filter(pl.col("group") == "other")["value"].to_list() == pytest.approx([2.9])
    assert numbers.means(sized.filter(pl.col("seed") == 0))["low"].null_count() == 2


def test_the_front_is_what_nothing_among_its_own_beats() -> None:
    rows = [("a", 100.0, 3.0), ("b", 200.0, 2.5), ("c", 150.0, 3.5), ("d", 300.0, 2.6), ("agent", 50.0, 1.0)]
    averages = pl.DataFrame([(*row, None, None) for row in rows], schema=numbers.MEANS, orient="row")
    assert numbers.front(averages, ["a", "b", "c", "d"])["group"].to_list() == ["a", "b"]
    assert numbers.front(averages, []).is_empty()


def test_the_last_maps_have_a_row_per_layer(compared: Compared) -> None:
    runs = {label: [load_run(member.path) for member in members] for label, members in compared.groups.items()}
    path = compared.groups["first"][0].path
    found = numbers.last_maps(runs, {str(path): "mine"})
    assert found.height == 6 * 4
    assert found["run"].unique(maintain_order=True).to_list()[:2] == ["mine", "b"]


# -- words -------------------------------------------------------------------------------------------------------------


def test_the_sentence_of_a_difference(compared: Compared) -> None:
    (found,) = compared.comparisons
    # 0.2 less, half the interval is t(.975; 2) .1 / sqrt(3) = .2484.
    assert plain_sentence(found) == (
        "other has 0.20 nats less loss than first, 95 % interval from 0.45 less to 0.05 more, 3 seeds: not told apart."
    )
    assert plain_sentence(found, "perplexity").startswith("other has a perplexity 0.20 lower than first")


def test_the_sentence_of_an_interval_on_one_side(run: Callable[..., Path]) -> None:
    first = [run(3.0 + 0.01 * seed, seed=seed) for seed in range(3)]
    other = [run(3.5 + 0.02 * seed, seed=seed) for seed in range(3)]
    (found,) = compare({"first": first, "other": other}).comparisons
    assert plain_sentence(found) == "other has 0.510 nats more loss than first, 95 % interval [0.485, 0.535], 3 seeds."
    turned = compare({"other": other, "first": first}).comparisons[0]
    assert plain_sentence(turned) == "first has 0.510 nats less loss than other, 95 % interval [0.485, 0.535], 3 seeds."


def test_without_an_interval_the_sentence_says_so(run: Callable[..., Path]) -> None:
    one, two = run(3.0, seed=1), run(2.5, seed=1)
    (found,) = compare({"first": [one], "other": [two]}).comparisons
    said = plain_sentence(found)
    assert said.startswith("other has 0.50 nats less loss than first, in the one seed that both have: no interval")
    assert "share no two seeds" in plain_sentence(replace(found, pairs=0))
    same = Comparison("first", "other", "paired", 0.25, None, None, None, 3)
    assert plain_sentence(same) == "other has 0.25 nats more loss than first, in every run, 3 seeds."
    assert "have the same validation loss" in plain_sentence(replace(same, difference=0.0))
