"""Widgets whose script says or draws something, in headless Chromium, behind a real marimo server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marimo_pages import Page, served

pytestmark = pytest.mark.browser


class Controls(Page):
    """A page with the widgets on it."""

    def __init__(self, browser: Any, address: str) -> None:
        super().__init__(browser, address)
        self.remote = self.page.locator(".remote")
        self.remote.wait_for(state="attached", timeout=30_000)
        self.tree, self.table, self.rules, self.steer, self.map = (
            self.page.locator(f".ll-{name}") for name in ("tree", "table", "rules", "steer", "map")
        )
        for widget in (self.tree, self.table, self.rules, self.steer, self.map):
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
    texts = page.tree.locator("svg text").evaluate_all(
        "all => all.map((text) => text.getBoundingClientRect().toJSON())"
    )
    lines = page.tree.locator(".ll-line-of-run").evaluate_all(
        "all => all.map((line) => line.getBoundingClientRect().toJSON())"
    )
    picture = page.tree.locator("svg").bounding_box()
    assert max(text["right"] for text in texts) <= picture["x"] + picture["width"]
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
