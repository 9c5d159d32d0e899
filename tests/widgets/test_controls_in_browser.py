"""Widgets whose script says or draws something, in headless Chromium, behind a real marimo server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marimo_pages import Page, served

from layertie_lab.core.durations import in_time

pytestmark = pytest.mark.browser


class Controls(Page):
    """A page with the widgets on it."""

    def __init__(self, browser: Any, address: str) -> None:
        super().__init__(browser, address)
        self.remote = self.page.locator(".remote")
        self.remote.wait_for(state="attached", timeout=30_000)
        self.tree, self.table, self.rules, self.steer, self.map, self.form, self.studies = (
            self.page.locator(f".ll-{name}")
            for name in ("tree", "table", "rules", "steer", "map", "hypothesis", "studies")
        )
        for widget in (self.tree, self.table, self.rules, self.steer, self.map, self.form, self.studies):
            widget.wait_for(timeout=30_000)

    def tell(self, widget: str, method: str, *args: Any, **kwargs: Any) -> None:
        """Call a widget's method in the kernel, and wait until it is done."""
        done = int(self.remote.get_attribute("data-done") or 0)
        call = {"widget": widget, "method": method, "args": args, "kwargs": kwargs}
        self.remote.evaluate("(root, call) => root.tell(call)", call)
        self.until(lambda: self.remote.get_attribute("data-done") == str(done + 1))
        assert not self.remote.get_attribute("data-failed")

    def heard(self) -> list[Any]:
        return json.loads(self.remote.get_attribute("data-heard") or "[]")


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controls]:
    with served(Path(__file__).parent / "controls_page.py", tmp_path_factory.mktemp("server")) as address:
        at = Controls(browser, address)
        yield at
        assert at.complaints == []
        at.close()


def run(name: str, parent: str | None, decision: int | None, decisions: int, why: str = "") -> dict[str, Any]:
    left = {"parent": parent, "decision": decision, "why": why, "by": "" if parent is None else "human"}
    return {
        "id": name,
        "name": name,
        "decisions": decisions,
        "loss": 2.951,
        "evaluated": 30,
        "status": "stopped",
        **left,
    }


TREE = [
    run("first", None, None, 24),
    run("branch-001", "first", 21, 20, "undo of decision 21"),
    run("branch-002", "first", 22, 21),
    run("mine", "first", 18, 30),
    run("one", "first", 1, 1, "because it was to be seen what comes of another beginning, in many more words than fit"),
]


def test_names_in_the_tree_are_whole_and_no_line_runs_through_them(page: Controls) -> None:
    page.tell("tree", "show", runs=TREE, current="first", last=24, stored=[24, 20])
    page.until(lambda: page.tree.locator("g.ll-lane").count() == len(TREE))

    picture: list[dict[str, float]] = []
    texts: list[dict[str, float]] = []
    lines: list[dict[str, float]] = []

    def stands() -> bool:
        """Measure all of one drawing: what is being drawn anew has no size."""
        found = page.tree.evaluate(
            """root => ["svg", "svg text", ".ll-line-of-run"].map((kind) =>
                [...root.querySelectorAll(kind)].map((drawn) => drawn.getBoundingClientRect().toJSON()))"""
        )
        picture[:], texts[:], lines[:] = found
        return bool(texts) and all(text["width"] > 0 for text in texts)

    page.until(stands)
    assert max(text["right"] for text in texts) <= picture[0]["right"]
    assert max(line["right"] for line in lines) < min(text["left"] for text in texts)
    facts = page.tree.locator(".ll-run-facts").all_text_contents()
    assert facts[3] == "30 decisions, loss 2.951 at 30; left before decision 18"
    assert facts[4].startswith("1 decision, loss 2.951 at 30; because it was")
    assert facts[4].endswith("…")
    # A yellow diamond is an override everywhere else; here a ring marks where a branch left.
    assert page.tree.locator(".ll-fork").count() == len(TREE) - 1
    assert page.tree.locator(".ll-fork").evaluate_all("all => all.map((mark) => mark.tagName)") == ["circle"] * 4
    assert "a ring where a branch left" in page.tree.locator(".ll-note").inner_text()


