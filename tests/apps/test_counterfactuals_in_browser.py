"""The tab "Did it matter?" in headless Chromium: overrule, state, run twins, read the verdict, cancel, branch, undo."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from branching import made_up, other_answer
from explorer_tab import Server, Tab, ended, wait_for

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.counterfactual.interim import plan_at
from layertie_lab.counterfactual.judging import verdicts_of_run
from layertie_lab.counterfactual.questions import question, spec_about, state
from layertie_lab.counterfactual.spec import StudyChoices
from layertie_lab.counterfactual.study import Study
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.state.checkpoints import list_checkpoints, load_checkpoint

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "data" / "examples" / "found-four-owners"
TINY = "scale=tiny&threads=1&decisions=100000&seed=3"
Visit = Callable[..., Tab]


def paused(visit: Visit, query: str = TINY, decisions: int = 6) -> Tab:
    """A page with a run that waits for an answer, and the tab open."""
    tab = visit(query)
    tab.start()
    tab.until("running", "finished")
    wait_for(lambda: tab.decisions >= decisions, 60, "some decisions")
    tab.pause()
    tab.tab("Did it matter?")
    form(tab).wait_for(timeout=10_000)
    return tab


def form(tab: Tab):
    return tab.page.locator(".ll-hypothesis")


def sentence(tab: Tab) -> str:
    return form(tab).locator(".ll-sentence").inner_text()


def overrule(tab: Tab) -> None:
    """Answer until one answer is not the agent's."""
    for _ in range(8):
        before = tab.decisions
        proposed = tab.steer.locator(".ll-opinion").inner_text()
        layer = int(tab.map.get_attribute("data-hand") or 0)
        source = 0 if "own" in proposed else layer
        if f"layer {source}" in proposed:
            source = layer
        tab.map.locator(f"g[data-layer='{source}'][data-legal]").click()
        wait_for(lambda: tab.decisions > before, 20, "the answer")  # noqa: B023
        if tab.steer.locator(".ll-hint").inner_text():
            return
        wait_for(lambda: tab.answers() > 0, 20, "the next proposal")
    raise AssertionError("no answer was an override")


def press(tab: Tab, kind: str) -> None:
    form(tab).locator(f"[data-press={kind}]").click()


def fill(tab: Tab, field: str, value: str) -> None:
    form(tab).locator(f"[data-field={field}]").fill(value)


def choose(tab: Tab, field: str, value: str) -> None:
    """Choose in a list; what is folded away is unfolded first, as a person has to."""
    select = form(tab).locator(f"[data-field={field}]")
    if not select.is_visible():
        form(tab).locator(".ll-fold > summary").click()
    select.select_option(value)


def expect(tab: Tab, expected: str = "worse") -> None:
    """Say what is expected: nobody's expectation is chosen for them."""
    choose(tab, "expected", expected)


def small_print(tab: Tab) -> str:
    fine = form(tab).locator(".ll-fine")
    if fine.get_attribute("open") is None:
        fine.locator("> summary").click()
    return fine.locator(".ll-words").inner_text()


def weights(path: Path) -> str:
    """A digest of the run as it was last saved."""
    tensors = load_checkpoint(RunDirectory.open(path)).tensors
    return hashlib.sha256(b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))).hexdigest()


def save(tab: Tab, path: Path) -> str:
    before = max(info.sequence for info in list_checkpoints(RunDirectory.open(path)))
    tab.steer.get_by_role("button", name="Save").click()
    wait_for(
        lambda: max(info.sequence for info in list_checkpoints(RunDirectory.open(path))) > before, 10, "a checkpoint"
    )
    return weights(path)


