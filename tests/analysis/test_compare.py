"""Groups of runs held against the first: numbers worked out by hand, tests as scipy has them, refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compared_runs import compared_run, events_of
from scipy import stats

from layertie_lab.analysis.statistics.amounts import UNITS
from layertie_lab.analysis.statistics.compare import Comparison, compare
from layertie_lab.analysis.statistics.paired import group_difference
from layertie_lab.core.errors import AnalysisError, RecordError
from layertie_lab.core.notices import Timing
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.log.reader import load_run
from layertie_lab.records.log.writer import EventWriter
from layertie_lab.records.tree import make_branch

FLOPS_PER_STEP = 256 * (8 * 32**2 * 12 + 16 * 32**2 * 12 + 4 * 32 * 32 * 4 * 3 + 2 * 65 * 32 * 3)
"""32 x 8 tokens; width 32, 4 layers, context 32, 65 tokens in the vocabulary; forward and twice that backward."""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Makes runs named a, b, c, ..."""
    names: Iterator[str] = iter("abcdefghijklmnopqrstuvwxyz")
    return lambda *losses, **more: compared_run(tmp_path / next(names), losses, **more)


def only(found: Any) -> Comparison:
    (comparison,) = found.comparisons
    return comparison


def test_one_run_against_one(run: Callable[..., Path]) -> None:
    found = compare({"a": [run(3.0, 2.5)], "b": [run(3.0, 2.25)]})
    assert only(found) == Comparison("a", "b", "single", -0.25, None, None, None, 1)
    assert found.where == 4
    assert found.sentences == [
        "b minus a, validation-loss at 4 optimizer steps: -0.25 nats; too few runs for an interval, so this is no "
        "claim."
    ]
    assert found.notes == ["One run only in a, b: it has no interval, and a difference from it is no claim."]


def test_three_runs_against_one_have_no_interval_either(run: Callable[..., Path]) -> None:
    found = compare({"a": [run(3.0, seed=s) for s in (1, 2, 3)], "b": [run(2.0, seed=4)]})
    assert (only(found).kind, only(found).difference, only(found).pairs) == ("single", -1.0, 0)


def test_runs_of_equal_seed_and_replicate_are_paired(run: Callable[..., Path]) -> None:
    keys = [(1, 0), (1, 1), (2, 0), (3, 0)]
    first, second = [3.0, 3.5, 2.0, 2.75], [2.9, 3.6, 1.7, 2.5]
    a = [run(loss, seed=s, replicate=r) for (s, r), loss in zip(keys, first, strict=True)]
    b = [run(loss, seed=s, replicate=r) for (s, r), loss in reversed(list(zip(keys, second, strict=True)))]
    comparison = only(found := compare({"a": a, "b": b}))
    expected = stats.ttest_rel(second, first)
    assert (comparison.kind, comparison.pairs) == ("paired", 4)
    assert comparison.difference == pytest.approx(-0.1375)  # (-.1 + .1 - .3 - .25) / 4
    assert comparison.p_value == pytest.approx(expected.pvalue)
    assert comparison.interval is not None
    ends = float(comparison.interval.low), float(comparison.interval.high)
    assert ends == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert comparison.p_corrected == comparison.p_value
    assert "paired over 4 seeds" in found.sentences[0]
    assert found.notes == []


def test_pairs_leave_runs_without_a_partner_out(run: Callable[..., Path]) -> None:
    a = [run(loss, seed=s) for s, loss in ((1, 3.0), (2, 3.2), (3, 9.0))]
    b = [run(loss, seed=s) for s, loss in ((2, 3.1), (1, 2.6))]
    found = compare({"a": a, "b": b})
    assert only(found).pairs == 2
    assert only(found).difference == pytest.approx(-0.25)
    assert found.notes == [
        "1 run of a and b without a partner of the same seed: in the means, but not in the difference."
    ]


def test_other_seeds_are_unpaired(run: Callable[..., Path]) -> None:
    first, second = [3.0, 3.5, 2.0], [2.9, 1.7, 2.5, 2.4]
    a = [run(loss, seed=s) for s, loss in enumerate(first)]
    b = [run(loss, seed=10 + s) for s, loss in enumerate(second)]
    comparison = only(found := compare({"a": a, "b": b}))
    expected = stats.ttest_ind(second, first, equal_var=False)
    assert (comparison.kind, comparison.pairs) == ("unpaired", 0)
    assert comparison.difference == pytest.approx(2.375 - 8.5 / 3)
    assert comparison.p_value == pytest.approx(expected.pvalue)
    assert comparison.interval is not None
    ends = float(comparison.interval.low), float(comparison.interval.high)
    assert ends == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert "unpaired (Welch)" in found.sentences[0]


