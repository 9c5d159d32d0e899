"""A study that another page, or a command line, runs on the same run: what this page says of it, and still can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from branching import made_up, other_answer

from layertie_lab import RunConfig, Session
from layertie_lab.counterfactual.questions import question, spec_about, state
from layertie_lab.counterfactual.spec import StudyChoices
from layertie_lab.counterfactual.study import Study
from layertie_lab.explorer import Explorer, study_watch
from layertie_lab.explorer.tabs.did_it_matter import DidItMatter
from layertie_lab.widgets.panel import Panel
from layertie_lab.workers.limits import MOST
from layertie_lab.workers.worker import Worker

LAYER = 3


def wait_for(condition: Callable[[], Any], words: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds:g} s for {words}"
        time.sleep(0.02)


def press(panel: Panel, kind: str, **values: Any) -> None:
    panel.hear({"kind": kind, "id": "test", **values})


@pytest.fixture
def run(text_file: Path, tmp_path: Path) -> Path:
    """A run whose last decision, the third, a person took otherwise than the agent would have."""
    with Session(RunConfig.preset("tiny", corpus=str(text_file), decisions=8, threads=1), tmp_path / "mine") as session:
        session.run(2)
        assert session.propose().layer == LAYER
        session.commit(other_answer(session))
    return tmp_path / "mine"


@pytest.fixture
def tab(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DidItMatter]:
    """The view, which nobody looks at yet."""
    monkeypatch.setattr(Worker, "prepare", staticmethod(lambda: None))
    monkeypatch.setattr(study_watch, "LOOK_AGAIN", 0.05)
    explorer = Explorer(tmp_path, examples=tmp_path / "none")
    found = explorer.tabs["did-it-matter"]
    assert isinstance(found, DidItMatter)
    wait_for(lambda: found.tree.runs, "what the run has")
    yield found
    explorer.close()


def another(run: Path, *, horizon: int = 40) -> Study:
    """What somebody else states about the third decision."""
    found = question(run, 3)
    assert found.answered is not None
    spec = spec_about(found, found.answered, run, StudyChoices(statement="It matters.", horizon=horizon))
    return state(run, spec, found)


def test_what_is_asked_names_its_decision_and_goes_once_a_study_about_it_is_stated(tab: DidItMatter, run: Path) -> None:
    steer = tab.page.steer
    assert steer.hint == f"Did decision 3 (layer {LAYER}) matter? I expect it to be"
    another(run)
    wait_for(lambda: not steer.hint, "the question to go")


def test_a_study_of_another_page_is_said_and_listed_as_running_with_its_replicates(tab: DidItMatter, run: Path) -> None:
    press(tab.panel, "seen", view="a", seen=True)
    study = another(run)
    wait_for(lambda: [row["running"] for row in tab.studies.studies] == [False], "the study that was stated")
    assert tab.panel.elsewhere == ""
    lock = study.lock()
    try:
        wait_for(lambda: "0 of at most 16 replicates" in tab.panel.elsewhere, "that it is under way")
        assert f"about decision 3 (layer {LAYER}) of this run is under way in another page" in tab.panel.elsewhere
        press(tab.studies, "show", name=study.name)
        made_up(study, [0.01, 0.02, 0.015, 0.011] + [0.01] * 12)
        wait_for(lambda: [row["replicates"] for row in tab.studies.studies] == [16], "its replicates")
        assert [(row["running"], row["can_resume"]) for row in tab.studies.studies] == [(True, False)]
        wait_for(lambda: tab.panel.headline, "its verdict, where it is shown")
        press(tab.studies, "resume", name=study.name)
        assert "study-001 is under way in another page" in tab.studies.note
    finally:
        lock.release()
    wait_for(lambda: not tab.panel.elsewhere, "its end")
    assert [row["running"] for row in tab.studies.studies] == [False]


@pytest.mark.slow
def test_another_study_can_be_started_beside_it(tab: DidItMatter, run: Path) -> None:
    press(tab.panel, "seen", view="a", seen=True)
    study = another(run)
    lock = study.lock()
    try:
        wait_for(lambda: tab.panel.elsewhere, "that it is under way")
        assert "Another can be started beside it" in tab.panel.elsewhere
        values = {name: field["value"] for field in tab.panel.fields if (name := field["name"])}
        moment = tab.panel.moments[0]
        given = {"moment": moment["id"], "answer": str(moment["answered"]), "horizon": "4", "plan": "two"}
        press(tab.panel, "explore", values=values | given)
        wait_for(lambda: len(Study.all_of(run)[0]) == 2, "the second study")
        wait_for(lambda: "study-002 has ended" in tab.panel.sentence, "its end", 90)
        assert "study-001" in tab.panel.elsewhere
        assert "study-002" not in tab.panel.elsewhere
    finally:
        lock.release()


def test_what_cannot_run_is_refused_beside_the_button_and_not_stated(
    tab: DidItMatter, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MOST, "1")
    monkeypatch.setattr("layertie_lab.explorer.tabs.did_it_matter._every", [type("Other", (), {"name": "study-009"})])
    press(tab.panel, "explore", values={"moment": tab.panel.moments[0]["id"], "answer": "0"})
    assert "this server has 1 studies under way already" in tab.panel.sentence
    assert tab.panel.alarm
    assert Study.all_of(run)[0] == []


def test_how_long_pairs_take_is_told_by_pairs_of_the_run_or_by_its_own_pace(tab: DidItMatter, run: Path) -> None:
    press(tab.panel, "seen", view="a", seen=True)
    assert tab.panel.timing == {}  # nothing was measured
    tab.page.steer.show(steps_per_second=20.0)
    assert tab.panel.timing["seconds"] == pytest.approx(1 / 20)  # the run has one thread
    assert tab.panel.timing["replicates"]["looks"] == 16
    tab.page.steer.show(steps_per_second=19.0)
    assert tab.panel.timing["seconds"] == pytest.approx(1 / 20)
    study = another(run, horizon=40)
    made_up(study, [0.01] * 16, seconds=8.0)
    wait_for(lambda: tab.panel.timing["seconds"] == pytest.approx(0.1), "the pairs that were trained")