def test_from_an_override_to_a_verdict_and_a_cancel(visit: Visit, server: Server) -> None:
    tab = paused(visit)
    clicks = 4  # Start, Pause, the answer, the tab
    overrule(tab)
    assert re.match(r"Did decision \d+ \(layer \d\) matter\?", tab.steer.locator(".ll-hint").inner_text())
    wait_for(lambda: "Say what you expect" in sentence(tab), 10, "the offer")
    wait_for(lambda: "you: " in chosen(tab), 10, "the override as the decision that is asked about")
    path = server.runs / tab.run
    wait_for(lambda: tab.answers() > 0, 20, "the next proposal")
    before = save(tab, path)
    fill(tab, "horizon", "12")
    expect(tab)
    press(tab, "state")
    clicks += 2
    wait_for(lambda: form(tab).get_attribute("data-busy") == "true", 10, "the twins")
    wait_for(lambda: form(tab).get_attribute("data-busy") == "false", 120, "the end of the twins")
    (study,) = Study.all_of(path)[0]
    assert study.spec.primary
    outcome = form(tab).get_attribute("data-outcome") or ""
    assert outcome in ("better", "worse", "no difference that matters", "not decided yet", "not decided")
    assert clicks <= 12
    assert outcome in form(tab).locator(".ll-outcome").inner_text()
    assert form(tab).locator(".ll-headline").inner_text()
    words = small_print(tab)
    assert study.spec.statement in words
    assert "horizon 12 steps" in words
    assert tab.page.locator(".ll-charts [data-panel='The difference over the horizon'] canvas").count() == 1
    row = tab.page.locator(f"tr[data-study='{study.name}']")
    wait_for(lambda: row.get_attribute("data-outcome") == outcome, 10, "the list")
    assert row.locator(".ll-replicates").inner_text() == str(len(study.replicates()))
    # A second one, cancelled half-way.
    fill(tab, "horizon", "300")
    press(tab, "state")
    wait_for(lambda: "replicates" in sentence(tab), 30, "its progress")
    wait_for(lambda: tab.page.locator(".ll-hypothesis progress").get_attribute("value") is not None, 30, "its share")
    # The list counts along, and does not say 0 of a study whose replicates come in.
    counted = tab.page.locator("tr[data-study='study-002'] .ll-replicates")
    wait_for(lambda: not sentence(tab).startswith("0 of"), 60, "its first replicate")
    wait_for(lambda: int(counted.inner_text()) >= 1, 5, "the count in the list")
    assert form(tab).get_attribute("data-busy") == "true"
    press(tab, "cancel")
    wait_for(lambda: "Cancelled" in sentence(tab), 10, "the cancel")
    wait_for(lambda: tab.page.locator("tr[data-study='study-002'] button", has_text="Go on").count() == 1, 10, "Go on")
    assert "2 hypotheses" in tab.page.locator(".ll-studies > .ll-note").last.inner_text()
    # The trunk has not moved, and goes on.
    assert save(tab, path) == before
    step = tab.decisions
    tab.step()
    wait_for(lambda: tab.decisions > step, 20, "the trunk to go on")


def chosen(tab: Tab) -> str:
    select = form(tab).locator("[data-field=moment]")
    return select.evaluate("e => e.selectedOptions[0]?.textContent ?? ''")


def test_the_decision_at_hand_can_be_asked_about_while_the_trunk_goes_on(visit: Visit, server: Server) -> None:
    tab = paused(visit)
    wait_for(lambda: "at hand" in chosen(tab), 10, "the decision at hand")
    fill(tab, "horizon", "40")
    press(tab, "explore")
    wait_for(lambda: "replicates" in sentence(tab), 30, "progress")
    before = tab.decisions
    tab.toggle()
    wait_for(lambda: tab.decisions > before + 5, 60, "the trunk to go on meanwhile")
    press(tab, "cancel")
    wait_for(lambda: "Cancelled" in sentence(tab), 10, "the cancel")
    studies, _ = Study.all_of(server.runs / tab.run)
    assert not studies[0].spec.primary


def test_what_is_wrong_stands_beside_its_field(visit: Visit, server: Server) -> None:
    tab = paused(visit)
    expect(tab)
    for field, value, words in (
        ("horizon", "0", "horizon to be between 1 and"),
        ("horizon", "soon", "horizon to be a whole number"),
        ("statement", " ", "a hypothesis in a sentence"),
    ):
        before = form(tab).locator(f"[data-field={field}]").input_value()
        fill(tab, field, value)
        press(tab, "state")
        wrong = form(tab).locator(f".ll-field[data-name={field}] .ll-wrong")
        wait_for(lambda: words in wrong.inner_text(), 10, words)  # noqa: B023
        fill(tab, field, before)
    assert Study.all_of(server.runs / tab.run)[0] == []


