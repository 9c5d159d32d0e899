"""The explorer in headless Chromium, behind a real `marimo run`, with real training: `pytest -m browser`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from explorer_tab import Server, Tab, ended, telemetry, wait_for

from layertie_lab import RunConfig, load_run
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.labels import Label, read_label

pytestmark = pytest.mark.browser

TINY = "scale=tiny&threads=1"
Visit = Callable[..., Tab]


def started(visit: Visit, query: str = "", decisions: int = 100_000) -> Tab:
    """A page with a run that goes on."""
    tab = visit(f"{TINY}&decisions={decisions}&{query}")
    tab.start()
    tab.until("running", "finished")
    wait_for(lambda: tab.decisions >= 1, 30, "the first decision")
    return tab


def test_the_first_page_has_something_to_look_at(visit: Visit) -> None:
    tab = visit()
    wait_for(lambda: tab.rows > 500, 10, "the recorded example in the charts")
    assert tab.run == "found-four-owners"
    assert "recorded example" in tab.words
    assert tab.map.locator("g.ll-block").count() == 12
    assert tab.page.locator("h1").inner_text() == "Layer tying explorer"
    # A projector shows the map, the steering and the charts at once, and nothing is scrolled.
    assert tab.charts.locator("canvas:visible").count() == 4
    foot = tab.page.locator(".ll-foot").bounding_box()
    assert foot is not None
    ends = {768: (tab.map, tab.steer), foot["y"]: (tab.charts.locator("canvas:visible").last,)}
    for end, parts in ends.items():
        for part in parts:
            box = part.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= end
    assert tab.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert tab.page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")
    tab.tab("Decisions")
    wait_for(lambda: tab.table.locator("tbody tr").count() == 200, 5, "its decisions")


def test_a_run_from_start_to_finish(visit: Visit, server: Server) -> None:
    tab = visit(f"{TINY}&decisions=100000&seed=4")
    wait_for(lambda: tab.rows > 500, 20, "the recorded example in the charts")
    example, before = tab.run, tab.rows
    start = time.monotonic()
    tab.start()
    tab.until("running", "finished")
    wait_for(lambda: tab.run != example, 60, "the run's own name")
    wait_for(lambda: 0 < tab.rows != before and tab.decisions > 0, 60, "the loss to move")
    print(f"from Start to the first decision on the page: {time.monotonic() - start:.2f} s")
    assert "seed=4" in tab.query
    assert f"run={tab.run}" in tab.query

    tab.pause()
    # The decision under way may have come to its end after the panel's last word.
    logged = server.runs / tab.run
    wait_for(lambda: tab.decisions == load_run(logged).decisions.height, 15, "the page to show what is logged")
    done = tab.decisions
    tab.step()
    wait_for(lambda: tab.decisions == done + 1 and tab.answers(), 15, "one more decision")

    # In the agent's place: by a click on the tie map, which is then marked as a person's everywhere.
    proposed = int(tab.steer.locator("button[data-proposed]").get_attribute("data-source") or -1)
    other = next(n for n in range(tab.answers()) if n != proposed)
    tab.map.locator(f"g[data-layer='{other}']").click()
    wait_for(lambda: tab.decisions == done + 2 and tab.answers(), 15, "the override by the map")
    assert tab.map.locator("path.ll-override:visible").count() >= 1
    tab.tab("Decisions")
    row = tab.table.locator(f"tr[data-decision='{done + 2}']")
    row.wait_for()
    assert "a person" in row.inner_text()
    assert "override" in row.inner_text()

    # By a button.
    source = tab.steer.locator(".ll-answer").first.get_attribute("data-source")
    tab.steer.locator(".ll-answer").first.click()
    wait_for(lambda: tab.decisions == done + 3 and tab.answers(), 15, "the answer by a button")

    tab.run_some(30)
    wait_for(lambda: tab.decisions == done + 33, 30, "30 decisions")
    tab.until("paused")
    decisions = load_run(server.runs / tab.run).decisions
    assert decisions["by"].to_list()[done : done + 4] == ["agent", "human", "human", "agent"]
    assert decisions["choice"][done + 1] == other
    assert decisions["choice"][done + 2] == int(source or -1)
    assert decisions["decision"].to_list() == list(range(1, done + 34))


def test_hovering_a_chart_points_at_the_same_place_in_all(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    wait_for(lambda: tab.rows > 500, 10, "the recorded example")
    tab.charts.locator("canvas").first.hover(position={"x": 220, "y": 150})
    wait_for(lambda: tab.charts.get_attribute("data-hovered") not in (None, ""), 5, "the hovered step")
    tab.page.mouse.move(5, 5)
    wait_for(lambda: tab.charts.get_attribute("data-hovered") in (None, ""), 5, "nothing hovered")


def test_a_reload_finds_the_run_with_no_step_lost_or_doubled(visit: Visit, server: Server) -> None:
    tab = started(visit, "seed=5")
    run = tab.run
    for _ in range(2):
        before = tab.decisions
        tab.page.reload()
        tab.steer.wait_for(timeout=60_000)
        wait_for(lambda: tab.run == run, 20, "the same run")
        wait_for(lambda seen=before: tab.decisions > seen, 30, "the run to go on")
    # By the same process where the page was back in time, else by another one that went on where the first was saved.
    assert server.worker(run) is not None
    tab.pause()
    seen = tab.decisions
    recorded = load_run(server.runs / run)
    assert recorded.decisions["decision"].to_list() == list(range(1, recorded.decisions.height + 1))
    assert recorded.steps["step"].to_list() == list(range(1, recorded.steps.height + 1))
    assert recorded.decisions.height == seen
    # The charts have every row, too, once. An evaluation after the last decision may still be on its way to both.

    def logged() -> int:
        run_now = load_run(server.runs / run)
        return sum(run_now.table(name).height for name in ("steps", "evaluations", "decisions", "memory")) + 1

    assert logged() < 4_000, "a longer run is thinned"
    wait_for(lambda: tab.rows == logged(), 20, f"{logged()} rows in the charts, where there are {tab.rows}")


def test_a_page_that_takes_long_to_come_back_finds_its_run_going_on(browser: Any, tmp_path: Path) -> None:
    # A page's last word may be dropped by its browser; this server notices the closed connection as well.
    with Server(tmp_path, guarded=["--no-token"]) as server:
        tab = Tab(browser, server.address, f"{TINY}&decisions=100000&seed=14")
        tab.start()
        wait_for(lambda: tab.decisions > 0, 60, "the first decision")
        run, link, worker = tab.run, tab.query, server.worker(tab.run)
        assert worker is not None
        tab.page.goto("about:blank")
        wait_for(lambda: ended(worker), 60, "the worker to be saved and ended")
        done = load_run(server.runs / run).decisions.height
        tab.page.goto(f"{server.address}/?{link}")
        tab.steer.wait_for(timeout=60_000)
        wait_for(lambda: tab.run == run and tab.decisions > done, 60, "the run to go on")
        tab.pause()
        recorded = load_run(server.runs / run)
        assert recorded.steps["step"].to_list() == list(range(1, recorded.steps.height + 1))
        tab.close()
        assert not tab.complaints
        assert not tab.elsewhere


def test_a_finished_run_is_opened_and_gone_on_with(visit: Visit, server: Server) -> None:
    tab = started(visit, "seed=6", decisions=12)
    run = tab.run
    tab.until("finished", seconds=40)
    tab.close()
    wait_for(lambda: not RunDirectory.open(server.runs / run).running, 10, "the closed tab's worker to end")

    other = visit()
    other.open(run)
    other.until("finished")
    wait_for(lambda: "Finished after 12 decisions" in other.words, 5, "its sentence")
    assert other.decisions == 12
    assert other.setup.locator("input[data-path='seed']").input_value() == "6"
    other.run_some(3)
    wait_for(lambda: other.decisions == 15, 40, "three more decisions")
    recorded = load_run(server.runs / run)
    assert recorded.decisions.height == 15
    assert [entry["resumed"] for entry in recorded.telemetry("process")] == [False, True]


def test_a_pause_past_the_budget_is_shown_as_what_it_is(visit: Visit) -> None:
    tab = started(visit, "seed=16", decisions=4)
    tab.until("finished", seconds=40)
    tab.run_some(100_000)
    wait_for(lambda: tab.decisions > 6, 40, "decisions past the budget")
    tab.toggle()
    tab.until("finished")
    assert "Finished" in tab.words
    toggle = tab.steer.locator(".ll-toggle")
    assert (toggle.inner_text(), toggle.get_attribute("aria-disabled")) == ("Run", "true")
    before = tab.decisions
    tab.step()
    wait_for(lambda: tab.decisions == before + 1, 20, "one more decision")
    tab.until("finished")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["closed", "killed"])
def test_a_server_that_is_gone_is_told_of(browser: Any, tmp_path: Path, how: signal.Signals) -> None:
    with Server(tmp_path) as server:
        tab = Tab(browser, server.address, f"{TINY}&decisions=100000")
        tab.start()
        tab.until("running")
        wait_for(lambda: tab.decisions >= 1, 30, "the first decision")
        run = server.runs / tab.run
        server.process.send_signal(how)
        tab.until("silent")
        assert "The server does not answer" in tab.words
        assert "What was trained is saved" in tab.words
        assert "start it again and reload this page" in tab.words
        assert tab.steer.locator(".ll-controls button[aria-disabled='false']").count() == 0
        wait_for(lambda: not RunDirectory.open(run).running, 20, "the run to be saved")
        recorded = load_run(run)
        assert recorded.status == "stopped"
        assert recorded.decisions.height >= 1
        tab.close()


def test_a_server_that_was_only_busy_is_heard_again(visit: Visit, server: Server) -> None:
    tab = started(visit, "seed=17")
    server.process.send_signal(signal.SIGSTOP)
    try:
        tab.until("silent")
    finally:
        server.process.send_signal(signal.SIGCONT)
    tab.until("running")
    before = tab.decisions
    wait_for(lambda: tab.decisions > before, 20, "the run to go on")
    tab.pause()


def test_bad_settings_are_told_at_their_field(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    tab.new_run()
    tab.group("model")
    tab.set("model.heads", "5")
    wrong = tab.setup.locator(".ll-field[data-wrong] .ll-wrong")
    wrong.wait_for()
    assert "divides the width 64" in wrong.inner_text()
    assert tab.setup.locator(".ll-start").get_attribute("aria-disabled") == "true"
    tab.set("model.heads", "8")
    wrong.wait_for(state="detached")
    assert "heads=8" in tab.query

    tab.setup.locator("select[data-path='text.corpus']").select_option(label="another: a path, or hf:NAME")
    tab.set("text.corpus", "wikitxt-2")
    # A text is read before Start, which waits for one that can be.
    wait_for(lambda: "Did you mean wikitext-2" in tab.setup.inner_text(), 30, "which text may be meant")
    wait_for(lambda: tab.setup.locator(".ll-start").get_attribute("aria-disabled") == "true", 10, "Start to wait")


def test_a_run_is_named_noted_on_and_found_again(visit: Visit, server: Server) -> None:
    made = server.runs / "to-be-named"
    RunDirectory.create(made, RunConfig.preset("tiny", seed=3)).unlock()
    tab = visit(f"run={made.name}")
    wait_for(lambda: tab.runs.locator(".ll-name").first.inner_text() == "lab, tiny, pydoc, seed 3", 10, "what it is")
    tab.runs.get_by_role("button", name="Name", exact=True).click()
    tab.runs.get_by_label("Name of this run").fill("The <b>one</b> for class")
    tab.runs.get_by_label("Note").fill("Split at 10.")
    tab.runs.get_by_role("button", name="Keep").click()
    tab.runs.locator(".ll-label").wait_for(state="hidden")
    name = tab.runs.locator(".ll-name").first
    wait_for(lambda: name.inner_text() == "The <b>one</b> for class", 10, "its new name")
    assert read_label(made) == Label("The <b>one</b> for class", "Split at 10.")
    tab.runs.get_by_role("button", name="Open a run").click()
    row = tab.runs.locator(f"button[data-run='{made.name}']")
    row.wait_for()
    for words in ("The <b>one</b> for class", "Split at 10.", "lab", "pydoc", "stopped"):
        assert words in row.inner_text()
    tab.runs.get_by_role("button", name="Sort by Seed").click()

    def seeds() -> list[str]:
        return [each for each in tab.runs.locator("button.ll-run .ll-seed").all_inner_texts() if each]

    wait_for(lambda: seeds() == sorted(seeds(), key=int), 10, "the list by seed")
    up = seeds()
    tab.runs.get_by_role("button", name="Sort by Seed").click()
    wait_for(lambda: seeds() == up[::-1], 10, "the list by seed, downwards")


def test_a_correction_and_start_in_one_movement(visit: Visit) -> None:
    tab = visit("run=laptop-lab&scale=tiny")
    tab.new_run()
    tab.group("model")
    tab.set("model.heads", "5")
    tab.setup.locator(".ll-field[data-wrong] .ll-wrong").wait_for()
    before = tab.run
    tab.setup.locator("input[data-path='model.heads']").fill("4")
    tab.setup.locator(".ll-start").click()
    wait_for(lambda: tab.run != before, 20, "the corrected run")
    tab.until("running", "finished")


def test_what_is_typed_is_not_lost_to_the_answer_of_an_earlier_change(visit: Visit) -> None:
    tab = visit("scale=tiny")
    tab.new_run()
    seed, scale = tab.setup.locator("input[data-path='seed']"), tab.setup.locator("select[data-path='scale']")
    for name, typed in (("laptop", "4321"), ("tiny", "7654"), ("workstation", "135"), ("tiny", "2468")):
        scale.select_option(name)
        seed.fill("")
        # The page's answer to the new scale comes while this is typed.
        seed.press_sequentially(typed, delay=30)
        wait_for(lambda typed=typed: f"seed={typed}" in tab.query, 10, f"seed {typed}; it is {seed.input_value()}")
        assert seed.input_value() == typed


def test_no_run_of_no_decisions(visit: Visit) -> None:
    tab = visit("scale=tiny&decisions=1000000")
    tab.start()
    tab.until("running")
    tab.pause()
    time.sleep(0.5)  # the count is shown at most ten times a second
    done = tab.decisions
    for typed in ("0", "-5", "1.5", ""):
        tab.run_some(typed)
        assert tab.steer.locator(".ll-count input:invalid").count() == 1
    assert (tab.status, tab.decisions) == ("paused", done)


def test_a_text_that_is_too_short_fails_in_a_sentence(visit: Visit, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("far too short")
    tab = visit(f"{TINY}&corpus={short}")
    tab.new_run()
    wrong = tab.setup.locator("[data-setting='text.corpus'] .ll-wrong")
    wait_for(lambda: "Expected at least 33 tokens" in wrong.inner_text(), 20, "the sentence, before there is a run")
    assert tab.setup.locator(".ll-start").get_attribute("aria-disabled") == "true"
    # One that becomes too short while the form stands is told of by its run.
    long = tmp_path / "long.txt"
    long.write_text("words enough for a run of theirs\n" * 100)
    other = visit(f"{TINY}&corpus={long}")
    other.new_run()
    other.setup.locator(".ll-preview .ll-known").wait_for(timeout=20_000)
    long.write_text("far too short")
    other.setup.locator(".ll-start").click()
    other.until("failed", seconds=40)
    assert "Traceback" not in other.page.locator("body").inner_text()
    wait_for(lambda: "Expected at least 33 tokens" in other.steer.locator(".ll-error").inner_text(), 5, "the sentence")
    assert "could not start" in other.setup.locator(".ll-note").inner_text()


def test_a_folder_that_cannot_be_written_is_told_beside_the_button(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with Server(tmp_path, runs=tmp_path / "file" / "runs") as server:
        tab = Tab(browser, server.address, TINY)
        tab.new_run()
        tab.setup.locator(".ll-start").click()
        note = tab.setup.locator(".ll-note[data-alarm]")
        note.wait_for()
        assert "a part of the path is a file" in note.inner_text()
        assert not tab.complaints
        tab.close()


def test_a_lost_worker_can_be_gone_on_with(visit: Visit, server: Server) -> None:
    tab = started(visit, "seed=7")
    worker = server.worker(tab.run)
    assert worker is not None
    worker.kill()
    tab.until("lost")
    assert "Step or Run goes on" in tab.words
    done = tab.decisions
    tab.step()
    wait_for(lambda: tab.status == "paused" and tab.decisions > done, 40, "a decision after the resume")
    recorded = load_run(server.runs / tab.run)
    assert recorded.decisions["decision"].to_list() == list(range(1, recorded.decisions.height + 1))


def test_an_empty_run_folder_has_its_own_words(visit: Visit, server: Server) -> None:
    server.runs.mkdir(parents=True, exist_ok=True)
    RunDirectory.create(server.runs / "empty", RunConfig.preset("tiny", seed=99)).unlock()
    tab = visit("run=empty")
    wait_for(lambda: tab.run == "empty", 10, "the empty run")
    assert "no decision yet" in tab.words
    assert tab.setup.locator("input[data-path='seed']").input_value() == "99"


def test_a_missing_run_and_a_strange_setting_in_a_link(visit: Visit) -> None:
    tab = visit("run=nowhere&scale=huge&seed=3")
    wait_for(lambda: "does not exist" in tab.runs.inner_text(), 10, "the sentence on the run")
    assert "'huge'" in tab.setup.locator(".ll-note").inner_text()
    assert tab.setup.locator("input[data-path='seed']").input_value() == "3"


def test_two_tabs_on_one_run_are_one_worker_and_two_runs_never_mix(visit: Visit, server: Server) -> None:
    one = started(visit, "seed=8")
    two = visit(f"run={one.run}")
    wait_for(lambda: two.run == one.run and two.decisions > 0, 20, "the run in the second tab")
    assert [entry["kind"] for entry in telemetry(server.runs / one.run)].count("process") == 1
    two.pause()
    one.until("paused")
    wait_for(lambda: one.decisions == two.decisions, 5, "the same count in both tabs")
    two.map.locator("g[data-legal]").first.click()
    wait_for(lambda: one.decisions == two.decisions, 5, "the answer in both tabs")

    three = started(visit, "seed=9")
    assert three.run != one.run
    still = one.decisions
    wait_for(lambda: three.decisions > still + 5, 30, "the third tab's run")
    assert one.decisions == still
    # One goes, the other keeps the worker.
    worker = server.worker(one.run)
    two.close()
    time.sleep(10)
    assert worker is not None
    assert not ended(worker)


def test_a_closed_tab_ends_its_worker_and_saves(visit: Visit, server: Server) -> None:
    tab = started(visit, "seed=10")
    worker = server.worker(tab.run)
    assert worker is not None
    run = tab.run
    tab.close()
    took = wait_for(lambda: ended(worker), 30, "the worker to end")
    print(f"worker gone {took:.2f} s after its tab was closed")
    recorded = load_run(server.runs / run)
    assert recorded.status == "stopped"
    assert recorded.telemetry("closed")
    assert recorded.checkpoints[-1].meta["step"] == recorded.steps["step"].max()


def test_a_kept_run_goes_on_without_its_tab(visit: Visit, server: Server) -> None:
    tab = started(visit, "seed=11")
    tab.steer.get_by_label("Keep running when I close this page").check()
    worker = server.worker(tab.run)
    assert worker is not None
    run, done = tab.run, tab.decisions
    time.sleep(0.5)
    tab.close()
    time.sleep(10)
    assert not ended(worker)
    again = visit(f"run={run}")
    wait_for(lambda: again.run == run and again.decisions > done, 20, "the run that went on")
    assert again.steer.get_by_label("Keep running when I close this page").is_checked()
    again.steer.get_by_label("Keep running when I close this page").uncheck()
    again.pause()


def test_a_hidden_tab_is_not_a_closed_one(visit: Visit, server: Server) -> None:
    tab = started(visit, "seed=12")
    front = tab.context.new_page()
    front.bring_to_front()
    done = telemetry(server.runs / tab.run)[-1].get("decision", 0)
    time.sleep(5)
    assert server.worker(tab.run) is not None
    assert telemetry(server.runs / tab.run)[-1].get("decision", 0) > done
    front.close()


def test_a_run_of_another_process_is_watched(visit: Visit, server: Server) -> None:
    program = (
        "import signal, sys; from layertie_lab import RunConfig, Session\n"
        # A shell's background jobs are begun with SIGINT ignored, and so are their children.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with Session(RunConfig.preset('tiny', decisions=100000, threads=1), sys.argv[1]) as session: session.run()"
    )
    path = server.runs / "elsewhere"
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        wait_for(lambda: path.exists() and any(e["kind"] == "timing" for e in telemetry(path)), 40, "its decisions")
        tab = visit("run=elsewhere")
        wait_for(lambda: tab.decisions > 3, 20, "its decisions on the page")
        assert tab.status == "running"
        seen = tab.decisions
        wait_for(lambda: tab.decisions > seen, 10, "more of them")
    finally:
        end_by_interrupt(process)
    tab.until("finished", "paused")


def end_by_interrupt(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a program until it ends: an interrupt that falls into a destructor is lost, by Python's own rule."""
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
            return
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()
    raise AssertionError("the program did not end by ten interrupts")


