"""`--policy map --map`: sources or a run, in training, replays and sweeps."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from layertie_lab import load_run
from layertie_lab.cli import main
from layertie_lab.cli.arguments import Sweep, Train, parse
from layertie_lab.cli.sweep import varied
from layertie_lab.cli.sweep_report import command_of
from layertie_lab.records.maps import last_map
from layertie_lab.records.sweeps import SweepDirectory
from layertie_lab.workers.sweep import plan

QUICK = [
    *("--scale", "tiny", "--width", "16", "--context", "16", "--batch-size", "4", "--decisions", "4"),
    *("--evaluation-windows", "4", "--quiet", "--json"),
]


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "run"
    words = ["--policy", "middle-cycle", "--corpus", str(text_file), "--directory", str(folder)]
    assert main(["train", *QUICK, *words]) == 0
    return folder


def trained(folder: Path, text: Path, *words: str) -> str:
    assert main(["train", *QUICK, "--corpus", str(text), "--directory", str(folder), "--policy", "map", *words]) == 0
    return json.loads((folder / "config.json").read_text())["config"]["agent"]["map"]


def test_a_run_is_recorded_by_its_sources(run: Path, text_file: Path, tmp_path: Path) -> None:
    sources = last_map(run).text
    assert sources == "0 1 1 3"
    assert trained(tmp_path / "by-run", text_file, "--map", str(run)) == sources
    assert trained(tmp_path / "by-sources", text_file, "--map", "0,1, 1,3") == sources
    logs = [(tmp_path / name / "events.jsonl").read_bytes() for name in ("by-run", "by-sources")]
    assert logs[0] == logs[1]
    assert set(load_run(tmp_path / "by-run").ties.filter(layer=2)["source"]) == {1}
    # Whatever becomes of the run whose map it was, it goes on.
    assert main(["resume", str(tmp_path / "by-run"), "--decisions", "1", "--quiet"]) == 0


def test_a_replay_keeps_the_map_or_takes_another(text_file: Path, run: Path, tmp_path: Path) -> None:
    trained(tmp_path / "first", text_file, "--map", "0 0 2 2")
    words = ["replay", str(tmp_path / "first"), "--quiet", "--json", "--directory"]
    assert main([*words, str(tmp_path / "same")]) == 0
    logs = [(tmp_path / name / "events.jsonl").read_bytes() for name in ("first", "same")]
    assert logs[0] == logs[1]
    assert main([*words, str(tmp_path / "other"), "--map", str(run)]) == 0
    assert load_run(tmp_path / "other").config.agent.map == "0 1 1 3"
    assert main([*words, str(tmp_path / "lab"), "--policy", "lab", "--map", ""]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "map"], "Expected a tie map with policy=map, but got none"),
        (["--policy", "map", "--map", ""], "Expected a tie map with policy=map, but got none"),
        (["--policy", "map", "--map", "0 0 2"], "Expected 4 sources in agent.map, one per layer, but got 3"),
        (["--policy", "map", "--map", "0 2 0 0"], "but got source 2"),
        (["--policy", "map", "--map", "0 0 x 0"], "are no numbers, and there is no such folder"),
        (["--policy", "map", "--map", "TMP"], "has no config.json"),
        (["--policy", "map", "--map", "RUN", "--layers", "6"], "Set model.layers to 4"),
        (["--map", "0 0 2 2"], "Expected agent.map with policy=map alone, but got it with policy=lab"),
    ],
)
def test_training_refuses(
    words: list[str], said: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"TMP": str(tmp_path), "RUN": str(run)}
    typed = [names.get(word, word) for word in words]
    assert main(["train", *QUICK, *typed, "--directory", str(tmp_path / "new")]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("layertie:") == 1
    assert not (tmp_path / "new").exists()


def test_help_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["train", "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--map SOURCES|RUN" in said
    assert "map: Keeps the map that agent.map gives" in said
    command = parse(["train", "--policy", "map", "--layers", "3", "--map", "0 0 2"])
    assert isinstance(command, Train)
    assert command.config.agent.map == "0 0 2"


def test_a_sweeps_map_is_for_the_policy_map_alone(run: Path, text_file: Path, tmp_path: Path) -> None:
    folder, report = tmp_path / "sweep", tmp_path / "report"
    words = ["--policies", "map", "lab", "independent", "--no-baselines", "--seeds", "1", "--processes", "1"]
    place = ["--corpus", str(text_file), "--directory", str(folder), "--report", str(report)]
    assert main(["sweep", *QUICK, *words, *place, "--map", str(run)]) == 0
    sweep = SweepDirectory.open(folder)
    maps = {name: config.agent.map for name, config in sweep.runs.items()}
    assert maps == {"map-seed1": "0 1 1 3", "lab-seed1": "", "independent-seed1": ""}
    assert sweep.results()["policy"].to_list() == ["map", "lab", "independent"]
    assert "--map '0 1 1 3'" in (report / "README.md").read_text()
    assert_planned_again(sweep)


def test_several_maps_are_told_apart_and_paired_with_all_others(
    run: Path, text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sweep"
    words = ["--policies", "map", "independent", "--no-baselines", "--seeds", "1,2", "--processes", "1"]
    place = ["--corpus", str(text_file), "--directory", str(folder)]
    assert main(["sweep", *QUICK, *words, *place, "--vary", f"map=0 0 0 0,{run}"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {(row["policy"], row["pairs"]) for row in found["aggregates"]} == {
        ("map 0 0 0 0", 2),
        ("map 0 1 1 3", 2),
        ("independent", None),
    }
    sweep = SweepDirectory.open(folder)
    assert list(sweep.runs) == [
        *("map-0-0-0-0-seed1", "independent-seed1", "map-0-0-0-0-seed2", "independent-seed2"),
        *("map-0-1-1-3-seed1", "map-0-1-1-3-seed2"),
    ]
    assert set(sweep.results()["setting"]) == {""}
    assert_planned_again(sweep)


def assert_planned_again(sweep: SweepDirectory) -> None:
    """The command in the report plans the same runs."""
    command = parse(shlex.split(command_of(sweep))[1:])
    assert isinstance(command, Sweep)
    again = plan(command.config, command.policies, command.seeds, vary=varied(command.vary), baselines=False)
    assert {config.hash for config in again} == {config.hash for config in sweep.runs.values()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policies", "map"], "Expected a tie map with policy=map, but got none"),
        (["--policies", "lab", "--map", "0 0 2 2"], "Expected the policy map in a sweep with a map, but got lab"),
        (["--policies", "lab", "--vary", "map=0 0 2 2"], "Expected the policy map in a sweep with a map"),
        (["--policies", "map", "--vary", "map=0,0,2,2"], "Part the sources of a map by blanks"),
        (["--policies", "map", "--vary", "map=0 0 2 2,nowhere"], "there is no such folder"),
        (["--policies", "map", "--vary", "map=0 0 2 2,0 0 2 2"], "comes twice"),
        (["--policies", "map", "--map", "TMP"], "has no config.json"),
        (["--policies", "map", "--map", "0 0 2"], "Expected 4 sources"),
        (["--policies", "map", "--policy", "cycle", "--map", "0 0 2 2"], "but got it with policy=cycle"),
        (["--policies", "map", "--policy", "cycle"], "Expected --policies in a sweep"),
    ],
)
def test_a_sweep_refuses(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [word.replace("TMP", str(tmp_path)) for word in words]
    base = ["sweep", *QUICK, "--no-baselines", "--seeds", "1", "--directory", str(tmp_path / "new")]
    assert main([*base, *typed]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "new").exists()