def test_branches_are_a_tree_that_can_be_opened_and_undone(visit: Visit, server: Server) -> None:
    tab = paused(visit)
    trunk, decisions = tab.run, tab.decisions
    tree = tab.page.locator(".ll-tree")
    tree.get_by_role("button", name="Branch here").click()
    wait_for(lambda: "branch-001 is made" in tree.locator(".ll-sentence").inner_text(), 20, "the branch")
    wait_for(lambda: tree.locator("g[data-run='branch-001']").count() == 1, 10, "its line")
    assert tab.run == trunk
    tree.locator("g[data-run='branch-001']").click()
    wait_for(lambda: tab.run == "branch-001", 20, "the branch on the page")
    assert f"run={trunk}%2Fbranches%2Fbranch-001" in tab.query or f"run={trunk}/branches/branch-001" in tab.query
    tab.step()
    wait_for(lambda: tab.decisions == decisions + 1, 30, "a decision of the branch")
    wait_for(lambda: tab.answers() > 0, 20, "the next proposal")
    tree.get_by_role("button", name="Undo the last decision").click()
    wait_for(lambda: tab.run == "branch-002", 30, "the branch from before")
    wait_for(lambda: tree.get_attribute("data-runs") == "3", 10, "the tree")
    assert f"The page now shows branch-002, a new branch, from before decision {decisions + 1}." in (
        tree.locator(".ll-sentence").inner_text()
    )
    tab.step()
    wait_for(lambda: tab.decisions == decisions + 1, 60, "another decision in its place")
    # And back to the trunk.
    tree.locator(f"g[data-run='{trunk}']").click()
    wait_for(lambda: tab.run == trunk, 20, "the trunk")


def test_another_page_on_the_run_says_what_this_one_runs_and_can_start_its_own(visit: Visit, server: Server) -> None:
    tab = paused(visit)
    overrule(tab)
    other = visit(f"run={tab.run}")
    other.tab("Did it matter?")
    asked = other.steer.locator(".ll-hint")
    wait_for(lambda: "matter? I expect it to be" in asked.inner_text(), 30, "what is asked there too")
    assert asked.inner_text() == tab.steer.locator(".ll-hint").inner_text()
    wait_for(lambda: "you: " in chosen(tab), 20, "the override as the decision that is asked about")
    fill(tab, "horizon", "3000")
    expect(tab)
    press(tab, "state")
    said = form(other).locator(".ll-elsewhere")
    wait_for(lambda: "study-001" in said.inner_text(), 60, "the study of the first page")
    row = other.page.locator("tr[data-study='study-001']")
    wait_for(lambda: row.locator(".ll-outcome").inner_text() == "running", 20, "the study in the list")
    for each in (tab, other):
        wait_for(lambda: not each.steer.locator(".ll-hint").inner_text(), 20, "the question to go")  # noqa: B023
    assert form(tab).locator(".ll-elsewhere").inner_text() == ""
    fill(other, "horizon", "3000")
    press(other, "explore")
    wait_for(lambda: "study-002" in form(tab).locator(".ll-elsewhere").inner_text(), 60, "the second page's study")
    press(tab, "cancel")
    press(other, "cancel")
    wait_for(lambda: not said.inner_text(), 30, "their end")
    assert [study.name for study in Study.all_of(server.runs / tab.run)[0]] == ["study-001", "study-002"]


def test_closing_the_page_ends_the_twins(visit: Visit, server: Server) -> None:
    import psutil

    tab = paused(visit)
    wait_for(lambda: "at hand" in chosen(tab), 10, "the decision at hand")
    fill(tab, "horizon", "3000")
    press(tab, "explore")

    def twins() -> list[psutil.Process]:
        family = psutil.Process(server.process.pid).children(recursive=True)
        return [child for child in family if "layertie_lab.counterfactual.replicates" in " ".join(child.cmdline())]

    wait_for(twins, 30, "the twins' processes")
    found = twins()
    tab.start()  # another run on the page
    wait_for(lambda: all(ended(child) for child in found), 20, "their end")


def test_several_layers_are_answered_for_with_a_brush(visit: Visit, server: Server) -> None:
    tab = paused(visit, f"{TINY}&layers=8")
    first = tab.map.locator("g.ll-block[data-layer='2']")
    last = tab.map.locator("g.ll-block[data-layer='4']")
    first.hover()
    tab.page.mouse.down()
    last.hover()
    tab.page.mouse.up()
    brush = tab.map.locator(".ll-brush")
    wait_for(lambda: "Layers 2 to 4" in brush.inner_text(), 5, "the layers that were brushed")
    brush.locator("select").select_option("1")
    before = tab.decisions
    brush.get_by_role("button", name="Act when asked").click()
    wait_for(lambda: tab.map.get_attribute("data-ahead") == "2 3 4", 10, "the actions that wait")
    wait_for(lambda: tab.map.get_attribute("data-ahead") == "", 60, "their turns")
    tab.until("paused")
    decisions = load_run(server.runs / tab.run).decisions
    mine = decisions.filter(pl.col("by") == "human").filter(pl.col("decision") > before)
    assert sorted(zip(mine["layer"], mine["choice"], strict=True)) == [(2, 1), (3, 1), (4, 1)]


