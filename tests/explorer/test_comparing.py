"""The tab "Compare" without a browser: what is listed, what becomes a group, what is answered, and a sweep's form."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared_runs import compared_run

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import LayertieError, RecordError, WorkerError
from layertie_lab.explorer import Explorer
from layertie_lab.explorer.comparison import shipped, sweeping
from layertie_lab.explorer.comparison.answer import CURVES, GROUPS, MAPS, SEEDS, SIZE, Answer, Wish, answer
from layertie_lab.explorer.comparison.choice import grouped
from layertie_lab.explorer.comparison.entries import Entry, entries, shipped_entries
from layertie_lab.explorer.tabs import compare as tab_module
from layertie_lab.explorer.tabs.compare import Compare
from layertie_lab.records.sweeps import SweepDirectory
from layertie_lab.records.tree import make_branch
from layertie_lab.widgets.live.live_chart import LiveChart
from layertie_lab.workers.limits import MOST
from layertie_lab.workers.sweep import Progress
from layertie_lab.workers.worker import Worker

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three seeds of lab and of random, one run of another text."""
    for seed in (1, 2, 3):
        compared_run(tmp_path / f"lab-{seed}", [3.0, 2.5 + 0.01 * seed], seed=seed, policy="lab", decisions=2)
        compared_run(tmp_path / f"random-{seed}", [3.1, 2.7 + 0.02 * seed], seed=seed, policy="random", decisions=2)
    compared_run(tmp_path / "other", [2.0, 1.0], policy="random", corpus="alice", decisions=2)
    return tmp_path


def named(root: Path) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries(root, None, None)}


def damage(run: Path) -> None:
    log = run / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:-1], b"{nothing\n", lines[-1]]))


# -- the list ----------------------------------------------------------------------------------------------------------


def test_runs_branches_sweeps_examples_and_what_ships_are_listed(root: Path) -> None:
    make_branch(root / "lab-1", 2)
    SweepDirectory.plan(root / "a-sweep", [RunConfig.preset("tiny", seed=seed) for seed in (1, 2)])
    found = entries(root, DATA / "examples", DATA / "study")
    kinds = {entry.kind for entry in found}
    assert kinds == {"run", "branch", "sweep", "example", "recorded comparison"}
    assert [entry.kind for entry in found][-6:] == ["example", "example", *["recorded comparison"] * 4]
    by_name = {entry.name: entry for entry in found}
    run = by_name["random-2"].row
    assert (run["policy"], run["corpus"], run["seed"], run["decisions"], run["state"]) == (
        "random",
        "pydoc",
        "2",
        2,
        "finished",
    )
    assert run["loss"] == pytest.approx(2.74)
    assert by_name["lab-1 / branch-001"].kind == "branch"
    sweep = by_name["a-sweep"]
    assert (sweep.state, sweep.can_resume, sweep.can_choose) == ("stopped, 0 of 2 runs", True, False)
    recorded = by_name["88 runs that ship: pydoc, 12 layers of width 64"]
    assert (recorded.seed, recorded.recorded, recorded.corpus) == ("201 to 208", 88, "pydoc")
    assert recorded.row["decisions"] is None  # nobody wrote down how many
    assert len({entry.id for entry in found}) == len(found)


def test_what_is_damaged_stands_in_the_list_and_says_so(root: Path) -> None:
    damage(root / "lab-1")
    (root / "lab-2" / "config.json").write_text("{")
    sweep = SweepDirectory.plan(root / "torn", [RunConfig.preset("tiny")])
    (sweep.path / "sweep.json").write_text("[1")
    os.symlink("/etc", root / "away")
    (root / "away-too").symlink_to(DATA / "examples" / "laptop-lab")
    found = named(root)
    assert found["lab-1"].state == "damaged"
    assert "line" in found["lab-1"].note
    assert (found["lab-2"].state, found["lab-2"].can_choose) == ("damaged", False)
    assert found["torn"].state == "damaged"
    assert "sweep.json" in found["torn"].note
    assert (found["away-too"].state, found["away-too"].can_choose) == ("elsewhere", False)
    assert "away" not in found