def test_one_seed_several_times_is_no_pair_and_said_to_be_no_sample(run: Callable[..., Path]) -> None:
    a = [run(3.0, seed=1), run(3.1, seed=1), run(3.3, seed=2)]
    b = [run(2.0, seed=1), run(2.1, seed=2)]
    found = compare({"a": a, "b": b})
    assert (only(found).kind, only(found).pairs) == ("unpaired", 0)
    assert found.notes == [
        "a has 1 more runs than seeds. Runs of one seed share their draws and are no independent sample: an interval "
        "over them is too narrow."
    ]


@pytest.mark.parametrize(("seeds", "kind"), [((1, 2), "paired"), ((8, 9), "unpaired")])
def test_without_any_spread_there_is_no_interval(run: Callable[..., Path], seeds: Any, kind: str) -> None:
    a = [run(3.0, seed=s) for s in (1, 2)]
    found = compare({"a": a, "b": [run(2.5, seed=s) for s in seeds]})
    assert only(found).kind == kind
    assert (only(found).interval, only(found).p_value, only(found).p_corrected) == (None, None, None)
    assert "-0.5 nats in every case" in found.sentences[0]


def test_p_of_welchs_test() -> None:
    a, b = [1.0, 2.0, 4.0], [1.5, 9.0]
    assert group_difference(a, b).p_value() == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert group_difference([1.0, 1.0], [2.0, 2.0]).p_value() is None
    # One side without spread: t = 1 on one degree of freedom, whose p is 1/2.
    assert group_difference([1.0, 1.0], [1.0, 3.0]).p_value() == pytest.approx(0.5)


def test_holm_over_the_groups_that_have_a_p(run: Callable[..., Path]) -> None:
    base, noise = [3.0, 3.5, 2.0, 2.75], [0.01, -0.02, 0.015, 0.0]
    seeds = range(4)
    groups = {"base": [run(x, seed=s) for s, x in zip(seeds, base, strict=True)]}
    for label, shift in (("far", 0.5), ("near", 0.005), ("middle", 0.02)):
        groups[label] = [run(x + shift + n, seed=s) for s, x, n in zip(seeds, base, noise, strict=True)]
    groups["single"] = [run(3.0, seed=0)]
    found = compare(groups)
    far, near, middle, single = found.comparisons
    p = {c.other: c.p_value for c in found.comparisons}
    assert p["far"] == pytest.approx(stats.ttest_1samp(np.array(noise) + 0.5, 0).pvalue)
    assert far.p_corrected == pytest.approx(3 * p["far"])
    assert middle.p_corrected == pytest.approx(2 * p["middle"])
    assert near.p_corrected == pytest.approx(max(p["near"], 2 * p["middle"]))
    assert single.p_corrected is None
    assert found.sentences[0].endswith("corrected over 3 comparisons (Holm).")
    assert "Holm" not in found.sentences[3]


METRICS = {
    "validation-loss": (3.0, 2.5, "-0.5 nats"),
    "perplexity": (math.exp(3.0), math.exp(2.5), "-7.903"),
    "bits-per-byte": (3.0 / math.log(2) / 2, 2.5 / math.log(2) / 2, "-0.3607 bits"),
    "train-loss": (12.0, 12.0, "+0 nats"),
    "trainable-parameters": (600.0, 1_000_600.0, "+1,000,000 parameters"),
    "memory": (2_000.0, 1_000.0, "-1,000 bytes"),
}


@pytest.mark.parametrize("metric", METRICS)
def test_metrics(run: Callable[..., Path], metric: Any) -> None:
    assert METRICS.keys() == UNITS.keys()
    first, second, words = METRICS[metric]
    a = run(3.5, 3.0, parameters=[500, 600], memory=[1_000, 2_000])
    b = run(3.5, 2.5, parameters=[500, 1_000_600], memory=[3_000, 1_000])
    found = compare({"a": [a], "b": [b]}, metric=metric)
    assert found.groups["a"][0].value == pytest.approx(first)
    assert found.groups["b"][0].value == pytest.approx(second)
    assert only(found).difference == pytest.approx(second - first)
    assert f": {words};" in found.sentences[0]