def test_rules_mask_the_answers_of_agent_and_person(visit: Visit, server: Server) -> None:
    tab = paused(visit)
    tab.tab("Rules")
    rules = tab.page.locator(".ll-rules")
    rules.locator("[data-rule=independent]").fill("nonsense")
    rules.get_by_role("button", name="Apply").click()
    wait_for(lambda: "whole numbers" in rules.locator(".ll-hint").first.inner_text(), 10, "the refusal")
    # What the run itself refuses is said in the words of the form, and not in those of the command line.
    rules.locator("[data-rule=independent]").fill("2")
    rules.locator("[data-rule=locked]").fill("2")
    rules.get_by_role("button", name="Apply").click()
    wait_for(lambda: "leave none" in rules.inner_text(), 10, "the refusal of rules that contradict each other")
    assert "always on its own: layer 2; layer 2 keeps its source" in rules.inner_text()
    assert "independent=" not in tab.page.locator("body").inner_text()
    rules.locator("[data-rule=locked]").fill("")
    rules.locator("[data-rule=independent]").fill("")
    rules.locator("[data-rule=neighbours]").check()
    rules.get_by_role("button", name="Apply").click()
    wait_for(lambda: "to the one before it only" in rules.locator(".ll-in-force").inner_text(), 10, "the rule")
    wait_for(lambda: 0 < tab.answers() <= 2, 10, "the mask on the tie map")
    tab.run_some(6)
    before = tab.decisions
    wait_for(lambda: tab.decisions >= before, 30, "decisions by the rules")
    tab.until("paused")
    recorded = load_run(server.runs / tab.run)
    late = recorded.decisions.tail(3)
    assert all(choice >= layer - 1 for layer, choice in zip(late["layer"], late["choice"], strict=True))


def test_a_reloaded_page_finds_its_study_stopped_and_goes_on_with_it(visit: Visit, server: Server) -> None:
    tab = paused(visit)
    wait_for(lambda: "at hand" in chosen(tab), 10, "the decision at hand")
    fill(tab, "horizon", "100")
    expect(tab)
    press(tab, "state")
    wait_for(lambda: "replicates" in sentence(tab), 60, "progress")
    tab.page.reload()
    tab.steer.wait_for(timeout=30_000)
    tab.tab("Did it matter?")
    go_on = tab.page.locator("tr[data-study='study-001'] button", has_text="Go on")
    wait_for(lambda: go_on.count() == 1, 30, "the study in the list, stopped")
    go_on.click()
    wait_for(lambda: "replicates" in sentence(tab), 60, "its progress again")
    press(tab, "cancel")
    wait_for(lambda: "Cancelled" in sentence(tab), 10, "the cancel")


def test_a_cancel_while_it_is_being_stated_counts(visit: Visit) -> None:
    tab = paused(visit)
    wait_for(lambda: "at hand" in chosen(tab), 10, "the decision at hand")
    fill(tab, "horizon", "3000")
    press(tab, "explore")
    press(tab, "cancel")
    wait_for(lambda: "Cancelled" in sentence(tab), 20, "the cancel")
    wait_for(lambda: form(tab).get_attribute("data-busy") == "false", 10, "the end")


def test_nobodys_expectation_is_chosen_for_them(visit: Visit, server: Server) -> None:
    tab = paused(visit)
    wait_for(lambda: "at hand" in chosen(tab), 10, "the decision at hand")
    assert form(tab).locator("[data-field=expected]").input_value() == ""
    assert form(tab).locator("[data-field=statement]").input_value() == ""
    press(tab, "state")
    wrong = form(tab).locator(".ll-field[data-name=expected] .ll-wrong")
    wait_for(lambda: wrong.inner_text().startswith("Choose what you expect"), 10, "what is missing")
    assert sentence(tab) == "The study was not started; see beside the fields."
    assert Study.all_of(server.runs / tab.run)[0] == []
    for expected, words in (("worse", "is worse than"), ("better", "is better than")):
        expect(tab, expected)
        assert words in form(tab).locator("[data-field=statement]").input_value()