def test_a_branch_can_leave_from_before_each_decision(page: Controls) -> None:
    page.tell("tree", "show", runs=TREE[:1], current="first", last=200, stored=[200, 20], busy=False)
    field, branch = page.tree.locator("input"), page.tree.get_by_role("button", name="Branch here")
    words = page.tree.locator(".ll-pick")
    page.until(lambda: "of 1 to 200" in words.inner_text())
    for decision, said in ((7, "trained again up to there"), (20, "stored, begins at once")):
        field.fill(str(decision))
        assert said in words.inner_text()
        branch.click()
        page.until(lambda decision=decision: page.heard()[-1:] == [["tree", ["branch", {"decision": decision}]]])
    before = len(page.heard())
    field.fill("0")
    branch.click()
    field.fill("")
    branch.click()
    page.until(lambda: len(page.heard()) > before)
    assert page.heard()[before:] == [["tree", ["branch", {"decision": None}]]]


def decision(number: int, **values: Any) -> dict[str, Any]:
    made = {"decision": number, "episode": 1, "layer": 1, "present": 0, "proposed": 1, "choice": 1, "by": "agent"}
    came = {"reward": 0.25, "train_loss": 3.5, "owners": 2, "trainable_share": 0.5, "q_choice": 0.1, "q_highest": 0.1}
    return {**made, "overridden": False, "explored": False, "epsilon": None, **came, **values}


def test_what_is_nothing_at_the_shown_precision_is_shown_as_nothing(page: Controls) -> None:
    values = [decision(1, q_choice=-1.73e-17, reward=-7.04e-5), decision(2, q_choice=0.0006, reward=-1.25)]
    page.tell("table", "push", {"decisions": values})
    page.until(lambda: page.table.locator("tbody tr").count() == 2)
    cells = [row.locator("td").all_inner_texts()[6:8] for row in page.table.locator("tbody tr").all()]
    assert cells == [["0.001", "-1.25"], ["0.000", "0.000"]]
    # The agent acts by its rule where another action has a higher value, and where it has no values.
    ruled = [decision(3, q_highest=0.2), decision(4, q_choice=None, q_highest=None), decision(5)]
    page.tell("table", "push", {"decisions": ruled})
    page.until(lambda: page.table.locator("tbody tr").count() == 5)
    why = [row.locator("td").nth(5).inner_text() for row in page.table.locator("tbody tr").all()[:3]]
    assert why == ["highest value", "its rule", "its rule"]
    hand = {"layer": 2, "asked": 3, "legal": [0, 1, 2], "owners": [0, 0, 2], "q_values": [-1.73e-17, 0.0, -0.02]}
    page.tell("steer", "show", status="paused", can_act=True, proposed=1, present=0, **hand)
    page.until(lambda: page.steer.locator(".ll-answer").count() == 3)
    # On its own first, then the layers in their order; against keeping the present tie, which is 0 by what it is.
    assert page.steer.locator(".ll-worth").all_inner_texts() == ["-0.020", "", "0.000"]
    assert page.steer.locator(".ll-tags").all_inner_texts() == ["", "now: 0", "agent's"]