def test_a_sweep_that_somebody_makes_is_running(root: Path) -> None:
    sweep = SweepDirectory.plan(root / "mine", [RunConfig.preset("tiny")])
    sweep.lock()
    try:
        found = named(root)["mine"]
        assert (found.running, found.can_resume) == (True, False)
    finally:
        sweep.unlock()
    assert named(root)["mine"].can_resume


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    assert entries(tmp_path / "nowhere", None, None) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordError):
        entries(tmp_path / "file", None, None)


# -- groups ------------------------------------------------------------------------------------------------------------


def labels(chosen: list[Entry], **how: Any) -> dict[str, list[str]]:
    among = [path for entry in chosen for path in entry.runs]
    return {label: [path.name for path in paths] for label, paths in grouped(chosen, among, **how).items()}


def test_runs_that_differ_in_their_seed_alone_are_a_group(root: Path) -> None:
    compared_run(root / "fast", [3.0, 2.0], seed=1, policy="random", decisions=2, learning_rate=0.1)
    found = named(root)
    chosen = [found[name] for name in ("lab-1", "lab-2", "random-1")]
    assert labels(chosen) == {"lab": ["lab-1", "lab-2"], "random": ["random-1"]}
    assert labels([*chosen, found["fast"]]) == {
        "lab, learning_rate=0.001": ["lab-1", "lab-2"],
        "random, learning_rate=0.001": ["random-1"],
        "random, learning_rate=0.1": ["fast"],
    }
    assert labels(chosen, apart=True) == {name: [name] for name in ("lab-1", "lab-2", "random-1")}


def test_a_branch_and_runs_that_share_a_seed_stand_by_themselves(root: Path) -> None:
    make_branch(root / "lab-1", 2)
    compared_run(root / "again", [3.0, 2.0], seed=2, policy="lab", decisions=2)
    found = named(root)
    chosen = [found[name] for name in ("lab-1", "lab-2", "lab-3", "again", "lab-1 / branch-001")]
    assert labels(chosen) == {
        "lab": ["lab-1", "lab-3"],
        "lab-2": ["lab-2"],
        "again": ["again"],
        "lab-1 / branch-001": ["branch-001"],
    }


def test_a_run_called_as_a_group_is_not_taken_for_it(root: Path) -> None:
    compared_run(root / "lab", [3.0, 2.0], seed=1, policy="lab", decisions=2)
    found = named(root)
    assert labels([found["lab-1"], found["lab-2"], found["lab"]]) == {
        "lab-1": ["lab-1"],
        "lab": ["lab-2"],
        "lab (a run)": ["lab"],
    }


# -- the answer --------------------------------------------------------------------------------------------------------


def recorded(cell: str = "pydoc-12x64-800") -> Entry:
    return next(entry for entry in shipped_entries(DATA / "study") if entry.cell == cell)


def test_does_the_agent_beat_chance() -> None:
    found = answer([recorded()], Wish())
    # As the study has it, data/study/README.md.
    assert found.headline == (
        "lab, 4 owners has 0.26 nats less loss than random, 4 owners, 95 % interval [0.14, 0.38], 8 seeds."
    )
    assert (found.first, found.other, found.told) == ("random, 4 owners", "lab, 4 owners", "yes")
    assert found.where == "pydoc, 12 layers of width 64; test split, after 800 optimizer steps"
    assert "stdlib, 12 layers of width 64: -0.141 [-0.224, -0.057]" in found.notes[1]
    assert "stdlib, 6 layers of width 64: -0.215 [-0.226, -0.204]" in found.notes[1]
    assert len(found.groups) == 11
    assert list(found.groups[0]) == [column.name for column in GROUPS]
    assert set(found.pictures) == {SEEDS, SIZE, CURVES, MAPS}
    assert not found.has_curves
    assert "test loss (nats per token)" in json.dumps(found.pictures[SIZE])
    assert "validation" not in json.dumps(found.pictures)
    assert found.left_out == [
        "2 runs that train a found map again from its first step are left out: what a search costs is another question "
        "(data/study)."
    ]
    assert recorded() == shipped_entries(DATA / "study")[0]  # what the door opens