@pytest.fixture
def used_up(server: Server) -> Path:
    """A run with a study whose plan of 4 and 8 replicates is used up without a verdict."""
    path = server.runs / "used-up"
    with Session(RunConfig.preset("tiny", decisions=60, seed=3), path) as session:
        session.run(4)
        session.save("decision-00005")
        action = other_answer(session)
        session.run(1)
    found = question(path, 5)
    choices = StudyChoices(statement="It matters.", horizon=400, smallest_difference=0.0)
    study = state(path, spec_about(found, action, path, choices, plan=plan_at((4, 8))), found)
    made_up(study, [0.01, -0.01, 0.012, -0.008, 0.02, -0.015, 0.003, 0.006])
    return path


def test_after_a_plan_that_was_used_up_it_is_made_longer_or_asked_anew(visit: Visit, used_up: Path) -> None:
    tab = visit("run=used-up")
    tab.tab("Did it matter?")
    row = tab.page.locator("tr[data-study=study-001]")
    row.get_by_role("button", name="study-001").click()
    offers = form(tab).locator(".ll-offers")
    wait_for(lambda: offers.locator("[data-press]").count() == 3, 30, "what is honest now")
    assert "not decided yet" in form(tab).locator(".ll-outcome").inner_text()
    assert "This plan can be extended, by one analysis at 16 replicates" in offers.inner_text()
    said: list[str] = []

    def listed() -> int:
        said.extend((form(tab).inner_text(), tab.page.locator(".ll-studies").inner_text()))
        return int(row.locator(".ll-replicates").inner_text())

    # A new hypothesis is filled in, for the person to say what they expect.
    offers.locator("[data-press=fresh]").click()
    wait_for(lambda: "The form is filled in" in sentence(tab), 20, "the form")
    assert form(tab).locator("[data-field=expected]").input_value() == ""
    assert form(tab).locator("[data-field=horizon]").input_value() == "400"
    row.get_by_role("button", name="study-001").click()
    wait_for(lambda: offers.locator("[data-press=extend]").count() == 1, 30, "the offer again")
    offers.locator("[data-press=extend]").click()
    wait_for(lambda: form(tab).get_attribute("data-busy") == "true" and listed() > 8, 120, "R to grow")
    (study,) = Study.all_of(used_up)[0]
    assert study.spec.replicates == 16
    came = len(study.replicates())
    assert came - 2 <= listed() <= came + 2  # they go on coming
    press(tab, "cancel")
    wait_for(lambda: "Cancelled" in sentence(tab), 20, "the cancel")
    wait_for(lambda: listed() == len(Study.all_of(used_up)[0][0].replicates()), 20, "its R")
    # One that has only just begun is listed with as many as have come, and in English.
    expect(tab, "worse")
    press(tab, "explore")
    row = tab.page.locator("tr[data-study=study-002]")
    wait_for(lambda: row.count() == 1 and listed() > 0, 120, "its first replicate")
    press(tab, "cancel")
    wait_for(lambda: "Cancelled" in sentence(tab), 20, "the cancel")
    second = Study.all_of(used_up)[0][1]
    wait_for(lambda: listed() == len(second.replicates()), 20, "its R")
    assert not [words for words in said if re.search(r"\b1 replicates", words)]


def test_a_study_that_is_kept_opens_without_a_network(visit: Visit, browser: Any, tmp_path: Path) -> None:
    tab = visit("run=found-four-owners")
    tab.tab("Did it matter?")
    headline = form(tab).locator(".ll-headline")
    headline.wait_for(timeout=30_000)
    with tab.page.expect_download() as download:
        form(tab).locator("[data-keep=html]").click()
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)
    assert kept.name == "found-four-owners-study-001.html"
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.goto(kept.as_uri())
    page.locator("canvas, svg").first.wait_for(timeout=30_000)
    page.wait_for_load_state("networkidle")
    words = page.locator("body").inner_text()
    (study,) = Study.all_of(EXAMPLE)[0]
    verdict = verdicts_of_run([study])[study.name]
    assert verdict is not None
    assert headline.inner_text() in words
    assert study.spec.statement in words
    assert verdict.outcome in words
    assert study.stated_at[:10] in words
    assert not re.search(r"\b1 replicates", words)
    assert page.locator("canvas, svg").count() >= 3
    assert asked
    assert not [url for url in asked if not url.startswith(("file://", "data:", "blob:"))]
    assert complaints == []
    context.close()
