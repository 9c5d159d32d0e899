"""The tab "Compare" in headless Chromium: the shipped comparison, two recorded runs, a sweep to its sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compared_runs import compared_run
from explorer_tab import Server, Tab, wait_for

from layertie_lab.records.sweeps import SweepDirectory

pytestmark = pytest.mark.browser

Visit = Callable[..., Tab]
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def runs(server: Server) -> Path:
    """Recorded runs: two seeds of lab and of random, one of another text, one with a damaged log and an odd name."""
    folder = server.runs
    if not (folder / "other-text").exists():
        for seed in (1, 2):
            compared_run(folder / f"lab-{seed}", [3.0, 2.5 + 0.01 * seed], seed=seed, policy="lab", decisions=2)
            compared_run(folder / f"random-{seed}", [3.1, 2.7 + 0.02 * seed], seed=seed, policy="random", decisions=2)
        odd = compared_run(folder / HOSTILE, [3.0, 2.0], policy="random", decisions=2)
        lines = (odd / "events.jsonl").read_bytes().splitlines(keepends=True)
        (odd / "events.jsonl").write_bytes(b"".join([*lines[:-1], b"{nothing\n", lines[-1]]))
        compared_run(folder / "other-text", [2.0, 1.0], policy="random", corpus="alice", decisions=2)
    return folder


class View:
    """The tab, opened on a page."""

    def __init__(self, tab: Tab) -> None:
        self.tab, page = tab, tab.page
        self.list, self.sweep = page.locator(".ll-compare-list"), page.locator(".ll-sweep")
        self.answer = page.locator(".ll-compare-answer")
        tab.tab("Compare")
        wait_for(lambda: self.list.get_attribute("data-ready") == "true", 30, "the list")

    @property
    def headline(self) -> str:
        return self.answer.locator(".ll-headline").inner_text()

    @property
    def chosen(self) -> int:
        return int(self.list.get_attribute("data-chosen") or 0)

    def row(self, name: str) -> Any:
        return self.list.locator("tr", has=self.tab.page.get_by_label(f"Compare {name}", exact=True))

    def tick(self, *names: str) -> None:
        for name in names:
            before = self.chosen
            self.row(name).locator("input").click()
            wait_for(lambda: self.chosen != before, 20, f"{name} to be chosen")  # noqa: B023

    def says(self, words: str, seconds: float = 60) -> None:
        wait_for(
            lambda: words in self.headline and self.answer.get_attribute("data-busy") == "false",
            seconds,
            f"{words!r}; it says {self.headline!r}",
        )

    def picture(self, name: str) -> Any:
        self.tab.page.get_by_role("tab", name=name, exact=True).click()
        return self.tab.page.locator(".ll-panel canvas:visible").last


def test_does_the_agent_beat_chance_in_two_clicks(visit: Visit, runs: Path) -> None:
    view = View(visit("run=lab-1"))  # click 1: the tab
    view.list.get_by_role("button", name="See 88 runs: does the agent beat chance?").click()  # click 2
    view.says("lab, 4 owners has 0.26 nats less loss than random, 4 owners, 95 % interval [0.14, 0.38], 8 seeds.")
    assert view.answer.get_attribute("data-told") == "yes"
    wait_for(lambda: "1 line chosen, 88 runs" in view.list.inner_text(), 20, "how many runs that is")
    view.picture("By seed").wait_for()
    view.picture("Loss and size").wait_for()
    view.answer.locator("[data-choice=first]").select_option("sandwich")
    view.says("lab, 4 owners has 0.00 nats less loss than sandwich, 95 % interval from")
    assert view.answer.get_attribute("data-told") == "no"


def test_two_recorded_runs_then_their_groups(visit: Visit, runs: Path) -> None:
    view = View(visit("run=lab-1"))
    view.tick("lab-1", "random-1")
    view.says("lab has 0.21 nats less loss than random, in the one seed that both have: no interval")
    for name in ("Curves", "Tie maps"):
        view.picture(name).wait_for()
    view.tick("lab-2", "random-2")
    view.says("2 seeds.")
    view.tick("other-text", HOSTILE)
    left_out = view.answer.locator(".ll-left li")
    wait_for(lambda: left_out.count() == 2, 30, "the two that are left out")
    assert "corpus there is alice" in " ".join(left_out.all_inner_texts())
    # An odd name is words, and what is damaged says so where it stands.
    assert HOSTILE in view.row(HOSTILE).locator(".ll-word").inner_text()
    assert "damaged" in view.row(HOSTILE).inner_text()
    assert view.tab.page.locator("img[src=x]").count() == 0
    view.answer.locator("[data-choice=groups]").select_option("apart")
    wait_for(lambda: view.answer.get_attribute("data-groups") == "4", 30, "each run by itself")
    view.list.get_by_role("button", name="Choose none").click()
    wait_for(lambda: view.headline == "", 20, "nothing")


def test_what_is_pressed_in_the_list_stays_the_same_while_it_is_told_anew(visit: Visit, runs: Path) -> None:
    view = View(visit("run=lab-1"))
    # A button that a repaint puts in another's place between the pointer's going down and coming up is not clicked.
    made = {name: view.row(name).element_handle() for name in ("lab-1", "random-1", "other-text")}
    view.tick("lab-1", "random-1")
    compared_run(runs / "come-later", [2.0, 1.5], seed=7, policy="random", corpus="alice", decisions=2)
    view.tab.tab("Watch")
    view.tab.tab("Compare")
    wait_for(lambda: view.row("come-later").count() == 1, 30, "the new run")
    assert all(row.evaluate("row => row.isConnected") for row in made.values())
    shutil.rmtree(runs / "come-later")
    view.tab.tab("Watch")
    view.tab.tab("Compare")
    wait_for(lambda: view.row("come-later").count() == 0, 30, "its end")
    assert all(row.evaluate("row => row.isConnected") for row in made.values())


def test_the_list_sorts(visit: Visit, runs: Path) -> None:
    view = View(visit("run=lab-1"))
    view.list.locator("[data-sort=loss]").click()
    values = [float(text) for text in view.list.locator("td.ll-loss").all_inner_texts() if text]
    assert values == sorted(values)
    view.list.locator("[data-sort=loss]").click()
    values = [float(text) for text in view.list.locator("td.ll-loss").all_inner_texts() if text]
    assert values == sorted(values, reverse=True)


def test_a_sweep_is_left_found_again_and_ends_in_its_sentence(visit: Visit, runs: Path) -> None:
    tab = visit("run=lab-1")
    view = View(tab)
    view.sweep.locator("summary").click()
    wait_for(lambda: "9 runs" in view.sweep.locator(".ll-plan").inner_text(), 30, "what it makes")
    view.sweep.locator("input[value=lab]").uncheck()
    view.sweep.locator("[data-field=decisions]").fill("8")
    seeds = view.sweep.locator("[data-field=seeds]")
    seeds.fill("1 x")
    seeds.press("Tab")
    wait_for(lambda: "whole numbers" in view.sweep.locator("[data-name=seeds]").inner_text(), 20, "what is wrong")
    seeds.fill("1 2")
    seeds.press("Tab")
    wait_for(lambda: "4 runs: 2 policies x 2 seeds" in view.sweep.locator(".ll-plan").inner_text(), 20, "the new plan")
    view.sweep.locator("[data-press=start]").click()
    wait_for(lambda: "of 4 runs finished" in view.sweep.locator(".ll-sentence").inner_text(), 60, "its progress")
    # The page is left and comes back: what was made is kept, and stands in the list.
    tab.page.reload()
    tab.steer.wait_for(timeout=60_000)
    view = View(tab)
    go_on = view.list.locator(".ll-go-on")
    wait_for(lambda: go_on.count() == 1, 60, "the sweep, stopped")
    go_on.click()
    view.says("independent has ", 180)
    assert "2 seeds" in view.headline
    assert "4 of 4 runs are finished" in view.sweep.locator(".ll-sentence").inner_text()
    (path,) = (folder for folder in runs.iterdir() if (folder / "sweep.json").exists())
    assert set(SweepDirectory.open(path).results()["status"]) == {"finished"}
    view.picture("Curves").wait_for()