@pytest.mark.parametrize("cell", ["pydoc-12x64-800", "stdlib-12x64-800", "pydoc-6x64-800", "stdlib-6x64-800"])
def test_the_intervals_are_those_of_the_study(cell: str) -> None:
    lines = [line.strip("| ").split(" | ") for line in (DATA / "study" / "results.md").read_text().splitlines()]
    checked = 0
    for _, other, first, seeds, difference, interval in (line for line in lines if line[0] == cell and len(line) == 6):
        rows = {row["group"]: row["difference"] for row in answer([recorded(cell)], Wish(first=first)).groups}
        if shipped.AGAIN in first + other or not interval.startswith("["):
            continue
        wanted = [float(word.strip("[],")) for word in (difference, *interval.split())]
        assert [float(word.strip("[],")) for word in rows[other].split()] == pytest.approx(wanted, abs=6e-3)
        assert seeds == "8"
        checked += 1
    assert checked >= 5


def test_one_recorded_comparison_is_shown_at_a_time() -> None:
    found = answer([recorded("stdlib-6x64-800"), recorded()], Wish())
    assert "8 seeds" in found.headline
    assert "0.215" in found.headline
    assert found.left_out[0].startswith("88 runs that ship: pydoc, 12 layers of width 64 is left out.")


def test_groups_of_runs_with_curves_sizes_and_maps(root: Path) -> None:
    found = named(root)
    chosen = [found[f"{policy}-{seed}"] for policy in ("lab", "random") for seed in (1, 2, 3)]
    shown = answer([*chosen, found["other"]], Wish())
    assert shown.headline.startswith("lab has 0.220 nats less loss than random, 95 % interval [0.195, 0.245], 3 seeds")
    assert shown.told == "yes"
    (left_out,) = shown.left_out
    assert left_out.startswith("other is left out: the corpus there is alice")
    assert [row["group"] for row in shown.groups] == ["random", "lab"]
    assert set(shown.pictures) == {SEEDS, SIZE, CURVES, MAPS}
    assert all(spec["usermeta"]["caption"] for spec in shown.pictures.values())
    assert len(LiveChart(shown.pictures).panels) == 4
    turned = answer(chosen, Wish(first="lab"))
    assert turned.headline.startswith("random has 0.220 nats more loss than lab")


@pytest.mark.parametrize("at", ["tokens", "parameters"])
def test_other_amounts_and_metrics(root: Path, at: Any) -> None:
    found = named(root)
    chosen = [found[name] for name in ("lab-1", "random-1", "lab-2", "random-2")]
    shown = answer(chosen, Wish(at=at, metric="perplexity"))
    assert shown.headline.startswith("lab has a perplexity ")
    assert {"tokens": "after 1,024 tokens of training", "parameters": "with at most 400 trainable parameters"}[
        at
    ] == shown.where


def test_what_has_no_times_is_left_out_and_says_so(root: Path) -> None:
    found = named(root)
    shown = answer([found["lab-1"], found["random-1"]], Wish(at="time"))
    assert shown.headline == "Nothing of what is chosen can be compared."
    assert "Expected the times of all decisions of a run" in shown.left_out[0]


def test_one_group_asks_for_another_and_shows_its_curves(root: Path) -> None:
    found = named(root)
    shown = answer([found["lab-1"], found["lab-2"]], Wish())
    assert shown.headline == "One group, lab. Choose another one to hold it against."
    assert set(shown.pictures) == {CURVES, MAPS}
    assert "is all that is left" in answer([found["lab-1"], found["other"]], Wish()).headline


def test_too_few_runs_say_so_in_place_of_an_interval(root: Path) -> None:
    found = named(root)
    shown = answer([found["lab-1"], found["random-1"]], Wish())
    assert "in the one seed that both have: no interval" in shown.headline
    assert shown.told == ""


def test_groups_that_differ_in_more_than_who_decides_say_so(root: Path) -> None:
    for seed in (1, 2):
        compared_run(root / f"other-{seed}", [3.0, 2.0], seed=seed, policy="cycle", decisions=2, learning_rate=0.1)
    found = named(root)
    shown = answer([found[name] for name in ("lab-1", "lab-2", "other-1", "other-2")], Wish())
    assert [note for note in shown.notes if "differ in more" in note] == [
        "cycle and lab differ in more than who decides: training.learning_rate (0.1 and 0.001)."
    ]


