"""`layertie sweep` on a sweep whose runs are there already: output, JSON, report; and bad input."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import polars as pl
import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.analysis.statistics.aggregates import AGGREGATES
from layertie_lab.cli import main
from layertie_lab.cli.arguments import Sweep, parse
from layertie_lab.cli.sweep import varied
from layertie_lab.cli.sweep_report import command_of
from layertie_lab.core.errors import ConfigError
from layertie_lab.records.sweeps import RESULTS, SweepDirectory
from layertie_lab.workers.sweep import plan


@pytest.fixture(scope="module")
def folder(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = RunConfig.preset(
        "tiny", corpus=str(text_file), layers=3, width=16, context=16, batch_size=4, decisions=4, evaluation_windows=8
    )
    folder = tmp_path_factory.mktemp("sweep") / "runs"
    sweep = SweepDirectory.plan(folder, plan(base, ["official-code", "independent"], [1, 2], baselines=False))
    for name, config in sweep.runs.items():
        with Session(config, folder / name) as session:
            session.run()
    return folder


def test_table_and_report(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report"
    assert main(["sweep", "--resume", "--directory", str(folder), "--report", str(report)]) == 0
    text = capsys.readouterr().out
    assert "official" in text
    assert "2 seeds" in text
    assert "give a paired difference" in text
    assert {path.name for path in report.iterdir()} == {
        "README.md",
        "aggregates.csv",
        "chart.html",
        "chart.json",
        "results.csv",
        "results.parquet",
        "table.md",
    }
    frame = pl.read_parquet(report / "results.parquet")
    assert frame.columns == list(RESULTS)
    assert frame["run"].to_list()[0] == "official-code-seed1"
    readme = (report / "README.md").read_text()
    assert "4 of 4 planned runs are finished" in readme
    assert str(folder) not in readme
    assert (report / "table.md").read_text().count("\n| ") == 3
    assert "vega" in (report / "chart.html").read_text()


def test_without_vega_a_report_has_all_but_its_page_and_that_is_said_first(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    report = tmp_path / "report"
    assert main(["sweep", "--resume", "--directory", str(folder), "--report", str(report)]) == 0
    assert capsys.readouterr().err.startswith("The report will lack chart.html. Expected vl-convert-python")
    names = {path.name for path in report.iterdir()}
    assert names == {"README.md", "aggregates.csv", "chart.json", "results.csv", "results.parquet", "table.md"}
    assert "chart.html" not in (report / "README.md").read_text()


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--resume", "--directory", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in found["results"]] == ["finished"] * 4
    assert found["aggregates"][0].keys() == AGGREGATES.keys()
    assert found["failures"] == {}
    assert not found["stopped"]


def test_summarizing_trains_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = plan(RunConfig.preset("tiny"), ["lab"], [1], baselines=False)
    SweepDirectory.plan(tmp_path / "planned", planned)
    assert main(["sweep", "--summarize", "--directory", str(tmp_path / "planned"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in found["results"]] == ["planned"]
    assert found["aggregates"] == []
    assert main(["sweep", "--summarize", "--directory", str(tmp_path / "planned")]) == 0
    assert "1 run planned: 1 planned; 0 decisions made" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "planned").iterdir()) == ["sweep.json"]
    # Another process may be at it.
    sweep = SweepDirectory.open(folder)
    sweep.lock()
    assert main(["sweep", "--summarize", "--directory", str(folder), "--json"]) == 0
    assert main(["sweep", "--resume", "--directory", str(folder), "--json"]) == 2
    sweep.unlock()
    assert "only writer" in capsys.readouterr().err


def test_a_report_replaces_nothing_but_a_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "README.md"
    mine.write_text("mine")
    assert main(["sweep", "--summarize", "--directory", str(folder), "--report", str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert mine.read_text() == "mine"


def test_the_command_in_the_report_plans_the_same_runs(folder: Path) -> None:
    sweep = SweepDirectory.open(folder)
    words = shlex.split(command_of(sweep))
    assert words[0] == "layertie"
    command = parse(words[1:])
    assert isinstance(command, Sweep)
    assert not command.baselines
    again = plan(command.config, command.policies, command.seeds, vary=varied(command.vary), baselines=False)
    assert {config.hash for config in again} == {config.hash for config in sweep.runs.values()}


def test_varied_values_are_read_as_what_they_are() -> None:
    words = ("learning-rate=0.001,1e-2", "layers=3,4", "bias=true,False", "corpus=pydoc,stdlib")
    assert varied(words) == {
        "learning_rate": [0.001, 0.01],
        "layers": [3, 4],
        "bias": [True, False],
        "corpus": ["pydoc", "stdlib"],
    }


@pytest.mark.parametrize("words", [("layers",), ("=3",), ("layers=",), ("layers=3", "layers=4")])
def test_varied_refuses(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="each setting once"):
        varied(words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--resume"], "Expected --directory with --resume"),
        (["--summarize"], "Expected --directory with --summarize"),
        (["--resume", "--directory", "TMP"], "no sweep.json"),
        (["--vary", "layers", "--directory", "TMP"], "each setting once"),
        (["--policies", "human", "--directory", "TMP"], "a sweep asks nobody"),
        (["--policies", "lab", "lab", "--no-baselines", "--directory", "TMP/new"], "comes twice"),
        (["--policy", "cycle", "--directory", "TMP/new"], "--policies"),
        (["--seed", "3", "--directory", "TMP/new"], "--seeds"),
        (["--vary", "learning_rte=1", "--directory", "TMP/new"], "Did you mean training.learning_rate"),
        (["--processes", "-1", "--directory", "TMP/new"], "--processes to be between 0 and"),
    ],
)
def test_bad_input(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scale = [] if {"--resume", "--summarize"} & {*words} else ["--scale", "tiny"]
    assert main(["sweep", *scale, *(word.replace("TMP", str(tmp_path)) for word in words)]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "new").exists()


def test_seeds_are_parted_by_spaces_or_commas() -> None:
    for words in (["1,2", "5"], ["1", "2", "5"], ["1,2,5"]):
        command = parse(["sweep", "--seeds", *words])
        assert isinstance(command, Sweep)
        assert command.seeds == (1, 2, 5)


@pytest.mark.parametrize("words", [["--policies", "labb"], ["--seeds", "one"]])
def test_usage_errors(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["sweep", *words, "--directory", str(tmp_path / "new")])
    assert end.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_a_folder_with_other_settings_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--scale", "tiny", "--layers", "5", "--directory", str(folder)]) == 2
    assert "model.layers=3" in capsys.readouterr().err
