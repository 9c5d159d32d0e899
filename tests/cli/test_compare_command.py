"""`layertie compare`: what a group can be, text, JSON and chart, and refusals with exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compared_runs import compared_run

from layertie_lab.cli import main
from layertie_lab.core.errors import RecordError
from layertie_lab.records.labels import Label, write_label


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders lab and paper with runs of two seeds, single runs beside them, and what is no run."""
    root = tmp_path_factory.mktemp("compare")
    for seed in (1, 2):
        compared_run(root / "lab" / f"seed{seed}", [3.0, 2.5 + seed / 4], seed=seed, seconds=[1.0, 1.0])
        compared_run(root / "paper" / f"seed{seed}", [3.0, 2.75 + seed / 8], seed=seed)
    compared_run(root / "lr=0.1,b", [3.0, 2.0], seed=1)
    compared_run(root / "other-text", [3.0, 2.0], corpus="stdlib")
    compared_run(root / "begun", [], start=None)
    (root / "empty").mkdir()
    (root / "lab" / "notes.txt").write_text("no run")
    (root / "lab" / "plots").mkdir()
    (root / "link").symlink_to(root / "lab" / "seed1")
    return root


@pytest.fixture(autouse=True)
def _inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def groups(*words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    assert main(["compare", *words, "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    found = json.loads(lines[0], parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    return {label: [run["run"] for run in runs] for label, runs in found["groups"].items()}


def test_a_run_is_called_as_the_explorer_calls_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared_run(root / "named", [3.0, 2.0], seed=1)
    write_label(root / "named", Label("The one for class"))
    found = groups("named", "lab/seed1", capsys=capsys)
    assert found == {"The one for class": ["named"], "seed1": ["lab/seed1"]}


LAB = ["lab/seed1", "lab/seed2"]
GROUPS = {
    "a folder": ("lab", "lab", LAB),
    "a folder with a slash": ("lab/", "lab", LAB),
    "a run": ("lab/seed1", "seed1", LAB[:1]),
    "a pattern": ("lab/*", "*", LAB),
    "a pattern of folders": ("l?b", "l?b", LAB),
    "a pattern with brackets": ("lab/[a-z]*", "[a-z]*", LAB),
    "a list": ("lab/seed2,lab/seed1", "seed2", LAB[::-1]),
    "a list with a name": ("mine=lab/seed1,lab/seed2", "mine", LAB),
    "a pattern with a name": ("mine=lab/s*", "mine", LAB),
    "a folder with a name": ("mine=lab", "mine", LAB),
    "a run whose name holds = and ,": ("lr=0.1,b", "lr=0.1,b", ["lr=0.1,b"]),
    "through a link": ("link", "link", ["link"]),
}


@pytest.mark.parametrize("what", GROUPS)
def test_what_a_group_can_be(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    typed, label, runs = GROUPS[what]
    assert groups(typed, "paper", capsys=capsys) == {label: runs, "paper": ["paper/seed1", "paper/seed2"]}


def test_this_folder_is_a_group_with_a_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir("lab")
    assert groups(".", "../paper", capsys=capsys).keys() == {"lab", "paper"}


def test_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "lab", "paper", "lr=0.1,b"]) == 0
    out = capsys.readouterr().out
    table = [line.split() for line in out.splitlines()[:4]]
    assert table[1:] == [
        ["lab", "2", "2.8750", "1", "2"],
        ["paper", "2", "2.9375", "1", "2"],
        ["lr=0.1,b", "1", "2.0000", "1"],
    ]
    assert "at 4 optimizer steps" in out
    # Differences .125 and 0: mean .0625, half the interval 12.706 * .0625.
    assert "+0.0625 nats, 95 % interval from -0.7316 to +0.8566, paired over 2 seeds." in out
    assert "One run only in lr=0.1,b" in out


def test_a_label_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "[bold]x=lab", "lab/[red]=paper"]) == 0
    out = capsys.readouterr().out
    assert "[bold]x  " in out
    assert "[bold]x, validation-loss" in out


@pytest.mark.parametrize("at", ["steps", "parameters"])
def test_a_chart(at: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "chart.html"
    assert main(["compare", "lab", "paper", "--at", at, "--chart", str(page), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["at"] == at
    assert str(page) in captured.err
    assert "<title>lab and paper</title>" in page.read_text()


def test_metric_and_horizon(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "lab", "paper", "--metric", "train-loss", "--horizon", "2", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["metric"], found["where"]) == ("train-loss", 2)
    assert found["groups"]["lab"][0]["value"] == 11
    comparison = found["comparisons"][0]
    assert (comparison["difference"], comparison["low"], comparison["p_value"]) == (0, None, None)


BAD = {
    "one group": (["lab"], "at least two groups"),
    "no run": (["lab", "nowhere"], "nowhere"),
    "no run in a list": (["lab", "x=paper/seed1,nowhere"], "nowhere"),
    "a file": (["lab", "lab/notes.txt"], "notes.txt"),
    "an empty folder": (["lab", "empty"], "runs in the folder empty"),
    "an empty folder in a list": (["lab", "x=paper,empty"], "runs in the folder empty"),
    "an empty pattern": (["lab", "no*such"], "no*such"),
    "a pattern that matches no runs": (["lab", "lab/pl*"], "lab/pl*"),
    "no words": (["lab", "x="], "'x='"),
    "nothing at all": (["lab", ""], "Expected runs in ''"),
    "the same group twice": (["lab", "lab"], "lab comes twice"),
    "the same run twice": (["lab", "x=lab/seed1"], "named twice"),
    "the same run through a link": (["lab", "link"], "named twice"),
    "the same run, spelled otherwise": (["lab", "x=paper/../lab/seed2"], "named twice"),
    "the same run in one group": (["x=lab,lab/seed1", "paper"], "named twice"),
    "another corpus": (["lab", "other-text"], "the same corpus"),
    "nothing recorded": (["lab", "begun"], "it has recorded none"),
    "a horizon not reached": (["lab", "paper", "--horizon", "6"], "about step 6"),
    "no horizon": (["lab", "paper", "--horizon", "nan", "--at", "flops"], "--horizon to be between 0 and"),
    "an endless horizon": (["lab", "paper", "--horizon", "inf", "--at", "parameters"], "--horizon to be between 0 and"),
    "a negative horizon": (["lab", "paper", "--horizon=-1"], "--horizon to be between 0 and"),
    "times missing": (["lab", "paper", "--at", "time"], "times of all decisions"),
    "too few parameters": (["lab", "paper", "--at", "parameters", "--horizon", "1"], "came down to 1 "),
    "a chart nowhere": (["lab", "paper", "--chart", "nowhere/chart.html"], "nowhere"),
    "a chart in a folder's place": (["lab", "paper", "--chart", "empty"], "empty"),
}


@pytest.mark.parametrize(("what", "as_json"), [*((what, True) for what in BAD), ("one group", False)])
def test_refusals(what: str, as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    words, said = BAD[what]
    assert main(["compare", *words, *(["--json"] if as_json else [])]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("layertie:") == 1
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("words", [["lab", "paper", "--metric", "loss"], ["lab", "paper", "--at", "epochs"]])
def test_words_that_are_no_choice(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["compare", *words])
    assert caught.value.code == 2


def test_no_groups_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare"]) == 2
    assert "at least two groups" in capsys.readouterr().err


def test_a_folder_that_cannot_be_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", denied)
    assert main(["compare", "lab", "paper"]) == RecordError.exit_code == 2
    assert "lab cannot be listed (Permission denied)" in capsys.readouterr().err
