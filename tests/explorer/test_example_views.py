"""The recorded example that the page opens first: each view has something to show, and nothing is written to it."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import load_run
from layertie_lab.counterfactual.judging import verdicts_of_run
from layertie_lab.counterfactual.study import Study
from layertie_lab.explorer import Explorer
from layertie_lab.explorer.inside.pane import make_panes
from layertie_lab.explorer.tabs.audit import AuditTab
from layertie_lab.explorer.tabs.compare import Compare
from layertie_lab.explorer.tabs.did_it_matter import DidItMatter
from layertie_lab.explorer.tabs.look_inside import LookInside
from layertie_lab.inspection.answering import Answering
from layertie_lab.inspection.question import Question
from layertie_lab.workers.worker import Worker

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"
NAME = "found-four-owners"
BRANCH = f"{NAME}/branches/branch-001"
MOST_BYTES = 3_000_000


def wait_for(condition: Callable[[], Any], words: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, words
        time.sleep(0.02)


def contents(folder: Path) -> dict[str, str]:
    """Place of each file and a digest of it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def examples(tmp_path: Path) -> Iterator[Path]:
    """A copy of the examples, in which nothing may have been written at the end."""
    folder = tmp_path / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("looks", "writer.lock"))
    before = contents(folder)
    yield folder
    assert contents(folder) == before


@pytest.fixture
def explorer(tmp_path: Path, examples: Path, monkeypatch: pytest.MonkeyPatch) -> Explorer:
    monkeypatch.setattr(Worker, "prepare", staticmethod(lambda: None))
    made = Explorer(tmp_path / "runs", examples=examples)
    assert made.menu.current == NAME
    return made


def look_at(tab: DidItMatter) -> None:
    """What a page says when it shows the view."""
    tab.panel.hear({"kind": "seen", "seen": True, "view": "first"})


def test_it_is_small() -> None:
    files = [path for path in (EXAMPLES / NAME).rglob("*") if path.is_file() and "looks" not in path.parts]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_a_finished_study_is_shown_as_soon_as_somebody_looks_and_nothing_is_asked_for(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = explorer.tabs["did-it-matter"]
    assert isinstance(tab, DidItMatter)
    wait_for(lambda: tab.tree.runs, "the tree")
    assert (tab.panel.headline, tab.studies.studies) == ("", [])
    look_at(tab)
    wait_for(lambda: tab.panel.headline, "the verdict")
    (study,) = Study.all_of(EXAMPLES / NAME)[0]
    verdict = verdicts_of_run([study])[study.name]
    assert verdict is not None
    assert verdict.decided
    assert tab.panel.outcome == verdict.outcome
    assert tab.panel.label == f"Expected: {study.spec.expected}. Verdict"
    assert tab.panel.recorded
    assert not tab.panel.ready
    assert "A recorded example" in tab.panel.sentence
    assert tab.panel.offers == []
    assert len(tab.chart.panels) == 3
    (row,) = tab.studies.studies
    assert (row["replicates"], row["outcome"]) == (len(study.replicates()), verdict.outcome)
    assert [run["id"] for run in tab.tree.runs] == [NAME, "branch-001"]
    assert not tab.tree.can_branch
    assert "No branch is made of a recorded example" in tab.tree.sentence
    # A study can be kept, but not beside it.
    handed: list[tuple[str, bytes]] = []
    monkeypatch.setattr(tab.panel, "hand_over", lambda name, content: handed.append((name, content)))
    for format in ("html", "json"):
        tab.panel.hear({"kind": "keep", "format": format})
        wait_for(lambda: len(handed) == (1 if format == "html" else 2), "the file")  # noqa: B023
    assert "is written to" not in tab.panel.kept


def test_what_would_add_to_it_is_refused_in_a_sentence(explorer: Explorer) -> None:
    tab = explorer.tabs["did-it-matter"]
    assert isinstance(tab, DidItMatter)
    look_at(tab)
    wait_for(lambda: tab.panel.headline, "the verdict")
    for kind in ("state", "explore", "pilot", "extend", "fresh"):
        tab.panel.hear({"kind": kind, "values": {}})
        assert "this is a recorded example" in tab.panel.sentence, kind
    tab.studies.hear({"kind": "resume", "name": "study-001"})
    assert "this is a recorded example" in tab.studies.note
    tab.tree.hear({"kind": "undo"})
    assert "this is a recorded example" in tab.tree.sentence


def test_its_branch_can_be_opened(explorer: Explorer) -> None:
    tab = explorer.tabs["did-it-matter"]
    assert isinstance(tab, DidItMatter)
    look_at(tab)
    wait_for(lambda: len(tab.tree.runs) == 2, "the tree")
    tab.tree.hear({"kind": "open", "id": "branch-001"})
    wait_for(lambda: explorer.menu.current == "branch-001", "the branch")
    overridden = load_run(EXAMPLES / BRANCH).decisions.filter(by="human")
    assert overridden["decision"].to_list() == [18]
    assert tab.panel.recorded


def test_there_is_something_to_look_into_at_decision_10(explorer: Explorer) -> None:
    tab = explorer.tabs["look-inside"]
    assert isinstance(tab, LookInside)
    assert {*range(23), 200} <= set(tab.time.stored)
    tab.look_at(10)
    place = tab.place()
    assert place is not None
    assert place.example
    assert not any(pane.question(place).keep for pane in make_panes().values())


@pytest.mark.parametrize("view", ["similarity", "profile", "weights", "tokens", "reasons", "memory", "sample"])
def test_a_view_of_decision_10_has_an_answer(view: str, examples: Path) -> None:
    answering = Answering(1)
    question = Question(str(examples / NAME), view, 10, keep=False)
    found = answering.answer(question, lambda _: None)
    assert found["facts"]
    assert answering.answer(question, lambda _: None) == found


def test_it_is_compared_with_its_branch(explorer: Explorer) -> None:
    tab = explorer.tabs["compare"]
    assert isinstance(tab, Compare)
    tab.list.hear({"kind": "list"})
    wait_for(lambda: tab.list.entries, "the list")
    ids = [f"example/{NAME}", f"example/{BRANCH}"]
    assert set(ids) <= {entry["id"] for entry in tab.list.entries}
    for id in ids:
        tab.list.hear({"kind": "choose", "entry": id, "on": True})
    wait_for(lambda: any(pictures.panels for pictures in tab.pictures.values()), "the pictures")
    wait_for(lambda: len(tab.table.rows) == 2, "both in the table")


def test_it_is_audited(explorer: Explorer) -> None:
    tab = explorer.tabs["audit"]
    assert isinstance(tab, AuditTab)
    tab.panel.hear({"kind": "ask", "name": "audit"})
    wait_for(lambda: tab.panel.sentence.startswith("As of decision 200"), "the audit")
    assert len(tab.cards.cards) == 11
    for card in tab.cards.cards:
        where = dict(card["lines"])["Where it does that"]
        assert re.fullmatch(r"[\w/]+\.py: [\w., ]+(; [\w/]+\.py: \w+)?", where)
    # Each sign of the gradients is told what it means.
    signs = {sign for line in tab.books.text.splitlines()[-3:] for sign in line.split()[-1]}
    assert signs
    assert all(f" {sign} " in tab.books.sentence for sign in signs)