def test_at_equal_steps_the_last_that_all_share(run: Callable[..., Path]) -> None:
    a, b = run(3.0, 2.5, 2.25, 2.0), run(3.0, None, 2.5)
    found = compare({"a": [a], "b": [b]})
    assert (found.where, only(found).difference) == (6, 0.25)
    assert compare({"a": [a], "b": [b]}, where=2).notes == found.notes
    between = compare({"a": [a], "b": [b]}, where=5)
    assert (between.where, only(between).difference) == (2, 0.0)
    assert between.notes[-1] == ("Not all runs were evaluated at step 5; step 2 is the last before it where all were.")
    assert compare({"a": [a], "b": [b]}, where=0).groups["b"][0].value == 4.0
    assert found.curves.filter(group="b").select("step", "x", "value").rows() == [(0, 0, 4), (2, 2, 3), (6, 6, 2.5)]


def test_at_equal_parameters_the_last_row_with_at_most_so_many(run: Callable[..., Path]) -> None:
    a = run(3.0, 2.5, 2.25, start=None, parameters=[900, 500, 800])
    b = run(3.0, 2.75, 2.0, start=None, parameters=[600, 700, 900])
    found = compare({"a": [a], "b": [b]}, at="parameters")
    assert found.where == 600  # b never has fewer, a has
    assert [(m.value, m.at, m.step) for ms in found.groups.values() for m in ms] == [(2.5, 500, 4), (3.0, 600, 2)]
    assert "with at most 600 trainable parameters: +0.5 nats" in found.sentences[0]
    assert found.notes[-1].endswith("after 2 to 4 optimizer steps: unequal training is part of the difference.")
    more = compare({"a": [a], "b": [b]}, at="parameters", where=850)
    assert [m.value for ms in more.groups.values() for m in ms] == [2.25, 2.75]
    assert found.points.select("group", "step", "x", "value").rows() == [("a", 4, 500, 2.5), ("b", 2, 600, 3.0)]


def test_the_few_parameters_of_the_start_are_no_training(run: Callable[..., Path]) -> None:
    a, b = run(3.0, parameters=[900]), run(2.0, parameters=[700])
    found = compare({"a": [a], "b": [b]}, at="parameters")
    assert [(m.value, m.at, m.step) for ms in found.groups.values() for m in ms] == [(3.0, 900, 2), (2.0, 700, 2)]
    assert found.notes[1:] == []
    refused("came down to 800", {"a": [a], "b": [b]}, at="parameters", where=800)
    begun = compare({"a": [run()], "b": [run(start=3.0)]}, at="parameters")
    assert (begun.where, only(begun).difference) == (400, -1.0)


def test_at_equal_operations_on_the_straight_line(run: Callable[..., Path]) -> None:
    a, b = run(3.0, 2.0), run(3.0, batch_size=16)
    found = compare({"a": [a], "b": [b]}, at="flops", where=3 * FLOPS_PER_STEP)
    assert found.groups["a"][0].value == pytest.approx(2.5)  # step 3 of 0, 2, 4
    assert found.groups["a"][0].step == pytest.approx(3)
    assert found.groups["b"][0].value == pytest.approx(3.25)  # three quarters of the way to step 2
    assert compare({"a": [a], "b": [b]}, at="flops").where == pytest.approx(4 * FLOPS_PER_STEP)


def test_operations_follow_the_tie_map_where_copies_get_no_gradient(run: Callable[..., Path]) -> None:
    a = run(3.0, 2.0, gradient="owner")
    xs = compare({"a": [a], "b": [run(3.0, 2.0)]}, at="flops").curves.filter(group="a")["x"].to_list()
    matrix = 24 * 32**2  # forward operations of a layer's matrices per token
    # Decision 1 leaves two of the four layers tied to layer 0, decision 2 three.
    assert xs[1] == pytest.approx(2 * (FLOPS_PER_STEP - 256 * 2 * matrix))
    assert xs[2] - xs[1] == pytest.approx(2 * (FLOPS_PER_STEP - 256 * 3 * matrix))


