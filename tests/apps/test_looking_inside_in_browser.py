"""The tab "Look inside" in headless Chromium: every view, the scrubber, a probe text, cancelling; training goes on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
from explorer_tab import Tab, wait_for

pytestmark = pytest.mark.browser

LAPTOP = "scale=laptop&threads=1&seed=5"
Visit = Callable[..., Tab]
PICTURES = {
    "Similarity": "What passes the layers (CKA)",
    "Attribution": "Loss without the layer",
    "What ties cost": "What every change of a tie would cost now",
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


def moment(tab: Tab):  # type: ignore[no-untyped-def]
    return tab.page.locator(".ll-time")


def panel(tab: Tab):  # type: ignore[no-untyped-def]
    return tab.page.locator(".ll-ask").first


def at(tab: Tab) -> str:
    return moment(tab).get_attribute("data-decision") or ""


def go_to(tab: Tab, decision: int) -> float:
    """Scrub; seconds until the page shows that moment."""
    number = moment(tab).locator("input[type=number]")
    number.fill(str(decision))
    number.press("Enter")
    return wait_for(lambda: at(tab) == str(decision), 10, f"decision {decision}")


def picture(tab: Tab, title: str):  # type: ignore[no-untyped-def]
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
        wait_for(lambda: "after decision 60" in panel(tab).inner_text(), 60, f"{name} at decision 60")
        picture(tab, title).wait_for()
        time.sleep(0.5)
        at_60[name] = pixels(tab, title)
    colours = map_colours(tab)
    values = pixels(tab, "Value of each answer to the agent")

    go_to(tab, 10)
    assert "After decision 10" in moment(tab).inner_text()
    wait_for(lambda: map_colours(tab) != colours, 5, "the tie map of decision 10")
    wait_for(lambda: pixels(tab, "Value of each answer to the agent") != values, 5, "the values at decision 10")
    for name, title in PICTURES.items():
        tab.tab(name)
        wait_for(lambda: "after decision 10" in panel(tab).inner_text(), 60, f"{name} at decision 10")
        wait_for(lambda: pixels(tab, title) != at_60[name], 10, f"another picture of {name}")  # noqa: B023
    tab.tab("Text")
    wait_for(lambda: len(panel(tab).locator("pre").inner_text()) > 50, 30, "a text by the model of decision 10")
    text = panel(tab).locator("pre").inner_text()

    # Back: all of it is stored by now, so that it is there at once.
    tab.tab("Similarity")
    wait_for(lambda: "after decision 10" in panel(tab).inner_text(), 10, "the similarity at decision 10")
    waits = []
    for turn in range(8):
        wanted = 60 if turn % 2 == 0 else 10
        start = time.monotonic()
        go_to(tab, wanted)
        wait_for(lambda: f"after decision {wanted};" in panel(tab).inner_text(), 10, "what was stored")  # noqa: B023
        waits.append(time.monotonic() - start)
    print(f"what is stored is shown after {1e3 * statistics.median(waits):.0f} ms (median of {len(waits)})")
    moment(tab).get_by_role("button", name="Look at the latest").click()
    wait_for(lambda: at(tab) == "60", 5, "the latest again")
    wait_for(lambda: map_colours(tab) == colours, 5, "the tie map of decision 60 again")
    tab.tab("Text")
    wait_for(lambda: panel(tab).locator("pre").inner_text() not in ("", text), 30, "a text by the model of now")


def test_a_long_look_is_cancelled_while_training_goes_on(visit: Visit) -> None:
    tab = looking(visit, f"{LAPTOP}&decisions=100000", decisions=12)
    assert tab.status == "running"
    tab.tab("What ties cost")
    moment(tab).locator("details[data-fold=probe] > summary").click()
    moment(tab).locator("details[data-fold=probe] select").select_option("64")
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
    moment(tab).locator("details[data-fold=probe] select").select_option("4")
    wait_for(lambda: "probe set: 4 sequences" in panel(tab).inner_text(), 60, "an answer")
    tab.pause()


def test_a_probe_text_is_typed_or_refused_with_the_reason(visit: Visit) -> None:
    tab = looking(visit, "scale=tiny&threads=1&decisions=20&seed=6", decisions=20)
    fold = moment(tab).locator("details[data-fold=probe]")
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
