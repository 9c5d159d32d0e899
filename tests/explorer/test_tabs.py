"""The tabs of the explorer, without a browser."""

from __future__ import annotations

import gc
import io
import json
import time
import weakref
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from layertie_lab import load_run
from layertie_lab.core.descriptions import Description, Registry
from layertie_lab.core.errors import RecordError
from layertie_lab.explorer import Explorer
from layertie_lab.explorer.doors import AT_ONCE, BEHIND
from layertie_lab.explorer.explorer import WATCH
from layertie_lab.explorer.first_steps import TRIES
from layertie_lab.explorer.query import NoAddress
from layertie_lab.explorer.tab import Page, Tab
from layertie_lab.explorer.tabs import audit as audits
from layertie_lab.explorer.tabs.audit import AuditTab
from layertie_lab.explorer.tabs.decisions import decisions_file
from layertie_lab.explorer.tabs.registry import TABS
from layertie_lab.explorer.tabs.rules import RulesTab
from layertie_lab.widgets.ask_panel import AskPanel
from layertie_lab.widgets.layout import Part
from layertie_lab.workers.worker import Worker

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


def test_below_each_view_stands_one_thing_to_try() -> None:
    assert set(TRIES) == {WATCH, *(TABS.describe(tab.name).title for tab in TABS)}


def test_decisions_as_files() -> None:
    decisions = load_run(EXAMPLES / "laptop-lab").decisions
    name, content = decisions_file(EXAMPLES / "laptop-lab", "parquet")
    assert name == "laptop-lab-decisions.parquet"
    assert pl.read_parquet(io.BytesIO(content)).equals(decisions)
    _, text = decisions_file(EXAMPLES / "laptop-lab", "csv")
    assert text.count(b"\n") == decisions.height + 1
    with pytest.raises(RecordError):
        decisions_file(EXAMPLES / "nowhere", "csv")


def test_the_audit_of_a_run_is_sentences_and_pictures() -> None:
    _, sentence, text, cards, pictures = audits.audit(EXAMPLES / "laptop-lab")
    assert sentence.startswith("As of decision 200: ")
    assert [card.title.split()[0] for card in cards] == [str(number) for number in range(1, 12)]
    assert all(len(card.lines) == 4 and all(said for _, said in card.lines) for card in cards)
    assert {card.shows for card in cards} == {"", *pictures}
    *notes, blank = text[: text.index("decision  ")].split("\n") if not text.startswith("decision  ") else [""]
    assert [line for line in notes if line] == list(load_run(EXAMPLES / "laptop-lab").notes)
    assert blank == ""
    table = text[text.index("decision  ") :].splitlines()
    assert [line.split()[0] for line in table] == ["decision", *(str(number) for number in range(189, 201))]
    assert len(pictures) == 4
    assert all(spec["usermeta"]["caption"] for spec in pictures.values())
    with pytest.raises(RecordError):
        audits.audit(EXAMPLES / "nowhere")


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


class Seen(Tab):
    """A tab of a package's own."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.panel = AskPanel({"say": "Say"})
        self.told: list[Any] = []

    @property
    def layout(self) -> Part:
        return self.panel

    def show(self) -> None:
        self.told.append(self.run.folder.name)

    def end(self) -> None:
        self.told.append("end")


def own(registry: Registry[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered in a test leaves with it."""
    assert registry.names
    monkeypatch.setattr(registry, "_found", dict(registry._found))


@pytest.fixture
def own_tab(monkeypatch: pytest.MonkeyPatch) -> type[Tab]:
    own(TABS, monkeypatch)
    return TABS.register(Description("seen", "Seen", "What was told."))(Seen)


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "prepare", staticmethod(lambda: None))


def test_the_tabs_stand_in_their_order(tmp_path: Path) -> None:
    explorer = Explorer(tmp_path, examples=EXAMPLES)
    views = ["Watch", "Look inside", "Did it matter?", "Compare", "Audit", "Rules", "Decisions"]
    assert explorer.frame.plan["views"]["titles"] == views
    assert len(set(explorer.panels)) == len(explorer.panels)


