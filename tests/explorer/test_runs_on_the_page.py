"""What the explorer says of runs, and the panels that it draws them in, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.charts.run.live import live_spec
from layertie_lab.core.notices import Timing
from layertie_lab.explorer import farewells, live_panels, run_list
from layertie_lab.explorer.still_run import state_of
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.labels import Label, write_label
from layertie_lab.widgets.live.live_chart import LiveChart

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


@pytest.fixture
def example():
    return load_run(EXAMPLES / "laptop-lab")


def test_without_runs_there_are_examples(tmp_path: Path) -> None:
    assert run_list.names(tmp_path / "runs") == []
    assert [run.name for run in run_list.examples_in(EXAMPLES)] == ["found-four-owners", "laptop-lab", "official-code"]
    rows = run_list.rows(tmp_path / "runs", EXAMPLES)
    assert [row["status"] for row in rows] == ["example"] * len(rows)
    assert all(isinstance(value, str) for row in rows for value in row.values())


def test_own_runs_come_first_with_their_state(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "mine", RunConfig.preset("tiny")).unlock()
    rows = run_list.rows(tmp_path, EXAMPLES)
    shown = ("mine", "", "stopped", "lab", "pydoc", "0", "0 of 30", "", "")
    names = ("name", "title", "status", "policy", "corpus", "seed", "reached", "loss", "note")
    assert tuple(rows[0][name] for name in names) == shown


def test_a_folder_is_named_by_what_its_run_is() -> None:
    config = RunConfig.preset("tiny", policy="ucb", corpus="/texts/Grimm's tales.txt", seed=4)
    assert run_list.stem(config).split("-", 2)[2] == "ucb-tiny-Grimm-s-tales-seed4"
    assert run_list.name_of(RunConfig.preset("tiny", algorithm="paper", policy="random", seed=2)) == (
        "random (paper), tiny, pydoc, seed 2"
    )


def test_a_run_is_called_what_a_person_calls_it(tmp_path: Path) -> None:
    config = RunConfig.preset("tiny")
    RunDirectory.create(tmp_path / "mine", config).unlock()
    assert run_list.label_of(tmp_path / "mine", config) == {
        "title": "lab, tiny, pydoc, seed 0",
        "named": False,
        "remark": "",
    }
    write_label(tmp_path / "mine", Label("The one for class", "Split at 10."))
    assert run_list.label_of(tmp_path / "mine", config)["title"] == "The one for class"
    (row,) = run_list.rows(tmp_path)
    assert (row["name"], row["title"], row["note"]) == ("mine", "The one for class", "Split at 10.")
    # Damage is said where the note stands, and the run is called as its settings say.
    (tmp_path / "mine" / "label.json").write_text("{")
    label = run_list.label_of(tmp_path / "mine", config)
    assert label["title"] == "lab, tiny, pydoc, seed 0"
    assert "label.json" in label["remark"]
    assert run_list.rows(tmp_path)[0]["status"] == "stopped"


def test_a_run_past_its_budget_is_not_so_many_of_fewer(text_file: Path, tmp_path: Path) -> None:
    with Session(RunConfig.preset("tiny", corpus=str(text_file), decisions=2, threads=1), tmp_path / "mine") as session:
        session.run(5)
    (row,) = run_list.rows(tmp_path)
    assert (row["status"], row["reached"]) == ("finished", "5, past its budget of 2")


def test_every_example_is_whole_and_small() -> None:
    folders = [folder for folder in EXAMPLES.iterdir() if folder.is_dir()]
    assert folders
    for folder in folders:
        run = load_run(folder)
        assert run.status == "finished"
        assert all("begun before logs carried digests" in note for note in run.notes)
        assert folder.name == "laptop-lab" or not run.notes
        assert sum(file.stat().st_size for file in folder.rglob("*")) < 4_000_000
    assert "layertie train" in (EXAMPLES / "README.md").read_text()


def test_a_recorded_run_shows_its_last_decision(example) -> None:
    state = state_of(example, example=True)
    last = example.decisions.row(-1, named=True)
    assert state["asked"] == last["decision"]
    assert len(state["q_values"]) == len(state["legal"]) == last["layer"] + 1
    assert state["status"] == "empty"
    assert state_of(example, example=False)["status"] == "finished"


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "empty", RunConfig.preset("tiny")).unlock()
    state = state_of(load_run(tmp_path / "empty"), example=False)
    assert "no decision yet" in state["status_text"]


def test_a_run_that_was_let_go_shows_what_can_be_answered(text_file: Path, tmp_path: Path) -> None:
    config = RunConfig.preset("tiny", corpus=str(text_file), decisions=9, threads=1)
    with Session(config, tmp_path / "asked") as session:
        session.run(1)
        session.set_rules("locked=2")
        asked = session.propose()
    state = state_of(load_run(tmp_path / "asked"), example=False)
    assert (state["asked"], state["layer"], state["legal"], state["proposed"]) == (2, 2, [1], asked.choice)
    assert (state["can_act"], state["choice"], state["last"]["decision"]) == (True, None, 1)

    # Nobody had asked the agent, or it has been asked by another process since: the constraints tell what is legal.
    Session.resume(tmp_path / "asked").close(save=False)
    unasked = state_of(load_run(tmp_path / "asked"), example=False)
    assert (unasked["legal"], unasked["proposed"], unasked["q_values"], unasked["can_act"]) == ([1], None, [], True)
    assert unasked["q_deviations"] == []  # and not those of the last decision's values

    # A decision under way is completed first, and who knows what the next is about.
    session = Session.resume(tmp_path / "asked")
    session.begin(1)
    session.close()
    assert not state_of(load_run(tmp_path / "asked"), example=False).get("can_act")


@pytest.mark.parametrize("algorithm", ["lab", "paper", "official-code"])
def test_the_panels_fit_the_live_chart(algorithm: str) -> None:
    config = RunConfig.preset("tiny", algorithm=algorithm)
    steps = config.training.steps_per_decision
    chart = LiveChart(live_panels.panels(config), instead_of=live_panels.INSTEAD_OF, steps_per_decision=steps)
    titles = [panel["title"] for panel in chart.panels]
    switched = {"Perplexity", "Distinct blocks", *(() if algorithm == "lab" else ("Epsilon",))}
    assert [title for title in titles if title not in switched] == ["Loss", "Trainable parameters", "Reward", "Memory"]
    places = {panel["title"]: panel["place"] for panel in chart.panels}
    assert {title for title in titles if places[title] != title} == switched
    assert set(places.values()) == set(titles) - switched
    assert all(panel["caption"] for panel in chart.panels)


def test_the_same_kind_means_the_same_panels() -> None:
    one, other = RunConfig.preset("tiny", seed=1), RunConfig.preset("laptop", seed=2)
    assert live_panels.kind_of(one) == live_panels.kind_of(other)
    assert live_panels.kind_of(one) != live_panels.kind_of(RunConfig.preset("tiny", algorithm="paper"))
    assert live_spec("loss")["usermeta"]["caption"]


def test_a_line_on_a_run_names_what_matters() -> None:
    config = RunConfig.preset("tiny", algorithm="paper", seed=4)
    line = run_list.about(config, timing=Timing(1, 4, 0.5, 0.4, 0.1, 420_000_000, 0))
    assert line == "4 layers x 32, process 420 MB"
    assert run_list.stem(config).endswith("-paper-tiny-pydoc-seed4")


def test_a_farewell_is_remembered_once_and_not_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert farewells.take(tmp_path) == (False, None)
    farewells.put(tmp_path, 7)
    assert farewells.take(tmp_path) == (True, 7)
    assert farewells.take(tmp_path) == (False, None)
    farewells.put(tmp_path, None)
    monkeypatch.setattr(farewells, "RETURN_SECONDS", 0.0)
    assert farewells.take(tmp_path) == (False, None)