def test_a_value_has_the_interval_that_the_agent_has_of_it(page: Controls) -> None:
    hand = {"layer": 2, "asked": 4, "legal": [0, 1, 2], "owners": [0, 1, 2], "q_values": [0.0, 0.02, -0.01]}
    page.tell("steer", "show", episode=2, present=0, proposed=1, q_deviations=[0.0, 0.01, 0.04], **hand)
    key = page.steer.locator(".ll-key")
    page.until(lambda: "Line: 80 % interval." in key.inner_text())

    def spans(part: str) -> list[list[float]]:
        marks = page.steer.locator(f".ll-answer {part}").all()
        return [[float((mark.get_attribute(name) or "").rstrip("%")) for name in ("x", "width")] for mark in marks]

    # On its own, tie to 0, tie to 1: the farthest end is the scale's, and an interval reaches 1.2816 deviations.
    farthest = 0.01 + 1.2816 * 0.04
    own, _, tied = (
        [50 + 50 * end / farthest for end in ends] for ends in ((-farthest, 0.0413), (0, 0), (0.0072, 0.0328))
    )
    assert [[x, x + width] for x, width in spans(".ll-doubt")] == [
        pytest.approx(own, abs=0.3),
        [50, 50],
        pytest.approx(tied, abs=0.3),
    ]
    labels = [button.get_attribute("aria-label") for button in page.steer.locator(".ll-answer").all()]
    assert ["80 % interval" in (label or "") for label in labels] == [True, False, True]
    assert "80 % interval +0.007 to +0.033" in (labels[2] or "")
    # Other decisions of the sweep, which this page may not have seen, set the scale too, and it is said.
    page.tell("steer", "show", q_scale=0.2)
    page.until(lambda: "whole at 0.200;" in key.inner_text())
    assert spans("svg rect:nth-of-type(2)")[2] == [50, 5.0]
    page.tell("steer", "show", q_scale=0.0)
    # Values whose zero is itself uncertain have no interval of their difference, and nothing is no full bar.
    page.tell("steer", "show", episode=3, asked=5, q_deviations=[0.1, 0.1, 0.1])
    page.until(lambda: "Line:" not in key.inner_text())
    page.tell("steer", "show", episode=4, asked=6, q_values=[0.0, 0.00002, 0.0], q_deviations=[])
    page.until(lambda: spans("svg rect:nth-of-type(2)")[2] == [50, 1.0])


def test_an_action_is_offered_only_where_one_is_awaited(page: Controls) -> None:
    hand = {"layer": 1, "asked": 1, "legal": [0, 1], "owners": [0, 1], "q_values": [0.1, 0.2]}
    page.tell("steer", "show", status="paused", can_act=True, proposed=1, present=0, **hand)
    key = page.steer.locator(".ll-key")
    page.until(lambda: key.inner_text().startswith("Press one to take it in the agent's place."))
    page.tell("steer", "show", status="finished", can_act=False)
    page.until(lambda: key.inner_text().startswith("Bar: its value (Q), whole at 0.100; 0 keeps the present tie."))
    page.tell("steer", "show", status="empty", layer=None, legal=[], owners=[], q_values=[])
    page.until(lambda: key.inner_text() == "")


@pytest.mark.parametrize(
    ("budget", "last", "edge"), [(4, 4, "4."), (4, 6, "8, with room past the budget of 4."), (0, 6, "60.")]
)
def test_the_history_ends_where_it_says(page: Controls, budget: int, last: int, edge: str) -> None:
    rows = [{"decision": at, "layer": layer, "source": 0, "block": 0} for at in range(last + 1) for layer in range(2)]
    page.tell("map", "show", budget=budget)
    page.tell("map", "show_rows", rows)
    page.until(lambda: page.map.locator(".ll-history").get_attribute("data-decisions") == str(last))
    page.until(lambda: page.map.locator(".ll-history-foot").inner_text().endswith(f"right: decision {edge}"))


def test_what_is_wrong_with_a_rule_stands_beside_its_field(page: Controls) -> None:
    hint = page.rules.locator(".ll-rule", has_text="Most independent layers").locator(".ll-hint")
    assert hint.inner_text() == "0 = no limit"
    page.tell("rules", "show", wrong={"most_owners": "Expected at most 4, but got 999."})
    page.until(lambda: hint.inner_text() == "Expected at most 4, but got 999.")
    assert hint.get_attribute("role") == "alert"
    page.tell("rules", "show", wrong={})
    page.until(lambda: hint.inner_text() == "0 = no limit")


