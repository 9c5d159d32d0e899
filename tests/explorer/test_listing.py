"""What the explorer says and draws, without a browser."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl
import pytest

from layertie_lab import RunConfig, load_run
from layertie_lab.charts.run.live import live_spec
from layertie_lab.core.errors import RecordError
from layertie_lab.explorer import audit_words as audits
from layertie_lab.explorer import farewells, listing
from layertie_lab.records.directory import RunDirectory
from layertie_lab.widgets.live.live_chart import LiveChart

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


@pytest.fixture
def example():
    return load_run(EXAMPLES / "laptop-lab")


def test_without_runs_there_are_examples(tmp_path: Path) -> None:
    assert listing.names(tmp_path / "runs") == []
    assert listing.names(EXAMPLES)[-1] == "laptop-lab"
    rows = listing.rows(tmp_path / "runs", EXAMPLES)
    assert [row["status"] for row in rows] == ["example"] * len(rows)
    assert all(isinstance(value, str) for row in rows for value in row.values())


def test_own_runs_come_first_with_their_state(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "mine", RunConfig.preset("tiny")).unlock()
    rows = listing.rows(tmp_path, EXAMPLES)
    shown = ("mine", "stopped", "tiny, lab", "0 of 30", "", "")
    assert tuple(rows[0][name] for name in ("name", "status", "what", "reached", "loss", "note")) == shown


def test_every_example_is_whole_and_small() -> None:
    folders = [folder for folder in EXAMPLES.iterdir() if folder.is_dir()]
    assert folders
    for folder in folders:
        run = load_run(folder)
        assert run.status == "finished"
        assert not run.notes
        assert sum(file.stat().st_size for file in folder.rglob("*")) < 1_000_000
    assert "layertie train" in (EXAMPLES / "README.md").read_text()


def test_a_recorded_run_shows_its_last_decision(example) -> None:
    state = listing.state(example, example=True)
    last = example.decisions.row(-1, named=True)
    assert state["asked"] == last["decision"]
    assert len(state["q_values"]) == len(state["legal"]) == last["layer"] + 1
    assert state["status"] == "empty"
    assert listing.state(example, example=False)["status"] == "finished"


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "empty", RunConfig.preset("tiny")).unlock()
    state = listing.state(load_run(tmp_path / "empty"), example=False)
    assert "no decision yet" in state["status_text"]


@pytest.mark.parametrize("algorithm", ["lab", "paper", "official-code"])
def test_the_panels_fit_the_live_chart(algorithm: str) -> None:
    config = RunConfig.preset("tiny", algorithm=algorithm)
    chart = LiveChart(listing.panels(config), steps_per_decision=config.training.steps_per_decision)
    titles = [panel["title"] for panel in chart.panels]
    assert titles[:5] == ["Loss", "Trainable parameters", "Reward", "Perplexity", "Memory"]
    assert titles[5:] == ["Distinct blocks", *([] if algorithm == "lab" else ["Epsilon"])]
    assert all(panel["caption"] for panel in chart.panels)


def test_the_same_look_means_the_same_panels() -> None:
    one, other = RunConfig.preset("tiny", seed=1), RunConfig.preset("laptop", seed=2)
    assert listing.look(one) == listing.look(other)
    assert listing.look(one) != listing.look(RunConfig.preset("tiny", algorithm="paper"))
    assert live_spec("loss")["usermeta"]["caption"]


def test_a_line_on_a_run_names_what_matters() -> None:
    config = RunConfig.preset("tiny", algorithm="paper", seed=4)
    line = listing.about(config, timing={"resident_bytes": 4.2e8, "device_peak_bytes": 0})
    assert line == "tiny (4 layers x 32), paper, pydoc, seed 4, process 420 MB"
    assert listing.stem(config).endswith("-tiny-paper-seed4")


def test_decisions_as_files(example) -> None:
    name, content = listing.decisions_file(EXAMPLES / "laptop-lab", "parquet")
    assert name == "laptop-lab-decisions.parquet"
    assert pl.read_parquet(io.BytesIO(content)).equals(example.decisions)
    _, text = listing.decisions_file(EXAMPLES / "laptop-lab", "csv")
    assert text.count(b"\n") == example.decisions.height + 1
    with pytest.raises(RecordError):
        listing.decisions_file(EXAMPLES / "nowhere", "csv")


def test_the_audit_of_a_run_is_sentences_and_pictures() -> None:
    _, sentence, text, pictures = audits.audit(EXAMPLES / "laptop-lab")
    assert sentence.startswith("As of decision 200: ")
    findings, table = (part.splitlines() for part in text.split("\n\n"))
    assert [line.split()[1] for line in findings] == [str(number) for number in range(1, 12)]
    assert [line.split()[0] for line in table] == ["decision", *(str(number) for number in range(189, 201))]
    assert len(LiveChart(pictures).panels) == 4
    assert all(spec["usermeta"]["caption"] for spec in pictures.values())
    with pytest.raises(RecordError):
        audits.audit(EXAMPLES / "nowhere")


def test_an_audit_comes_from_a_thread() -> None:
    assert audits.submit(EXAMPLES / "laptop-lab").result(20).sentence.startswith("As of decision 200: ")
    assert isinstance(audits.submit(EXAMPLES / "nowhere").exception(20), RecordError)


def test_the_audit_of_a_run_as_files() -> None:
    found = audits.audit(EXAMPLES / "laptop-lab").found
    name, content = audits.file_of(found, "laptop-lab", "json")
    assert name == "laptop-lab-audit.json"
    assert len(json.loads(content)["departures"]) == 11
    name, content = audits.file_of(found, "laptop-lab", "csv")
    assert name == "laptop-lab-audit.csv"
    frame = pl.read_csv(io.BytesIO(content))
    assert frame.height == 201
    assert len(frame["true_map"][-1].split()) == 12


def test_a_farewell_is_remembered_once_and_not_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert farewells.take(tmp_path) == (False, None)
    farewells.put(tmp_path, 7)
    assert farewells.take(tmp_path) == (True, 7)
    assert farewells.take(tmp_path) == (False, None)
    farewells.put(tmp_path, None)
    monkeypatch.setattr(farewells, "RETURN_SECONDS", 0.0)
    assert farewells.take(tmp_path) == (False, None)
