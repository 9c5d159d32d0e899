"""`layertie show` with a look inside: as JSON, as tables, as a page; what was asked and cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.cli import main
from layertie_lab.inspection.answer import answer
from layertie_lab.inspection.moment import Inspection
from layertie_lab.inspection.question import Question
from layertie_lab.records.findings import find

VIEWS = ["similarity", "weights", "profile", "attribution", "tokens", "costs", "reasons", "memory"]


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    config = RunConfig.preset("tiny", corpus=str(text_file), layers=3, width=16, context=16, batch_size=4, decisions=14)
    with Session(config, path) as session:
        session.run()
    return path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_what_is_asked_is_in_the_json_and_in_the_page(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "pages" / "look.html"
    found = said(capsys, "show", str(run), "--similarity", "--attribution", "--memory", "--html", str(page))
    assert [view for view in VIEWS if view in found] == ["similarity", "attribution", "memory"]
    assert found["decisions"] == 14
    expected = answer(Question(str(run), "attribution", options={"baseline": "zero"}), Inspection.of(run))
    assert found["attribution"] == expected
    text = page.read_text(encoding="utf-8")
    assert "What passes the layers (CKA)" in text
    assert "Trainable parameters that the official code would print" in text
    assert "What every change of a tie" not in text


def test_every_view_as_tables(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run), *(f"--{view}" for view in VIEWS), "--at", "9", "--probe-sequences", "4"]) == 0
    text = capsys.readouterr().out
    for words in (
        "How alike the layers are",
        "attention.",
        "What each layer adds",
        "What each layer does for the loss",
        "layers passed",
        "change of the loss",
        "Decision 9 asks about layer",
        "untied",
        "4 sequences of 16",
    ):
        assert words in text


def test_options_reach_the_views_and_answers_are_kept(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "show", str(run), "--similarity", "--other", str(run), "--other-at", "3")
    assert found["similarity"]["facts"]["other"] == "this run after decision 3"
    found = said(capsys, "show", str(run), "--similarity", "--other", str(run))
    assert found["similarity"]["facts"]["other"] == "this run after decision 14"
    words = ["--attribution", "--methods", "replaced", "conductance", "--baseline", "mean"]
    found = said(capsys, "show", str(run), *words)["attribution"]
    assert {row["method"] for row in found["frames"]["attribution"]} == {
        "replaced-before",
        "replaced-after",
        "conductance",
    }
    asked = Question(str(run), "attribution", options={"baseline": "mean", "methods": ["replaced", "conductance"]})
    assert find(run, asked.to_dict(14)) == found


def test_a_prompt_is_continued_before_and_after(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["show", str(run), "--sample", "--prompt", "[red]the", "--temperature", "0.5", "--sample-tokens", "30"]
    alone = said(capsys, *words)["sample"]["facts"]
    assert Inspection.of(run).sample(30, prompt="[red]the", temperature=0.5) == (alone["prompt"], alone["text"])
    both = said(capsys, *words, "--before")["sample"]["facts"]
    assert both["text"] == alone["text"]
    assert both["other"] == "this run after decision 13"
    page = tmp_path / "page.html"
    assert main([*words, "--before", "--html", str(page)]) == 0
    printed = capsys.readouterr().out
    for title in ("Before: this run after decision 13", "After: this run after decision 14", "[red]the"):
        assert title in printed
        assert title in page.read_text(encoding="utf-8")
    # As it was asked before there were prompts.
    usual = said(capsys, "show", str(run), "--sample")["sample"]
    assert find(run, Question(str(run), "sample").to_dict(14)) == usual


def test_a_text_of_ones_own(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("The statement is executed once for each item of the list. " * 2)
    found = said(capsys, "show", str(run), "--tokens", "--probe-text", str(text))
    assert "a typed text" in found["tokens"]["facts"]["probe"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--similarity", "--at", "99"], "the nearest is 14"),
        (["--attribution", "--methods", "guessing"], "Expected methods out of"),
        (["--similarity", "--probe-sequences", "0"], "--probe-sequences to be between 1 and 64"),
        (["--tokens", "--probe-text", "nowhere.txt"], "Expected a probe text in nowhere.txt"),
        (["--similarity", "--other", "nowhere"], "nowhere"),
        (["--at", "3"], "Expected a view such as --similarity beside --at"),
        (["--costs", "--other", "nowhere"], "Expected --similarity or --weights or --sample beside --other"),
        (["--similarity", "--other-at", "3"], "Expected --other beside --other-at"),
        (["--memory", "--prompt", "a"], "Expected --sample beside --prompt"),
        (["--memory", "--sample-tokens", "9"], "Expected --sample beside --sample-tokens"),
        (["--memory", "--before"], "Expected --sample beside --before"),
        (["--sample", "--before", "--other", "nowhere"], "Expected --before or --other, but got both"),
        (["--sample", "--prompt", "snow \u2603"], "(U+2603) at position 5"),
        (["--sample", "--temperature", "11"], "--temperature to be between 0 and 10"),
        (["--sample", "--before", "--at", "0"], "this one is before the first"),
        (["--memory", "--methods", "skipped"], "Expected --attribution beside --methods"),
        (["--tokens", "--probe-text", "x.txt", "--probe-sequences", "4"], "but got both"),
    ],
)
def test_what_cannot_be_shown_is_said(
    run: Path, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(run), *words]) != 0
    assert expected in " ".join(capsys.readouterr().err.split())