def test_where_a_setting_varies_policies_are_told_apart_at_one_value(tmp_path: Path) -> None:
    for name, policy, rate in (("a", "lab", 0.1), ("b", "random", 0.2), ("c", "lab", 0.2), ("d", "random", 0.1)):
        for seed in (1, 2):
            losses = [3.0, 2.0 + rate + 0.01 * seed * (policy == "lab")]
            compared_run(tmp_path / f"{name}{seed}", losses, seed=seed, policy=policy, decisions=2, learning_rate=rate)
    chosen = sorted(entries(tmp_path, None, None), key=lambda entry: entry.name)
    shown = answer(chosen, Wish())
    assert (shown.first, shown.other) == ("random, learning_rate=0.2", "lab, learning_rate=0.2")
    assert not [note for note in shown.notes if "differ in more" in note]


def test_a_map_says_of_when_it_is_and_how_many_are_not_drawn(tmp_path: Path) -> None:
    compared_run(tmp_path / "half", [3.0, 2.5], seed=1, policy="lab", decisions=9)
    for seed in range(1, 20):
        compared_run(tmp_path / f"whole-{seed}", [3.0, 2.6], seed=seed, policy="random", decisions=2)
    found = {entry.name: entry for entry in entries(tmp_path, None, None)}
    shown = answer([found["half"], found["whole-1"]], Wish())
    drawn = json.dumps(shown.pictures[MAPS])
    assert "half (2 of 9)" in drawn
    assert "whole-1 (" not in drawn
    assert not [note for note in shown.notes if "are drawn" in note]
    assert answer(list(found.values()), Wish()).notes[-1].endswith("the first 18 of 20 runs are drawn.")


def test_recorded_results_are_not_held_against_runs(root: Path) -> None:
    found = named(root)
    shown = answer([found["lab-1"], found["random-1"], recorded()], Wish())
    assert shown.left_out == [shipped.ENDS_ONLY]
    assert "lab has" in shown.headline


def test_results_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    (entry,) = shipped_entries(tmp_path)
    assert (entry.state, entry.can_choose) == ("damaged", False)
    for text, said in (
        ("cell,policy\na,lab\n", "lacks seed, test_loss"),
        ("cell,policy,seed,test_loss,trainable_parameters\n", "no runs"),
        ("cell,policy,seed,test_loss,trainable_parameters\na-1x2-3,lab,1,,5\n", "empty places"),
        ("cell,policy,seed,test_loss,trainable_parameters\na-1x2-3,lab,x,1.0,5\n", "cannot be read"),
    ):
        (tmp_path / shipped.FILE).write_text(text)
        (entry,) = shipped_entries(tmp_path)
        assert said in entry.note
        assert not entry.can_choose


# -- the form of a sweep -----------------------------------------------------------------------------------------------


def filled(**values: str) -> sweeping.Planned:
    return sweeping.read({**sweeping.DEFAULTS, **values})


def test_a_form_says_how_many_runs_it_makes() -> None:
    assert filled().sentence == ("9 runs: 3 policies x 3 seeds, 30 decisions each; 1,080 optimizer steps in all.")
    varied = filled(setting="training.learning_rate", values="0.001, 0.003", seeds="1-2", policies="lab random")
    assert varied.sentence.startswith("8 runs: 2 policies x 2 seeds x 2 values")
    assert {config.training.learning_rate for config in varied.configs} == {0.001, 0.003}
    assert filled(seeds="7").sentence.endswith("One seed gives no interval.")


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        ("policies", {"policies": ""}, "at least one policy"),
        ("policies", {"policies": "nobody"}, "nobody"),
        ("seeds", {"seeds": "1 x"}, "whole numbers"),
        ("seeds", {"seeds": "1 1"}, "each number once"),
        ("seeds", {"seeds": "1-9999999"}, "range of at most"),
        ("seeds", {"seeds": "1-60"}, "at most 100 runs, but this makes 180"),
        ("decisions", {"decisions": "0"}, "decisions"),
        ("decisions", {"decisions": "1 2"}, "one number"),
        ("scale", {"scale": "paper"}, "tiny or laptop"),
        ("corpus", {"corpus": "/etc/passwd"}, "built-in text"),
        ("values", {"setting": "training.learning_rate", "values": ""}, "got none"),
        ("values", {"setting": "training.learning_rate", "values": "fast"}, "numbers for learning_rate"),
        ("values", {"setting": "training.learning_rate", "values": "-1"}, "learning_rate"),
        ("values", {"setting": "records.sample_every", "values": "1"}, "a setting of the list"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(field: str, values: dict[str, str], words: str) -> None:
    found = filled(**values)
    assert found.configs == []
    assert list(found.wrong) == [field]
    assert words in found.wrong[field]


def test_a_form_with_nothing_in_it_starts_nothing() -> None:
    assert {"policies", "seeds", "decisions", "scale", "corpus"} <= sweeping.read({}).wrong.keys()


def test_how_long_it_takes_by_an_earlier_run(tmp_path: Path) -> None:
    planned = filled(policies="lab random", seeds="1 2").configs
    assert "How long" in sweeping.duration(tmp_path, planned)
    compared_run(tmp_path / "before", [3.0] * 6, seconds=[2.0] * 6)
    assert "by the times of before" in sweeping.duration(tmp_path, planned)


def test_the_time_left_is_told_once_there_is_something_to_tell_it_by() -> None:
    now = Progress(runs=9, finished=0, decisions=2, budget=270, training=("a",), seconds_left=9e4)
    assert sweeping.how_far(now, 0) == "0 of 9 runs finished, 2 of 270 decisions."
    later = replace(now, finished=1, decisions=140, seconds_left=65.0)
    assert sweeping.how_far(later, 100) == "1 of 9 runs finished, 140 of 270 decisions; about 65 s more."
    assert sweeping.how_far(later, 135).endswith("140 of 270 decisions.")


# -- the tab -----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "prepare", staticmethod(lambda: None))


class AtOnce:
    """Does at once what the tab has done in a thread."""

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments))
        except LayertieError as error:
            future.set_exception(error)
        return future