def moment(decision: int, layer: int) -> dict[str, Any]:
    return {
        "id": f"decision-{decision:05}",
        "words": f"{decision}, layer {layer}",
        "layer": layer,
        "proposed": layer,
        "legal": [0, layer],
        "answered": 0,
    }


def test_what_is_expected_is_of_the_decision_that_was_asked_about(page: Controls) -> None:
    page.tell("hypothesis", "show", moments=[moment(7, 2), moment(5, 3)], chosen="decision-00007")
    at, statement = (page.form.locator(f"[data-field={name}]") for name in ("moment", "statement"))
    page.until(lambda: at.input_value() == "decision-00007")
    values = {"expected": "worse", "moment": "decision-00005"}
    page.tell("hypothesis", "show", filled={"number": 1, "values": values})
    page.until(lambda: at.input_value() == "decision-00005")
    assert statement.input_value() == "For layer 3, tying it to layer 0 is worse than training it on its own."


def test_before_a_study_is_stated_its_longest_time_is_said_where_it_was_measured(page: Controls) -> None:
    takes, horizon = page.form.locator(".ll-takes"), page.form.locator("[data-field=horizon]")
    assert takes.inner_text() == ""
    replicates = {"looks": 16, "two": 8}
    page.tell("hypothesis", "show", timing={"seconds": 0.5, "processes": 2, "replicates": replicates, "pilot": 4})
    for steps, most, pilot in ((10, 80, 20), (100, 800, 200), (1_000, 8_000, 2_000)):
        horizon.fill(str(steps))
        page.until(
            lambda: (
                takes.inner_text()
                == f"The 16 replicates of this plan take about {in_time(most)} at most, a pilot {in_time(pilot)}; by "  # noqa: B023
                "the pace so far."
            )
        )
    page.form.locator(".ll-fold > summary").click()
    page.form.locator("[data-field=plan]").select_option("two")
    page.until(lambda: takes.inner_text().startswith("The 8 replicates of this plan take about 1 h 7 min at most"))
    horizon.fill("soon")
    page.until(lambda: takes.inner_text() == "")


def test_a_study_that_runs_is_listed_as_running(page: Controls) -> None:
    study = {"name": "study-001", "replicates": 3, "horizon": 40, "running": True, "can_resume": False}
    page.tell("studies", "show", studies=[study])
    row = page.studies.locator("tr[data-study=study-001]")
    page.until(lambda: row.locator(".ll-outcome").inner_text() == "running")
    page.tell("studies", "show", studies=[study | {"outcome": "not decided yet"}])
    page.until(lambda: row.locator(".ll-outcome").inner_text() == "running, not decided yet")
    page.tell("studies", "show", studies=[study | {"running": False, "can_resume": True}])
    page.until(lambda: row.locator("td").last.inner_text() == "Go on")
    assert row.locator(".ll-outcome").inner_text() == ""


def test_only_a_decision_against_the_agent_has_the_mark_of_an_override(page: Controls) -> None:
    hand = {"layer": 1, "asked": 3, "legal": [0, 1], "owners": [0, 1], "q_values": [], "present": 0}
    done = {"decision": 2, "layer": 2, "proposed": 1, "by": "human"}
    last, opinion = page.steer.locator(".ll-last"), page.steer.locator(".ll-opinion")
    edge = "element => getComputedStyle(element).borderLeftWidth"
    page.tell("steer", "show", status="paused", last={**done, "choice": 1}, **hand, proposed=0, choice=0, by="human")
    page.until(lambda: "as the agent would have" in last.inner_text() and "You tied it" in opinion.inner_text())
    assert [each.evaluate(edge) for each in (last, opinion)] == ["0px", "0px"]
    page.tell("steer", "show", last={**done, "choice": 0}, choice=1)
    page.until(lambda: "the agent would have" in last.inner_text() and "You trained it" in opinion.inner_text())
    page.until(lambda: [each.evaluate(edge) for each in (last, opinion)] == ["3px", "3px"])
    page.tell("steer", "show", last={}, choice=None, layer=None, legal=[], owners=[], status="empty", present=None)
