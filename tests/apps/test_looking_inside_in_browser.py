"""The tab "Look inside" in headless Chromium: every view, the scrubber, a probe text, cancelling; training goes on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from explorer_tab import Tab, wait_for

pytestmark = pytest.mark.browser

# An agent that moves: its map after ten decisions is not that at the end.
LAPTOP = "scale=laptop&threads=1&seed=5&policy=lab-1"
Visit = Callable[..., Tab]
PICTURES = {
    "Similarity": "What passes the layers (CKA)",
    "Attribution": "Loss without the layer",
    "Tokens": "If the model stopped after a layer",
    "What ties cost": "What every change of a tie would cost now",
    "Reasons": "If one tie were different",
    "Memory": "Which layer holds it",
}
"""A picture of each tab."""


def looking(visit: Visit, query: str = f"{LAPTOP}&decisions=60", decisions: int = 60) -> Tab:
    """A page with a run of so many decisions and the tab open."""
    tab = visit(query)
    tab.start()
    wait_for(lambda: tab.decisions >= decisions, 120, f"{decisions} decisions")
    tab.tab("Look inside")
    moment(tab).wait_for(timeout=10_000)
    return tab


def moment(tab: Tab):
    return tab.page.locator(".ll-time")


def probe(tab: Tab):
    return tab.page.locator(".ll-probe")


def panel(tab: Tab):
    return tab.page.locator(".ll-ask:visible").first


def wrote(tab: Tab) -> str:
    """What the model wrote, once there is something."""
    texts = tab.page.locator(".ll-written pre")
    return texts.first.inner_text() if texts.count() else ""


def shows(tab: Tab, decision: int) -> bool:
    """Whether what is shown is of the moment after a decision."""
    words = panel(tab).inner_text()
    # Reasons are about the moment before it.
    said = (f"One run, after decision {decision}", f"One run, before decision {decision}.")
    return any(sentence in words for sentence in said) and "Looking" not in words


def numbers(cells) -> list[float]:
    return [float(words.replace("\u2212", "-")) for words in cells.all_inner_texts()]


def at(tab: Tab) -> str:
    return moment(tab).get_attribute("data-decision") or ""


def go_to(tab: Tab, decision: int) -> float:
    """Scrub; seconds until the page shows that moment."""
    number = moment(tab).locator("input[type=number]")
    number.fill(str(decision))
    number.press("Enter")
    return wait_for(lambda: at(tab) == str(decision), 10, f"decision {decision}")


def picture(tab: Tab, title: str):
    return tab.page.locator(f'figure[data-panel="{title}"] canvas')


def pixels(tab: Tab, title: str) -> str:
    return str(picture(tab, title).evaluate("canvas => canvas.toDataURL()"))


def map_colours(tab: Tab) -> list[str]:
    blocks = tab.page.locator(".ll-map").nth(1).locator("rect.ll-body")
    return blocks.evaluate_all("blocks => blocks.map((block) => block.getAttribute('fill'))")


def test_every_tab_at_the_end_at_decision_10_and_back(visit: Visit) -> None:
    tab = looking(visit)
    tab.until("finished", seconds=60)
    wait_for(lambda: at(tab) == "60", 10, "the latest decision")
    at_60: dict[str, str] = {}
    for name, title in PICTURES.items():
        tab.tab(name)
        wait_for(lambda: shows(tab, 60), 60, f"{name} at decision 60")
        picture(tab, title).wait_for()
        time.sleep(0.5)
        at_60[name] = pixels(tab, title)
    colours = map_colours(tab)
    values = pixels(tab, "Value of each action to the agent")

    go_to(tab, 10)
    assert "After decision 10" in moment(tab).inner_text()
    wait_for(lambda: map_colours(tab) != colours, 5, "the tie map of decision 10")
    wait_for(lambda: pixels(tab, "Value of each action to the agent") != values, 5, "the values at decision 10")
    for name, title in PICTURES.items():
        tab.tab(name)
        wait_for(lambda: shows(tab, 10), 60, f"{name} at decision 10")
        wait_for(lambda: pixels(tab, title) != at_60[name], 10, f"another picture of {name}")  # noqa: B023
    tab.tab("Text")
    wait_for(lambda: len(wrote(tab)) > 50, 30, "a text by the model of decision 10")
    text = wrote(tab)

    # Back: all of it is stored by now, so that it is there at once.
    tab.tab("Similarity")
    wait_for(lambda: shows(tab, 10), 10, "the similarity at decision 10")
    waits = []
    for turn in range(8):
        wanted = 60 if turn % 2 == 0 else 10
        start = time.monotonic()
        go_to(tab, wanted)
        wait_for(lambda: shows(tab, wanted), 10, "what was stored")  # noqa: B023
        waits.append(time.monotonic() - start)
    print(f"what is stored is shown after {1e3 * statistics.median(waits):.0f} ms (median of {len(waits)})")
    moment(tab).get_by_role("button", name="Look at the latest").click()
    wait_for(lambda: at(tab) == "60", 5, "the latest again")
    wait_for(lambda: map_colours(tab) == colours, 5, "the tie map of decision 60 again")
    tab.tab("Text")
    wait_for(lambda: wrote(tab) not in ("", text), 30, "a text by the model of now")


def in_sight(tab: Tab, locator: Any) -> bool:
    """Whether all of an element lies within the view and the page, which is not scrolled."""
    box, view = locator.bounding_box(), tab.page.locator(".ll-view:visible").first.bounding_box()
    assert tab.page.evaluate("window.scrollY") == 0
    return box["y"] >= view["y"] and box["y"] + box["height"] <= min(768, view["y"] + view["height"])


def test_a_token_is_picked_and_stays_picked_when_the_moment_moves(visit: Visit) -> None:
    tab = looking(visit, "scale=tiny&threads=1&decisions=20&seed=8", decisions=20)
    tab.until("finished", seconds=60)
    tab.tab("Tokens")
    wait_for(lambda: shows(tab, 20), 60, "the losses of the tokens")
    texts = tab.page.locator(".ll-tokens")
    losses = texts.first
    assert losses.locator(".ll-sequence").count() == 8
    losses.locator("[data-sequence='2'][data-token='7']").click()
    why = tab.page.locator(".ll-ask").nth(1)
    wait_for(lambda: "Token 7 of sequence 2" in why.inner_text(), 60, "what its prediction rests on")
    picture(tab, "What it would say after each layer").wait_for()
    wait_for(lambda: in_sight(tab, why), 5, "the answer in sight, where the token was picked")
    wait_for(lambda: texts.nth(1).get_attribute("data-picked") == "0 7", 5, "its mark in the sequence")
    assert losses.get_attribute("data-picked") == "2 7"
    before = pixels(tab, "What it would say after each layer")
    go_to(tab, 1)
    wait_for(
        lambda: "after decision 1;" in why.inner_text() and "Token 7" in why.inner_text(), 60, "the same token then"
    )
    wait_for(lambda: pixels(tab, "What it would say after each layer") != before, 10, "another picture of it")
    # Another token of the sequence, by the keyboard.
    token = texts.nth(1).locator("[data-token='7']")
    token.focus()
    token.press("ArrowRight")
    tab.page.keyboard.press("Enter")
    wait_for(lambda: "Token 8 of sequence 2" in why.inner_text(), 60, "the next token")
    losses.locator("[data-sequence='0'][data-token='0']").click()
    wait_for(lambda: "Nothing predicts the first token" in losses.inner_text(), 5, "why the first cannot be picked")


def test_costs_are_sorted_and_layers_compared_with_another_moment(visit: Visit) -> None:
    tab = looking(visit, "scale=tiny&threads=1&decisions=20&seed=9", decisions=20)
    tab.until("finished", seconds=60)
    tab.tab("What ties cost")
    wait_for(lambda: shows(tab, 20), 60, "what ties cost")
    table = tab.page.locator(".ll-table[data-rows]").last
    wait_for(lambda: table.locator("tbody tr").count() > 3, 5, "the table of answers")
    changes = [
        float(words.replace("\u2212", "-")) for words in table.locator("tbody td:nth-child(4)").all_inner_texts()
    ]
    assert changes == sorted(changes)
    table.get_by_role("button", name="change of the loss").click()
    wait_for(lambda: table.locator("th[aria-sort=descending]").count() == 1, 5, "the other order")
    assert numbers(table.locator("tbody td:nth-child(4)")) == sorted(changes, reverse=True)

    tab.tab("Similarity")
    wait_for(lambda: shows(tab, 20), 60, "the similarity")
    alone = pixels(tab, PICTURES["Similarity"])
    fold = probe(tab).locator("details[data-fold=other]")
    fold.locator("summary").click()
    fold.locator("select").first.select_option("this run")
    wait_for(lambda: "beside this run after decision 20" in panel(tab).inner_text(), 60, "the run beside itself")
    fold.get_by_label("Its decision").select_option("3")
    wait_for(lambda: "beside this run after decision 3;" in panel(tab).inner_text(), 60, "decision 3 beside it")
    wait_for(lambda: pixels(tab, PICTURES["Similarity"]) != alone, 10, "another picture")
    fold.locator("select").first.select_option("")
    wait_for(lambda: "beside" not in panel(tab).inner_text() and shows(tab, 20), 60, "the run alone again")


def test_a_long_look_is_cancelled_while_training_goes_on(visit: Visit) -> None:
    tab = looking(visit, f"{LAPTOP}&decisions=100000", decisions=12)
    assert tab.status == "running"
    tab.tab("What ties cost")
    probe(tab).locator("details[data-fold=probe] > summary").click()
    probe(tab).locator("details[data-fold=probe] select").select_option("64")
    cancel = panel(tab).locator("button[data-cancel]")
    cancel.wait_for(state="visible", timeout=20_000)
    wait_for(lambda: (panel(tab).locator("progress").get_attribute("value") or "0") > "0", 30, "some progress")
    before = tab.decisions
    wait_for(lambda: tab.decisions > before, 10, "training to go on meanwhile")
    cancel.click()
    wait_for(lambda: "Cancelled" in panel(tab).inner_text(), 5, "the word that it is cancelled")
    cancel.wait_for(state="hidden")
    before = tab.decisions
    wait_for(lambda: tab.decisions > before, 10, "training to go on afterwards")
    # And the same can be asked again.
    probe(tab).locator("details[data-fold=probe] select").select_option("4")
    wait_for(lambda: "probe set: 4 sequences" in panel(tab).inner_text(), 60, "an answer")
    tab.pause()


def test_a_probe_text_is_typed_or_refused_with_the_reason(visit: Visit) -> None:
    tab = looking(visit, "scale=tiny&threads=1&decisions=20&seed=6", decisions=20)
    fold = probe(tab).locator("details[data-fold=probe]")
    fold.locator("summary").click()
    wait_for(lambda: fold.locator("li").count() == 8, 10, "the sequences of the validation text")
    tab.tab("Attribution")
    wait_for(lambda: "8 sequences of" in panel(tab).inner_text(), 60, "an answer on the validation text")
    for text, said in (("   ", "it is empty"), ("abc", "at least 5 tokens"), ("snow \u2603 snow", "U+2603")):
        fold.locator("textarea").fill(text)
        fold.get_by_role("button", name="Look at this text").click()
        wait_for(lambda: said in fold.locator(".ll-wrong").inner_text(), 10, said)  # noqa: B023
        assert fold.locator("li").count() == 8
    fold.locator("textarea").fill("the interpreter prints a prompt and waits for the next line of the program " * 3)
    fold.get_by_role("button", name="Look at this text").click()
    wait_for(lambda: "a typed text" in panel(tab).inner_text(), 60, "an answer on the typed text")
    assert fold.locator(".ll-wrong").inner_text() == ""
    fold.get_by_role("button", name="Look at the run's validation text again").click()
    wait_for(lambda: "8 sequences of" in panel(tab).inner_text(), 60, "the validation text again")


def test_a_run_that_goes_on_elsewhere_and_one_that_is_over_can_be_looked_at(visit: Visit) -> None:
    tab = looking(visit, "scale=tiny&threads=1&decisions=14&seed=7", decisions=14)
    name = tab.run
    tab.until("finished")
    tab.close()
    other = visit(f"run={name}")
    other.tab("Look inside")
    wait_for(lambda: at(other) == "14", 10, "the last decision")
    other.tab("What ties cost")
    picture(other, PICTURES["What ties cost"]).wait_for(timeout=60_000)


def test_a_past_moment_stays_while_the_run_goes_on_and_the_scrubber_reaches_what_came(visit: Visit) -> None:
    tab = looking(visit, f"{LAPTOP}&decisions=100000", decisions=12)
    tab.tab("Memory")
    wait_for(lambda: "One run, after" in panel(tab).inner_text(), 60, "a ledger")
    go_to(tab, 3)
    wait_for(lambda: shows(tab, 3), 60, "the ledger of decision 3")
    reached = tab.decisions
    wait_for(lambda: tab.decisions > reached + 4, 30, "the run to go on")
    assert at(tab) == "3"
    wait_for(lambda: int(moment(tab).locator("input[type=range]").get_attribute("max") or 0) > reached, 10, "the end")
    go_to(tab, reached + 1)
    wait_for(lambda: shows(tab, reached + 1), 60, "a decision that came meanwhile")
    tab.pause()


def test_another_run_brings_its_own_probe_set_and_is_looked_at_at_once(visit: Visit) -> None:
    tab = looking(visit, "scale=laptop&threads=1&decisions=6&seed=11", decisions=6)
    tab.until("finished")
    first = tab.run
    tab.tab("Memory")
    wait_for(lambda: shows(tab, 6), 60, "the ledger of the first run")
    assert "8 sequences of 64 tokens" in probe(tab).inner_text()
    other = visit("scale=tiny&threads=1&decisions=5&seed=12")
    other.start()
    other.until("finished", seconds=60)
    tab.open(other.run)
    wait_for(lambda: shows(tab, 5), 60, "the ledger of the other run, unasked")
    assert "8 sequences of 32 tokens" in probe(tab).inner_text()
    tab.open(first)
    wait_for(lambda: shows(tab, 6), 60, "the first again")