@pytest.fixture
def tab(root: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    monkeypatch.setattr(tab_module, "_WORK", AtOnce())
    explorer = Explorer(root, examples=DATA / "examples")
    found = explorer.tabs["compare"]
    assert isinstance(found, Compare)
    monkeypatch.setattr(found, "held", explorer, raising=False)
    return found


def send(widget: Any, kind: str, **message: Any) -> None:
    widget.hear({"kind": kind, **message})


def test_nothing_is_read_before_somebody_looks(tab: Compare) -> None:
    assert not tab.list.ready
    assert not tab.list.entries
    send(tab.list, "list")
    assert tab.list.ready
    assert {entry["name"] for entry in tab.list.entries} >= {
        "lab-1",
        "other",
        "A map that moves half of the time",
        "88 runs that ship: pydoc, 12 layers of width 64",
    }


def test_the_offer_is_one_press(tab: Compare) -> None:
    assert tab.list.offer == shipped.QUESTION
    send(tab.list, "offer")
    assert tab.list.chosen == [recorded().id]
    assert tab.answer.headline.startswith("lab, 4 owners has 0.26 nats less loss than random, 4 owners, 95 % int")
    assert tab.answer.offered == []
    assert len(tab.pictures[SEEDS].panels) == len(tab.pictures[SIZE].panels) == 1
    assert len(tab.table.rows) == 11
    send(tab.answer, "choose", name="first", value="sandwich")
    assert tab.answer.headline.startswith("lab, 4 owners has 0.00 nats less loss than sandwich, 95 % interval")
    send(tab.list, "clear")
    assert tab.answer.headline == ""
    assert tab.answer.where == tab_module.NOTHING
    assert not tab.pictures[SEEDS].panels


def test_boxes_choose_and_choices_change_what_is_shown(tab: Compare) -> None:
    send(tab.list, "list")
    for name in ("lab-1", "lab-2", "random-1", "random-2"):
        send(tab.list, "choose", entry=f"run/{name}", on=True)
    assert tab.answer.groups == ["random", "lab"]
    assert tab.answer.headline.endswith("2 seeds.")
    send(tab.answer, "choose", name="other", value="nobody")
    assert tab.answer.other == "lab"
    send(tab.answer, "choose", name="first", value="lab")
    assert (tab.answer.first, tab.answer.other) == ("lab", "random")
    send(tab.answer, "choose", name="groups", value="apart")
    assert sorted(tab.answer.groups) == ["lab-1", "lab-2", "random-1", "random-2"]
    send(tab.answer, "choose", name="metric", value="perplexity")
    assert "perplexity" in tab.answer.headline
    send(tab.list, "choose", entry="run/lab-2", on=False)
    assert "lab-2" not in tab.answer.groups


def test_what_is_not_in_the_list_is_refused(tab: Compare) -> None:
    send(tab.list, "list")
    send(tab.list, "choose", entry="../../etc", on=True)
    assert tab.list.alarm
    assert "Choose one of the list." in tab.list.sentence
    send(tab.list, "resume", entry="run/lab-1")
    assert "Expected a sweep that can be gone on with" in tab.list.sentence
    assert tab.list.chosen == []


def test_a_run_that_is_gone_is_taken_back_aloud(tab: Compare, root: Path) -> None:
    send(tab.list, "list")
    send(tab.list, "choose", entry="run/lab-1", on=True)
    (root / "lab-1").rename(root.parent / "moved")
    send(tab.list, "list")
    assert tab.list.chosen == []
    assert "lab-1 cannot be compared any more" in tab.list.sentence


def test_a_wrong_form_starts_nothing(tab: Compare, root: Path) -> None:
    before = sorted(root.iterdir())
    send(tab.form, "start", values={**sweeping.DEFAULTS, "seeds": "one"})
    assert list(tab.form.wrong) == ["seeds"]
    send(tab.form, "draft", values=dict(sweeping.DEFAULTS))
    assert tab.form.wrong == {}
    assert tab.form.plan.startswith("9 runs")
    assert sorted(root.iterdir()) == before


def test_a_server_that_is_full_says_so_and_keeps_the_plan(
    tab: Compare, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MOST, "1")
    other = sweeping.Making()
    other.path = root
    send(tab.form, "start", values=dict(sweeping.DEFAULTS))
    assert tab.form.alarm
    assert "sweeps under way" in tab.form.sentence
    send(tab.list, "list")
    (sweep,) = (entry for entry in tab.list.entries if entry["kind"] == "sweep")
    assert sweep["can_resume"]
    other.path = None


def test_a_folder_that_cannot_be_written_is_a_sentence(tab: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise WorkerError("Expected room, but there is none.", "Make some.")

    monkeypatch.setattr(sweeping, "write_plan", refuse)
    send(tab.form, "start", values=dict(sweeping.DEFAULTS))
    assert tab.form.sentence == "Expected room, but there is none. Make some."
    assert tab.form.share is None


@pytest.mark.slow
def test_a_sweep_is_cancelled_gone_on_with_and_ends_in_its_sentence(tab: Compare, text_file: Path) -> None:
    values = {**sweeping.DEFAULTS, "policies": "random independent", "seeds": "1 2", "decisions": "6"}
    send(tab.form, "start", values=values)
    assert tab.form.share is not None
    send(tab.form, "cancel")
    until(lambda: tab.form.share is None, tab)
    assert tab.form.sentence.startswith("Cancelled. ")
    (sweep,) = (entry for entry in tab.list.entries if entry["kind"] == "sweep")
    assert sweep["can_resume"]
    send(tab.list, "resume", entry=sweep["id"])
    until(lambda: tab.form.share is None, tab)
    assert "4 of 4 runs are finished" in tab.form.sentence
    until(lambda: "independent has" in tab.answer.headline, tab)
    assert "2 seeds" in tab.answer.headline
    assert tab.list.chosen == [sweep["id"]]


@pytest.mark.slow
def test_a_page_that_is_gone_ends_its_sweep_and_keeps_it(tab: Compare) -> None:
    send(tab.form, "start", values={**sweeping.DEFAULTS, "decisions": "5000"})
    path = tab.making.path
    assert path is not None
    until(lambda: bool(SweepDirectory.open(path).begun), tab)
    tab.leave()
    until(lambda: tab.making.path is None, tab)
    assert not SweepDirectory.open(path).running
    assert "running" not in set(SweepDirectory.open(path).results()["status"])


def until(what: Callable[[], bool], tab: Compare) -> None:
    end = time.monotonic() + 120
    while not what():
        assert time.monotonic() < end, f"waited in vain; {tab.form.sentence} {tab.list.sentence} {tab.answer.headline}"
        time.sleep(0.05)


def test_an_answer_that_is_overtaken_is_not_shown(tab: Compare) -> None:
    late: Future[Answer] = Future()
    late.set_result(Answer("late"))
    tab._answered(tab._asked - 1, late)
    assert tab.answer.headline == ""