def test_at_equal_seconds_on_the_straight_line(run: Callable[..., Path]) -> None:
    a, b = run(3.0, 2.0, seconds=[1.0, 3.0]), run(3.0, 2.5, seconds=[1.5, 0.5])
    found = compare({"a": [a], "b": [b]}, at="time")
    assert found.where == 2.0
    assert found.groups["a"][0].value == pytest.approx(3.0 - 1 / 3)
    assert found.groups["b"][0].value == pytest.approx(2.5)
    assert "at 2 seconds of training" in found.sentences[0]


def test_a_resumed_run_counts_the_last_times_of_a_decision(run: Callable[..., Path]) -> None:
    a, b = run(3.0, 2.0, seconds=[1.0, 3.0]), run(3.0, 2.5, seconds=[4.0, 4.0])
    writer = EventWriter(RunDirectory.open(a))
    writer.telemetry(Timing(2, 4, 5.0, 5.0, 0.0, 0, 0))
    writer.close()
    assert compare({"a": [a], "b": [b]}, at="time").where == 6.0


def add(path: Path, losses: list[float], first: int) -> Path:
    writer = EventWriter(RunDirectory.open(path))
    for event in events_of(losses, None, None, first):
        writer.append(event)
    writer.close()
    return path


def test_branches_share_their_beginning(run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    trunks = [run(3.0, 2.5, 2.0, seed=s) for s in (1, 2)]
    branches = [add(make_branch(trunk, 3, name="mine"), [2.0 + 0.25 * s], 3) for s, trunk in enumerate(trunks)]
    found = compare({"trunk": trunks, "branch": branches})
    assert (only(found).kind, only(found).difference) == ("paired", 0.125)
    assert found.notes == [
        f"mine is a branch of {name}: up to decision 2 (step 4) both are the same run." for name in "ab"
    ]
    before = compare({"trunk": trunks, "branch": branches}, where=4)
    assert only(before).difference == 0
    assert only(before).interval is None
    still = [make_branch(trunk, 3, name="still") for trunk in trunks]
    with pytest.raises(AnalysisError, match="both are the same run there") as refused:
        compare({"trunk": trunks, "branch": still})
    assert f"layertie resume {still[0]} --decisions " in refused.value.remedy
    inner = add(make_branch(branches[0], 3, name="other"), [1.0], 3)
    monkeypatch.chdir(inner.parent)  # "mine" and "other" have no parents in their spelling
    found = compare({"mine": ["mine"], "other": ["other"]})
    assert [note.split(":")[0] for note in found.notes[:2]] == ["mine is a branch of a", "other is a branch of mine"]


def refused(said: str, groups: dict[str, list[Path]], **how: Any) -> None:
    with pytest.raises(AnalysisError, match=said) as caught:
        compare(groups, **how)
    assert caught.value.remedy


OTHER = {
    "corpus": dict(corpus="stdlib"),
    "tokenizer": dict(tokenizer="bytes"),
    "limit bytes": dict(limit_bytes=1_000),
    "chunk end": dict(chunk_end="end-of-text"),
    "context": dict(context=16),
    "evaluation windows": dict(evaluation_windows=8),
    "number of tokens in the vocabulary": dict(opened={"vocabulary_size": 66}),
    "number of tokens per split": dict(opened={"split_tokens": {"train": 501}}),
    "unigram entropy of the text": dict(opened={"unigram_entropy": 3.31}),
}


@pytest.mark.parametrize("what", OTHER)
def test_other_conditions_are_refused(run: Callable[..., Path], what: str) -> None:
    refused(f"the same {what}, but", {"a": [run(3.0)], "b": [run(3.0, seed=1), run(3.0, **OTHER[what])]})


def test_a_run_twice_is_refused(run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = run(3.0)
    (tmp_path / "link").symlink_to(a)
    monkeypatch.chdir(tmp_path)
    for again in (a, a / ".." / "a", Path("a"), Path("link")):
        refused("named twice", {"a": [a], "b": [again]})
        refused("named twice", {"a": [a, again], "b": [run(2.0)]})


def test_equal_tokens_are_equal_steps_times_what_a_step_reads(run: Callable[..., Path]) -> None:
    a, b = run(3.0, 2.0), run(2.5, 1.0, batch_size=16)
    found = compare({"a": [a], "b": [b]}, at="tokens")
    # A step of a reads 8 x 32 tokens, one of b twice as many: b is as far after half the steps.
    assert found.where == 4 * 256
    assert [point["step"] for point in found.points.iter_rows(named=True)] == [4, 2]
    assert only(found).difference == pytest.approx(2.5 - 2.0)


def test_runs_as_they_were_read_are_taken(run: Callable[..., Path]) -> None:
    a, b = run(3.0), run(2.0)
    assert compare({"a": [load_run(a)], "b": [b]}).to_dict() == compare({"a": [a], "b": [b]}).to_dict()


def test_too_few_groups_and_unknown_words_are_refused(run: Callable[..., Path]) -> None:
    a, b = [run(3.0)], [run(2.0)]
    refused("at least two groups", {"a": a})
    refused("at least two groups", {})
    refused("at least two groups", {"a": a, "b": []})
    refused("a metric out of", {"a": a, "b": b}, metric="loss")
    refused("'epochs'", {"a": a, "b": b}, at="epochs")


@pytest.mark.parametrize("at", ["steps", "tokens", "parameters", "flops", "time"])
@pytest.mark.parametrize("where", [math.nan, math.inf, -1.0])
def test_no_amount_is_refused(run: Callable[..., Path], at: str, where: float) -> None:
    groups = {"a": [run(3.0, seconds=[1.0])], "b": [run(2.0, seconds=[1.0])]}
    refused("from 0 on", groups, at=at, where=where)


def test_amounts_that_were_not_reached_are_refused(run: Callable[..., Path]) -> None:
    groups = {"a": [run(3.0, 2.0, seconds=[1.0, 1.0])], "b": [run(2.0, seconds=[1.0], parameters=[700])]}
    refused("go from 0 to 2: .*b ends at step 2", groups, where=4)
    refused("from 0 to 1 only", groups, at="time", where=1.5)
    refused("training operations", groups, at="flops", where=1e15)
    refused("came down to 300", groups, at="parameters", where=300)
    refused("from 1 to 1 only", groups, metric="train-loss", at="time", where=0.5)


def test_runs_that_were_never_evaluated_together_are_refused(run: Callable[..., Path]) -> None:
    a, b = run(3.0, None, 2.5, None), run(None, 3.0, None, 2.5)
    refused("they never were", {"a": [a], "b": [b]})
    assert compare({"a": [a], "b": [b]}, where=0).where == 0  # who asks for the start gets it
    late = run(None, None, 3.0, start=None, seconds=[1.0, 1.0, 1.0])
    refused("at some time", {"a": [run(3.0)], "b": [late]})
    refused("equal amount", {"a": [run(3.0, seconds=[1.0])], "b": [late]}, at="time")


def test_a_metric_or_times_that_were_not_recorded_are_refused(run: Callable[..., Path]) -> None:
    a, none, begun = run(3.0, seconds=[1.0]), run(None, start=None), run()
    refused("validation-loss of .*it has recorded none", {"a": [a], "b": [none]})
    for metric in ("train-loss", "memory", "trainable-parameters"):
        refused(f"{metric} of .*it has recorded none", {"a": [a], "b": [begun]}, metric=metric)
    partly = run(3.0, 2.5, seconds=[None, 1.0])
    refused("1 are missing, the first that of decision 1", {"a": [a], "b": [partly]}, at="time")


def test_what_is_no_run_is_refused(run: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path, tmp_path / "file"):
        with pytest.raises(RecordError) as caught:
            compare({"a": [run(3.0)], "b": [path]})
        assert caught.value.remedy


def test_runs_that_have_only_begun(run: Callable[..., Path]) -> None:
    assert only(compare({"a": [run()], "b": [run(start=3.0)]})).difference == -1.0


def test_as_plain_values(run: Callable[..., Path]) -> None:
    a = [run(3.0, seed=s) for s in (1, 2)]
    b = [run(2.0 + s / 8, seed=s) for s in (1, 2)]
    found = compare({"a": a, "b": b, "c": [run(2.0, seed=1)]})
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["unit"] == "nats"
    assert values["groups"]["b"][1] == {
        "run": str(b[1]),
        "seed": 2,
        "replicate": 0,
        "value": 2.25,
        "at": 2.0,
        "step": 2.0,
    }
    paired, single = values["comparisons"]
    assert paired["low"] < paired["difference"] < paired["high"]
    assert paired["sentence"] == found.sentences[0]
    assert (single["low"], single["high"], single["p_value"], single["p_corrected"]) == (None,) * 4
    assert load_run(a[0]).evaluations.height == found.curves.filter(run=str(a[0])).height + 1  # less the test split