def test_decisions_can_be_sorted_and_downloaded(visit: Visit, tmp_path: Path) -> None:
    tab = visit("run=laptop-lab")
    tab.tab("Decisions")
    wait_for(lambda: tab.table.locator("tbody tr").count() == 200, 10, "the decisions")
    tab.table.get_by_role("button", name=re.compile("^Reward")).click()
    first = tab.table.locator("tbody tr").first
    with tab.page.expect_download() as waiting:
        tab.table.locator("button[data-format='parquet']").click()
    waiting.value.save_as(tmp_path / "decisions.parquet")
    frame = pl.read_parquet(tmp_path / "decisions.parquet")
    assert waiting.value.suggested_filename == "laptop-lab-decisions.parquet"
    assert frame.height == 200
    best = frame.sort("reward", descending=True).row(0, named=True)
    assert first.get_attribute("data-decision") == str(best["decision"])
    with tab.page.expect_download() as waiting:
        tab.table.locator("button[data-format='csv']").click()
    assert waiting.value.suggested_filename.endswith(".csv")


def test_a_run_is_audited_in_its_tab(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    wait_for(lambda: tab.rows > 500, 10, "the recorded example")
    tab.tab("Audit")
    panel = tab.page.locator(".ll-ask").first
    panel.locator("[data-ask='audit']").click()
    wait_for(lambda: "As of decision 200" in panel.inner_text(), 20, "the audit")
    cards = tab.page.locator(".ll-cards .ll-card")
    assert cards.count() == 11
    last = cards.last
    assert "selection of the best model" in last.inner_text()
    assert "not exhibited" in last.inner_text()
    cards.first.locator("summary", has_text="Show it").click()
    cards.first.locator("canvas").wait_for()
    with tab.page.expect_download() as waiting:
        tab.page.locator(".ll-ask:visible button[data-format='csv']").click()
    assert waiting.value.suggested_filename == "laptop-lab-audit.csv"


def test_a_doubter_finds_what_the_code_does_behind_a_door(visit: Visit) -> None:
    tab = visit(welcome=True)
    door = tab.page.get_by_role("button", name="Doubt it")
    if not door.is_visible():  # somebody has runs here already
        tab.page.get_by_role("button", name="Start here").click()
    door.click()
    marks = tab.page.locator(".ll-card .ll-mark[data-alarm]")
    wait_for(lambda: marks.count() >= 8, 30, "the cards")
    assert tab.run == "official-code"


def test_a_link_reproduces_the_settings(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    tab.new_run()
    tab.setup.locator("select[data-path='scale']").select_option("tiny")
    tab.set("seed", "21")
    tab.new_run()
    tab.group("ties")
    tab.setup.locator("select[data-path='ties.gradient']").select_option("owner")
    wait_for(lambda: all(part in tab.query for part in ("scale=tiny", "seed=21", "gradient=owner")), 5, "the link")
    link = "&".join(part for part in tab.query.split("&") if not part.startswith("run="))
    other = visit(link)
    wait_for(lambda: other.rows > 0, 10, "the page")
    assert settings(other) == settings(tab)
    assert settings(other)["ties.gradient"] == "owner"


def settings(tab: Tab) -> dict[str, str]:
    """What the form of a page holds."""
    fields = tab.setup.locator("[data-path]:not([hidden])")
    pairs = fields.evaluate_all(
        "all => all.map(e => [e.dataset.path, e.type === 'checkbox' ? `${e.checked}` : e.value])"
    )
    return dict(pairs)