def test_a_tab_is_one_file_told_of_each_run_and_of_the_end(tmp_path: Path, own_tab: type[Tab]) -> None:
    explorer = Explorer(tmp_path, examples=EXAMPLES)
    tab = explorer.tabs["seen"]
    assert isinstance(tab, Seen)
    assert explorer.frame.plan["views"]["titles"][-1] == "Seen"
    assert tab.panel in explorer.panels
    explorer.open("laptop-lab")
    assert tab.told == ["found-four-owners", "laptop-lab"]
    gone = weakref.ref(explorer)
    del explorer
    gc.collect()
    assert gone() is None
    until = time.monotonic() + 30
    while tab.told[-1] != "end":
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_notebook_of_marimo_shows_the_same_widgets(tmp_path: Path) -> None:
    explorer = Explorer(tmp_path, examples=EXAMPLES)
    assert list(explorer.frame.members.values()) == list(explorer.panels)
    assert explorer._display_() is explorer.frame


def test_a_run_is_shown_by_its_folder() -> None:
    explorer = Explorer(EXAMPLES / "laptop-lab")
    assert (explorer.menu.current, explorer.root) == ("laptop-lab", EXAMPLES)
    assert explorer.signs.decision == 200


def test_the_doors_of_the_first_page_lead_somewhere(tmp_path: Path) -> None:
    explorer = Explorer(tmp_path, examples=EXAMPLES)
    assert explorer.frame.turned[0] == "Start here"
    for name, behind in BEHIND.items():
        if name == AT_ONCE:
            continue
        explorer.welcome.hear({"kind": "enter", "name": name})
        assert explorer.frame.turned == [behind.view, explorer.frame.turned[1], behind.within]
        assert behind.view in (*explorer.frame.plan["views"]["titles"], "New run")
        assert not behind.run or explorer.menu.current == behind.run
        assert behind.decision is None or explorer.tie_map.looked == behind.decision
        assert behind.within in ("", "Reasons")
    assert explorer.welcome.sentence == ""
    # With settings that are wrong the door of a new run shows them.
    explorer.form.hear({"kind": "change", "path": "decisions", "value": "-1"})
    explorer.welcome.hear({"kind": "enter", "name": AT_ONCE})
    assert explorer.frame.turned[0] == "New run"
    explorer.welcome.hear({"kind": "enter", "name": "elsewhere"})
    assert "Expected a door" in explorer.welcome.sentence


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ({"view": "audit"}, ["Audit", ""]),
        ({"view": "did-it-matter", "run": "laptop-lab"}, ["Did it matter?", ""]),
        ({"view": "look-inside.reasons"}, ["Look inside", "Reasons"]),
        ({"view": "look-inside.elsewhere"}, ["Look inside", ""]),
        ({"view": "elsewhere.reasons"}, ["Start here", ""]),
        ({"view": ".."}, ["Start here", ""]),
        # A link that cannot be used in full says so first.
        ({"view": "audit", "scale": "elsewhere"}, ["New run", ""]),
    ],
)
def test_the_address_says_which_view_is_open(tmp_path: Path, address: dict[str, str], shown: list[str]) -> None:
    explorer = Explorer(tmp_path, query=NoAddress(address), examples=EXAMPLES)
    title, _, within = explorer.frame.turned
    assert [title, within] == shown


def test_the_tour_points_at_what_is_there(tmp_path: Path) -> None:
    explorer = Explorer(tmp_path, examples=EXAMPLES)
    stops = explorer.frame.plan["tour"]
    assert 3 <= len(stops) <= 6
    there = {"", *explorer.frame.members, *explorer.frame.plan["views"]["titles"], "New run"}
    assert {stop["at"] for stop in stops} <= there
    assert {stop["view"] for stop in stops} <= {"", *explorer.frame.plan["views"]["titles"]}


def test_without_a_run_the_page_says_what_to_do(tmp_path: Path) -> None:
    explorer = Explorer(tmp_path / "runs", examples=tmp_path / "none")
    assert explorer.menu.current == ""
    rules, audit = explorer.tabs["rules"], explorer.tabs["audit"]
    assert isinstance(rules, RulesTab)
    assert isinstance(audit, AuditTab)
    rules.panel.hear({"kind": "apply", "values": {"independent": "0"}})
    assert rules.panel.sentence == "Expected a run that this page trains. Press Start, or Step on a stopped run."
    audit.panel.hear({"kind": "ask", "name": "audit"})
    assert "none is shown" in audit.panel.sentence
    explorer.menu.hear({"kind": "open", "name": "../elsewhere"})
    assert "Choose one in the menu." in explorer.menu.problem
