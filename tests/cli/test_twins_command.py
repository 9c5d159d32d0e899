"""`layertie twins`: from a hypothesis to its verdict, what interrupts it, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.cli import main
from layertie_lab.cli.arguments import Twins, parse
from layertie_lab.counterfactual.interim import plan_at
from layertie_lab.counterfactual.questions import question, spec_about, state
from layertie_lab.counterfactual.runner import StudyRunner
from layertie_lab.counterfactual.spec import StudyChoices
from layertie_lab.counterfactual.study import Study

SHORT = ["--horizon", "4", "--workers", "1", "--quiet"]


def config(text: Path, **changes: Any) -> RunConfig:
    defaults: dict[str, Any] = {"layers": 3, "width": 16, "context": 16, "batch_size": 4, "decisions": 8}
    return RunConfig.preset("tiny", corpus=str(text), **(defaults | changes))


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four decisions, the third of them a person's override, whose moment is stored."""
    path = tmp_path_factory.mktemp("twins") / "run"
    with Session(config(text_file), path) as session:
        session.run(2)
        proposal = session.propose()
        session.commit(next(answer for answer in proposal.legal if answer != proposal.choice))
        session.run(1)
    return path


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*words, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_from_a_hypothesis_to_its_verdict(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "study.html"
    # With so wide a band the first interim analysis decides.
    found = said(
        capsys,
        "twins",
        str(run),
        "--statement",
        "It does not matter.",
        "--expected",
        "no difference that matters",
        "--smallest-difference",
        "9",
        "--looks",
        "2",
        "3",
        "--chart",
        str(page),
        *SHORT,
    )
    assert (found["outcome"], found["as_expected"]) == ("no difference that matters", True)
    assert (found["replicates"], found["looked_at"], len(found["differences"])) == (2, 2, 2)
    assert found["statement"]["decision"] == 3  # the override
    assert found["low"] < found["estimate"] < found["high"]
    assert "It does not matter" in found["sentence"]
    text = page.read_text(encoding="utf-8")
    addresses = re.findall(r"(?:src|href)\s*=\s*[\"'](?:https?:)?//", text)
    assert addresses == []
    assert "twin_values" in text
    listed = said(capsys, "twins", str(run), "--list")
    assert listed["studies"][-1]["outcome"] == "no difference that matters"
    assert listed["damaged"] == []
    assert main(["twins", str(run), "--list"]) == 0
    assert found["study"] in capsys.readouterr().out


def test_what_was_used_up_without_a_verdict_is_extended_and_kept(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--statement", "It matters.", "--smallest-difference", "0", "--looks", "2", *SHORT]
    stated = said(capsys, "twins", str(run), *words)
    study = stated["study"]
    assert (stated["outcome"], stated["extensions"]) == ("not decided yet", [])
    page, values = tmp_path / "study.html", tmp_path / "study.json"
    assert main(["twins", str(run), "--show", study, "--page", str(page)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "This plan can be extended, by one analysis at 4 replicates" in told
    assert f"layertie twins {run} --extend {study} does so." in told
    assert "It matters." in page.read_text(encoding="utf-8")
    longer = said(capsys, "twins", str(run), "--extend", study, "--page", str(values), "--workers", "1", "--quiet")
    assert (longer["study"], longer["replicates"]) == (study, 4)
    assert [(each["used_up_at"], each["replicates"]) for each in longer["extensions"]] == [(2, 4)]
    assert longer["differences"][:2] == stated["differences"]
    assert "The plan was extended: used up without a verdict at 2 replicates" in longer["sentence"]
    assert json.loads(values.read_text(encoding="utf-8"))["extensions"] == longer["extensions"]
    # Nothing is run to show it, and what cannot be is refused.
    assert said(capsys, "twins", str(run), "--show", study)["replicates"] == 4
    for words, refusal in (
        (["--extend", study, "--resume", study], "Expected no --extend with --resume"),
        (["--extend", "study-099"], "Expected a study in"),
    ):
        assert main(["twins", str(run), *words]) == 2
        assert refusal in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_ctrl_c_keeps_what_has_come_and_resume_goes_on(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, pressed = StudyRunner.wait, []

    def interrupted(runner: StudyRunner, timeout: float | None = None) -> Any:
        if runner.study.replicates() and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)
        return wait(runner, timeout)

    monkeypatch.setattr(StudyRunner, "wait", interrupted)
    words = ["--exploratory", "--looks", "6", "--horizon", "30", "--workers", "1", "--quiet"]
    stopped = said(capsys, "twins", str(run), *words, status=130)
    assert 1 <= stopped["replicates"] < 6
    assert stopped["outcome"] is None
    monkeypatch.undo()
    kept = Study.open(stopped["directory"]).replicates()
    assert main(["twins", str(run), "--resume", stopped["study"], "--quiet"]) == 0
    assert "xploratory" in capsys.readouterr().out
    found = Study.open(stopped["directory"]).replicates()
    assert len(found) == 6
    assert found[: len(kept)] == kept


def test_a_pilot_says_what_it_would_take(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "twins", str(run), "--pilot", "2", *SHORT)
    assert found["replicates"] == 2
    assert not found["statement"]["primary"]
    assert "replicates" in found["forecast"]


def test_numbers_of_replicates_are_parted_by_spaces_or_commas(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--looks", "4,8"], ["--looks=4,8"], ["--looks", "4", "8"], ["--looks", "4,", "8"]):
        command = parse(["twins", "runs/first", *words])
        assert isinstance(command, Twins)
        assert command.looks == (4, 8)
    with pytest.raises(SystemExit):
        parse(["twins", "runs/first", "--looks", "4;8"])
    told = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert "Expected numbers, as 4 8 16 or as 4,8,16, but got 4;8." in told


def test_an_exploratory_study_is_listed_without_an_expectation(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with Session(config(text_file), run) as session:
        session.save("decision-00001")
    found = question(run, None)
    spec = spec_about(found, found.layer, run, StudyChoices(), primary=False, plan=plan_at())
    assert spec.expected  # a hypothesis would have it
    state(run, spec, found)
    assert main(["twins", str(run), "--list"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "study-001" in line]
    assert line.split()[:7] == ["study-001", "1", "exploratory:", "no", "hypothesis", "none", "yet"]


def test_a_branch_that_diverges_ends_the_study_with_its_name(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with Session(config(text_file, learning_rate=1e20), run) as session:
        session.save("decision-00001")
        proposal = session.propose()
        other = next(answer for answer in proposal.legal if answer != proposal.choice)
    words = [
        "twins",
        str(run),
        "--answer",
        str(other),
        "--statement",
        "It matters.",
        "--horizon",
        "20",
        "--workers",
        "1",
        "--quiet",
    ]
    assert main(words) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert re.search(r"Replicate 1: In the branch as (proposed|answered) \(\d\): Expected a finite loss", told)
    assert "There is no verdict" in told
    assert "goes on" not in told
    (listed,) = said(capsys, "twins", str(run), "--list")["studies"]
    assert listed["outcome"] is None
    assert "replicate 1 ended: In the branch" in listed["refused"]
    assert main(["twins", str(run), "--list"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "refused" in shown
    assert "study-001: Expected finite losses, but replicate 1 ended" in shown
    # Gone on with, it is refused again.
    assert main(["twins", str(run), "--resume", "study-001", "--quiet"]) == 1
    assert "replicate 1 ended" in " ".join(capsys.readouterr().err.split())


IT = ["--statement", "It matters."]
REFUSALS = {
    "no hypothesis": ([], "a hypothesis in a sentence"),
    "an action that is not legal": ([*IT, "--answer", "9"], "an action out of"),
    "a decision whose moment is not stored": ([*IT, "--decision", "2"], "layertie branch"),
    "a horizon of none": ([*IT, "--horizon", "0"], "horizon to be between 1 and"),
    "an unknown metric": ([*IT, "--metric", "beauty"], "a metric out of"),
    "few windows": ([*IT, "--windows", "8"], "windows to be between 512 and"),
    "one replicate": ([*IT, "--looks", "1"], "the first at least 2"),
    "analyses that go back": ([*IT, "--looks", "8", "4"], "Expected"),
    "a pilot of one": (["--pilot", "1"], "a pilot of at least 2"),
    "a probe without text": ([*IT, "--metric", "probe"], "a text for the probe"),
    "recorded without actions": ([*IT, "--after", "recorded"], "recorded actions"),
    "marks after the horizon": ([*IT, "--marks", "500"], "marks from 0 to the horizon"),
    "a band below zero": ([*IT, "--smallest-difference", "-1"], "between 0 and"),
    "no threads": ([*IT, "--threads", "0"], "threads to be between 1 and"),
    "fewer than no workers": ([*IT, "--workers", "-1"], "--workers to be between 0 and"),
    "recorded actions beyond the horizon": (
        [*IT, "--after", "recorded", "--answers", *(["0"] * 999)], "recorded actions, one for each decision",
    ),
    "a study by a path": (["--resume", "../run"], "the name of a study"),
    "a study that is not there": (["--resume", "study-099"], "Expected a study in"),
    "a probe that is too short": ([*IT, "--metric", "probe", "--probe", "a b"], "a probe of at least"),
    "too few recorded actions": (
        [*IT, "--after", "recorded", "--answers", "0"], "recorded actions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_one_sentence_and_leave_nothing(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, told = REFUSALS[name]
    before = len(Study.all_of(run)[0])
    assert main(["twins", str(run), *words, "--quiet"]) == 2
    captured = capsys.readouterr()
    assert told in " ".join(captured.err.split())
    assert captured.err.count("layertie:") == 1
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert len(Study.all_of(run)[0]) == before


@pytest.mark.parametrize("words", [["--list"], [*IT, "--answer", "0"]])
def test_a_folder_that_is_no_run(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["twins", str(tmp_path), *words]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_nothing_stated_yet(text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Session(config(text_file), tmp_path / "run").close()
    assert main(["twins", str(tmp_path / "run"), "--list"]) == 0
    assert "No hypothesis has been stated" in capsys.readouterr().out
