"""The explorer over a real run, without a browser: started, stepped, overruled, constrained, looked into, left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import Session, load_run
from layertie_lab.core.config import RunConfig
from layertie_lab.explorer import Explorer
from layertie_lab.explorer.tabs.decisions import Decisions
from layertie_lab.explorer.tabs.did_it_matter import DidItMatter
from layertie_lab.explorer.tabs.look_inside import LookInside
from layertie_lab.explorer.tabs.rules import RulesTab
from layertie_lab.widgets.forms.form import config_of
from layertie_lab.widgets.panel import Panel

pytestmark = pytest.mark.slow


def wait_for(condition: Callable[[], Any], words: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds:g} s for {words}"
        time.sleep(0.02)


def press(panel: Panel, kind: str, **values: Any) -> None:
    panel.hear({"kind": kind, "id": "test", **values})


@pytest.fixture
def explorer(tmp_path: Path, text_file: Path) -> Iterator[Explorer]:
    (tmp_path / "examples").mkdir()
    explorer = Explorer(tmp_path / "runs", examples=tmp_path / "examples")
    explorer.start(RunConfig.preset("tiny", corpus=str(text_file), decisions=8, policy="human"))
    wait_for(lambda: explorer.steer.can_act, "the first proposal")
    yield explorer
    explorer.steer.hear({"kind": "farewell"})


def test_one_run_through_all_of_it(explorer: Explorer) -> None:
    path = explorer.root / explorer.menu.current
    assert list(explorer.form.problems) == []
    assert (explorer.steer.status, explorer.steer.asked) == ("paused", 1)

    # A person's action, from the tie map; the first view has it in its table.
    press(explorer.tie_map, "answer", layer=1, source=1)
    wait_for(lambda: explorer.steer.asked == 2 and explorer.steer.can_act, "the second proposal")
    assert explorer.tie_map.sources[1] == 1
    decisions, rules = explorer.tabs["decisions"], explorer.tabs["rules"]
    assert isinstance(decisions, Decisions)
    assert isinstance(rules, RulesTab)
    wait_for(lambda: decisions.table._count == 1, "its row")

    # Constraints reach the run, and the proposal at hand.
    assert rules.panel.can_apply
    press(rules.panel, "apply", values={"independent": "2", "most_owners": "0", "neighbours": False, "locked": ""})
    wait_for(lambda: explorer.steer.legal == [2], "the constrained proposal")
    assert rules.panel.independent == "2"
    press(rules.panel, "apply", values={"independent": "two"})
    assert "Write them like 0, 3, -1" in rules.panel.wrong["independent"]
    press(rules.panel, "apply", values={"independent": "", "most_owners": "999", "locked": "7"})
    assert list(rules.panel.wrong) == ["most_owners", "locked"]
    assert "since the model has 4 layers, but got 999" in rules.panel.wrong["most_owners"]
    assert rules.panel.sentence == "They were not applied; see beside the fields."
    assert (rules.panel.alarm, rules.panel.independent) == (True, "2")

    # The list of runs says that it waits, which its log does not tell.
    press(explorer.menu, "list")
    assert [(row["status"], row["reached"]) for row in explorer.menu.runs] == [("paused", "1 of 8")]

    # The moments before can be looked at, and asked about.
    inside, matters = explorer.tabs["look-inside"], explorer.tabs["did-it-matter"]
    assert isinstance(inside, LookInside)
    assert isinstance(matters, DidItMatter)
    wait_for(lambda: inside.time.stored == [0, 1], "what is stored")
    press(inside.time, "move", decision=0)
    assert (inside.time.decision, inside.time.follows) == (0, False)
    place = inside.place()
    assert place is not None
    assert (place.run, place.decision, place.stored) == (path, 0, (0, 1))
    memory = inside.panes["memory"]
    press(memory.panel, "seen", view="a", seen=True)
    wait_for(lambda: memory.panel.share is None and memory.pictures.panels, "the memory of a step", 120)
    assert "before the first decision" in memory.panel.sentence
    press(matters.panel, "seen", view="a", seen=True)
    wait_for(lambda: [moment["id"] for moment in matters.panel.moments][:1] == ["present"], "the moment at hand")
    wait_for(lambda: [run["id"] for run in matters.tree.runs] == [path.name], "the tree")

    # The page is left: the run is saved, and still there.
    explorer.steer.hear({"kind": "farewell"})
    wait_for(lambda: load_run(path).status != "running", "the run to be saved")
    explorer.open(path.name)
    assert explorer.steer.status in ("paused", "finished")
    assert load_run(path).decisions["by"].to_list() == ["human"]
    assert explorer.tie_map.sources[1] == 1


def test_nothing_of_the_run_before_stays_when_another_begins(explorer: Explorer, text_file: Path) -> None:
    press(explorer.tie_map, "answer", layer=1, source=1)
    wait_for(lambda: explorer.steer.asked == 2 and explorer.steer.can_act, "the second proposal")
    steer, seen = explorer.steer, []
    assert steer.decision == 1
    explorer.menu.observe(lambda _: seen.append((steer.status, steer.decision, steer.asked, steer.legal)), "current")
    explorer.start(RunConfig.preset("tiny", corpus=str(text_file), decisions=8, policy="human", seed=1))
    assert seen[0] == ("preparing", 0, 0, [])
    wait_for(lambda: explorer.steer.can_act, "the other run's first proposal")
    assert (steer.decision, steer.asked) == (0, 1)


@pytest.mark.parametrize("overruled", [True, False])
def test_what_is_expected_of_an_override_can_be_said_after_the_run_is_opened_again(
    overruled: bool, text_file: Path, tmp_path: Path
) -> None:
    with Session(RunConfig.preset("tiny", corpus=str(text_file), decisions=8), tmp_path / "mine") as session:
        session.run(2)
        proposal = session.propose()
        session.commit(next(action for action in proposal.legal if action != proposal.choice))
        if not overruled:
            session.run(1)  # by now the last decision is the agent's
    explorer = Explorer(tmp_path, examples=tmp_path / "none")
    try:
        matter = explorer.tabs["did-it-matter"]
        assert isinstance(matter, DidItMatter)
        wait_for(lambda: matter.panel.moments, "its moments")
        wait_for(lambda: matter.tree.runs, "what comes after them")
        named = f"Did decision 3 (layer {proposal.layer}) matter? I expect it to be"
        assert explorer.steer.hint == (named if overruled else "")
        if overruled:
            press(explorer.steer, "expect", value="worse")
            assert matter.panel.chosen == matter.panel.moments[0]["id"] == "decision-00003"
            assert matter.panel.filled["values"] == {"expected": "worse", "moment": "decision-00003"}
    finally:
        explorer.close()


@pytest.mark.parametrize("where", ["the map", "the actions"])
def test_an_action_on_a_run_that_stands_still_goes_on_with_it(where: str, text_file: Path, tmp_path: Path) -> None:
    with Session(RunConfig.preset("tiny", corpus=str(text_file), decisions=8), tmp_path / "mine") as session:
        session.run(3)
        open_one = session.propose()
    explorer = Explorer(tmp_path, examples=tmp_path / "none")
    try:
        steer, ties = explorer.steer, explorer.tie_map
        assert (steer.asked, steer.proposed, steer.q_values) == (4, open_one.choice, list(open_one.q_values or ()))
        assert steer.q_deviations == list(open_one.q_deviations or ())
        assert (ties.layer, ties.legal, ties.can_act, steer.can_act) == (1, [0, 1], True, True)
        assert steer.last["decision"] == 3
        mine = 1 - open_one.choice
        if where == "the map":
            press(ties, "answer", layer=1, source=mine)
        else:
            press(steer, "press", command="commit", arguments={"choice": mine, "decision": 4}, sent=None)
        wait_for(lambda: steer.asked == 5 and steer.can_act, "the proposal after it")
        assert not steer.error
    finally:
        explorer.close()
    decided = load_run(tmp_path / "mine").decisions.row(-1, named=True)
    assert (decided["decision"], decided["choice"], decided["by"]) == (4, mine, "human")


def test_the_map_of_a_run_goes_into_the_form_by_its_sources(text_file: Path, tmp_path: Path) -> None:
    with Session(RunConfig.preset("tiny", corpus=str(text_file), policy="repeat"), tmp_path / "mine"):
        pass
    explorer = Explorer(tmp_path)
    press(explorer.form, "change", path="agent.map", value="mine")
    press(explorer.form, "change", path="agent.policy", value="map")
    assert not explorer.form.problems
    assert config_of(explorer.form.draft).agent.map == "0 0 2 2"
    press(explorer.form, "change", path="agent.map", value="min")
    assert "there is no such folder" in explorer.form.problems["agent.map"]


def test_a_folder_that_is_not_there_is_said_on_the_page(tmp_path: Path) -> None:
    missing, there = Explorer(tmp_path / "nope", examples=tmp_path), Explorer(tmp_path, examples=tmp_path)
    try:
        assert missing.menu.note == f"{tmp_path / 'nope'} is not there yet: it is made with the first run."
        assert there.menu.note == ""
    finally:
        missing.close()
        there.close()
